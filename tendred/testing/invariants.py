"""What must hold of a home whatever happened to its daemon, found by looking at files and rows alone.

Every function returns the faults in words; an empty list is a home in order. `moment` holds at any time, so also
right after a power cut; `settled` once a daemon has done everything there was to do, and has ended.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from PIL import Image, UnidentifiedImageError

RECEIPT: Final = ".receipt.json"
REASONS: Final = (".reason.txt", ".reason.json")
GENESIS: Final = "0" * 64


def moment(home: Path) -> list[str]:
    """The database opens, what its rows speak of is there and whole, and no receipt stands without its media."""
    return _look(home, (_database, _assets, _receipt_rows, _receipt_files, _published_files))


def settled(home: Path, prompts: Iterable[str], drops: Mapping[str, bytes]) -> list[str]:
    """Everything of `moment`, nothing left lying about, and every prompt one job that succeeded or is parked.

    `drops` are the prompt files by name; each must have gone to `done/` or `failed/`, once. Those that make no job
    are in it too, and their words not in `prompts`.
    """
    wanted = Counter(prompts)

    def jobs(database: sqlite3.Connection, _home: Path) -> list[str]:
        return _jobs(database, wanted)

    return [*moment(home), *_look(home, (_no_strays, jobs)), *_hot(home / "hot", drops)]


_Check = Callable[[sqlite3.Connection, Path], list[str]]


def _look(home: Path, checks: Iterable[_Check]) -> list[str]:
    with closing(sqlite3.connect(home / "data" / "tendred.db", isolation_level=None)) as database:
        database.row_factory = sqlite3.Row
        try:
            return [fault for check in checks for fault in check(database, home)]
        except sqlite3.DatabaseError as problem:
            return [f"the database can't be read: {problem}"]


def _database(database: sqlite3.Connection, _home: Path) -> list[str]:
    found = [row[0] for row in database.execute("PRAGMA integrity_check")]
    faults = [] if found == ["ok"] else [f"integrity_check: {found}"]
    if rows := database.execute("PRAGMA foreign_key_check").fetchall():
        faults.append(f"foreign_key_check: {len(rows)} rows")
    if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'job'").fetchone():
        return faults  # cut before the first migration: there is nothing to be wrong yet
    numbers = [row[0] for row in database.execute("SELECT seq FROM event ORDER BY seq")]
    if numbers != list(range(1, len(numbers) + 1)):
        faults.append(f"events are not numbered without gaps: {len(numbers)} up to {numbers[-1]}")
    counted = dict(database.execute("SELECT state, sum(count) FROM tally GROUP BY state HAVING sum(count) > 0"))
    real = dict(database.execute("SELECT state, count(*) FROM job GROUP BY state"))
    if counted != real:
        faults.append(f"the tally says {counted}, the rows say {real}")
    return [*faults, *_line(database)]


def _line(database: sqlite3.Connection) -> list[str]:
    """In line are the queued jobs, in their lanes, and what clients have waiting adds up."""
    in_line = {tuple(row) for row in _rows(database, "SELECT job_id, lane_rank FROM waiting")}
    queued = {tuple(row) for row in database.execute("SELECT id, lane_rank FROM job WHERE state = 'queued'")}
    shares = sum(row["waiting"] for row in _rows(database, "SELECT waiting FROM share"))
    faults = [f"queued, but not in line: {job_id}" for job_id, _ in queued - in_line]
    faults += [f"in line, but not queued there: {job_id}" for job_id, _ in in_line - queued]
    return faults if shares == len(in_line) else [*faults, f"clients have {shares} waiting, {len(in_line)} are in line"]


def _rows(database: sqlite3.Connection, sql: str) -> list[sqlite3.Row]:
    try:
        return database.execute(sql).fetchall()
    except sqlite3.OperationalError as problem:
        if "no such table" in str(problem):
            return []
        raise


def _assets(database: sqlite3.Connection, home: Path) -> list[str]:
    rows = _rows(database, "SELECT job_id, idx, path, doc FROM asset")
    places = Counter((row["job_id"], row["idx"]) for row in rows)
    faults = [f"twice in the library: {place}" for place, count in places.items() if count > 1]
    for row in rows:
        doc = json.loads(row["doc"])
        faults += _picture(home / "pictures" / row["path"], doc)
    return faults


def _picture(path: Path, doc: Mapping[str, Any]) -> list[str]:
    if not path.is_file():
        return [f"a row without its file: {path}"]
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != doc["sha256"] or len(data) != doc["bytes"]:
        return [f"not the file of its row: {path} ({len(data)} bytes)"]
    if decoded(path) != (doc["width"], doc["height"]):
        return [f"not a picture of {doc['width']} x {doc['height']}: {path}"]
    return []


def decoded(path: Path) -> tuple[int, int] | None:
    """A picture's sides, all of it decoded; None for what is no whole picture."""
    try:
        with Image.open(path) as picture:
            picture.load()
            return picture.size
    except (UnidentifiedImageError, OSError):
        return None


def _receipt_rows(database: sqlite3.Connection, home: Path) -> list[str]:
    """Receipts are chained; each has a file of the same words, and is the receipt of a job that ended."""
    faults: list[str] = []
    before = GENESIS
    for row in _rows(database, "SELECT job_id, doc, body_sha256, prev_sha256 FROM receipt ORDER BY n"):
        if row["prev_sha256"] != before:
            faults.append(f"the chain is broken at the receipt of {row['job_id']}")
        before = row["body_sha256"]
        assets = _of(database, row["job_id"])
        if not assets:
            faults.append(f"a receipt row without media: {row['job_id']}")
            continue
        beside = home / "pictures" / _receipt_name(assets, json.loads(row["doc"]))
        if _json(beside) != json.loads(row["doc"]):
            faults.append(f"not the file of its receipt row: {beside}")
    return faults


