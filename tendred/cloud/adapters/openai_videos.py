"""Any server that speaks OpenAI's /v1/videos. Its table says what it takes beyond that; its results are on its own host."""

from __future__ import annotations

import base64
import io
from contextlib import AbstractAsyncContextManager
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec

from tendred.backend import Download
from tendred.cloud.adapters.answers import CERTAIN, an_id, by_status, refusal, rows, said, seconds_of, table, text
from tendred.cloud.adapters.fetch import fetch
from tendred.cloud.adapters.table import Table
from tendred.cloud.adapters.wire import Body, Reply, Wire
from tendred.errors import ProviderUnavailable, ResultExpired, TendredError, TooLarge
from tendred.schema.provider import Accepted, CancelTruth, ClipOrder, RemotePhase, RemoteState
from tendred.tasks import offload

PHASES: Final[dict[str, RemotePhase]] = {"queued": "waiting", "in_progress": "rendering"}
MCR_PER_USD: Final = 100_000
SKEW_S: Final = 120.0
_JSON: Final = {"Content-Type": "application/json"}


class OpenaiVideos:
    """See backend.Adapter. A remote id is a video's id."""

    def __init__(self, capabilities: Table, wire: Wire) -> None:
        self.features = capabilities.features()
        self._table, self._wire = capabilities, wire

    async def upload(self, picture: Path, media_type: str) -> str:
        """Nothing is sent ahead: the picture travels inside the request."""
        data = await offload(picture.read_bytes)
        if len(data) > self._table.inline_bytes:
            raise TooLarge("prompt", path="first_frame", size_bytes=len(data), limit_bytes=self._table.inline_bytes)
        return f"data:{media_type};base64,{base64.b64encode(data).decode()}"

    async def submit(self, order: ClipOrder) -> Accepted:
        fields = _fields(order, self._table)
        multipart = self._table.encoding == "multipart"
        body: Body = _form(fields, order.first) if multipart else msgspec.json.encode(_json(fields, order.first))
        headers = {} if multipart else dict(_JSON)
        if self._table.idempotency:
            headers["Idempotency-Key"] = order.key

        def read(reply: Reply) -> Accepted | TendredError | None:
            if reply.status in {200, 201, 202}:
                job = an_id((reply.document or {}).get("id"))
                return None if job is None else Accepted(remote_id=job, request_id=reply.request_id)
            return self._refused(reply, order.prompt)

        return await self._wire.submit("/v1/videos", body, read, headers)

    async def poll(self, remote_id: str) -> RemoteState:
        path = self._path(remote_id)
        reply = await self._wire.ask("GET", path)
        video = reply.document
        if reply.status == 404:  # noqa: PLR2004 - it has expired, or the server was started anew and forgot it
            return RemoteState(phase="gone", raw="404", url=None, cost_mcr=None, problem=None, kind=None)
        status = text((video or {}).get("status"))
        if video is None or status is None:
            raise self._wire.unavailable(f"status {reply.status} without a job")
        cost = _cost(video.get("cost")) if self._table.cost else None
        problem, kind, url = None, None, None
        phase = PHASES.get(status, "rendering")
        if status == "completed":
            phase, url = "ready", f"{self._wire.home}{path}/content"
        elif status in {"failed", "cancelled", "expired"}:
            error = table(video.get("error"))
            phase, problem = "failed", said(error.get("message") or status)
            kind = "cancelled" if "cancelled" in {status, error.get("code")} else "provider_refused"
        return RemoteState(phase=phase, raw=said(status), url=url, cost_mcr=cost, problem=problem, kind=kind)

    async def cancel(self, remote_id: str) -> CancelTruth:
        path = self._path(remote_id)
        match self._table.cancel:
            case "none":
                return "still_billed"
            case "ask":
                reply = await self._wire.ask("POST", f"{path}/cancel")
                return "asked" if reply.status < 300 else "too_late"  # noqa: PLR2004
            case "delete":
                reply = await self._wire.ask("DELETE", path)
                return "asked" if reply.status < 300 else "too_late"  # noqa: PLR2004

    async def find(self, order: ClipOrder, since: float) -> list[Accepted] | None:
        if not self._table.listing:
            return None
        wanted = _fields(order, self._table)
        page = (await self._wire.ask("GET", "/v1/videos?limit=100&order=desc")).document
        if page is None:
            raise self._wire.unavailable("no list of jobs")
        found = list[Accepted]()
        for one in rows(page.get("data")):
            job, made = an_id(one.get("id")), seconds_of(one.get("created_at"))
            same = all(str(one.get(name, value)) == str(value) for name, value in wanted.items())
            if job is not None and same and (made is None or made >= since - SKEW_S):
                found.append(Accepted(remote_id=job, request_id=None))
        return found

    def download(self, state: RemoteState, offset: int, etag: str | None) -> AbstractAsyncContextManager[Download]:
        if state.url is None:
            raise ResultExpired(provider=self.features.provider)
        return fetch(self._wire, state.url, offset, etag, keyed=True)

    def _path(self, remote_id: str) -> str:
        if an_id(remote_id) is None:
            raise ProviderUnavailable("asked", provider=self.features.provider, problem="that is no id of a job there")
        return f"/v1/videos/{remote_id}"

    def _refused(self, reply: Reply, prompt: str) -> TendredError | None:
        """A certain no: OpenAI's error object, or FastAPI's detail, with a status that says so. Anything else is None."""
        whole = reply.document or {}
        error, detail = table(whole.get("error")), whole.get("detail")
        words = text(error.get("message")) or text(detail) or "; ".join(str(one.get("msg")) for one in rows(detail))
        if not words or reply.status not in CERTAIN:
            return None
        if reply.status == 429:  # noqa: PLR2004
            return self._wire.slow_down(reply)
        filtered = error.get("code") in {"content_policy_violation", "moderation_blocked"}
        kind = "provider_filtered" if filtered else by_status(reply.status)
        return refusal(self.features.provider, kind, said(words, prompt))


