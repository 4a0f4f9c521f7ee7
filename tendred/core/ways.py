"""Which ways to a 4K final a take of a certain length, size and rate leaves open; and what a prompt lacks. Pure.

Lengths of prompts: Lightricks' guide asks for one paragraph of up to 200 words, and the models were captioned with
paragraphs of 150 to 220 (LTX-2 README; LTX-Desktop, 2026-08): with a few words they drift.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from tendred.errors import NotOffered, describe
from tendred.schema.footage import FINAL_SIDES
from tendred.schema.provider import ProviderModel, Size
from tendred.schema.shot import Guidance, Way, WayOpen

LEAST_WORDS: Final = 40
MOST_WORDS: Final = 200
MASTER: Final = (3840, 2160)
_SPEECH: Final = re.compile(
    r'"([^"]+)"|\u201c([^\u201d]+)\u201d|\u201e([^\u201c\u201d]+)[\u201c\u201d]|\u00ab([^\u00bb]+)\u00bb'
)
_FITTING: Final = ["1920x1080", "1080x1920", "1280x720", "720x1280"]


def spoken(prompt: str) -> list[str]:
    """What stands in quotes: the words that somebody says."""
    return [" ".join("".join(found.groups("")).split()) for found in _SPEECH.finditer(prompt)]


def guidance(prompt: str) -> Guidance:
    """How long it is beside what models were taught with."""
    words = len(prompt.split())
    advice = "short" if words < LEAST_WORDS else "long" if words > MOST_WORDS else "fits"
    return Guidance(words=words, least=LEAST_WORDS, most=MOST_WORDS, advice=advice, speech=spoken(prompt))


def size_of(model: ProviderModel, width: int, height: int) -> Size | None:
    """What the model renders at that size."""
    return next((size for size in model.sizes if (size.width, size.height) == (width, height)), None)


def master(width: int, height: int) -> tuple[int, int]:
    """The 4K size of that orientation."""
    return MASTER if width >= height else (MASTER[1], MASTER[0])


def check_new_take(model: ProviderModel, width: int, height: int, seconds: int, fps: str) -> None:
    """Raises NotOffered where the model can't render that again in 4K: usually it is too long."""
    size = size_of(model, *master(width, height))
    lengths = [] if size is None else size.seconds.get(fps, [])
    if seconds not in lengths:
        near = [str(length) for length in lengths]
        raise NotOffered("new_take", model=model.name, seconds=seconds, fps=fps, near=near)


def check_upscale(width: int, height: int) -> None:
    """Raises NotOffered for a size from which neither x2 nor x3 leads to 4K."""
    if (width, height) not in FINAL_SIDES:
        raise NotOffered("upscale", width=width, height=height, near=_FITTING)


def check_refine(model: ProviderModel, provider: str, *, refines: bool) -> None:
    """Raises NotOffered where nobody kept the take's latents."""
    if not refines:
        raise NotOffered("refine", provider=provider, model=model.name, near=[])


def ways(
    model: ProviderModel, provider: str, *, width: int, height: int, seconds: int, fps: str, refines: bool, lang: str
) -> list[WayOpen]:
    """All three, in the order of what is best to have."""
    return [
        _way("refine", lambda: check_refine(model, provider, refines=refines), lang),
        _way("upscale", lambda: check_upscale(width, height), lang),
        _way("new_take", lambda: check_new_take(model, width, height, seconds, fps), lang),
    ]


def _way(way: Way, check: Callable[[], None], lang: str) -> WayOpen:
    reason = None
    try:
        check()
    except NotOffered as closed:
        reason = describe(closed, lang)[0]
    return WayOpen(way=way, open=reason is None, same=way != "new_take", reason=reason)
