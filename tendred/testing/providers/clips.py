"""Clips to serve: drawn ones, whose picture and sound can be measured, or those of a pipeline that somebody names.

What is drawn is told in `tendred.testing.drawn`, which is imported, with PyAV, only when something is drawn.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path


@dataclass(frozen=True)
class Wanted:
    """What a clip is asked for as."""

    width: int
    height: int
    seconds: float
    fps: str
    audio: bool
    seed: int = 0

    @property
    def frames(self) -> int:
        """How many pictures."""
        return round(self.seconds * Fraction(self.fps))


Render = Callable[[Wanted], Awaitable[bytes]]


async def drawn(wanted: Wanted) -> bytes:
    """An MP4 of the drawn clip: H.264 and, if wanted, AAC in stereo."""
    return await asyncio.to_thread(_drawn, wanted)


def _drawn(wanted: Wanted) -> bytes:
    from tendred.testing.drawn import Drawn, draw  # noqa: PLC0415 - only who draws needs PyAV

    what = Drawn(width=wanted.width, height=wanted.height, fps=wanted.fps, seconds=wanted.seconds, sound=wanted.audio)
    with tempfile.TemporaryDirectory() as folder:
        return draw(Path(folder) / "clip.mp4", what).read_bytes()


def piped(script: Path, model: Path) -> Render:
    """By a program that is called as `SCRIPT t2v MODEL CLIP --wh WxH --nf FRAMES` (the tiny pipeline in LTX-2.3's shape).

    Its clips are small, whatever was asked for: a random model of 32 pixels a latent takes minutes for more.
    """

    async def render(wanted: Wanted) -> bytes:
        wide = wanted.width >= wanted.height
        with tempfile.TemporaryDirectory() as folder:
            clip = Path(folder) / "clip.mp4"
            size, frames = ("256x128" if wide else "128x256"), str(8 * min(round(wanted.seconds), 3) + 1)
            child = await asyncio.create_subprocess_exec(
                sys.executable, str(script), "t2v", str(model), str(clip), "--wh", size, "--nf", frames,
                stdout=sys.stderr.fileno(),
            )  # fmt: skip
            if await child.wait() != 0:
                raise RuntimeError(f"{script} ended with {child.returncode}")
            return clip.read_bytes()

    return render


def canned(data: bytes) -> Render:
    """Always these bytes: for tests that are about the wire, not about the clip."""

    async def render(wanted: Wanted) -> bytes:
        del wanted
        return data

    return render
