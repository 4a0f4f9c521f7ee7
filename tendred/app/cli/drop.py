"""drop: prompt files into the hot folder, and what came of them."""

from __future__ import annotations

import re
from pathlib import Path
from threading import Event
from typing import Any, Final

import msgspec
from msgspec import Struct

from tendred.app.cli.context import Context
from tendred.app.cli.events import newest
from tendred.app.cli.exits import Exit, of_kind
from tendred.app.cli.image import place
from tendred.app.cli.parser import Commands, command
from tendred.app.cli.paused import Notice
from tendred.app.cli.watch import SETTLED, add_options, bar, interruptible
from tendred.errors import NoDaemon
from tendred.schema.error import ErrorInfo

_STEP_S: Final = 0.2
_GRACE: Final = 15
"""Looks at a result that stands there before we do without its event."""
ENDINGS: Final = (".txt", ".md", ".json", ".yaml", ".yml", ".toml", ".csv")


class Landed(Struct, frozen=True):
    """What became of one dropped file."""

    file: str
    state: str
    pictures: list[str]
    receipts: list[str]
    error: ErrorInfo | None


def add(commands: Commands) -> None:
    parser = command(commands, "drop", "copy prompt files into the hot folder and wait for the pictures", _drop)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help=".txt, .md, .json, .yaml, .toml or .csv")
    parser.add_argument("--no-wait", action="store_true", help="do not wait for the pictures")
    add_options(parser)


def _drop(ctx: Context) -> int:
    for file in ctx.args.files:
        if file.is_dir():
            raise ctx.stop(Exit.USAGE, "invalid_params", "is_folder", file=file)
        if not file.is_file():
            raise ctx.stop(Exit.USAGE, "invalid_params", "no_file", file=file, problem="there is no such file")
        if file.suffix.lower() not in ENDINGS or file.name.startswith((".", "~", "#")):
            raise ctx.stop(Exit.USAGE, "invalid_params", "no_file", file=file, problem="that is no prompt file's name")
    folder, alone = _folder(ctx)
    since = None if ctx.args.no_wait else newest(ctx)
    dropped: list[Path] = []
    for file in ctx.args.files:
        target = folder / vacant(folder, file.name)
        try:
            place(file, target)
        except OSError as problem:
            raise ctx.stop(
                Exit.FAILED, "folder_unwritable", "no_target", path=target, problem=problem.strerror or problem
            ) from None
        dropped.append(target)
        ctx.out.note(ctx.say("dropped", path=target))
    notice = Notice(ctx)
    if not alone:
        notice.look(ctx.out.note)
    if ctx.args.no_wait:
        ctx.out.document({"files": [Landed(str(path), "dropped", [], [], None) for path in dropped]})
        return Exit.DONE
    _wait(ctx, dropped, since or 0, notice)
    return _tell(ctx, [_landed(path) for path in dropped])


def _folder(ctx: Context) -> tuple[Path, bool]:
    """The first folder that is watched and fine, and whether nobody watches it now.

    Without a daemon a file can wait where the next one looks.
    """
    try:
        folders = ctx.call("hotfolders.list")["hotfolders"]
    except NoDaemon as none:
        if none.variant or not ctx.args.no_wait:
            raise
        ctx.paths.hot.mkdir(mode=0o700, parents=True, exist_ok=True)
        ctx.out.note(ctx.say("waits_for_daemon"))
        return ctx.paths.hot, True
    for folder in folders:
        if folder["state"] == "ok":
            return Path(folder["path"]), False
    raise ctx.stop(Exit.FAILED, "folder_unwritable", "no_hot_folder")


def _ours(stem: str) -> re.Pattern[str]:
    """Names that results of a prompt file get."""
    return re.compile(rf"{re.escape(stem)}(-\d{{3,}})?\..*", re.DOTALL)


def _entries(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()] if folder.is_dir() else []


def vacant(folder: Path, name: str) -> str:
    """A name under which nothing waits and no result stands, so that whatever comes under it comes of this drop."""
    taken = [*_entries(folder), *_entries(folder / "done"), *_entries(folder / "failed")]
    stem, ending, number = Path(name).stem, Path(name).suffix, 1
    wanted = stem
    while any(_ours(wanted).fullmatch(there) for there in taken):
        number += 1
        wanted = f"{stem}~{number}"
    return wanted + ending


def _there(path: Path) -> bool:
    return (path.parent / "done" / path.name).exists() or (path.parent / "failed" / f"{path.name}.reason.json").exists()


def _wait(ctx: Context, dropped: list[Path], since: int, notice: Notice) -> None:
    """Until every file has landed: an event says so, or its result stands there. Jobs are asked for the bar's sake."""
    from tendred.clock import SystemClock  # noqa: PLC0415 # loads asyncio, which --help can do without

    clock, pause = SystemClock(), Event()
    deadline = None if ctx.args.timeout is None else clock.mono() + ctx.args.timeout
    moving: list[str] = []
    looks = dict.fromkeys(dropped, 0)
    with interruptible(ctx, moving), bar(ctx) as show:
        while True:
            landed, since = _news(ctx, since)
            looks = {path: seen + _there(path) for path, seen in looks.items() if path.name not in landed}
            left = [path.name for path, seen in looks.items() if seen < _GRACE]
            if not left:
                return
            if deadline is not None and clock.mono() >= deadline:
                seconds = f"{ctx.args.timeout:g}"
                raise ctx.stop(Exit.TIMED_OUT, "timed_out", "dropped_late", names=" ".join(left), seconds=seconds)
            jobs = _jobs(ctx, left)
            moving[:] = [job["id"] for job in jobs]
            for job in jobs[-1:]:
                show(job)
            notice.look(show.note)
            pause.wait(_STEP_S)


def _news(ctx: Context, since: int) -> tuple[set[str], int]:
    """Names of files that have landed since an event, and where to go on."""
    page = ctx.call("events.since", seq=since, topics=["hotfolder.done", "hotfolder.failed"], limit=500)
    return {str(event["data"].get("file")) for event in page["events"]}, page["next_seq"]


def _jobs(ctx: Context, names: list[str]) -> list[dict[str, Any]]:
    """Unfinished jobs of these files, newest first. Asking also tells us when the daemon is gone."""
    page = ctx.call("jobs.list", limit=100)["jobs"]
    return [job for job in page if job["origin"]["file"] in names and job["state"] not in SETTLED]


def _landed(path: Path) -> Landed:
    done = path.parent / "done"
    results = [done / name for name in sorted(_entries(done)) if _ours(path.stem).fullmatch(name) and name != path.name]
    receipts = [str(file) for file in results if file.name.endswith(".receipt.json")]
    reason = path.parent / "failed" / f"{path.name}.reason.json"
    return Landed(
        file=path.name,
        state="failed" if reason.exists() else "done",
        pictures=[str(file) for file in results if file.suffix.lower() in {".png", ".jpg", ".jpeg", ".webp"}],
        receipts=receipts,
        error=msgspec.json.decode(reason.read_bytes(), type=ErrorInfo) if reason.exists() else None,
    )


def _tell(ctx: Context, landed: list[Landed]) -> int:
    code = Exit.DONE
    for file in landed:
        for picture in file.pictures:
            ctx.out.line(picture)
        for receipt in file.receipts:
            ctx.out.note(f"  {receipt}")
        if file.error is not None:
            code = of_kind(file.error.kind)
            ctx.out.note(f"{file.file}: {file.error.message}")
            ctx.out.note(f"  {file.error.next}")
    ctx.out.document({"files": landed})
    return code
