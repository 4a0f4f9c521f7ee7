"""Pictures that are drawn in one call of the pipeline: of one order, or of several. No torch in here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tendred.engine.worker.loop import Job
from tendred.errors import Cancelled
from tendred.schema.frames import Stopped
from tendred.schema.job import Phase
from tendred.schema.still import common, seats


@dataclass
class Company:
    """Each with its order and its index there, and which call of how many this is.

    Of several orders one that is cancelled is told so at once, and what is drawn for it goes nowhere; the call ends with
    the last of them.
    """

    seats: list[tuple[Job, int]]
    call: int = 0
    calls: int = 1
    _gone: set[str] = field(default_factory=set[str])

    @property
    def jobs(self) -> list[Job]:
        """The orders, each once, that are still wanted."""
        known = {job.order.job_id: job for job, _ in self.seats}
        return [job for name, job in known.items() if name not in self._gone]

    @property
    def several(self) -> bool:
        """Whether more than one order has pictures in it."""
        return len({job.order.job_id for job, _ in self.seats}) > 1

    def wants(self, job: Job) -> bool:
        return job.order.job_id not in self._gone

    def check(self) -> None:
        """Raise Cancelled if the daemon wants none of them any more."""
        for job in self.jobs:
            if job.pipes.stopped(job.order.job_id):
                self._gone.add(job.order.job_id)
                if self.several:
                    job.pipes.send(Stopped(job_id=job.order.job_id))
        if not self.jobs:
            raise Cancelled

    def phase(self, phase: Phase, done: int, total: int | None) -> None:
        """Say to each of them how far it is."""
        for job in self.jobs:
            job.phase(phase, done, total)


def companies(job: Job) -> Iterator[Company]:
    """An order's pictures, call by call."""
    indices = job.order.indices
    room = seats(job.still) if job.order.together and common(job.still) is not None else 1
    calls = range(0, len(indices), room)
    for call, first in enumerate(calls):
        yield Company([(job, index) for index in indices[first : first + room]], call, len(calls))


def alike(jobs: list[Job]) -> bool:
    """Whether these may be drawn in one call: with the same model, the same LoRAs and parts, and settings in common."""
    first, *others = ((job.order.model_path, job.model_sha256, job.loras, job.parts, common(job.still)) for job in jobs)
    return first[-1] is not None and all(one == first for one in others) and all(job.order.together for job in jobs)
