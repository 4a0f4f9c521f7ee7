"""logs: the daemon's own log, made readable. Works without a daemon."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from pathlib import Path
from threading import Event
from typing import Any, BinaryIO

import msgspec

from tendred.app.cli.context import Context
from tendred.app.cli.exits import Exit
from tendred.app.cli.parser import Commands, command, count

_STEP_S = 0.2
_LEADING = ("at", "level", "logger", "message")


def add(commands: Commands) -> None:
    parser = command(commands, "logs", "show the daemon's log", _logs)
    parser.add_argument("-f", "--follow", action="store_true", help="go on as lines come, until Ctrl-C")
    parser.add_argument("-n", "--lines", type=count, default=50, metavar="N", help="the last N lines (50)")
    parser.add_argument("--raw", action="store_true", help="the JSON lines as they are")


def _logs(ctx: Context) -> int:
    path = ctx.paths.logs / "tendred.log"
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise ctx.stop(Exit.FAILED, "not_found", "no_log", path=path) from None
    with contextlib.ExitStack() as stack:
        stack.enter_context(file)
        for line in deque(file, maxlen=ctx.args.lines):
            _tell(ctx, line)
        if ctx.args.follow:
            _follow(ctx, path, file, stack)
    return Exit.DONE


def _follow(ctx: Context, path: Path, file: BinaryIO, stack: contextlib.ExitStack) -> None:
    """New lines for ever. A rotated file is read to its end before the new one is opened."""
    pause, half = Event(), b""
    while True:
        data = half + file.read()
        *lines, half = data.split(b"\n")
        for line in lines:
            _tell(ctx, line)
        if not lines:
            if _rotated(path, file):
                file, half = stack.enter_context(path.open("rb")), b""
                continue
            pause.wait(_STEP_S)


def _rotated(path: Path, file: BinaryIO) -> bool:
    try:
        there, here = path.stat(), os.fstat(file.fileno())
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino)


def _tell(ctx: Context, line: bytes) -> None:
    text = line.decode("utf-8", "replace").rstrip("\r\n")
    if not text:
        return
    try:
        record = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError:
        record = {"message": text}
    if ctx.args.raw and not ctx.out.json:
        ctx.out.line(text)
        return
    ctx.out.document(record)
    for shown in pretty(record):
        ctx.out.line(shown)


def pretty(record: dict[str, Any]) -> list[str]:
    """One record for people: time, level, who, what, then the rest as key=value; a traceback below."""
    at = str(record.get("at", ""))
    head = (
        f"{at[:10]} {at[11:23]} {record.get('level', '')!s:<8}{record.get('logger', '')}: {record.get('message', '')}"
    )
    rest = {name: value for name, value in record.items() if name not in {*_LEADING, "traceback"} and value is not None}
    fields = "".join(
        f" {name}={value if isinstance(value, str) else msgspec.json.encode(value).decode()}"
        for name, value in rest.items()
    )
    trace: Any = record.get("traceback") or []
    below = [f"    {line}" for line in (trace.splitlines() if isinstance(trace, str) else trace)]
    return [(head + fields).strip(), *below]
