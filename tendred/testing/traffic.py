"""An engine in simulated time behind the real queue: who sends what when, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from tendred.clock import Ids, SystemRng
from tendred.queue.claim import claim
from tendred.queue.machine import Finished
from tendred.queue.store import NewJob, Queue
from tendred.schema.job import Origin
from tendred.schema.sealed import Reviewed
from tendred.schema.still import Lane
from tendred.store.database import Database, Tx
from tendred.testing.clock import ManualClock

PASSED: Final = "SELECT job_id, passed_at FROM waiting WHERE passed_at IS NOT NULL"
SEALED: Final = Reviewed(request=b"r", conditioning=b"c", policy="p", mac=b"m")


@dataclass(frozen=True)
class Sent:
    """A job on its way: when it comes, from whom, and how long the engine draws it once its model is loaded."""

    at: float
    client: str
    model: str
    seconds: float
    lane: Lane = "normal"


@dataclass
class Done:
    """What became of one. `passed` is when another job first went in its stead while it was first in line."""

    sent: Sent
    started: float
    ended: float
    passed: float | None = None

    @property
    def waited(self) -> float:
        return self.started - self.sent.at


@dataclass
class Engine:
    """Holds one model. `load_s` is what each takes to load, `switches` how often that was needed."""

    load_s: Mapping[str, float]
    model: str | None = None
    switches: int = 0

    def takes(self, sent: Sent) -> float:
        """Seconds from the claim to the end."""
        if sent.model == self.model:
            return sent.seconds
        self.switches += self.model is not None
        self.model = sent.model
        return self.load_s[sent.model] + sent.seconds


@dataclass
class Traffic:
    """Sends jobs, and works on whatever the queue hands out."""

    database: Database
    queue: Queue
    clock: ManualClock
    engine: Engine
    done: list[Done] = field(default_factory=list[Done])

    async def run(self, sent: Sequence[Sent]) -> list[Done]:
        """All of it, to the end. `sent` is in the order of arrival; times are seconds from now."""
        ids, coming = Ids(self.clock, SystemRng()), list(sent)
        began, start = self.clock.mono(), self.clock.now()
        names: dict[str, Sent] = {}
        passed: dict[str, float] = {}
        while coming or len(self.done) < len(sent):
            now = self.clock.mono() - began
            due = [one for one in coming if one.at <= now]
            coming = coming[len(due) :]
            jobs = [_job(ids.new("job"), one) for one in due]
            if jobs:
                await self.queue.add(jobs)
            names |= {job.id: one for job, one in zip(jobs, due, strict=True)}
            taken = await claim(self.database, self.queue, [self.engine.model] if self.engine.model else [])
            if taken is None:
                self.clock.advance(coming[0].at - now)
                continue
            one = names[taken.job.id]
            self.clock.advance(self.engine.takes(one))
            passed |= await self._finish(taken.job.id, start)
            self.done.append(Done(one, now, self.clock.mono() - began, passed.get(taken.job.id)))
        return self.done

    async def _finish(self, job_id: str, start: float) -> dict[str, float]:
        """It is done. Returns who lets others pass, and since when."""

        def work(tx: Tx) -> dict[str, float]:
            self.queue.apply_in(tx, job_id, Finished())
            return {row["job_id"]: row["passed_at"] - start for row in tx.run(PASSED)}

        return await self.database.write(work)


def _job(job_id: str, sent: Sent) -> NewJob:
    # All of one size: how fast a model is, the queue has to find out.
    request = {"model": sent.model, "count": 1, "steps": 20, "width": 1000, "height": 1000}
    return NewJob(
        id=job_id, kind="still", lane=sent.lane, request=request, asked={}, origin=Origin(door="rpc", client=sent.client),
        reviewed=SEALED, removed=[], retry_of=None, key=None, key_hash=b"",
    )  # fmt: skip


def switches_in_order(sent: Sequence[Sent]) -> int:
    """How often the model changes where the first that came is the first that is served."""
    return sum(one.model != other.model for one, other in pairwise(sent))


def fair_ends(sent: Sequence[Sent]) -> list[float]:
    """When each job would end if all clients that wait shared the engine equally at every moment, and loading took
    no time: no real engine can do that (generalized processor sharing), so it is what others are measured by."""
    left = [one.seconds for one in sent]
    ends = [0.0] * len(sent)
    lines: dict[str, list[int]] = {}
    now, coming = 0.0, list(range(len(sent)))
    while coming or any(lines.values()):
        heads = [line[0] for line in lines.values() if line]
        soonest = min((left[head] * len(heads) for head in heads), default=float("inf"))
        step = min(soonest, sent[coming[0]].at - now if coming else float("inf"))
        now += step
        for head in heads:
            left[head] -= step / len(heads)
            if left[head] <= 1e-9:  # noqa: PLR2004 - done, but for rounding
                ends[head] = now
                lines[sent[head].client].pop(0)
        while coming and sent[coming[0]].at <= now + 1e-9:
            lines.setdefault(sent[coming[0]].client, []).append(coming.pop(0))
    return ends
