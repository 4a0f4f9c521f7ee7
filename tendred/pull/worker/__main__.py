"""The child that pulls: frames in on stdin, frames out on what was stdout. It ends with its stdin; a kill is a pause."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Any, cast

import msgspec

from tendred.errors import EngineMissing, Internal, TendredError
from tendred.schema.frames import Up, pack, read_down
from tendred.schema.pull import Fetch, FetchDone, Look, PullFailed


def main() -> None:
    """Read in this thread and work in another, so that the daemon's end is seen at once, even in mid-work."""
    frames = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints goes to the log, not among the frames
    os.umask(0o077)
    try:
        while (frame := read_down(sys.stdin.buffer)) is not None:
            if isinstance(frame, Look | Fetch):
                threading.Thread(target=_work, args=(frames, frame), daemon=True).start()
    except msgspec.DecodeError:
        os._exit(2)
    os._exit(0)


def _work(frames: int, order: Look | Fetch) -> None:
    def say(record: Up) -> None:
        data = memoryview(pack(record))
        while data:
            data = data[os.write(frames, data) :]

    try:
        say(_do(order, say))
    except TendredError as error:
        say(_told(error))
    except Exception as error:  # noqa: BLE001 - whatever it is belongs to this one pull
        sys.excepthook(type(error), error, error.__traceback__)
        say(_told(Internal(problem=f"{type(error).__name__}: {error}")))


def _do(order: Look | Fetch, say: Callable[[Up], None]) -> Up:
    try:
        from tendred.pull.worker import fetch, hub
    except ImportError as problem:
        raise EngineMissing(problem=str(problem)) from problem
    if isinstance(order, Look):
        return hub.look(order)
    fetch.fetch(order, say)
    return FetchDone()


def _told(error: TendredError) -> PullFailed:
    plain = {name: _plain(value) for name, value in error.detail.items()}
    return PullFailed(kind=error.kind, variant=error.variant, path=error.path, detail=plain)


def _plain(value: object) -> int | str | list[str]:
    if isinstance(value, list):
        return [str(one) for one in cast("list[Any]", value)]
    return value if isinstance(value, int | str) else str(value)


if __name__ == "__main__":
    main()
