"""Pulls without a hub: each `wait` brings one a step further. What it does depends on the repository's name.

`stuck` stays where it is, `gated` fails, `shaky` meets a network that comes back; anything else arrives.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from msgspec.structs import asdict, replace

from tendred.clock import Ids
from tendred.errors import CredentialsMissing, NotFound, ProviderUnavailable
from tendred.schema.error import tell
from tendred.schema.pull import ENDED, Pull, PullPage, PullState

TOTAL = 4_000_000


class FakePulls:
    """See core.pulls.Pulls."""

    def __init__(self, ids: Ids, happen: Callable[..., object]) -> None:
        self._ids = ids
        self._happen = happen
        self._pulls: dict[str, Pull] = {}

    async def start(self, repo: str, revision: str | None, variant: str | None, name: str | None) -> Pull:
        for pull in self._pulls.values():
            if pull.repo == repo and pull.state not in ENDED:
                return await self.resume(pull.id)
        return self._put(
            Pull(
                id=self._ids.new("pul"), state="queued", repo=repo, revision=revision or "main", variant=variant,
                host="huggingface.co", name=name or repo.rpartition("/")[2], commit=None, licence=None, gated=None,
                files=None, phase=None, done_bytes=0, total_bytes=None, rate_bytes=None, eta_s=None,
                created_at="2026-11-22T10:00:00.000Z", finished_at=None, retry_at=None, error=None,
            ),
            "model.pull_queued",
        )  # fmt: skip

    async def get(self, pull_id: str) -> Pull:
        if pull_id not in self._pulls:
            raise NotFound("pull", path="pull_id", noun="pull", name=pull_id, near=[])
        return self._pulls[pull_id]

    async def page(self, states: Collection[PullState] | None, limit: int, cursor: str | None) -> PullPage:
        found = [pull for pull in reversed(self._pulls.values()) if not states or pull.state in states]
        found = [pull for pull in found if cursor is None or pull.id < cursor]
        return PullPage(pulls=found[:limit], next=found[limit - 1].id if len(found) > limit else None)

    async def pause(self, pull_id: str) -> Pull:
        return self._if(await self.get(pull_id), {"queued", "running"}, "model.pull_paused", state="paused")

    async def resume(self, pull_id: str) -> Pull:
        pull = await self.get(pull_id)
        return self._if(pull, {"paused", "failed"}, "model.pull_queued", state="queued", error=None)

    async def cancel(self, pull_id: str) -> Pull:
        pull = await self.get(pull_id)
        return self._if(pull, {"queued", "running", "paused", "failed"}, "model.pull_cancelled", state="cancelled")

    async def wait(self, pull_id: str, timeout_s: float) -> Pull:
        del timeout_s
        pull = await self.get(pull_id)
        if pull.state == "queued":
            known = {"commit": "c" * 40, "licence": "openrail++", "gated": False, "files": 9, "total_bytes": TOTAL}
            return self._put(replace(pull, state="running", phase="fetching", **known), "model.pulling")
        if pull.state != "running" or "stuck" in pull.repo:
            return pull
        if "gated" in pull.repo:
            words = {"provider": pull.host, "repo": pull.repo, "page": f"https://{pull.host}/{pull.repo}"}
            error = tell(CredentialsMissing("gated", **words), "ref1")
            return self._put(replace(pull, state="failed", error=error), "model.pull_failed")
        if "shaky" in pull.repo and pull.retry_at is None and pull.done_bytes == 0:
            error = tell(ProviderUnavailable("pull", provider=pull.host, problem="it broke"), "ref1")
            return self._put(replace(pull, error=error, retry_at="2026-11-22T10:00:01.000Z", done_bytes=1))
        if pull.done_bytes < TOTAL // 2:
            half = {"done_bytes": TOTAL // 2, "rate_bytes": 1_000_000, "eta_s": 75.0, "error": None, "retry_at": None}
            return self._put(replace(pull, **half))
        ended = {"done_bytes": TOTAL, "rate_bytes": None, "eta_s": None, "phase": None, "finished_at": pull.created_at}
        return self._put(replace(pull, state="succeeded", **ended), "model.pulled")

    def _if(self, pull: Pull, allowed: Collection[str], topic: str, **changes: Any) -> Pull:
        return self._put(replace(pull, **changes), topic) if pull.state in allowed else pull

    def _put(self, pull: Pull, topic: str | None = None) -> Pull:
        self._pulls[pull.id] = pull
        if topic is not None:
            self._happen(topic, {"pull": asdict(pull)})
        return pull
