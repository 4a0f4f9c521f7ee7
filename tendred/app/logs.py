"""The log: JSON lines in a private, rotated file. One line a record, whatever anybody puts in it, and no secrets."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import traceback
from collections.abc import Iterable, Mapping
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Final, cast

from tendred.clock import rfc3339
from tendred.config.schema import LogSection
from tendred.config.secret import Secret

FIELD_BYTES: Final = 2048
ITEMS: Final = 50
DEPTH: Final = 4
FRAMES: Final = 40
"""Lines of a traceback that are kept, from its end, where the cause is."""

_OURS: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# Control characters, line and paragraph separators, invisible and direction-changing ones, lone surrogates:
# escaped so that they stay harmless even after a viewer has decoded the JSON.
_UNSEEN: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)
_BEARER: Final = re.compile(r"(?i)\b(bearer\s+|(?:token|secret|password|api[_-]?key)=)[^\s\"'&,;]+")
_LAST_BYTE: Final = 0xFF
_MAX_INT: Final = 2**63
_QUIET: Final = ("aiohttp.access",)
"""Requests are not logged: they hold what people write."""


class JsonLines(logging.Formatter):
    """`{"at", "level", "logger", "message", ...}`: fields given as `extra=` stand beside them."""

    def __init__(self) -> None:
        super().__init__()
        self._hidden: set[str] = set()

    def hide(self, secret: Secret) -> None:
        """Never write this value, wherever it comes from."""
        if text := secret.reveal():
            self._hidden.add(text)

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            self._text(name): self._value(value, 0) for name, value in vars(record).items() if name not in _OURS
        }
        try:
            message = record.getMessage()
        except Exception as problem:  # noqa: BLE001 - a wrong format string loses its arguments, not its record
            message = f"{record.msg} (arguments do not fit: {problem})"
        line |= {
            "at": rfc3339(record.created),
            "level": self._text(record.levelname.lower()),
            "logger": self._text(record.name),
            "message": self._text(message),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line |= self._failure(record.exc_info[1])
        order = ("at", "level", "logger", "message")
        return json.dumps({name: line[name] for name in order} | line, ensure_ascii=True, allow_nan=False)

    def _failure(self, failure: BaseException) -> dict[str, Any]:
        lines = "".join(traceback.format_exception(failure)).splitlines()
        return {
            "error": self._text("".join(traceback.format_exception_only(failure)).strip()),
            "traceback": [self._text(text) for text in lines[-FRAMES:]],
        }

    def _value(self, value: Any, depth: int) -> Any:
        if value is None or (isinstance(value, int) and abs(value) <= _MAX_INT):
            return value
        if isinstance(value, float):
            return value if abs(value) < float("inf") else self._text(str(value))
        if isinstance(value, Mapping) and depth < DEPTH:
            items = list(cast("Mapping[Any, Any]", value).items())[:ITEMS]
            return {self._text(name): self._value(inner, depth + 1) for name, inner in items}
        if isinstance(value, list | tuple | set | frozenset) and depth < DEPTH:
            return [self._value(inner, depth + 1) for inner in list(cast("Iterable[Any]", value))[:ITEMS]]
        return self._text(value)

    def _text(self, value: Any) -> str:
        """One harmless string of at most FIELD_BYTES in its JSON form. Secrets go first, so that none is cut in two."""
        try:
            text = str(value)
        except Exception:  # noqa: BLE001 - a record with one bad field is still a record
            text = f"<{type(value).__name__}>"
        for hidden in self._hidden:
            text = text.replace(hidden, "***")
        text = _BEARER.sub(r"\1***", text)
        # Escaping makes a string longer, never shorter, so what is behind the first FIELD_BYTES is cut either way.
        text = _UNSEEN.sub(_escape, text[: FIELD_BYTES + 1])
        if len(text) <= FIELD_BYTES // 6 or len(json.dumps(text)) - 2 <= FIELD_BYTES:
            return text
        return _cut(text)


class LogFile(RotatingFileHandler):
    """The file, 0600, cut off at `max_bytes`. A disk that is full loses log lines, nothing else."""

    def __init__(self, path: Path, section: LogSection) -> None:
        # The base class rotates only if it keeps at least one; with none kept, doRollover below starts anew.
        super().__init__(path, maxBytes=section.max_bytes, backupCount=max(section.backups, 1), encoding="ascii")
        self._keeps = section.backups
        self._lines = JsonLines()
        self.setFormatter(self._lines)

    def hide(self, secret: Secret) -> None:
        """See JsonLines.hide."""
        self._lines.hide(secret)

    def doRollover(self) -> None:  # noqa: N802 - the base class's name
        super().doRollover()
        if self._keeps == 0:
            with contextlib.suppress(OSError):
                os.unlink(f"{self.baseFilename}.1")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the base class's name
        del record  # there is nowhere left to say it

    def _open(self) -> TextIOWrapper:
        return open(self.baseFilename, "a", encoding="ascii", opener=_private)


def setup(path: Path, section: LogSection, secrets: Iterable[Secret] = ()) -> LogFile:
    """Send everything that is logged in this process, warnings included, to the file."""
    handler = LogFile(path, section)
    for secret in secrets:
        handler.hide(secret)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(section.level.upper())
    for name in _QUIET:
        logging.getLogger(name).disabled = True
    logging.captureWarnings(capture=True)
    return handler


def teardown(handler: LogFile) -> None:
    """Undo `setup`."""
    root = logging.getLogger()
    root.removeHandler(handler)
    root.setLevel(logging.WARNING)
    for name in _QUIET:
        logging.getLogger(name).disabled = False
    logging.captureWarnings(capture=False)
    handler.close()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o600)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(found[0])
    return named or (f"\\x{code:02x}" if code <= _LAST_BYTE else f"\\u{code:04x}")


def _cut(text: str) -> str:
    """The longest beginning that fits with a mark of the cut."""
    room, kept = FIELD_BYTES - 3, 0
    for letter in text:
        room -= len(json.dumps(letter)) - 2
        if room < 0:
            break
        kept += 1
    return f"{text[:kept]}..."