def _json(path: Path) -> dict[str, Any] | None:
    """What a file says; None if there is none, or if it is cut short."""
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found


def _of(database: sqlite3.Connection, job_id: str) -> list[str]:
    return [row["path"] for row in database.execute("SELECT path FROM asset WHERE job_id = ? ORDER BY idx", (job_id,))]


def _receipt_name(assets: list[str], doc: Mapping[str, Any]) -> str:
    stem = assets[0].rsplit(".", 1)[0]
    return (stem.removesuffix("-001") if doc["settings"]["count"] > 1 else stem) + RECEIPT


def _receipt_files(_database: sqlite3.Connection, home: Path) -> list[str]:
    """No receipt without its media, neither in the library nor in `done/`."""
    faults: list[str] = []
    for receipt in [*(home / "pictures").rglob(f"*{RECEIPT}"), *(home / "hot" / "done").glob(f"*{RECEIPT}")]:
        if (found := _json(receipt)) is None:
            faults.append(f"half a receipt: {receipt}")
            continue
        for one in found["made"]:
            media = receipt.parent / one["file"]
            if not media.is_file():
                faults.append(f"a receipt without its media: {receipt}")
            elif hashlib.sha256(media.read_bytes()).hexdigest() != one["sha256"]:
                faults.append(f"not the media of its receipt: {media}")
    return faults


def _published(home: Path) -> list[Path]:
    pictures = home / "pictures"
    staging = pictures / ".staging"
    files = [path for path in pictures.rglob("*") if path.is_file() and not path.is_relative_to(staging)]
    return [path for path in files if not path.name.endswith(RECEIPT)]


def _published_files(_database: sqlite3.Connection, home: Path) -> list[str]:
    return [f"half a file was published: {path}" for path in _published(home) if decoded(path) is None]


def _no_strays(database: sqlite3.Connection, home: Path) -> list[str]:
    """Files and rows are the same set, staging is empty, and every job that succeeded has all it was asked for."""
    known = {home / "pictures" / row["path"] for row in _rows(database, "SELECT path FROM asset")}
    faults = [f"a file without a row: {path}" for path in _published(home) if path not in known]
    receipts = database.execute("SELECT count(*) FROM receipt").fetchone()[0]
    if (files := len(list((home / "pictures").rglob(f"*{RECEIPT}")))) != receipts:
        faults.append(f"{files} receipt files, {receipts} receipt rows")
    faults += [f"left in staging: {path.name}" for path in (home / "pictures" / ".staging").iterdir()]
    faults += [f"half a thumbnail: {path.name}" for path in (home / "cache").rglob("*.webp") if decoded(path) is None]
    sql = "SELECT id, request, (SELECT count(*) FROM asset WHERE job_id = job.id) AS made FROM job WHERE state = ?"
    for row in database.execute(sql, ("succeeded",)):
        if row["made"] != json.loads(row["request"])["count"]:
            faults.append(f"{row['id']} succeeded with {row['made']} pictures")
        if not database.execute("SELECT 1 FROM receipt WHERE job_id = ?", (row["id"],)).fetchone():
            faults.append(f"{row['id']} succeeded without a receipt")
    return faults


def _jobs(database: sqlite3.Connection, wanted: Counter[str]) -> list[str]:
    rows = database.execute("SELECT state, request FROM job").fetchall()
    faults = [f"a job is {state}" for state in (row["state"] for row in rows) if state not in {"succeeded", "parked"}]
    made = Counter(json.loads(row["request"])["prompt"] for row in rows)
    faults += [f"no job: {prompt}" for prompt in wanted - made]
    faults += [f"one job too many: {prompt}" for prompt in made - wanted]
    return faults


def _hot(hot: Path, drops: Mapping[str, bytes]) -> list[str]:
    """Every prompt file in `done/` or in `failed/`, once, with its own words; nothing where it was dropped."""
    done, failed = hot / "done", hot / "failed"
    faults = [f"still waits: {path.name}" for path in hot.iterdir() if path.is_file()] if hot.is_dir() else []
    claims = hot / ".tendred"
    faults += [f"still claimed: {path.name}" for path in (claims.iterdir() if claims.is_dir() else ())]
    for name, data in drops.items():
        places = [folder / name for folder in (done, failed) if (folder / name).is_file()]
        if len(places) != 1:
            faults.append(f"{name} is in {[place.parent.name for place in places]}")
        elif places[0].read_bytes() != data:
            faults.append(f"{name} came out with other words")
        if (failed / name).is_file() and not all((failed / f"{name}{ending}").is_file() for ending in REASONS):
            faults.append(f"{name} failed without a reason")
    return faults + [f"nobody dropped this: {path}" for path in _strangers(done, failed, drops)]


def _strangers(done: Path, failed: Path, drops: Mapping[str, bytes]) -> list[Path]:
    mine: set[str] = set()
    for receipt in done.glob(f"*{RECEIPT}"):
        mine |= {receipt.name, *(one["file"] for one in (_json(receipt) or {"made": []})["made"])}
    expected = {*drops, *mine, *(f"{name}{ending}" for name in drops for ending in REASONS)}
    folders = [folder for folder in (done, failed) if folder.is_dir()]
    return [path for folder in folders for path in folder.iterdir() if path.name not in expected]
