"""A picture on a terminal: two pixels in each character, the upper one in the ink and the lower one as the paper.

Loads rich, which is slow: imported only where a bar is shown.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import Any, Final

from rich.color import Color
from rich.console import Console, RenderableType
from rich.progress import Progress
from rich.style import Style
from rich.text import Text

HALF: Final = "\N{UPPER HALF BLOCK}"
WIDEST: Final = 64
"""Columns that a preview takes at most."""
BELOW: Final = 4
"""Lines that stay free for the bar and what comes after it."""
_SMALLEST: Final = 8
_PPM: Final = re.compile(rb"P6\s(\d{1,4})\s(\d{1,4})\s255\s")


class Pictured(Progress):
    """A bar, with a picture above it once there is one."""

    _picture: RenderableType | None = None

    def show(self, preview: dict[str, Any]) -> None:
        """A new picture (see `drawn`), shown when the bar is drawn next."""
        self._picture = drawn(preview) or self._picture

    def get_renderables(self) -> Iterable[RenderableType]:
        if self._picture is not None:
            yield self._picture
        yield from super().get_renderables()


def side_for(console: Console) -> int | None:
    """The longest side in pixels that fits; None where the terminal shows no such colours, or has no room."""
    if console.color_system not in {"truecolor", "256"}:
        return None
    side = min(WIDEST, console.width, 2 * (console.height - BELOW))
    return side if side >= _SMALLEST else None


def drawn(preview: dict[str, Any]) -> Text | None:
    """A preview in the form `ppm`, as lines; None for anything else."""
    data = base64.b64decode(preview["data"])
    head = _PPM.match(data)
    if head is None:
        return None
    width, height = int(head[1]), int(head[2])
    rows = [data[head.end() + y * width * 3 : head.end() + (y + 1) * width * 3] for y in range(height)]
    if len(rows[-1]) < width * 3:
        return None
    text = Text(no_wrap=True, end="")
    for y in range(0, height, 2):
        upper, lower = rows[y], rows[y + 1] if y + 1 < height else None
        for x in range(0, width * 3, 3):
            paper = None if lower is None else Color.from_rgb(*lower[x : x + 3])
            text.append(HALF, Style(color=Color.from_rgb(*upper[x : x + 3]), bgcolor=paper))
        text.append("\n")
    return text
