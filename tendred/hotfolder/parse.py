"""A prompt file's bytes, made into requests. Every mistake is told with its line or the path of its field."""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Callable
from pathlib import PurePath
from typing import Any, Final, NamedTuple, TypeVar, cast

from tendred.errors import InvalidParams
from tendred.hotfolder import plain_csv, plain_json, plain_toml, plain_yaml
from tendred.hotfolder.plain_json import DEPTH, Broken
from tendred.schema.clip import ClipRequest
from tendred.schema.decode import convert
from tendred.schema.still import StillRequest

ENDINGS: Final = (".txt", ".md", ".json", ".yaml", ".yml", ".toml", ".csv")
ROWS: Final = 1_000
"""One file asks for at most this many stills' worth of rows."""

Parsed = list[tuple[StillRequest | ClipRequest, dict[str, Any]]]
"""The requests, each with the fields as they were written. A clip is alone."""

_PERSONS: Final = ("shot_id", "refine_of", "accept_stale")
"""Fields of a clip that a prompt file can't have: a shot's takes and old prices are confirmed one by one."""
_Kind = TypeVar("_Kind", StillRequest, ClipRequest)
_FENCE: Final = re.compile(r"---[ \t]*\r?\n?")
_PATH: Final = 200


class _Row(NamedTuple):
    """One request as read: where it stands (`""` or `[3].`), on which line (0: unknown), and its fields."""

    path: str
    line: int
    fields: Any


def parse(name: str, data: bytes) -> Parsed:
    """The requests of a prompt file. All or none: raises InvalidParams for the first mistake."""
    ending = PurePath(name).suffix.lower()
    read = _READERS.get(ending)
    if read is None:
        raise InvalidParams("format", file=name, ending=ending or name)
    text = _text(name, data)
    try:
        rows = read(text)
    except Broken as broken:
        raise _told(name, ending, broken) from None
    if len(rows) > ROWS:
        raise InvalidParams("rows", file=name, rows=len(rows), limit=ROWS)
    if not rows:
        raise InvalidParams("file", file=name, format=ending[1:], problem="there is no prompt in it")
    try:
        return [_request(name, row, alone=len(rows) == 1 and not row.line) for row in rows]
    except InvalidParams as error:
        if len(rows) > 1:
            error.detail["several_rows"] = True
        raise


def _text(name: str, data: bytes) -> str:
    skipped = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
    try:
        text = data[skipped:].decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidParams("not_text", file=name, offset=error.start + skipped) from None
    # UTF-8 has a zero byte, text has none.
    if "\0" in text:
        raise InvalidParams("not_text", file=name, offset=data.index(b"\0"))
    return text


def _told(name: str, ending: str, broken: Broken) -> InvalidParams:
    if ending == ".csv" and broken.line > 1:
        return InvalidParams("file_line", file=name, line=broken.line, problem=broken.problem, several_rows=True)
    if broken.line:
        return InvalidParams("file_line", file=name, line=broken.line, problem=broken.problem)
    return InvalidParams("file", file=name, format=ending[1:], problem=broken.problem)


def _request(name: str, row: _Row, *, alone: bool) -> tuple[StillRequest | ClipRequest, dict[str, Any]]:
    _plain(row.fields, row.path.removesuffix("."), 0)
    fields = row.fields
    if isinstance(fields, dict):
        asked: dict[str, Any] = {**fields}
        fields = {**asked}
        if "idempotency_key" in fields:
            raise InvalidParams(path=f"{row.path}idempotency_key", problem="a file's key is made by the hot folder")
        kind = fields.pop("kind", "still")
        if kind not in ("still", "clip"):  # it may be a list, so not a set
            raise InvalidParams(path=f"{row.path}kind", problem='it must be "still" or "clip"')
        if kind == "clip" and not alone:
            raise InvalidParams("clip_alone", path=f"{row.path}kind", file=name)
        if kind == "clip" and (known := next((field for field in _PERSONS if field in fields), None)):
            raise InvalidParams(path=f"{row.path}{known}", problem="it takes a person, and no prompt file has it")
        request: StillRequest | ClipRequest = (
            _converted(name, row, fields, ClipRequest)
            if kind == "clip"
            else _converted(name, row, fields, StillRequest)
        )
        if not request.prompt.strip():
            raise InvalidParams("empty_prompt", path=f"{row.path}prompt")
        return request, asked
    return _converted(name, row, fields, StillRequest), {}


