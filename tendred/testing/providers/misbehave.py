"""How an answer goes wrong on its way."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiohttp import web

from tendred.testing.providers.faults import Fault

INSTEAD: Final = frozenset({"status", "page", "reset", "redirect"})
PAGE: Final = b"<html><body><h1>Something went wrong</h1></body></html>"


async def instead(request: web.Request, fault: Fault, document: Any, elsewhere: str) -> web.StreamResponse:
    """Something else than the answer."""
    pause = {"Retry-After": fault.retry_after} if fault.retry_after is not None else {}
    match fault.what:
        case "page":
            return web.Response(body=PAGE, content_type="text/html", status=fault.status, headers=pause)
        case "redirect":
            return web.Response(status=307, headers={"Location": elsewhere})
        case "reset":
            reset(request)
            return web.Response()
        case _:
            return web.json_response(document, status=fault.status, headers=pause)


async def spoil(
    request: web.Request, fault: Fault, status: int, body: bytes, headers: dict[str, str]
) -> web.StreamResponse:
    """The answer, so that it can't be read whole. It is written by hand: the library would put it right."""
    transport = request.transport
    assert transport is not None
    length = {"cut": len(body), "wrong_length": len(body) - 1}.get(fault.what, len(body))
    lines = [f"HTTP/1.1 {status} X", "Content-Type: application/json"]
    if fault.what != "duplicate":
        lines.append("Connection: close")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if fault.what != "truncated":
        lines.append(f"Content-Length: {length}")
    head = "\r\n".join([*lines, "", ""]).encode()
    match fault.what:
        case "duplicate":
            transport.write((head + body) * 2)
        case "trickle":
            transport.write(head)
            for byte in body:
                if transport.is_closing():
                    break
                transport.write(bytes([byte]))
                await asyncio.sleep(fault.pause_s)
        case "truncated" | "cut":
            transport.write(head + body[: len(body) // 2])
        case _:
            transport.write(head + body)
    if fault.what == "cut":
        await asyncio.sleep(0.02)  # what was written is on its way before the connection is reset
        reset(request)
    else:
        transport.close()
    return web.Response()


def reset(request: web.Request) -> None:
    """End the connection at once."""
    if request.transport is not None:
        request.transport.abort()
