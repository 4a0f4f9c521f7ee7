"""Rough pictures of what is being drawn: live, never stored, the newest counts, and made only while somebody looks on."""

from __future__ import annotations

import base64
from typing import Final

from msgspec.structs import asdict

from tendred.backend import Media
from tendred.bus import Bus
from tendred.clock import Clock, rfc3339
from tendred.errors import TendredError
from tendred.schema.event import Event
from tendred.schema.job import PreviewInfo
from tendred.schema.work import PREVIEW_SIDE, Preview, PreviewForm, Shrink
from tendred.tasks import Tasks

TOPIC: Final = "job.preview"
LEASE_S: Final = 3.0
"""So long does somebody count as looking on who asked for the newest one (`jobs.preview`)."""
BYTES: Final = 64 * 1024
"""A preview that comes as an event is smaller than this, or doesn't come."""


class Previews:
    """The newest preview of each running job."""

    def __init__(self, *, bus: Bus, media: Media, tasks: Tasks, clock: Clock, boot_id: str) -> None:
        self._bus = bus
        self._media = media
        self._tasks = tasks
        self._clock = clock
        self._boot_id = boot_id
        self._asked = -LEASE_S
        self._newest: dict[str, Preview] = {}
        self._telling: set[str] = set()

    @property
    def wanted(self) -> bool:
        """Whether anybody looks on."""
        return self._clock.mono() - self._asked < LEASE_S or self._bus.wanted(TOPIC)

    def show(self, job_id: str, preview: Preview) -> None:
        """A new one. Told to subscribers at leisure: while one is on its way, those between it and the newest are skipped."""
        self._newest[job_id] = preview
        if job_id not in self._telling and self._bus.wanted(TOPIC):
            self._telling.add(job_id)
            self._tasks.spawn("preview", self._tell(job_id))

    def forget(self, job_id: str) -> None:
        """A job runs no more."""
        self._newest.pop(job_id, None)

    async def latest(self, job_id: str, form: PreviewForm, side: int) -> PreviewInfo | None:
        """The newest preview of a job, None without one. Whoever asks looks on for the next LEASE_S."""
        self._asked = self._clock.mono()
        preview = self._newest.get(job_id)
        return None if preview is None else await self._made(preview, form, side)

    async def _tell(self, job_id: str) -> None:
        told: Preview | None = None
        try:
            while (preview := self._newest.get(job_id)) is not None and preview is not told:
                info = await self._made(preview, "jpeg", PREVIEW_SIDE)
                told = preview
                # Its job may have ended meanwhile, and was told so: nothing comes after that.
                if job_id in self._newest and info.bytes < BYTES:
                    self._publish(job_id, info)
        except TendredError:
            return  # the media process is gone or going; the next preview tries again
        finally:
            self._telling.discard(job_id)

    async def _made(self, preview: Preview, form: PreviewForm, side: int) -> PreviewInfo:
        shrunk = await self._media.shrink(
            Shrink(rgb=preview.rgb, width=preview.width, height=preview.height, side=side, form=form)
        )
        return PreviewInfo(
            index=preview.index,
            done=preview.done,
            total=preview.total,
            width=shrunk.width,
            height=shrunk.height,
            media_type=shrunk.media_type,
            bytes=len(shrunk.data),
            data=base64.b64encode(shrunk.data).decode("ascii"),
        )

    def _publish(self, job_id: str, info: PreviewInfo) -> None:
        at = rfc3339(self._clock.now())
        data = {"preview": asdict(info)}
        self._bus.publish(Event(seq=None, boot_id=self._boot_id, at=at, topic=TOPIC, job_id=job_id, data=data))
