"""Handing over: pictures, receipt and prompt file to `done/`, what failed and why to `failed/`.

Three steps, each of which may be interrupted anywhere. `build` prepares every file in `.tendred/<claim>/.out/` and
then writes a plan with the final names. `carry_out` renames, one file after the other, receipts last. `clear`
removes the claim. A claim with a plan is carried out again after a crash; its names are never chosen anew.

A file of several rows of which some failed: what was made goes to `done/`, each job with its receipt, and the prompt
file goes to `failed/` with a reason that names the rows. Each receipt of a file with several jobs is named after the
first of its pictures.
"""

from __future__ import annotations

import errno
import filecmp
import itertools
import os
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any, Final

import msgspec

from tendred.backend import Fs
from tendred.errors import TendredError
from tendred.hotfolder.claim import NAME_BYTES, OUT, PLAN, PLAN_UNFINISHED, dropped_name, empty_out, read, regular
from tendred.hotfolder.outcome import Row
from tendred.hotfolder.parse import ENDINGS
from tendred.hotfolder.settle import where
from tendred.schema.asset import Receipt
from tendred.schema.base import Record
from tendred.schema.error import ErrorInfo

_REASONS: Final = (".reason.txt", ".reason.json")
_SUFFIX: Final = 40
_PROMPT: Final = 60
_SEPARATORS: Final = "/\0" if os.sep == "/" else "/\\:\0"
_PLAN_BYTES: Final = 16 * 1024 * 1024


class Move(Record, frozen=True):
    """One rename: from a name in the claim's folder to a path in the hot folder. `last`: after all others."""

    source: str
    target: str
    last: bool = False


class Plan(Record, frozen=True):
    """A delivery that was decided: it is finished as it stands here. `job_ids` are for the announcement."""

    file: str
    failed: bool
    job_ids: list[str]
    moves: list[Move]


def read_plan(folder: Path) -> Plan | None:
    """The plan of a claim, if it has one. It was synced and renamed into place, so it is whole.

    On a disk that breaks its word it may not be; then it is made again, and no other claim waits for this one.
    Others may write in a hot folder, so a plan that moves anything but what is in the claim to anywhere but
    `done/` and `failed/` is none.
    """
    try:
        plan = msgspec.json.decode(read(folder, PLAN, _PLAN_BYTES), type=Plan)
    except (TendredError, msgspec.DecodeError):
        return None
    if not _plain(plan.file) or plan.file.startswith(".") or (folder / OUT).is_symlink():
        return None
    return plan if all(_ours(folder, plan.file, move) for move in plan.moves) else None


def _ours(folder: Path, file: str, move: Move) -> bool:
    """Whether a plan of ours could hold this move. A source that is gone was moved before a crash."""
    prepared, _, name = move.source.partition("/")
    if move.source != file and not (prepared == OUT and _plain(name)):
        return False
    if os.path.lexists(folder / move.source) and not regular(folder / move.source):
        return False
    to, _, name = move.target.partition("/")
    return to in {"done", "failed"} and _plain(name)


def _plain(name: str) -> bool:
    """Whether it names something right here."""
    return name not in {"", ".", ".."} and not any(sign in name for sign in _SEPARATORS)


def build(fs: Fs, root: Path, folder: Path, rows: list[Row], error: ErrorInfo | None) -> Plan:
    """Prepare a delivery and write its plan. `error` is set where the whole file was refused. Raises OSError."""
    empty_out(fs, folder)
    return _Builder(fs, root, folder, rows, error).build()


