"""YAML 1.2 without its powers: the core schema's scalars, no anchors, no aliases, no tags, one document.

ruamel.yaml only splits the text into events. The values are made here, because a general constructor would
also make dates, binary and merged mappings, and would forget that a tag or an anchor was there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, cast

from tendred.hotfolder.plain_json import DEPTH, Broken

EVENTS: Final = 50_000
"""How many names, values and brackets a file may have: a thousand rows with every field have as many."""

_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE: Final = frozenset({"true", "True", "TRUE"})
_FALSE: Final = frozenset({"false", "False", "FALSE"})
_INT: Final = re.compile(r"[-+]?[0-9]{1,40}")
_BASED: Final = re.compile(r"0o[0-7]{1,40}|0x[0-9a-fA-F]{1,40}")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE: Final = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def load(text: str, first_line: int = 1) -> Any:
    """The document; None for an empty one. `first_line` is the number of the text's first line. Raises Broken."""
    # 1.6 MB and 50 ms that a daemon without YAML files needn't spend.
    from ruamel.yaml import YAML  # noqa: PLC0415 - see above
    from ruamel.yaml.error import MarkedYAMLError, YAMLError  # noqa: PLC0415 - see above

    try:
        events = cast("Iterator[Any]", YAML(typ="safe", pure=True).parse(text))  # pyright: ignore[reportUnknownMemberType]
        return _Reader(events, first_line).document()
    except MarkedYAMLError as error:
        told = cast("Any", error)
        mark = told.problem_mark or told.context_mark
        problem = str(told.problem or told.context or "it can't be read").split("\n", 1)[0]
        raise Broken(mark.line + first_line if mark else 0, problem) from None
    except YAMLError as error:
        # A character that YAML forbids: a ReaderError, which knows the position alone.
        at = cast("int | None", getattr(error, "position", None))
        line = text.count("\n", 0, at) + first_line if isinstance(at, int) else 0
        raise Broken(line, "a character in it is not allowed in YAML") from None
    except (AssertionError, AttributeError, IndexError, KeyError, TypeError, ValueError):
        # ruamel trips over some malformed texts in other ways, such as a directive %YAML 1.9.
        raise Broken(0, "it is no YAML 1.2") from None


class _Reader:
    def __init__(self, events: Iterator[Any], first_line: int) -> None:
        self._events = self._counted(events)
        self._first_line = first_line

    def document(self) -> Any:
        value: Any = None
        documents = 0
        for event in self._events:
            kind = type(event).__name__
            if kind == "DocumentStartEvent":
                documents += 1
                if documents > 1:
                    raise self._broken(event, "a second document begins")
                value = self._value(next(self._events), 0)
        return value

    def _counted(self, events: Iterator[Any]) -> Iterator[Any]:
        for number, event in enumerate(events):
            if number > EVENTS:
                raise self._broken(event, "it holds too many fields and values")
            yield event

    def _value(self, event: Any, depth: int) -> Any:
        if type(event).__name__ == "AliasEvent" or event.anchor is not None:
            raise self._broken(event, "anchors and aliases are not taken")
        if event.ctag is not None:
            raise self._broken(event, "tags are not taken")
        if depth >= DEPTH:
            raise self._broken(event, f"it is nested deeper than {DEPTH} levels")
        match type(event).__name__:
            case "SequenceStartEvent":
                return self._list(depth)
            case "MappingStartEvent":
                return self._mapping(depth)
            case _:
                return self._scalar(event)

    def _list(self, depth: int) -> list[Any]:
        items: list[Any] = []
        while type(event := next(self._events)).__name__ != "SequenceEndEvent":
            items.append(self._value(event, depth + 1))
        return items

    def _mapping(self, depth: int) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        while type(event := next(self._events)).__name__ != "MappingEndEvent":
            if type(event).__name__ != "ScalarEvent":
                self._value(event, depth + 1)
                raise self._broken(event, "a field's name must be text")
            self._value(event, depth + 1)
            name = str(event.value)
            if name in fields:
                raise self._broken(event, f"the field {name[:100]} stands twice")
            fields[name] = self._value(next(self._events), depth + 1)
        return fields

    def _scalar(self, event: Any) -> Any:
        text = str(event.value)
        if not event.implicit[0]:
            return text
        if text in _NULL:
            return None
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
        if _INT.fullmatch(text):
            return int(text)
        if _BASED.fullmatch(text):
            return int(text[2:], 8 if text[1] == "o" else 16)
        if _FLOAT.fullmatch(text):
            return float(text)
        if _NOT_FINITE.fullmatch(text):
            raise self._broken(event, f"{text} is no number that can be used")
        return text

    def _broken(self, event: Any, problem: str) -> Broken:
        return Broken(int(event.start_mark.line) + self._first_line, problem)
