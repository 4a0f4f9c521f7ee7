"""GET /media/{asset_id}: an asset's file, whole or a range of it."""

from __future__ import annotations

import asyncio
import os
import re
import stat
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from aiohttp import web

from tendred.errors import NotFound
from tendred.rpc.guard import HEADERS
from tendred.schema.asset import Asset
from tendred.tasks import offload

CHUNK_BYTES: Final = 256 * 1024
_FLAGS: Final = os.O_RDONLY | sum(getattr(os, flag, 0) for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))
_RANGE: Final = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")


class UnreadError(ConnectionResetError):
    """The other side doesn't take what is sent to it."""


@asynccontextmanager
async def deadline(seconds: float) -> AsyncGenerator[None]:
    """Raises UnreadError where what is written inside isn't taken in time."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise UnreadError from None


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes `start` to `stop` (exclusive) of a file of `size`."""

    start: int
    stop: int
    size: int

    @property
    def whole(self) -> bool:
        return self.stop - self.start == self.size


def part_of(header: str | None, size: int) -> Part | None:
    """What a Range header asks for; None where that lies outside. Several ranges at once give the whole file."""
    asked = _RANGE.fullmatch(header.strip()) if header else None
    if asked is None or not (asked[1] or asked[2]):
        return Part(0, size, size)
    if not asked[1]:
        start, stop = max(0, size - int(asked[2])), size
    else:
        start, stop = int(asked[1]), min(size, int(asked[2]) + 1) if asked[2] else size
        if asked[2] and int(asked[2]) < start:
            return Part(0, size, size)
    return Part(start, stop, size) if start < stop else None


async def send(request: web.BaseRequest, asset: Asset, write_s: float) -> web.StreamResponse:
    """Answer with the asset's file. Raises NotFound where there is none, UnreadError where a piece isn't taken in time."""
    file = await offload(_open, asset)
    try:
        tag = f'"{asset.sha256}"'
        headers = {**HEADERS, "ETag": tag, "Accept-Ranges": "bytes", "Cache-Control": "private, no-cache"}
        if tag in _tags(request.headers.get("If-None-Match")):
            return web.Response(status=304, headers=headers)
        wanted = request.headers.get("Range") if request.headers.get("If-Range", tag) == tag else None
        size = os.fstat(file.fileno()).st_size
        part = part_of(wanted, size)
        if part is None:
            return web.Response(status=416, headers={**headers, "Content-Range": f"bytes */{size}"})
        return await _stream(request, file, part, {**headers, **_describing(asset)}, write_s)
    finally:
        await offload(file.close)


def _describing(asset: Asset) -> dict[str, str]:
    name = asset.id + Path(asset.path).suffix
    return {"Content-Type": asset.media_type, "Content-Disposition": f'attachment; filename="{name}"'}


def _tags(header: str | None) -> list[str]:
    return [tag.strip().removeprefix("W/") for tag in (header or "").split(",")]


async def _stream(
    request: web.BaseRequest, file: BinaryIO, part: Part, headers: dict[str, str], write_s: float
) -> web.StreamResponse:
    response = web.StreamResponse(status=200 if part.whole else 206, headers=headers)
    if not part.whole:
        response.headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{part.size}"
    response.content_length = left = part.stop - part.start
    await response.prepare(request)
    await offload(file.seek, part.start)
    while left and (chunk := await offload(file.read, min(left, CHUNK_BYTES))):
        async with deadline(write_s):
            await response.write(chunk)
        left -= len(chunk)
    if left:
        response.force_close()  # the file shrank meanwhile: a short answer must not look like a whole one
    async with deadline(write_s):
        await response.write_eof()
    return response


def _open(asset: Asset) -> BinaryIO:
    gone = NotFound(noun="file of asset", name=asset.id, near=[])
    if asset.state != "kept":
        raise gone
    try:
        # A FIFO or a link at its place must neither hold the thread nor lead elsewhere.
        file = os.fdopen(os.open(asset.path, _FLAGS), "rb")
    except OSError:
        raise gone from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise gone
    return file
