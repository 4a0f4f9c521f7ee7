"""An aiohttp application that does nothing but answer, to compare with. `_bare.py FILE` writes its URL to FILE."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from aiohttp import web


async def answer(request: web.Request) -> web.Response:
    await request.read()
    return web.json_response({"jsonrpc": "2.0", "id": 1, "result": {}})


async def main(file: Path) -> None:
    app = web.Application()
    app.router.add_post("/rpc", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    part = file.with_suffix(".part")
    part.write_text(f"http://127.0.0.1:{runner.addresses[0][1]}")
    os.replace(part, file)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
