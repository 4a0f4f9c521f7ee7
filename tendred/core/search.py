"""What the library is asked for, as the doors say it."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from tendred.errors import InvalidParams
from tendred.library.index import Query
from tendred.schema.base import Record


class Search(Record, frozen=True):
    """What `library.search` looks for. `after` and `before` are RFC 3339 times."""

    query: str = ""
    kind: str | None = None
    model: str | None = None
    character: str | None = None
    tag: str | None = None
    after: str | None = None
    before: str | None = None
    order: Literal["newest", "oldest", "best"] = "newest"
    limit: int = 50
    cursor: str | None = None


def query_of(search: Search) -> Query:
    """The same for the index, times in seconds since 1970. Raises InvalidParams."""
    return Query(
        query=search.query,
        kind=search.kind,
        model=search.model,
        character=search.character,
        tag=search.tag,
        after=seconds("after", search.after),
        before=seconds("before", search.before),
        order=search.order,
        limit=search.limit,
        cursor=search.cursor,
    )


def seconds(path: str, value: str | None) -> float | None:
    """An RFC 3339 time in seconds since 1970. Raises InvalidParams."""
    if value is None:
        return None
    try:
        stamp = dt.datetime.fromisoformat(value)
    except ValueError as problem:
        raise InvalidParams(path=path, problem="not an RFC 3339 time, such as 2026-11-22T10:00:00Z") from problem
    return (stamp if stamp.tzinfo else stamp.replace(tzinfo=dt.UTC)).timestamp()
