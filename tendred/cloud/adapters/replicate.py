"""Replicate's predictions. A result lives for an hour; its list may tell what became of a submit that nobody answered."""

from __future__ import annotations

import base64
import io
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import msgspec

from tendred.backend import Download
from tendred.cloud.adapters.answers import CERTAIN, an_id, by_status, refusal, rows, said, seconds_of, table, text
from tendred.cloud.adapters.fetch import fetch
from tendred.cloud.adapters.hosts import HostNotAllowed, origin
from tendred.cloud.adapters.table import Table
from tendred.cloud.adapters.wire import Reply, Wire
from tendred.errors import ProviderUnavailable, ResultExpired, TendredError
from tendred.schema.provider import Accepted, CancelTruth, ClipOrder, RemotePhase, RemoteState
from tendred.tasks import offload

PHASES: Final[dict[str, RemotePhase]] = {"starting": "waiting", "processing": "rendering"}
PAGES: Final = 5
SKEW_S: Final = 120.0
"""How far our clock and theirs may be apart when a list is searched."""
_JSON: Final = {"Content-Type": "application/json"}


class Replicate:
    """See backend.Adapter. A remote id is a prediction's id."""

    def __init__(self, capabilities: Table, wire: Wire) -> None:
        self.features = capabilities.features()
        self._table, self._wire = capabilities, wire

    async def upload(self, picture: Path, media_type: str) -> str:
        data = await offload(picture.read_bytes)
        if len(data) <= self._table.inline_bytes:
            return f"data:{media_type};base64,{base64.b64encode(data).decode()}"
        form = aiohttp.FormData()
        form.add_field(
            "content", io.BytesIO(data), content_type=media_type, filename=f"frame.{media_type.rpartition('/')[2]}"
        )
        kept = await self._wire.ask("POST", "/v1/files", body=form)
        url = text(table((kept.document or {}).get("urls")).get("get"))
        if url is None:
            raise self._wire.unavailable("no address of the upload")
        return url

    async def submit(self, order: ClipOrder) -> Accepted:
        row = self._table.row(order.model)
        body = msgspec.json.encode({"input": _input(order, tell_task=row.task)})

        def read(reply: Reply) -> Accepted | TendredError | None:
            if reply.status in {200, 201, 202}:
                job = an_id((reply.document or {}).get("id"))
                return None if job is None else Accepted(remote_id=job, request_id=reply.request_id)
            return self._refused(reply, order.prompt)

        return await self._wire.submit(f"/v1/models/{row.text}/predictions", body, read, _JSON)

    async def poll(self, remote_id: str) -> RemoteState:
        reply = await self._wire.ask("GET", f"/v1/predictions/{self._id(remote_id)}")
        job = reply.document
        if reply.status == 404:  # noqa: PLR2004
            return _state("gone", "404")
        status = text((job or {}).get("status"))
        if job is None or status is None:
            raise self._wire.unavailable(f"status {reply.status} without a job")
        match status:
            case "succeeded":
                url = _output(job.get("output"))
                return _state("gone" if url is None else "ready", status, url=url)
            case "failed":
                return _state("failed", status, problem=said(job.get("error")), kind="provider_refused")
            case "canceled" | "aborted":
                return _state("failed", status, problem=said(job.get("error") or status), kind="cancelled")
            case _:
                return _state(PHASES.get(status, "rendering"), said(status))

    async def cancel(self, remote_id: str) -> CancelTruth:
        reply = await self._wire.ask("POST", f"/v1/predictions/{self._id(remote_id)}/cancel")
        status = (reply.document or {}).get("status")
        if reply.status == 404 or status in {"succeeded", "failed"}:  # noqa: PLR2004
            return "too_late"
        # One that never started is aborted and free; one that ran is charged, so it isn't told as undone.
        return "cancelled" if status == "aborted" else "asked"

    async def find(self, order: ClipOrder, since: float) -> list[Accepted] | None:
        row = self._table.row(order.model)
        wanted = _input(order, tell_task=row.task)
        path, found = "/v1/predictions", list[Accepted]()
        for _ in range(PAGES):
            page = (await self._wire.ask("GET", path)).document
            if page is None:
                raise self._wire.unavailable("no list of jobs")
            made = rows(page.get("results"))
            recent = [one for one in made if (seconds_of(one.get("created_at")) or since) >= since - SKEW_S]
            for one in recent:
                job, asked = an_id(one.get("id")), table(one.get("input"))
                same = all(asked.get(name, value) == value for name, value in wanted.items())
                if job is not None and same and one.get("model", row.text) == row.text:
                    found.append(Accepted(remote_id=job, request_id=None))
            following = self._following(page.get("next"))
            if following is None or len(recent) < len(made):
                break
            path = following
        return found

    def download(self, state: RemoteState, offset: int, etag: str | None) -> AbstractAsyncContextManager[Download]:
        if state.url is None:
            raise ResultExpired(provider=self.features.provider)
        return fetch(self._wire, state.url, offset, etag)

    def _following(self, url: Any) -> str | None:
        """The next page's path, if it is one of their own."""
        try:
            if not isinstance(url, str) or origin(url) != self._wire.home:
                return None
        except HostNotAllowed:
            return None
        parts = urlsplit(url)
        return f"{parts.path}?{parts.query}"

    def _id(self, remote_id: str) -> str:
        if an_id(remote_id) is None:
            raise ProviderUnavailable("asked", provider=self.features.provider, problem="that is no id of a job there")
        return remote_id

    def _refused(self, reply: Reply, prompt: str) -> TendredError | None:
        """A certain no: its problem document, whole, with a status that says so. Anything else is None."""
        detail = text((reply.document or {}).get("detail"))
        if detail is None or reply.status not in CERTAIN:
            return None
        if reply.status == 429:  # noqa: PLR2004
            return self._wire.slow_down(reply)
        return refusal(self.features.provider, by_status(reply.status), said(detail, prompt))


def _input(order: ClipOrder, *, tell_task: bool) -> dict[str, Any]:
    pictures = {"image": order.first, "last_frame_image": order.last}
    task = {"task": "text_to_video" if order.first is None else "image_to_video"} if tell_task else {}
    return {
        "prompt": order.prompt,
        "duration": order.seconds,
        "resolution": f"{min(order.width, order.height)}p",
        "aspect_ratio": "16:9" if order.width >= order.height else "9:16",
        "fps": int(order.fps),
        "generate_audio": order.audio,
        **task,
        **{name: url for name, url in pictures.items() if url is not None},
    }


def _output(output: Any) -> str | None:
    """Its one address: null once the hour is over."""
    return text(output[0] if isinstance(output, list) and output else output)


def _state(
    phase: RemotePhase, raw: str, *, url: str | None = None, problem: str | None = None, kind: str | None = None
) -> RemoteState:
    return RemoteState(phase=phase, raw=raw, url=url, cost_mcr=None, problem=problem, kind=kind)
