"""The log under people who want to break it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import stat
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tendred.app import logs
from tendred.config.schema import LogSection
from tendred.config.secret import Secret
from tendred.testing.disks import small_disk

LOGGER = logging.getLogger("tendred.test")
TOKEN = "tok_A1b2C3d4E5f6G7h8"

PAYLOADS = [
    "one\ntwo",
    "one\r\ntwo",
    "\r\x1b[2K all is well",
    "\x1b]0;title\x07",
    "\x1b[31mred\x1b[0m",
    "\x9b31m C1 CSI",
    "\u202egnp.exe",
    "\u2066isolate\u2069",
    "\u2028line\u2029paragraph",
    "\u200bzero\u200dwidth\ufeff",
    "\x00nul",
    "\x7fdel\x85nel",
    "lone \ud800 surrogate",
    '", "level": "error", "x": "',
    '"}\n{"at": "forged", "message": "forged"}',
    "%s %d %(x)s",
    "{0.__class__}",
    "\N{FOX FACE} 日本 é",
    "\U000e0041tag",
    "x" * 5000,
    "\N{FOX FACE}" * 3000,
    "\n" * 3000,
    "",
]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Callable[..., list[dict[str, object]]]]:
    """Reads back what was logged so far, every line of it."""
    path = tmp_path / "logs" / "tendred.log"
    path.parent.mkdir()
    handler = logs.setup(path, LogSection(level="debug"), [Secret(TOKEN)])

    def read() -> list[dict[str, object]]:
        data = path.read_bytes()
        assert all(byte == 0x0A or 0x20 <= byte < 0x7F for byte in data)
        assert TOKEN.encode() not in data
        return [json.loads(line) for line in data.split(b"\n")[:-1]]

    yield read
    logs.teardown(handler)


def longest(value: object) -> int:
    if isinstance(value, dict):
        return max((longest(inner) for pair in value.items() for inner in pair), default=0)
    if isinstance(value, list):
        return max((longest(inner) for inner in value), default=0)
    return len(json.dumps(value)) - 2 if isinstance(value, str) else 0


@pytest.mark.parametrize("payload", PAYLOADS)
def test_whatever_is_logged_is_one_harmless_line(log, payload: str) -> None:
    logger = logging.getLogger("tendred.test")
    logger.info(payload)
    logger.info("said %s", payload)
    logger.info("field", extra={"field": payload, "deep": {"list": [payload], payload: 1}})
    logging.getLogger(payload or "x").warning("by name")
    lines = log()
    assert len(lines) == 4
    for line in lines:
        assert longest(line) <= logs.FIELD_BYTES
        texts = [str(line["message"]), str(line.get("field", "")), str(line.get("deep", ""))]
        assert not any(mark in text for text in texts for mark in "\n\r\x1b\x9b\u202e\u2066\u2028\u200b\x00\x7f")


def test_a_line_says_when_who_and_what(log) -> None:
    logging.getLogger("tendred.queue").warning("job %s waits", "job_1", extra={"job_id": "job_1", "n": 3, "f": 0.5})
    (line,) = log()
    assert list(line)[:4] == ["at", "level", "logger", "message"]
    assert str(line.pop("at")).endswith("Z")
    assert line == {
        "level": "warning",
        "logger": "tendred.queue",
        "message": "job job_1 waits",
        "job_id": "job_1",
        "n": 3,
        "f": 0.5,
    }


def test_ordinary_words_stay_as_they_are(log) -> None:
    LOGGER.info("d'été, 日本 \N{FOX FACE}")
    assert log()[0]["message"] == "d'été, 日本 \N{FOX FACE}"


def test_secrets_are_hidden_by_type_and_known_values_wherever_they_come_from(log) -> None:
    secret = Secret(TOKEN)
    logger = logging.getLogger("tendred.test")
    logger.info("token %s %r", secret, [secret])
    logger.info("plain %s", TOKEN, extra={"token": secret, "nested": {"a": [TOKEN, secret]}, TOKEN: 1})
    logger.info("cut %s", "x" * (logs.FIELD_BYTES - 5) + TOKEN)
    logger.info("Authorization: Bearer abc.def, and /ws?token=other-token&x=1 password=hunter2")
    logger.error("failed", exc_info=RuntimeError(f"sent {TOKEN}"))
    lines = log()
    assert lines[0]["message"] == "token *** [Secret('***')]"
    assert lines[1]["token"] == "***"
    assert not any(text in json.dumps(lines) for text in ("tok_", "abc.def", "other-token", "hunter2"))


def test_a_traceback_is_one_field_once(log) -> None:
    def deep(level: int) -> None:
        if level:
            deep(level - 1)
        raise ValueError("inner\nwith two lines")

    try:
        deep(100)
    except ValueError:
        logging.getLogger("tendred.test").exception("it broke")
    (line,) = log()
    assert line["message"] == "it broke"
    assert line["error"] == "ValueError: inner\\nwith two lines"
    assert len(line["traceback"]) <= logs.FRAMES
    assert any("in deep" in text for text in line["traceback"])
    assert line["traceback"][-1] == "with two lines"


class Bad:
    def __str__(self) -> str:
        raise RuntimeError("no words")


def test_odd_values_lose_no_record() -> None:
    # Straight to the formatter: pytest's own handler would raise at these.
    def written(**record: object) -> dict[str, object]:
        return json.loads(logs.JsonLines().format(logging.makeLogRecord(record)))

    loop: list[object] = []
    loop.append(loop)
    line = written(msg="odd", bad=Bad(), loop=loop, nan=float("nan"), big=10**5000, many=list(range(999)))
    assert line["message"] == "odd"
    assert line["bad"] == "<Bad>"
    assert line["nan"] == "nan"
    assert len(line["many"]) == logs.ITEMS
    assert "too %s %s (arguments do not fit" in written(msg="too %s %s", args=("few",))["message"]
    assert "bad argument %s" in written(msg="bad argument %s", args=(Bad(),))["message"]


def test_warnings_and_failed_callbacks_are_logged_and_requests_are_not(log) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("careful", UserWarning, stacklevel=1)

    async def fail() -> None:
        asyncio.get_running_loop().call_exception_handler({"message": "callback broke"})

    asyncio.run(fail())
    logging.getLogger("aiohttp.access").info("GET /rpc?token=%s", TOKEN)
    text = json.dumps(log())
    assert "careful" in text
    assert "callback broke" in text
    assert "GET" not in text


def test_the_file_is_private_and_rotated(tmp_path: Path) -> None:
    path = tmp_path / "tendred.log"
    handler = logs.setup(path, LogSection(max_bytes=10_000, backups=2))
    try:
        for number in range(300):
            logging.getLogger("tendred.test").info("number %d %s", number, "x" * 100)
    finally:
        logs.teardown(handler)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["tendred.log", "tendred.log.1", "tendred.log.2"]
    for file in files:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert file.stat().st_size <= 10_000
        assert all(json.loads(line) for line in file.read_text().splitlines())
    assert "number 299" in files[0].read_text()


def test_without_backups_the_file_starts_anew(tmp_path: Path) -> None:
    path = tmp_path / "tendred.log"
    handler = logs.setup(path, LogSection(max_bytes=10_000, backups=0))
    try:
        for number in range(300):
            logging.getLogger("tendred.test").info("number %d %s", number, "x" * 100)
    finally:
        logs.teardown(handler)
    assert [file.name for file in tmp_path.iterdir()] == ["tendred.log"]
    assert path.stat().st_size <= 10_000
    assert "number 299" in path.read_text()


def test_a_log_on_a_full_disk_breaks_nothing_and_goes_on_later(tmp_path: Path, capsys) -> None:
    logger = logging.getLogger("tendred.test")
    with small_disk(tmp_path / "disk") as disk:
        handler = logs.setup(disk / "tendred.log", LogSection())
        try:
            logger.error("before")
            (disk / "filler").write_bytes(b"x" * os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize)
            for number in range(100):
                logger.error("full %d %s", number, "x" * 100)
            (disk / "filler").unlink()
            logger.error("after")
        finally:
            logs.teardown(handler)
        lines = [json.loads(line)["message"] for line in (disk / "tendred.log").read_text().splitlines()]
        assert lines[0] == "before"
        assert lines[-1] == "after"
    assert capsys.readouterr().err == ""


def test_a_planted_symlink_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "tendred.log").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic"):
        logs.setup(tmp_path / "tendred.log", LogSection())
    assert not (tmp_path / "elsewhere").exists()


def test_levels_hold_and_teardown_leaves_nothing(tmp_path: Path) -> None:
    before = list(logging.getLogger().handlers)
    handler = logs.setup(tmp_path / "tendred.log", LogSection(level="warning"))
    logging.getLogger("tendred.test").info("not this")
    logging.getLogger("tendred.test").warning("this")
    logs.teardown(handler)
    logging.getLogger("tendred.test").error("nor this")
    assert [json.loads(line)["message"] for line in (tmp_path / "tendred.log").read_text().splitlines()] == ["this"]
    assert logging.getLogger().handlers == before
    assert not logging.getLogger("aiohttp.access").disabled
