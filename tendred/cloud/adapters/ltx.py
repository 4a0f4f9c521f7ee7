"""LTX's own API, version 2: submit, poll, upload. No list, no cancel, no seed, no key of ours against doubles."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final

import msgspec

from tendred.backend import Download
from tendred.cloud.adapters.answers import CERTAIN, an_id, by_status, refusal, said, table, text
from tendred.cloud.adapters.fetch import fetch
from tendred.cloud.adapters.table import Table
from tendred.cloud.adapters.wire import Reply, Wire
from tendred.errors import ProviderUnavailable, ResultExpired, TendredError
from tendred.schema.provider import Accepted, CancelTruth, ClipOrder, RemotePhase, RemoteState

ENDPOINTS: Final = ("text-to-video", "image-to-video")
PHASES: Final[dict[str, RemotePhase]] = {"pending": "waiting", "processing": "rendering"}
KINDS: Final = {
    "authentication_error": "credentials_missing",
    "insufficient_funds_error": "insufficient_funds",
    "content_filtered_error": "provider_filtered",
    "rate_limit_error": "slow_down",
    "concurrency_limit_error": "slow_down",
}
_JSON: Final = {"Content-Type": "application/json"}


class Ltx:
    """See backend.Adapter. A remote id is `text-to-video/ID`: a job is found only under the endpoint that took it."""

    def __init__(self, capabilities: Table, wire: Wire) -> None:
        self.features = capabilities.features()
        self._wire = wire

    async def upload(self, picture: Path, media_type: str) -> str:
        told = await self._wire.ask("POST", "/v1/upload")
        place = told.document or {}
        url, uri, headers = (
            text(place.get("upload_url")),
            text(place.get("storage_uri")),
            table(place.get("required_headers")),
        )
        if url is None or uri is None or told.status >= 300:  # noqa: PLR2004
            raise self._wire.unavailable("no place for the upload")
        await self._wire.send_file(url, picture, media_type, {name: str(value) for name, value in headers.items()})
        return uri

    async def submit(self, order: ClipOrder) -> Accepted:
        endpoint = ENDPOINTS[order.first is not None]

        def read(reply: Reply) -> Accepted | TendredError | None:
            if reply.status in {200, 201, 202}:
                job = an_id((reply.document or {}).get("id"))
                return None if job is None else Accepted(remote_id=f"{endpoint}/{job}", request_id=reply.request_id)
            return self._refused(reply, order.prompt)

        return await self._wire.submit(f"/v2/{endpoint}", msgspec.json.encode(_body(order)), read, _JSON)

    async def poll(self, remote_id: str) -> RemoteState:
        reply = await self._look(remote_id)
        job = reply.document
        if reply.status == 404:  # noqa: PLR2004
            return RemoteState(phase="gone", raw="404", url=None, cost_mcr=None, problem=None, kind=None)
        status = text((job or {}).get("status"))
        if job is None or status is None:
            raise self._wire.unavailable(f"status {reply.status} without a job")
        if status == "failed":
            error = table(job.get("error"))
            kind = KINDS.get(str(error.get("type")), "provider_refused")
            return _state("failed", status, problem=said(error.get("message")), kind=kind)
        if status != "completed":
            # A status of tomorrow is no end: it is asked again until the broker's own deadline.
            return _state(PHASES.get(status, "rendering"), said(status))
        url = text(table(job.get("result")).get("video_url"))
        if url is None:
            raise self._wire.unavailable("a finished job without its clip")
        return _state("ready", status, url=url)

    async def cancel(self, remote_id: str) -> CancelTruth:
        del remote_id  # there is no such call: the render goes on, and is billed
        return "still_billed"

    async def find(self, order: ClipOrder, since: float) -> list[Accepted] | None:
        del order, since
        return None

    def download(self, state: RemoteState, offset: int, etag: str | None) -> AbstractAsyncContextManager[Download]:
        if state.url is None:
            raise ResultExpired(provider=self.features.provider)
        return fetch(self._wire, state.url, offset, etag)

    async def _look(self, remote_id: str) -> Reply:
        """A bare id, as a person copies it from the console, is looked for under each endpoint."""
        endpoint, _, job = remote_id.rpartition("/")
        if an_id(job) is None or endpoint not in {"", *ENDPOINTS}:
            raise ProviderUnavailable("asked", provider=self.features.provider, problem="that is no id of a job there")
        reply = await self._wire.ask("GET", f"/v2/{endpoint or ENDPOINTS[0]}/{job}")
        if reply.status == 404 and not endpoint:  # noqa: PLR2004
            reply = await self._wire.ask("GET", f"/v2/{ENDPOINTS[1]}/{job}")
        return reply

    def _refused(self, reply: Reply, prompt: str) -> TendredError | None:
        """A certain no: its own envelope, whole, with a status that says so. Anything else is None."""
        whole = reply.document or {}
        error = table(whole.get("error"))
        kind = text(error.get("type"))
        if whole.get("type") != "error" or kind is None or reply.status not in CERTAIN:
            return None
        ours = KINDS.get(kind) or ("slow_down" if reply.status == 429 else by_status(reply.status))  # noqa: PLR2004
        if ours == "slow_down":
            return self._wire.slow_down(reply)
        return refusal(self.features.provider, ours, said(error.get("message"), prompt))


def _body(order: ClipOrder) -> dict[str, Any]:
    pictures = {"image_uri": order.first, "last_frame_uri": order.last}
    return {
        "prompt": order.prompt,
        "model": order.model,
        "duration": order.seconds,
        "resolution": f"{order.width}x{order.height}",
        "fps": int(order.fps),
        "generate_audio": order.audio,
        **{name: uri for name, uri in pictures.items() if uri is not None},
    }


def _state(
    phase: RemotePhase, raw: str, *, url: str | None = None, problem: str | None = None, kind: str | None = None
) -> RemoteState:
    return RemoteState(phase=phase, raw=raw, url=url, cost_mcr=None, problem=problem, kind=kind)
