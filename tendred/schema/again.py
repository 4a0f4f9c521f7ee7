"""The same picture once more: whether that can be promised, and the job."""

from __future__ import annotations

from tendred.schema.base import Record
from tendred.schema.job import Job


class Difference(Record, frozen=True):
    """Something of a recipe that is not as it was. `then` null: not written down; `now` null: missing."""

    what: str
    then: str | int | None
    now: str | int | None


class Again(Record, frozen=True):
    """The answer to `images.again`. `job` is null where nothing was started: a dry run, or no promise and no insisting."""

    promised: bool
    differences: list[Difference]
    job: Job | None
    deduplicated: bool
