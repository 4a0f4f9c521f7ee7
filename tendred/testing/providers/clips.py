"""Clips to serve: drawn ones, whose picture and sound can be measured, or those of a pipeline that somebody names.

The drawn clip: a white marker goes up and down on a quiet ground, and at each bounce on the floor there is a click. The
first sample of a click is the first sample of the frame in which the marker stands on the floor, so that a shift between
picture and sound shows to the sample. PyAV is imported only when something is drawn.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

RATE: Final = 48_000
PERIOD: Final = 12
"""Frames from bounce to bounce."""
CLICK: Final = 480
"""Samples of a click: 10 ms."""
_GROUND: Final = 48


@dataclass(frozen=True)
class Wanted:
    """What a clip is asked for as."""

    width: int
    height: int
    seconds: int
    fps: str
    audio: bool
    seed: int = 0

    @property
    def frames(self) -> int:
        return round(self.seconds * Fraction(self.fps))


Render = Callable[[Wanted], Awaitable[bytes]]


def bounces(wanted: Wanted) -> list[int]:
    """Numbers of the frames in which the marker stands on the floor."""
    return [at for at in range(wanted.frames) if at % PERIOD == PERIOD // 2]


def marker(wanted: Wanted, frame: int) -> tuple[int, int, int]:
    """Left, top and side of the marker in a frame."""
    side = max(4, min(wanted.width, wanted.height) // 8)
    phase = frame % PERIOD / PERIOD
    height = abs(2 * phase - 1)  # 0 on the floor, in the middle of a period
    top = round((wanted.height - side) * (1 - height))
    left = round((wanted.width - side) * ((frame + wanted.seed * 7) % max(1, wanted.frames)) / max(1, wanted.frames))
    return left, top, side


def samples(wanted: Wanted) -> Any:
    """The sound: int16, shape (2, n), zero but for a click at each bounce."""
    import numpy as np  # noqa: PLC0415 - only who draws needs it

    sound = np.zeros((2, round(wanted.frames / Fraction(wanted.fps) * RATE)), np.int16)
    wave = (np.sin(np.arange(CLICK) * 2 * np.pi * 2000 / RATE) * 16000 * np.linspace(1, 0, CLICK)).astype(np.int16)
    wave[0] = 16000  # a hard edge: where it begins can be found in what a decoder gives back
    for frame in bounces(wanted):
        start = round(frame / Fraction(wanted.fps) * RATE)
        room = min(CLICK, sound.shape[1] - start)
        sound[:, start : start + room] = wave[:room]
    return sound


async def drawn(wanted: Wanted) -> bytes:
    """An MP4 of the drawn clip: H.264 and, if wanted, AAC in stereo."""
    return await asyncio.to_thread(draw, wanted)


def draw(wanted: Wanted) -> bytes:
    """As `drawn`. Blocking."""
    import numpy as np  # noqa: PLC0415

    av: Any = importlib.import_module("av")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "clip.mp4"
        with av.open(str(file), "w", options={"movflags": "+faststart"}) as container:
            video: Any = container.add_stream(
                "libx264", rate=Fraction(wanted.fps), options={"crf": "20", "preset": "ultrafast"}
            )
            video.width, video.height, video.pix_fmt = wanted.width, wanted.height, "yuv420p"
            audio: Any = container.add_stream("aac", rate=RATE, layout="stereo") if wanted.audio else None
            ground = np.full((wanted.height * 3 // 2, wanted.width), 128, np.uint8)
            ground[: wanted.height] = np.linspace(_GROUND, _GROUND * 2, wanted.height, dtype=np.uint8)[:, None]
            for at in range(wanted.frames):
                picture = ground.copy()
                left, top, side = marker(wanted, at)
                picture[top : top + side, left : left + side] = 235
                frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
                frame.pts = at
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
            if audio is not None:
                _sound(av, container, audio, samples(wanted))
        return file.read_bytes()


def _sound(av: Any, container: Any, audio: Any, sound: Any) -> None:
    import numpy as np  # noqa: PLC0415 - as above

    size = audio.codec_context.frame_size or 1024
    wave = (sound / 32768).astype(np.float32)
    for at in range(0, wave.shape[1], size):
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(wave[:, at : at + size]), format="fltp", layout="stereo"
        )
        frame.sample_rate, frame.pts, frame.time_base = RATE, at, Fraction(1, RATE)
        container.mux(audio.encode(frame))
    container.mux(audio.encode(None))


def piped(script: Path, model: Path) -> Render:
    """By a program that is called as `SCRIPT t2v MODEL CLIP --wh WxH --nf FRAMES` (the tiny pipeline in LTX-2.3's shape).

    Its clips are small, whatever was asked for: a random model of 32 pixels a latent takes minutes for more.
    """

    async def render(wanted: Wanted) -> bytes:
        wide = wanted.width >= wanted.height
        with tempfile.TemporaryDirectory() as folder:
            clip = Path(folder) / "clip.mp4"
            size, frames = ("256x128" if wide else "128x256"), str(8 * min(wanted.seconds, 3) + 1)
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
