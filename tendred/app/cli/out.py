"""Everything that is printed goes through here: people get lines, `--json` gets one document."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from typing import Any, Final, TextIO

import msgspec

from tendred.schema.error import ErrorInfo

# Control characters, and those that reorder or hide what stands around them: prompts, names and log lines come
# from anywhere, and a terminal obeys what it is shown.
_UNSAFE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()


def _json_escape(match: re.Match[str]) -> str:
    utf16 = match[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{utf16[at : at + 4]}" for at in range(0, len(utf16), 4))


def clean(text: str) -> str:
    """One line that does nothing to a terminal but show."""
    return _UNSAFE.sub(_escape, text)


def size(count: int) -> str:
    """Bytes for people."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:  # noqa: PLR2004 # the step between units
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def span(seconds: float) -> str:
    """A span of time for people."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= length * 1.5:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def short(text: str, most: int) -> str:
    """At most so many characters."""
    text = clean(text)
    return text if len(text) <= most else text[: most - 1] + "…"


class Out:
    """Where words go: results to stdout, remarks and errors to stderr."""

    def __init__(self, stdout: TextIO, stderr: TextIO, *, json: bool) -> None:
        self._stdout = stdout
        self._stderr = stderr
        self.json = json

    @property
    def on_terminal(self) -> bool:
        """Whether somebody watches stderr, where bars and questions go."""
        return self._stderr.isatty() and not self.json

    def line(self, text: str = "") -> None:
        """A line of the result; left out under --json."""
        if not self.json:
            print(clean(text), file=self._stdout, flush=True)

    def note(self, text: str) -> None:
        """A remark beside the result; left out under --json."""
        if not self.json:
            print(clean(text), file=self._stderr, flush=True)

    def document(self, value: object) -> None:
        """The result for programs; one line of JSON, under --json only."""
        if self.json:
            text = msgspec.json.encode(value).decode()
            print(_UNSAFE.sub(_json_escape, text), file=self._stdout, flush=True)

    def error(self, info: ErrorInfo, **beside: Any) -> None:
        """What went wrong and what to do, on stderr; the whole record as JSON on stdout."""
        print(f"tendre: {clean(info.message)}", file=self._stderr, flush=True)
        if info.next:
            print(f"  {clean(info.next)}", file=self._stderr, flush=True)
        self.document({"error": info, **beside})

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], *, whole: bool = False) -> None:
        """Columns. The last one is cut to the terminal's width, and left whole in a pipe or if `whole`."""
        if self.json:
            return
        shown = [[clean(cell) for cell in row] for row in (head, *rows)]
        widths = [max(len(row[at]) for row in shown) for at in range(len(head))]
        room = shutil.get_terminal_size().columns if self._stdout.isatty() and not whole else None
        for row in shown:
            cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)]
            text = "  ".join([*cells, row[-1]])
            print(text if room is None or len(text) <= room else text[: room - 1] + "…", file=self._stdout)
        self._stdout.flush()

    def ask(self, question: str) -> bool:
        """A yes-or-no question on the terminal; nothing typed means yes."""
        print(clean(question), end=" ", file=self._stderr, flush=True)
        try:
            return input().strip().lower() in {"", "y", "yes", "o", "oui"}
        except EOFError:
            return False