class _Builder:
    def __init__(self, fs: Fs, root: Path, folder: Path, rows: list[Row], error: ErrorInfo | None) -> None:
        self._fs = fs
        self._root = root
        self._folder = folder
        self._rows = rows
        self._made = [row for row in rows if row.receipt is not None]
        self._error = _reason(rows, error)
        self._file = dropped_name(folder)
        self._name = self._file or folder.name
        self._moves: list[Move] = []
        self._prepared = 0

    def build(self) -> Plan:
        fs, folder = self._fs, self._folder
        fs.mkdir(folder / OUT)
        if self._made or self._error is None:
            self._done()
        if self._error is not None:
            self._failed(self._error)
        fs.sync_dir(folder / OUT)
        plan = Plan(
            file=self._name,
            failed=self._error is not None,
            job_ids=[row.job_id for row in self._rows],
            moves=sorted(self._moves, key=lambda move: move.last),
        )
        fs.write(folder / PLAN_UNFINISHED, msgspec.json.encode(plan))
        fs.sync(folder / PLAN_UNFINISHED)
        fs.rename(folder / PLAN_UNFINISHED, folder / PLAN)
        fs.sync_dir(folder)
        return plan

    def _done(self) -> None:
        stem, suffix = _split(self._name)
        prompt = [] if self._error is not None else [suffix]

        def names(base: str) -> list[str]:
            pictures, receipts = _names(base, self._made)
            return [*pictures, *receipts, *(base + ending for ending in prompt)]

        base = _free(where(self._root)[1], stem, names)
        pictures, receipts = _names(base, self._made)
        left = iter(pictures)
        for row, receipt_name in zip(self._made, receipts, strict=True):
            called = {asset.id: next(left) for asset in row.pictures}
            for asset in row.pictures:
                source = self._next()
                self._fs.copy(Path(asset.path), self._folder / source)
                self._fs.sync(self._folder / source)
                self._moves.append(Move(source=source, target=f"done/{called[asset.id]}"))
            if row.receipt is not None:
                self._write(_document(_beside(row.receipt, called)), f"done/{receipt_name}", last=True)
        if prompt:
            self._prompt(f"done/{base}{suffix}")

    def _failed(self, error: ErrorInfo) -> None:
        stem, suffix = _split(self._name)

        def names(base: str) -> list[str]:
            name = base + suffix
            return [name, f"{name}.reason.txt", f"{name}.reason.json"]

        name, words, document = names(_free(where(self._root)[2], stem, names))
        self._prompt(f"failed/{name}")
        self._write(_in_words(self._rows, error).encode("utf-8"), f"failed/{words}")
        self._write(_document(error), f"failed/{document}")

    def _prompt(self, target: str) -> None:
        if self._file is not None:
            self._moves.append(Move(source=self._file, target=target))

    def _write(self, data: bytes, target: str, *, last: bool = False) -> None:
        source = self._next()
        self._fs.write(self._folder / source, data)
        self._fs.sync(self._folder / source)
        self._moves.append(Move(source=source, target=target, last=last))

    def _next(self) -> str:
        self._prepared += 1
        return f"{OUT}/{self._prepared}"


def carry_out(fs: Fs, root: Path, folder: Path, plan: Plan) -> None:
    """Rename everything to where the plan says; what is there already was renamed before a crash. Raises OSError."""
    used = sorted({root / PurePath(move.target).parent for move in plan.moves})
    for directory in used:
        if not directory.is_dir():
            fs.mkdir(directory)
            fs.sync_dir(root)
    for last in (False, True):
        moves = [move for move in plan.moves if move.last == last]
        for move in moves:
            _move(fs, folder / move.source, root / move.target)
        for directory in sorted({(root / move.target).parent for move in moves}):
            fs.sync_dir(directory)


def _move(fs: Fs, source: Path, target: Path) -> None:
    if not os.path.lexists(source):
        return
    if os.path.lexists(target):
        # The name was free when it was chosen. The same bytes: a copy of ours whose source outlived a crash. Other
        # bytes are somebody else's, and wait until they are moved away: nothing of the user's is overwritten.
        if not (regular(target) and regular(source)) or not filecmp.cmp(source, target, shallow=False):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        fs.unlink(source)
        return
    try:
        fs.rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _carry(fs, source, target)