def _fields(order: ClipOrder, capabilities: Table) -> dict[str, Any]:
    """What both encodings hold. `seconds` is a text, as in OpenAI's own schema."""
    row = capabilities.row(order.model)
    extras = {
        "fps": int(order.fps) if order.fps.isdecimal() else None,
        "seed": order.seed,
        "generate_sound": order.audio,
    }
    return {
        "model": row.text or row.name,
        "prompt": order.prompt,
        "seconds": str(order.seconds),
        "size": f"{order.width}x{order.height}",
        **{name: extras[name] for name in capabilities.extras if extras[name] is not None},
    }


def _json(fields: dict[str, Any], first: str | None) -> dict[str, Any]:
    return fields if first is None else {**fields, "input_reference": {"image_url": first}}


def _form(fields: dict[str, Any], first: str | None) -> aiohttp.FormData:
    form = aiohttp.FormData(default_to_multipart=True)
    for name, value in fields.items():
        form.add_field(name, str(value).lower() if isinstance(value, bool) else str(value))
    if first is not None:
        media_type, _, coded = first.removeprefix("data:").partition(";base64,")
        name = f"frame.{media_type.rpartition('/')[2]}"
        form.add_field("input_reference", io.BytesIO(base64.b64decode(coded)), content_type=media_type, filename=name)
    return form


def _cost(cost: Any) -> int | None:
    """Thousandths of a credit, rounded up; None for what is no price in dollars."""
    told = table(cost)
    if told.get("currency") != "USD":
        return None
    try:
        amount = Decimal(str(told.get("amount")))
    except InvalidOperation:
        return None
    if not amount.is_finite() or amount < 0:
        return None
    return int((amount * MCR_PER_USD).to_integral_value(rounding=ROUND_CEILING))
