"""Waiting for jobs, with a bar for people."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from threading import Event
from typing import TYPE_CHECKING, Any, Final, Protocol

from tendred.app.cli.context import Context, Stop
from tendred.app.cli.exits import Exit, of_job
from tendred.app.cli.out import Out, clean
from tendred.app.cli.parser import Parser, seconds
from tendred.app.cli.paused import Notice
from tendred.app.client import RpcError
from tendred.schema.error import ErrorInfo

if TYPE_CHECKING:
    from tendred.app.cli.preview import Pictured

# Jobs that won't move without a person, beside the finished ones.
SETTLED: Final = frozenset({"succeeded", "failed", "cancelled", "parked", "unknown"})
_WATCHED_S: Final = 0.2
_QUIET_S: Final = 5.0


Stage = Callable[[dict[str, Any]], tuple[str, int, int | None, str]]
"""Phase, done, total, and both in words."""


class Show(Protocol):
    """Told how a job is, again and again; `note` is a remark that stays."""

    def __call__(self, job: dict[str, Any]) -> None: ...

    def note(self, text: str) -> None: ...

    @property
    def side(self) -> int | None:
        """Pixels that a preview's longer side may have; None where none can be shown."""
        ...

    def picture(self, preview: dict[str, Any]) -> None: ...


def add_options(parser: Parser) -> None:
    """Options of every command that waits."""
    parser.add_argument("--timeout", type=seconds, metavar="S", help="stop waiting after S seconds (the job goes on)")
    parser.add_argument(
        "--cancel-on-interrupt", action="store_true", help="Ctrl-C cancels the job instead of leaving it"
    )


def follow(ctx: Context, job: dict[str, Any]) -> dict[str, Any]:
    """Wait until a job is settled. Raises Stop when the person or --timeout ends the wait."""
    from tendred.clock import SystemClock  # noqa: PLC0415 # loads asyncio, which --help can do without

    clock = SystemClock()
    limit: float | None = ctx.args.timeout
    deadline = None if limit is None else clock.mono() + limit
    step = _WATCHED_S if ctx.out.on_terminal else _QUIET_S
    notice = Notice(ctx)
    with interruptible(ctx, [job["id"]]), bar(ctx) as show:
        while job["state"] not in SETTLED:
            show(job)
            _look(ctx, job, show)
            if job["state"] == "queued":
                notice.look(show.note)
            left = step if deadline is None else min(step, deadline - clock.mono())
            if left <= 0:
                raise ctx.stop(Exit.TIMED_OUT, "timed_out", "timed_out", ids=job["id"], seconds=f"{limit:g}")
            job = _wait(ctx, job["id"], left)
    return job


def _look(ctx: Context, job: dict[str, Any], show: Show) -> None:
    """Show what is being drawn, where that is wanted and can be."""
    if show.side is None or job["state"] != "running" or not getattr(ctx.args, "preview", False):
        return
    # Nobody waits for a preview: where there is none, or an older daemon, there is none.
    with contextlib.suppress(RpcError):
        if preview := ctx.call("jobs.preview", job_id=job["id"], form="ppm", side=show.side)["preview"]:
            show.picture(preview)


def _wait(ctx: Context, job_id: str, seconds: float) -> dict[str, Any]:
    try:
        return ctx.call("jobs.wait", job_id=job_id, timeout_s=seconds)
    except RpcError as error:
        if error.kind != "slow_down":
            raise
    # Too many wait at once; asking now and then does as well.
    Event().wait(min(seconds, _WATCHED_S))
    return ctx.call("jobs.get", job_id=job_id)


@contextlib.contextmanager
def interruptible(ctx: Context, job_ids: list[str]) -> Generator[None]:
    """Ctrl-C inside leaves the jobs alone and says so, or cancels them if that was asked for."""
    try:
        yield
    except KeyboardInterrupt:
        ids = " ".join(job_ids)
        if not ctx.args.cancel_on_interrupt:
            if job_ids:
                ctx.out.note(ctx.say("goes_on", ids=ids))
            raise Stop(Exit.INTERRUPTED) from None
        for job_id in job_ids:
            ctx.call("jobs.cancel", job_id=job_id)
        ctx.out.note(ctx.say("cancelled", id=ids))
        raise Stop(Exit.CANCELLED) from None


@contextlib.contextmanager
def bar(ctx: Context, stage: Stage | None = None) -> Generator[Show]:
    """A progress bar on a terminal, and nothing anywhere else. `stage`: what it shows of what it is told."""
    if not ctx.out.on_terminal:
        yield _Quiet(ctx.out)
        return
    from rich.console import Console  # noqa: PLC0415 # rich is slow to load and seldom needed
    from rich.progress import BarColumn, TextColumn  # noqa: PLC0415

    from tendred.app.cli.preview import Pictured, side_for  # noqa: PLC0415

    columns = (
        TextColumn("{task.fields[phase]:<12}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[count]}", markup=False),
    )
    console = Console(stderr=True)
    with Pictured(*columns, console=console, transient=True) as progress:
        yield _Live(progress, side_for(console), stage or _stage)


class _Quiet:
    """Nobody watches."""

    def __init__(self, out: Out) -> None:
        self._out = out

    def __call__(self, job: dict[str, Any]) -> None:
        pass

    def note(self, text: str) -> None:
        self._out.note(text)

    @property
    def side(self) -> int | None:
        return None

    def picture(self, preview: dict[str, Any]) -> None:
        pass


class _Live:
    """Remarks go above the bar, which is drawn anew below them."""

    def __init__(self, progress: Pictured, side: int | None, stage: Stage) -> None:
        self._progress = progress
        self.side = side
        self._stage = stage
        self._task = progress.add_task("", total=None, phase="queued", count="")

    def __call__(self, job: dict[str, Any]) -> None:
        phase, done, total, count = self._stage(job)
        self._progress.update(self._task, phase=phase, completed=done, total=total, count=count)

    def note(self, text: str) -> None:
        self._progress.console.print(clean(text), markup=False, emoji=False, highlight=False, soft_wrap=True)

    def picture(self, preview: dict[str, Any]) -> None:
        self._progress.show(preview)


def place_of(job: dict[str, Any]) -> str | None:
    """Where a job waits, for people: `#1` is next."""
    return None if job["position"] is None else f"#{job['position'] + 1}"


def _stage(job: dict[str, Any]) -> tuple[str, int, int | None, str]:
    """What the bar shows of a job: phase, done, total, and both in words."""
    now = job["progress"]
    if now is None or job["state"] != "running":
        return job["state"], 0, None, place_of(job) or ""
    count = str(now["done"]) if now["total"] is None else f"{now['done']}/{now['total']}"
    left = "" if now["eta_s"] is None else f", {now['eta_s']:.0f} s"
    return now["phase"], now["done"], now["total"], count + left


def conclude(ctx: Context, job: dict[str, Any], document: dict[str, Any]) -> int:
    """Tell how a settled job ended, unless it went well; `document` is what --json shows of it."""
    code = of_job(job)
    if job["state"] == "succeeded":
        ctx.out.document(document)
    elif job["state"] == "cancelled":
        ctx.out.note(ctx.say("cancelled", id=job["id"]))
        ctx.out.document(document)
    elif job["error"]:
        info = ErrorInfo(**{name: job["error"].get(name) for name in ErrorInfo.__struct_fields__})
        ctx.out.error(info, **document)
    else:
        raise ctx.stop(Exit.FAILED, "engine_died", "parked", id=job["id"])
    return code