def _carry(fs: Fs, source: Path, target: Path) -> None:
    """A rename to another disk: `done/` may be a link the user made."""
    if not regular(source):
        raise OSError(errno.EINVAL, "it is no regular file", str(source))
    part = target.with_name(f".{source.parent.name}-{source.name[:100]}.part")
    fs.unlink(part)  # never written through: it may be a second name of another file
    fs.copy(source, part)
    fs.sync(part)
    fs.rename(part, target)
    fs.sync_dir(target.parent)
    fs.unlink(source)


def _split(name: str) -> tuple[str, str]:
    """Stem and ending; both short enough that every name made of them fits."""
    suffix = PurePath(name).suffix
    return name[: len(name) - len(suffix)], suffix[:_SUFFIX]


def _free(directory: Path, stem: str, names: Callable[[str], list[str]]) -> str:
    """The first of `stem`, `stem~2`, `stem~3` ... under which no name of the set is taken."""
    for number in itertools.count(1):
        tag = "" if number == 1 else f"~{number}"
        base = _fit(stem, tag, names)
        if not any(os.path.lexists(directory / name) for name in names(base)):
            return base
    raise AssertionError


def _fit(stem: str, tag: str, names: Callable[[str], list[str]]) -> str:
    while max(len(name.encode("utf-8")) for name in names(stem + tag)) > NAME_BYTES:
        stem = stem[:-1]
    return stem + tag


def _names(base: str, made: list[Row]) -> tuple[list[str], list[str]]:
    """The names of all pictures in order, and of the receipts, one a job."""
    endings = [PurePath(asset.path).suffix for row in made for asset in row.pictures]
    digits = max(3, len(str(len(endings))))
    one = len(endings) == 1
    pictures = [base + ending if one else f"{base}-{n:0{digits}d}{ending}" for n, ending in enumerate(endings, 1)]
    if len(made) == 1:
        return pictures, [f"{base}.receipt.json"]
    firsts = itertools.accumulate((len(row.pictures) for row in made), initial=1)
    return pictures, [f"{base}-{first:0{digits}d}.receipt.json" for first, _ in zip(firsts, made, strict=False)]


def _beside(receipt: Receipt, called: dict[str, str]) -> Receipt:
    """The receipt with the names that the copies beside it have."""
    made = [msgspec.structs.replace(one, file=called[one.asset_id]) for one in receipt.made if one.asset_id in called]
    return msgspec.structs.replace(receipt, made=made)


def _document(record: Record) -> bytes:
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


def _reason(rows: list[Row], error: ErrorInfo | None) -> ErrorInfo | None:
    """Why not everything was made: one error; of several rows the first, with all of them in its detail."""
    bad = [(row, row.error) for row in rows if row.error is not None]
    if error is not None or not bad:
        return error
    row, first = bad[0]
    if len(rows) == 1:
        return first
    path = f"[{row.index}]" + (f".{first.path}" if first.path else "")
    told: list[dict[str, Any]] = [
        {"row": row.index, "job_id": row.job_id, "error": msgspec.to_builtins(error)} for row, error in bad
    ]
    return msgspec.structs.replace(first, path=path, detail={**first.detail, "rows": told})


def _in_words(rows: list[Row], error: ErrorInfo) -> str:
    if len(rows) < 2 or not any(row.error for row in rows):  # noqa: PLR2004 - one row needs no number
        words = f"  {error.detail['words']}\n" if "words" in error.detail else ""
        return f"{error.message}\n{words}{error.next}\n"
    blocks = [
        f"[{row.index}] {_short(row.prompt)}\n{row.error.message}\n{row.error.next}\n" for row in rows if row.error
    ]
    return "\n".join(blocks)


def _short(prompt: str) -> str:
    line = " ".join(prompt.split())
    return line if len(line) <= _PROMPT else line[:_PROMPT] + "…"


def count_done(directory: Path) -> int:
    """How many prompt files stand in `done/`."""
    return sum(name.lower().endswith(ENDINGS) and not name.endswith(".receipt.json") for name in _listed(directory))


def count_failed(directory: Path) -> int:
    """How many prompt files stand in `failed/`; any name may have been dropped."""
    return sum(not name.startswith(".") and not name.endswith(_REASONS) for name in _listed(directory))


def _listed(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []
