"""Pages of jobs, newest first, by what they may be narrowed by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from tendred.clock import ulid_floor
from tendred.schema.base import Record
from tendred.schema.job import State
from tendred.schema.still import Kind

SLACK_S: Final = 3600.0
"""A job gets its id before its row, by as long as a table of a thousand rows is judged; and clocks are set."""


class JobQuery(Record, frozen=True):
    """Which jobs. `after` and `before` are seconds since 1970, of their making; `after` itself is among them.

    `cursor` is the id of the last job of the page before.
    """

    state: Sequence[State] | None = None
    kind: Kind | None = None
    model: str | None = None
    after: float | None = None
    before: float | None = None
    limit: int = 50
    cursor: str | None = None


def select(columns: str, query: JobQuery) -> tuple[str, list[Any]]:
    """The statement and its values. Ids sort as they were made, so that times narrow the rows that are read."""
    where = ["1"]
    values: list[Any] = []

    def add(condition: str, *more: Any) -> None:
        where.append(condition)
        values.extend(more)

    if query.cursor is not None:
        add("id < ?", query.cursor)
    if query.state:
        add(f"state IN ({', '.join('?' * len(query.state))})", *query.state)
    if query.kind is not None:
        add("kind = ?", query.kind)
    if query.model is not None:
        add("model = ?", query.model)
    if query.after is not None:
        add("created_at >= ? AND id >= ?", query.after, f"job_{ulid_floor(query.after - SLACK_S)}")
    if query.before is not None:
        add("created_at < ? AND id < ?", query.before, f"job_{ulid_floor(query.before + SLACK_S)}")
    sql = f"SELECT {columns} FROM job WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT ?"
    return sql, [*values, query.limit]
