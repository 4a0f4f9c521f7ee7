"""Room on the disk that a person gave, and advice on what could go. Nothing is ever deleted by itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from tendred.clock import Clock
from tendred.library.usage import Usage, enough
from tendred.schema.cache import Advice, Budget, Budgets
from tendred.schema.model import ModelInfo

MOST: Final = 20
FRESH_S: Final = 30.0
"""So long what was found is told again: a status is asked for often, and looking at every model takes a while."""


class Accounts:
    """`limit` is 0 where there is none."""

    def __init__(
        self,
        *,
        models: Callable[[], Awaitable[list[ModelInfo]]],
        ships: Callable[[ModelInfo], bool],
        usage: Usage,
        clock: Clock,
        models_limit: int,
        pictures_limit: int,
    ) -> None:
        self._models = models
        self._ships = ships
        self._usage = usage
        self._clock = clock
        self._models_limit = models_limit
        self._pictures_limit = pictures_limit
        self._told: tuple[float, Budgets] | None = None

    async def both(self) -> Budgets:
        """For the status: looked at only where there is a limit."""
        if self._told is None or self._clock.mono() - self._told[0] > FRESH_S:
            models = self.of_models(await self._models()) if self._models_limit else _UNLIMITED
            self._told = (self._clock.mono(), Budgets(models=models, pictures=await self._pictures()))
        return self._told[1]

    def of_models(self, models: list[ModelInfo]) -> Budget:
        """What the files of these take, but those that ship. The default model is never advised to go."""
        models = [model for model in models if not self._ships(model)]
        used = sum(model.bytes for model in models)
        if not self._models_limit:
            return Budget(limit_bytes=None, used_bytes=used, advice=[])
        idle = sorted(
            (model for model in models if model.bytes and not model.is_default),
            key=lambda model: (model.last_used_at or "", -model.bytes),
        )
        advice = [
            Advice(name=model.name, kind=model.kind, bytes=model.bytes, last_used_at=model.last_used_at)
            for model in idle
        ]
        return Budget(
            limit_bytes=self._models_limit,
            used_bytes=used,
            advice=enough(advice, used - self._models_limit, MOST),
        )

    async def _pictures(self) -> Budget:
        if not self._pictures_limit:
            return _UNLIMITED
        used = await self._usage.bytes()
        advice = await self._usage.advice(used - self._pictures_limit, MOST)
        return Budget(limit_bytes=self._pictures_limit, used_bytes=used, advice=advice)


_UNLIMITED: Final = Budget(limit_bytes=None, used_bytes=None, advice=[])
