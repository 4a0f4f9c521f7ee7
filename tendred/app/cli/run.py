"""From the words on the line to an exit code."""

from __future__ import annotations

import contextlib
import os
import sys
from argparse import Namespace
from pathlib import Path

from msgspec.structs import replace

from tendred.app.cli import (
    again,
    backup,
    characters,
    check,
    clip,
    cloud,
    daemon,
    doctor,
    drop,
    events,
    expand,
    grid,
    hotfolders,
    image,
    jobs,
    library,
    logs,
    loras,
    models,
    presets,
    pulls,
    queue,
    settings,
    shot,
    spend,
    tokens,
    upscale,
    verify,
    wildcards,
)
from tendred.app.cli.context import Context, Stop
from tendred.app.cli.exits import Exit, of_kind
from tendred.app.cli.out import Out
from tendred.app.cli.parser import Run, UsageError, build, complete
from tendred.app.cli.words import say
from tendred.app.client import RpcError
from tendred.errors import BoundaryRefused, TendredError
from tendred.schema.error import ErrorInfo

COMMANDS = [
    daemon.add,
    image.add,
    grid.add,
    expand.add,
    again.add,
    upscale.add,
    clip.add,
    shot.add,
    drop.add,
    check.add,
    jobs.add,
    queue.add,
    library.add,
    verify.add,
    models.add,
    pulls.add,
    loras.add,
    characters.add,
    wildcards.add,
    presets.add,
    hotfolders.add,
    cloud.add,
    spend.add,
    tokens.add,
    settings.add,
    logs.add,
    events.add,
    doctor.add,
    backup.add,
]


def main(argv: list[str] | None = None) -> int:
    """The entry point `tendre`. Returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # a replaced stream may lack it
    try:
        return _main(sys.argv[1:] if argv is None else argv)
    except BrokenPipeError:
        # Whoever read us has enough; keep the interpreter from complaining when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return Exit.DONE


def _main(argv: list[str]) -> int:
    try:
        args = build(COMMANDS).parse_args(complete(argv))
    except UsageError as wrong:
        return _misused(wrong, Out(sys.stdout, sys.stderr, json="--json" in argv))
    except SystemExit as asked:  # --help and --version
        return int(asked.code or 0)
    ctx = Context(args, Out(sys.stdout, sys.stderr, json=getattr(args, "json", False)), _environment(args))
    run: Run = args.run
    try:
        return run(ctx)
    except UsageError as wrong:  # what only all of its options together show
        return _misused(wrong, ctx.out)
    except Stop as stop:
        if stop.info is not None:
            ctx.out.error(stop.info, **stop.beside)
        return stop.code
    except (TendredError, RpcError) as error:
        info = ctx.info(error)
        if info.kind == "invalid_params":
            step = say(ctx.lang, "usage_next", prog=f"tendre {args.command}")
            info = replace(info, next=f"{info.next.removesuffix('.')}. {step}" if info.next else step)
        ctx.out.error(info)
        _point(ctx, info)
        return of_kind(info.kind)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as problem:  # the last resort of a process
        if ctx.env.get("TENDRE_DEBUG"):
            raise
        words = {"problem": f"{type(problem).__name__}: {problem}"}
        ctx.out.error(_own("internal", say(ctx.lang, "broken", **words), say(ctx.lang, "broken_next")))
        return Exit.FAILED


def _point(ctx: Context, info: ErrorInfo) -> None:
    """Which words of the prompt on this line were refused."""
    words, span = getattr(ctx.args, "prompt", None), info.detail.get("span")
    if info.kind == BoundaryRefused.kind and info.path in {None, "prompt"} and span and words and words != ["-"]:
        ctx.out.note(f"  {check.marked(' '.join(words), span)}")


def _environment(args: Namespace) -> dict[str, str]:
    """Ours, with --home; TENDRED_HOME made absolute, since a daemon that we start runs in another folder."""
    env = dict(os.environ)
    if home := getattr(args, "home", None) or env.get("TENDRED_HOME"):
        env["TENDRED_HOME"] = str(Path(home).expanduser().absolute())
    return env


def _misused(wrong: UsageError, out: Out) -> int:
    out.error(
        _own(
            "invalid_params",
            str(wrong) if str(wrong).endswith((".", "?")) else f"{wrong}.",
            say("en", "usage_next", prog=wrong.prog),
        )
    )
    return Exit.USAGE


def _own(kind: str, message: str, step: str) -> ErrorInfo:
    return ErrorInfo(kind=kind, message=message, path=None, next=step, detail={}, ref="")
