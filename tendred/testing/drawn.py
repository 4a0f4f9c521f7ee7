"""A clip that is drawn, not rendered: a marker moves to and fro, and a click is heard each time it bounces.

So that what every step of ours does to pictures, sound and the time between them can be measured. Needs PyAV.
"""

from __future__ import annotations

import math
from array import array
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from PIL import Image, ImageDraw

from tendred.schema.base import Record

RATE: Final = 48_000
BOUNCE_S: Final = 0.5
"""From one edge to the other."""
_CLICK: Final = 96
_BLOCK: Final = 1024


class Drawn(Record, frozen=True):
    """What to draw. `colour`: range, primaries, transfer and matrix by their H.273 numbers. `busy`: fine detail that moves."""

    width: int = 1280
    height: int = 720
    fps: str = "24"
    seconds: float = 2.0
    rate: int = RATE
    sound: bool = True
    busy: bool = False
    pixels: str = "yuv420p"
    codec: str = "libx264"
    colour: tuple[int, int, int, int] = (1, 1, 1, 1)


def draw(path: Path, what: Drawn) -> Path:
    """Write it as MP4."""
    frames: Any = VideoFrame  # PyAV's stubs leave Pillow out
    opened: Any = av.open(str(path), "w", format="mp4")
    with opened as output:
        video: Any = output.add_stream(
            what.codec, rate=Fraction(what.fps), options={"crf": "16", "preset": "ultrafast"}
        )
        video.width, video.height, video.pix_fmt = what.width, what.height, what.pixels
        context = video.codec_context
        context.color_range, context.color_primaries, context.color_trc, context.colorspace = what.colour
        sound: Any = output.add_stream("aac", rate=what.rate, layout="stereo") if what.sound else None
        ground = _ground(what)
        step = 1 / Fraction(what.fps)
        sounds, heard = samples(what), 0
        for number in range(round(what.seconds / step)):
            frame = frames.from_image(_picture(ground, what, number, float(number * step)))
            frame.pts, frame.time_base = number, step
            output.mux(video.encode(frame))
            while sound is not None and heard < len(sounds) and heard / what.rate <= float((number + 1) * step):
                output.mux(sound.encode(_block(sounds, heard, what.rate)))
                heard += _BLOCK
        output.mux(video.encode(None))
        if sound is not None:
            output.mux(sound.encode(None))
    return path


def place(seconds: float) -> float:
    """Where the marker stands: 0 at the left, 1 at the right edge."""
    turn = seconds / BOUNCE_S % 2
    return turn if turn <= 1 else 2 - turn


def _picture(ground: Image.Image, what: Drawn, number: int, seconds: float) -> Image.Image:
    left, top = (number * 3 % 64, number * 5 % 64) if what.busy else (0, 0)
    picture = ground.crop((left, top, left + what.width, top + what.height))
    side = what.height // 8
    x = round(place(seconds) * (what.width - side))
    ImageDraw.Draw(picture).rectangle((x, what.height // 2, x + side, what.height // 2 + side), (250, 240, 20))
    return picture


def _ground(what: Drawn) -> Image.Image:
    size = (what.width + 64, what.height + 64)
    ramps = [Image.linear_gradient("L").resize(size), Image.radial_gradient("L").resize(size)]
    if what.busy:
        ramps[0] = Image.blend(ramps[0], Image.effect_noise(size, 90), 0.6)
    return Image.merge("RGB", (ramps[0], ramps[1], ramps[0].transpose(Image.Transpose.FLIP_LEFT_RIGHT)))


def samples(what: Drawn) -> array[int]:
    """16 bits, one channel: 2 ms of 4 kHz at each bounce."""
    samples: array[int] = array("h", bytes(2 * round(what.seconds * what.rate)))
    for bounce in range(int(what.seconds / BOUNCE_S) + 1):
        start = round(bounce * BOUNCE_S * what.rate)
        for at in range(start, min(start + _CLICK, len(samples))):
            samples[at] = round(30_000 * math.sin(2 * math.pi * 4_000 * (at - start) / what.rate))
    return samples


def _block(samples: array[int], start: int, rate: int) -> AudioFrame:
    part = samples[start : start + _BLOCK]
    frame: Any = AudioFrame(format="s16", layout="stereo", samples=len(part))
    both: array[int] = array("h")
    for value in part:
        both.extend((value, value))
    frame.planes[0].update(both.tobytes())
    frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
    return frame
