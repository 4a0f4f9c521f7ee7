"""Pictures of clips: a poster, the sound as a wave, moments side by side, two takes beside each other."""

from __future__ import annotations

import hashlib
import os
from array import array
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Final

from av.audio.resampler import AudioResampler
from PIL import Image, ImageDraw, ImageFont, WebPImagePlugin

from tendred.media.worker import marking
from tendred.media.worker.encode import write
from tendred.media.worker.footage import Clip, broken, opened
from tendred.schema.footage import Look, Shown, Take

__all__ = ["WebPImagePlugin", "look"]  # the plug-in registers by being there

POSTER: Final = 960
"""Pixels of a poster's longer side."""
CELL: Final = 384
"""Pixels of the longer side of a moment on a sheet."""
MOMENTS: Final = (4, 3)
"""Columns and rows of a sheet."""
BESIDE: Final = 6
"""Moments of each take in a comparison."""
WAVE: Final = (960, 160)
GAP: Final = 8
LINE: Final = 28
PAPER: Final = (250, 250, 248)
INK: Final = (40, 40, 40)
TONE: Final = (70, 96, 140)
_RATE: Final = 16_000
_PEAK: Final = 32_768
_QUALITY: Final = 82

Frame = tuple[float, Image.Image]


def look(work: Look) -> Shown:
    """Make the picture at `work.target`. Raises ClipUnreadable, DiskFull, FolderUnwritable."""
    match work.kind:
        case "poster":
            picture = _poster(work.takes[0])
        case "waveform":
            picture = _wave(work.takes[0], *WAVE)
        case "sheet":
            picture = _sheet(work.takes[0])
        case "compare":
            picture = _beside(work.takes)
    return shown(picture, Path(work.target), "WEBP", "image/webp", quality=_QUALITY, method=2, xmp=marking.xmp())


def shown(picture: Image.Image, target: Path, form: str, media_type: str, **options: object) -> Shown:
    """A picture as a file, which stands there whole or not at all."""
    out = BytesIO()
    picture.save(out, form, **options)
    data = out.getvalue()
    part = target.with_name(f".{target.name}.part")
    write(part, data)
    os.replace(part, target)
    return Shown(
        path=str(target), media_type=media_type, bytes=len(data), sha256=hashlib.sha256(data).hexdigest(),
        width=picture.width, height=picture.height,
    )  # fmt: skip


def _poster(take: Take) -> Image.Image:
    """A third of the way in: the very first picture is often the still that it began from, or black."""
    with opened(take.path, take.sha256) as clip:
        [(_, picture)] = _moments(clip, [1 / 3], POSTER)
    return picture


def _sheet(take: Take) -> Image.Image:
    """Moments at equal distances, in reading order, each with its time; the sound below them."""
    columns, rows = MOMENTS
    count = columns * rows
    with opened(take.path, take.sha256) as clip:
        moments = _moments(clip, [place / (count - 1) for place in range(count)], CELL)
    wide, high = moments[0][1].size
    width = columns * (wide + GAP) + GAP
    top = LINE + GAP if take.label else GAP
    wave = _wave(take, width - 2 * GAP, WAVE[1] // 2)
    page = Image.new("RGB", (width, top + rows * (high + LINE + GAP) + wave.height + GAP), PAPER)
    pen = ImageDraw.Draw(page)
    _say(pen, GAP, GAP // 2, take.label, width - 2 * GAP)
    for number, (at, picture) in enumerate(moments):
        x = GAP + number % columns * (wide + GAP)
        y = top + number // columns * (high + LINE + GAP)
        page.paste(picture, (x, y))
        _say(pen, x, y + high, f"{at:.2f} s", wide)
    page.paste(wave, (GAP, page.height - wave.height - GAP))
    return page


def _beside(takes: list[Take]) -> Image.Image:
    """Two takes, one column each, at the same share of their length; the sound of each below it."""
    columns: list[tuple[Take, list[Frame], Image.Image]] = []
    for take in takes:
        with opened(take.path, take.sha256) as clip:
            moments = _moments(clip, [place / (BESIDE - 1) for place in range(BESIDE)], POSTER // 2)
        columns.append((take, moments, _wave(take, moments[0][1].width, WAVE[1] // 2)))
    high = max(moments[0][1].height for _, moments, _ in columns)
    width = sum(moments[0][1].width + GAP for _, moments, _ in columns) + GAP
    page = Image.new("RGB", (width, LINE + GAP + BESIDE * (high + LINE) + WAVE[1] // 2 + 2 * GAP), PAPER)
    pen = ImageDraw.Draw(page)
    x = GAP
    for take, moments, wave in columns:
        wide = moments[0][1].width
        _say(pen, x, GAP // 2, take.label, wide)
        for number, (at, picture) in enumerate(moments):
            y = LINE + GAP + number * (high + LINE)
            page.paste(picture, (x, y))
            _say(pen, x, y + picture.height, f"{at:.2f} s", wide)
        page.paste(wave, (x, page.height - wave.height - GAP))
        x += wide + GAP
    return page


def _moments(clip: Clip, places: list[float], side: int) -> list[Frame]:
    """The pictures that stand at these shares of its length: each with its time, its longer side at most `side`.

    The whole clip is decoded once, and only what is shown is kept.
    """
    count = clip.video.frames
    wanted = [round(place * max(0, count - 1)) for place in places]
    kept: dict[int, Frame] = {}
    number = 0
    for packet in clip.packets():
        if packet.stream is not clip.video:
            continue
        for frame in packet.decode():
            if number in wanted or (not kept and not count):
                kept[number] = (
                    float((frame.pts or 0) * (clip.video.time_base or Fraction(0))),
                    _small(frame.to_image(), side),
                )
            number += 1
    if not kept:
        broken("it holds no picture")
    there = sorted(kept)
    return [kept[min(there, key=lambda at, want=want: abs(at - want))] for want in wanted]


def _small(picture: Image.Image, side: int) -> Image.Image:
    share = min(1.0, side / max(picture.size))
    size = (max(1, round(picture.width * share)), max(1, round(picture.height * share)))
    return picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def _wave(take: Take, width: int, height: int) -> Image.Image:
    """The loudest and the lowest sample of each column; a line where there is no sound."""
    with opened(take.path, take.sha256) as clip:
        samples = _samples(clip)
    picture = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(picture)
    middle = height / 2
    pen.line((0, middle, width, middle), INK)
    for x in range(width):
        part = samples[x * len(samples) // width : max(x * len(samples) // width + 1, (x + 1) * len(samples) // width)]
        if part:
            low, high = (middle - value / _PEAK * (middle - 1) for value in (min(part), max(part)))
            pen.line((x, high, x, low), TONE)
    return picture


def _samples(clip: Clip) -> array[int]:
    """All of its sound as one channel of 16 bits: half a minute of it is a megabyte."""
    heard: array[int] = array("h")
    if clip.sound is None:
        return heard
    resampler = AudioResampler(format="s16", layout="mono", rate=_RATE)
    for packet in clip.packets():
        if packet.stream is clip.video:
            continue
        for frame in packet.decode():
            for part in resampler.resample(frame):
                heard.frombytes(bytes(part.planes[0])[: part.samples * 2])
    return heard


def _say(pen: ImageDraw.ImageDraw, x: int, y: int, text: str, width: int) -> None:
    font = ImageFont.load_default(14)
    while text and pen.textlength(text, font) > width:
        text = text[:-2].rstrip() + "…" if len(text) > 2 else ""  # noqa: PLR2004 # a letter and the dots
    pen.text((x, y + LINE / 2), text, INK, font, anchor="lm")
