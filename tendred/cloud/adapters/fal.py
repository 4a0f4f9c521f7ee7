"""fal's queue. Its three addresses of a job are kept as paths of its own host; that it completed doesn't mean it succeeded."""

from __future__ import annotations

import base64
import json
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from tendred.backend import Download
from tendred.cloud.adapters.answers import CERTAIN, an_id, refusal, rows, said, table, text
from tendred.cloud.adapters.fetch import fetch
from tendred.cloud.adapters.hosts import HostNotAllowed, origin
from tendred.cloud.adapters.table import Table
from tendred.cloud.adapters.wire import Reply, Wire
from tendred.errors import ProviderUnavailable, ResultExpired, TendredError
from tendred.schema.provider import Accepted, CancelTruth, ClipOrder, RemotePhase, RemoteState
from tendred.tasks import offload

PHASES: Final[dict[str, RemotePhase]] = {"IN_QUEUE": "waiting", "IN_PROGRESS": "rendering"}
RESOLUTIONS: Final = {1080: "1080p", 1440: "1440p", 2160: "2160p"}
"""By the shorter side."""
TRUTHS: Final[dict[str, CancelTruth]] = {
    "OK": "cancelled", "CANCELLATION_REQUESTED": "asked", "ALREADY_COMPLETED": "too_late", "NOT_FOUND": "too_late",
}  # fmt: skip
UPLOADS_S: Final = 3600
KEPT_S: Final = 86400
_JSON: Final = {"Content-Type": "application/json"}
_PRIVATE: Final = {
    # What was asked isn't stored, the clip goes after a day, and the platform doesn't run it again by itself.
    "X-Fal-Store-IO": "0",
    "X-Fal-Object-Lifecycle-Preference": json.dumps({"expiration_duration_seconds": KEPT_S}),
    "x-fal-no-retry": "1",
}


