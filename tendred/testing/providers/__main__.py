"""`python -m tendred.testing.providers ltx`: a provider on this machine that costs nothing. Ctrl-C ends it.

Its first line is JSON: where it listens, and the key it takes. What goes wrong stands in a TOML file of [[faults]].
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
from pathlib import Path
from typing import Final

from tendred.testing.providers.clips import Render, canned, drawn, piped
from tendred.testing.providers.fal import FakeFal
from tendred.testing.providers.faults import load
from tendred.testing.providers.ltx import FakeLtx
from tendred.testing.providers.openai_videos import FakeOpenaiVideos
from tendred.testing.providers.replicate import FakeReplicate
from tendred.testing.providers.server import KEY, FakeProvider

PROVIDERS: Final[dict[str, type[FakeProvider]]] = {
    "ltx": FakeLtx,
    "fal": FakeFal,
    "replicate": FakeReplicate,
    "openai-videos": FakeOpenaiVideos,
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tendred.testing.providers", description=__doc__)
    parser.add_argument("provider", choices=PROVIDERS)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--key", default=KEY, help="the key it takes (a test key: never a real one)")
    parser.add_argument("--faults", type=Path, metavar="FILE", help="a TOML file of [[faults]]")
    parser.add_argument("--render-s", type=float, default=2.0, metavar="S", help="how long a clip takes at least")
    parser.add_argument("--result-s", type=float, default=86400.0, metavar="S", help="how long it is remembered")
    parser.add_argument("--concurrency", type=int, default=1000, metavar="N", help="renders at once; more are refused")
    parser.add_argument("--cost", action="store_true", help="tell what a clip cost (openai-videos)")
    clip = parser.add_mutually_exclusive_group()
    clip.add_argument("--clip", type=Path, metavar="MP4", help="serve this file instead of a drawn clip")
    clip.add_argument(
        "--tiny",
        nargs=2,
        type=Path,
        metavar=("SCRIPT", "MODEL"),
        help="render with the tiny pipeline: its script and folder",
    )
    return parser.parse_args()


def _render(args: argparse.Namespace) -> Render:
    if args.clip is not None:
        return canned(args.clip.read_bytes())
    return drawn if args.tiny is None else piped(*args.tiny)


async def _main(args: argparse.Namespace) -> None:
    fake = PROVIDERS[args.provider](
        _render(args), key=args.key, faults=load(args.faults) if args.faults else (), render_s=args.render_s,
        result_s=args.result_s, concurrency=args.concurrency, cost=args.cost,
    )  # fmt: skip
    await fake.start(args.port)
    told = {"provider": fake.provider, "url": fake.api, "storage": fake.storage, "key": fake.key}
    print(json.dumps(told), flush=True)  # noqa: T201 - how whoever started it finds it
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, ended.set)
    await ended.wait()
    await fake.stop()
    for problem in fake.wrong:
        print(json.dumps({"wrong": problem}), flush=True)  # noqa: T201 - what the client did that no document has


if __name__ == "__main__":
    asyncio.run(_main(_arguments()))
