"""Serving a finished clip: ranges, entity tags, and what may go wrong with them."""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from tendred.testing.providers.faults import Fault
from tendred.testing.providers.misbehave import reset

PIECE: Final = 16 * 1024


@dataclass
class File:
    """A clip, and which of its bytes were sent."""

    data: bytes
    sent: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.data).hexdigest()[:32]}"'

    def sent_bytes(self) -> int:
        return sum(stop - start for start, stop in self.sent)


async def serve(request: web.Request, file: File, fault: Fault | None) -> web.StreamResponse:
    """Answer a GET for it."""
    what = None if fault is None else fault.what
    if what == "changed":
        file.data = file.data + b"\0"
    data = file.data[: len(file.data) // 2] if what == "truncated_mp4" else file.data
    total = len(data)
    start = 0 if what == "no_ranges" else _start(request, file)
    if start >= total:
        return web.Response(status=416, headers={"Content-Range": f"bytes */{total}"})
    headers = {"Content-Type": "video/mp4", "ETag": file.etag, "Content-Length": str(total - start)}
    if what == "wrong_length":
        headers["Content-Length"] = str(total - start + 7)
    if what != "no_ranges":
        headers["Accept-Ranges"] = "bytes"
    if start:
        headers["Content-Range"] = f"bytes {start}-{total - 1}/{total}"
    answer = web.StreamResponse(status=206 if start else 200, headers=headers)
    await answer.prepare(request)
    await _send(request, answer, file, data, start, fault)
    return answer


async def _send(
    request: web.Request, answer: web.StreamResponse, file: File, data: bytes, start: int, fault: Fault | None
) -> None:
    """Up to the end, or to where it is cut: at a byte of the file, or in its middle."""
    cut = fault is not None and fault.what in {"cut", "truncated", "reset"}
    stop = (
        len(data) if not cut or fault is None else min(fault.at if fault.at is not None else len(data) // 2, len(data))
    )
    at = start
    try:
        while at < stop:
            piece = data[at : min(at + PIECE, stop)]
            await answer.write(piece)
            at += len(piece)
            if fault is not None and fault.what == "trickle":
                await asyncio.sleep(fault.pause_s)
        if cut:
            await asyncio.sleep(0.02)  # what was written is on its way before the connection ends
            reset(request)
        elif fault is not None and fault.what == "wrong_length":
            reset(request)
        else:
            await answer.write_eof()
    finally:
        file.sent.append((start, max(at, start)))


def _start(request: web.Request, file: File) -> int:
    asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
    confirmed = request.headers.get("If-Range") in {None, file.etag}
    return int(asked[1]) if asked and confirmed else 0
