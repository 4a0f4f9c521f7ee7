"""The fault script of a fake provider: at which call what goes wrong, and whether the job was taken before."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Where = Literal["submit", "poll", "result", "list", "cancel", "upload", "put", "download"]
What = Literal[
    # Instead of the answer, or (with `accepted`) after the work was done:
    "status",  # an error in the provider's own form: `status`, `kind`, `retry_after`
    "page",  # an HTML page with `status`, as a proxy or an edge sends it
    "reset",  # the connection is reset
    "redirect",  # 307 to the stranger, another host that must see no key
    # The answer, spoiled:
    "truncated",  # half of its JSON, and the connection ends as if that were all
    "cut",  # half of its bytes under the length of all, then a reset
    "wrong_length",  # a Content-Length that is too small by one
    "duplicate",  # twice
    "trickle",  # one byte every `pause_s`
    # The job:
    "state",  # it is told in the state `kind`, whatever that means
    "fail",  # it ends as failed, with the error `kind`
    "expire",  # it is forgotten
    # The file:
    "no_ranges",  # ranges are ignored
    "changed",  # it is another file from now on, with another entity tag
    "truncated_mp4",  # it is half a file, and says so
]


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`nth`: from which call of this kind on (1 is the first); `times`: how often; `at`: after which byte of a download."""

    where: Where
    what: What
    accepted: bool = False
    status: int = 503
    kind: str = ""
    retry_after: str | None = None
    at: int | None = None
    pause_s: Annotated[float, Meta(ge=0)] = 0.05
    nth: Annotated[int, Meta(ge=1)] = 1
    times: Annotated[int, Meta(ge=1)] = 1


class Script:
    """Faults in order. Each call of a kind uses up the first that is due."""

    def __init__(self, faults: list[Fault]) -> None:
        self._faults = [msgspec.structs.replace(fault) for fault in faults]
        self._calls: dict[str, int] = {}

    def add(self, *faults: Fault) -> None:
        """From the next call of its kind on: `nth` counts from there."""
        for fault in faults:
            later = self._calls.get(fault.where, 0) + fault.nth
            self._faults.append(msgspec.structs.replace(fault, nth=later))

    def due(self, where: str) -> Fault | None:
        """The fault of this call, used up."""
        number = self._calls[where] = self._calls.get(where, 0) + 1
        for fault in self._faults:
            if fault.where == where and fault.times > 0 and number >= fault.nth:
                fault.times -= 1
                return fault
        return None


def load(file: Path) -> list[Fault]:
    """`[[faults]]` of a TOML file. Raises msgspec.ValidationError with what is wrong."""
    return msgspec.convert(tomllib.loads(file.read_text("utf-8")).get("faults", []), list[Fault])
