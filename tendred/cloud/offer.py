"""Whether a provider offers what is asked for, by its table. Pure; what isn't is told with what is near."""

from __future__ import annotations

import difflib
from typing import Final

from tendred.errors import NotOffered
from tendred.schema.provider import Features, ProviderModel

_NEAR: Final = 6


def check(
    features: Features, model: str, *, prompt: str, width: int, height: int, seconds: int, fps: str,
    audio: bool = True, seed: int | None = None, first: bool = False, last: bool = False,
    refine: bool = False,
) -> ProviderModel:  # fmt: skip
    """The model that will render it. Raises NotOffered by field, with what is near."""
    row = named(features, model)

    def unless(fits: bool, path: str, value: object, near: list[str]) -> None:  # noqa: FBT001 - it reads as a sentence
        if not fits:
            raise NotOffered("field", path=path, provider=features.provider, model=model, value=value, near=near)

    unless(row.audio or not audio, "audio", "true", ["false"])
    unless(row.seed or seed is None, "seed", str(seed), ["null"])
    unless(row.first_frame or not first, "first_frame", "a still", ["null"])
    unless((row.last_frame and first) or not last, "last_frame", "a still", ["null"])
    unless(features.refine or not refine, "refine_of", "a clip", ["null"])
    sizes = {(size.width, size.height): size.seconds for size in row.sizes}
    rates = sizes.get((width, height))
    unless(rates is not None, "size", f"{width}x{height}", [f"{w}x{h}" for w, h in _near_sizes(sizes, width, height)])
    assert rates is not None
    unless(fps in rates, "fps", fps, sorted(rates, key=_rate))
    unless(seconds in rates[fps], "seconds", seconds, _near_seconds(rates[fps], seconds))
    limit = row.prompt_chars or len(prompt)
    unless(len(prompt) <= limit, "prompt", f"of {len(prompt)} characters", [f"at most {limit} characters"])
    return row


def named(features: Features, model: str) -> ProviderModel:
    """The model of this name. Raises NotOffered; for a retired one it says what took its place."""
    models = {row.name: row for row in features.models}
    row = models.get(model)
    offered = [name for name, known in models.items() if known.replaced_by is None]
    if row is None:
        near = difflib.get_close_matches(model, offered, 3, 0.4) or offered[:_NEAR]
        raise NotOffered("field", path="model", provider=features.provider, model=model, value=model, near=near)
    if row.replaced_by is not None:
        raise NotOffered(
            "retired", path="model", provider=features.provider, model=model, replaced_by=row.replaced_by,
            near=[row.replaced_by],
        )  # fmt: skip
    return row


def _rate(fps: str) -> float:
    number, _, divisor = fps.partition("/")
    return int(number) / int(divisor or 1)


def _near_sizes(sizes: dict[tuple[int, int], dict[str, list[int]]], width: int, height: int) -> list[tuple[int, int]]:
    """Those that lie the same way first, then by how many pixels they differ."""
    lies = width >= height

    def far(size: tuple[int, int]) -> tuple[bool, int]:
        return ((size[0] >= size[1]) != lies, abs(size[0] * size[1] - width * height))

    return sorted(sizes, key=far)[:_NEAR]


def _near_seconds(offered: list[int], asked: int) -> list[str]:
    return [str(one) for one in sorted(sorted(offered, key=lambda one: abs(one - asked))[:2])]
