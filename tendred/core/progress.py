"""How far running jobs are: live, never stored, the newest counts."""

from __future__ import annotations

from tendred.bus import Bus
from tendred.clock import Clock, rfc3339
from tendred.schema.event import Event
from tendred.schema.job import Progress
from tendred.schema.work import Advance


class Watch:
    """Progress by job, with the time left told from the steps so far."""

    def __init__(self, bus: Bus, clock: Clock, boot_id: str) -> None:
        self._bus = bus
        self._clock = clock
        self._boot_id = boot_id
        self._now: dict[str, Progress] = {}
        self._since: dict[str, tuple[str, float, int]] = {}

    def get(self, job_id: str) -> Progress | None:
        """Where a job is, if it runs."""
        return self._now.get(job_id)

    def left_s(self) -> float:
        """Seconds that what runs still needs, as far as that is known."""
        return sum(progress.eta_s or 0.0 for progress in self._now.values())

    def advance(self, job_id: str, report: Advance) -> None:
        """A job got further."""
        progress = Progress(phase=report.phase, done=report.done, total=report.total, eta_s=self._eta(job_id, report))
        self._now[job_id] = progress
        at = rfc3339(self._clock.now())
        self._bus.publish(
            Event(
                seq=None,
                boot_id=self._boot_id,
                at=at,
                topic="job.progress",
                job_id=job_id,
                data={"progress": {name: getattr(progress, name) for name in progress.__struct_fields__}},
            )
        )

    def forget(self, job_id: str) -> None:
        """A job runs no more."""
        self._now.pop(job_id, None)
        self._since.pop(job_id, None)

    def _eta(self, job_id: str, report: Advance) -> float | None:
        now = self._clock.mono()
        since = self._since.get(job_id)
        if since is None or since[0] != report.phase or since[2] > report.done:
            self._since[job_id] = (report.phase, now, report.done)
            return report.eta_s
        steps = report.done - since[2]
        if report.total is None or steps <= 0:
            return report.eta_s
        return round((now - since[1]) / steps * (report.total - report.done), 1)