class Fal:
    """See backend.Adapter. A remote id is `OWNER/APP/requests/ID`."""

    def __init__(self, capabilities: Table, wire: Wire) -> None:
        self.features = capabilities.features()
        self._table, self._wire = capabilities, wire

    async def upload(self, picture: Path, media_type: str) -> str:
        data = await offload(picture.read_bytes)
        if len(data) <= self._table.inline_bytes:
            return f"data:{media_type};base64,{base64.b64encode(data).decode()}"
        granted = await self._wire.ask(
            "POST", "/storage/auth/token?storage_type=fal-cdn-v3", at=self._table.storage, body=b"{}", headers=_JSON
        )
        grant = granted.document or {}
        kind, token = text(grant.get("token_type")), text(grant.get("token"))
        if kind is None or token is None:
            raise self._wire.unavailable("no place for the upload")
        lifecycle = {"expiration_duration_seconds": UPLOADS_S, "initial_acl": {"default": "allow"}}
        headers = {
            "Authorization": f"{kind} {token}",
            "X-Fal-File-Name": f"frame.{media_type.rpartition('/')[2]}",
            "X-Fal-Object-Lifecycle": json.dumps(lifecycle),
        }
        kept = await self._wire.send_file(f"{self._table.cdn}/files/upload", picture, media_type, headers, "POST")
        url = text((kept.document or {}).get("access_url"))
        if url is None:
            raise self._wire.unavailable("no address of the upload")
        return url

    async def submit(self, order: ClipOrder) -> Accepted:
        row = self._table.row(order.model)
        path = row.text if order.first is None else row.image

        def read(reply: Reply) -> Accepted | TendredError | None:
            if 200 <= reply.status < 300:  # noqa: PLR2004
                remote = self._remote(reply.document or {})
                return None if remote is None else Accepted(remote_id=remote, request_id=reply.request_id)
            return self._refused(reply, order.prompt)

        return await self._wire.submit(f"/{path}", msgspec.json.encode(_body(order)), read, {**_JSON, **_PRIVATE})

    async def poll(self, remote_id: str) -> RemoteState:
        base = self._path(remote_id)
        reply = await self._wire.ask("GET", f"{base}/status")
        status = text((reply.document or {}).get("status"))
        if reply.status == 404:  # noqa: PLR2004
            return _state("gone", "404")
        if status is None:
            raise self._wire.unavailable(f"status {reply.status} without a job")
        if status != "COMPLETED":
            return _state(PHASES.get(status, "rendering"), said(status))
        return await self._result(base)

    async def cancel(self, remote_id: str) -> CancelTruth:
        reply = await self._wire.ask("PUT", f"{self._path(remote_id)}/cancel")
        told = TRUTHS.get(str((reply.document or {}).get("status")))
        return told or ("too_late" if reply.status in {400, 404} else "asked")

    async def find(self, order: ClipOrder, since: float) -> list[Accepted] | None:
        del order, since
        return None

    def download(self, state: RemoteState, offset: int, etag: str | None) -> AbstractAsyncContextManager[Download]:
        if state.url is None:
            raise ResultExpired(provider=self.features.provider)
        return fetch(self._wire, state.url, offset, etag)

    async def _result(self, base: str) -> RemoteState:
        """What came of a job that completed: its clip, or an error with the status that the render ended with."""
        reply = await self._wire.ask("GET", base, also=lambda reply: _detail(reply) is not None)
        if (detail := _detail(reply)) is not None:
            kind = "provider_filtered" if "content_policy_violation" in _types(detail) else "provider_refused"
            return _state("failed", f"COMPLETED {reply.status}", problem=said(_words(detail)), kind=kind)
        url = text(table((reply.document or {}).get("video")).get("url"))
        if reply.status == 404:  # noqa: PLR2004
            return _state("gone", "COMPLETED 404")
        if url is None:
            raise self._wire.unavailable("a finished job without its clip")
        return _state("ready", "COMPLETED", url=url)

    def _remote(self, told: dict[str, Any]) -> str | None:
        """The path that all addresses of a job share, by what the answer says; None where it is another than documented."""
        job, base = an_id(told.get("request_id")), text(told.get("response_url"))
        try:
            if job is None or base is None or origin(base) != self._wire.home:
                return None
        except HostNotAllowed:
            return None
        path = urlsplit(base).path.strip("/")
        fits = told.get("status_url") == f"{base}/status" and told.get("cancel_url") == f"{base}/cancel"
        return path if fits and path.endswith(f"/requests/{job}") and _parts(path) else None

    def _path(self, remote_id: str) -> str:
        """A bare id, as a person copies it from the dashboard, belongs to the one app of the table."""
        if an_id(remote_id) is not None:
            owner, app, *_ = self._table.models[0].text.split("/")
            remote_id = f"{owner}/{app}/requests/{remote_id}"
        if not _parts(remote_id):
            raise ProviderUnavailable("asked", provider=self.features.provider, problem="that is no id of a job there")
        return f"/{remote_id}"

    def _refused(self, reply: Reply, prompt: str) -> TendredError | None:
        """A certain no: JSON with a `detail`, and a status that says so. Anything else is None."""
        detail = (reply.document or {}).get("detail")
        if not isinstance(detail, str | list) or not detail or reply.status not in CERTAIN:
            return None
        if reply.status == 429:  # noqa: PLR2004
            return self._wire.slow_down(reply)
        # An account without balance is locked; whether that is 402 or 403 is documented nowhere.
        kind = {401: "credentials_missing", 402: "insufficient_funds", 403: "insufficient_funds"}.get(reply.status)
        if "content_policy_violation" in _types(detail):
            kind = "provider_filtered"
        return refusal(self.features.provider, kind or "provider_refused", said(_words(detail), prompt))


def _body(order: ClipOrder) -> dict[str, Any]:
    pictures = {"image_url": order.first, "end_image_url": order.last}
    return {
        "prompt": order.prompt,
        "duration": order.seconds,
        "resolution": RESOLUTIONS[min(order.width, order.height)],
        "aspect_ratio": "16:9" if order.width >= order.height else "9:16",
        "fps": int(order.fps),
        "generate_audio": order.audio,
        **{name: url for name, url in pictures.items() if url is not None},
    }


def _detail(reply: Reply) -> Any:
    """The error of a render; None where the answer is none."""
    detail = (reply.document or {}).get("detail")
    return detail if reply.status >= 400 and reply.status not in {401, 403, 404, 429} and detail else None  # noqa: PLR2004


def _types(detail: Any) -> set[str]:
    return {str(one.get("type")) for one in rows(detail)}


def _words(detail: Any) -> str:
    return detail if isinstance(detail, str) else "; ".join(str(one.get("msg")) for one in rows(detail))


def _parts(path: str) -> bool:
    parts = path.split("/")
    return len(parts) >= 4 and parts[-2] == "requests" and all(an_id(part) for part in parts)  # noqa: PLR2004


def _state(
    phase: RemotePhase, raw: str, *, url: str | None = None, problem: str | None = None, kind: str | None = None
) -> RemoteState:
    return RemoteState(phase=phase, raw=raw, url=url, cost_mcr=None, problem=problem, kind=kind)