def _converted(name: str, row: _Row, fields: object, kind: type[_Kind]) -> _Kind:
    try:
        return convert(fields, kind, prefix=row.path)
    except InvalidParams as error:
        if row.line and not error.variant:
            problem = f"{error.path}: {error.detail.get('problem')}"
            raise InvalidParams("file_line", path=error.path, file=name, line=row.line, problem=problem) from None
        raise


def _plain(value: object, path: str, depth: int) -> None:
    """Refuse what JSON can't say, so that what was asked can be written into a receipt."""
    path = path[:_PATH]  # else a long name is copied once for every value below it
    at = path.encode("utf-8", "replace").decode() or "request"
    if depth > DEPTH:
        raise InvalidParams(path=at, problem=f"it is nested deeper than {DEPTH} levels")
    if isinstance(value, dict):
        for key, item in cast("dict[str, object]", value).items():
            _plain(key, path, depth)
            _plain(item, f"{path}.{key}" if path else key, depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[object]", value)):
            _plain(item, f"{path}[{index}]", depth + 1)
    elif isinstance(value, str):
        # JSON can escape half of a surrogate pair; no encoder takes it afterwards.
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            raise InvalidParams(path=at, problem="it holds half a character")
    elif isinstance(value, float) and not math.isfinite(value):
        raise InvalidParams(path=at, problem="it must be a finite number")
    elif value is not None and not isinstance(value, bool | int | float):
        raise InvalidParams(path=at, problem="dates and times are not taken; put it in quotes")


def _txt(text: str) -> list[_Row]:
    return [_Row("", 0, {"prompt": text.strip()})]


def _md(text: str) -> list[_Row]:
    first, *others = text.splitlines(keepends=True) or [""]
    if not _FENCE.fullmatch(first):
        return _txt(text)
    end = next((index for index, line in enumerate(others) if _FENCE.fullmatch(line)), None)
    if end is None:
        raise Broken(1, "the front matter begins here and never ends; close it with a line ---")
    fields = plain_yaml.load("".join(others[:end]), first_line=2)
    if fields is None:
        fields = {}
    if not isinstance(fields, dict):
        raise Broken(2, "the front matter must be fields, one a line (name: value)")
    if "prompt" in fields:
        raise InvalidParams(path="prompt", problem="what follows the front matter is the prompt already")
    return [_Row("", 0, {**fields, "prompt": "".join(others[end + 1 :]).strip()})]


def _toml(text: str) -> list[_Row]:
    return [_Row("", 0, plain_toml.load(text))]


def _listed(value: Any) -> list[_Row]:
    if isinstance(value, list):
        items: list[Any] = [*value]
        return [_Row(f"[{index}].", 0, item) for index, item in enumerate(items)]
    return [] if value is None else [_Row("", 0, value)]


def _csv(text: str) -> list[_Row]:
    return [_Row(f"[{index}].", line, fields) for index, (line, fields) in enumerate(plain_csv.load(text, ROWS + 1))]


_READERS: Final[dict[str, Callable[[str], list[_Row]]]] = {
    ".txt": _txt,
    ".md": _md,
    ".json": lambda text: _listed(plain_json.load(text)),
    ".yaml": lambda text: _listed(plain_yaml.load(text)),
    ".yml": lambda text: _listed(plain_yaml.load(text)),
    ".toml": _toml,
    ".csv": _csv,
}
