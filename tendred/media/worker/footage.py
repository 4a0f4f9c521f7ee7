"""A clip's file, opened without trusting it, and what it holds.

Only MP4's own demuxer looks at it, it can lead to no other file, and only decoders of formats that providers send take
part. Every packet is read, and the first picture decoded: a file that was cut short shows here.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any, BinaryIO, Final, NamedTuple, NoReturn

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.stream import VideoStream

from tendred.errors import ClipUnreadable
from tendred.schema.footage import CLIP_SECONDS, Colour, Footage, Sound

CODECS: Final = "h264,hevc,libdav1d,av1,vp9,mpeg4,aac,mp3,mp3float,opus,libopus,flac,alac,ac3,pcm_s16le,pcm_s16be"
SIDES: Final = range(16, 4097)
RATES: Final = (1, 120)
CLIP_BYTES: Final = 2 * 1024**3
_CHUNK: Final = 1024 * 1024
_FLAGS: Final = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_OPTIONS: Final = {"codec_whitelist": CODECS, "protocol_whitelist": "", "enable_drefs": "0"}


class Clip(NamedTuple):
    """An open clip: its one track of pictures, and its one track of sound if there is any."""

    container: InputContainer
    video: VideoStream
    sound: AudioStream | None
    sha256: str
    bytes: int

    def packets(self) -> Generator[Any]:
        """Every packet of both, in the file's order. Raises ClipUnreadable where one is damaged or missing."""
        for packet in self.container.demux([self.video] if self.sound is None else [self.video, self.sound]):
            if packet.is_corrupt:
                broken("it is cut short")
            if packet.size:
                yield packet
            elif packet.stream is self.video:
                yield packet  # the last one: it makes the decoder give what it holds back


def broken(problem: str) -> NoReturn:
    raise ClipUnreadable(problem=problem)


@contextmanager
def opened(path: str, sha256: str | None = None) -> Generator[Clip]:
    """A clip, if it is one (and the very one). Raises ClipUnreadable, whatever is wrong with it."""
    with _file(path) as file:
        found, size = _hashed(file)
        if sha256 is not None and found != sha256:
            broken("it is not the file that was meant: its SHA-256 differs")
        try:
            with av.open(
                file,
                format="mp4",
                options=_OPTIONS,
                metadata_errors="replace",
                buffer_size=_CHUNK,
                io_open=_nothing_else,
            ) as container:
                assert isinstance(container, InputContainer)
                yield Clip(container, *_tracks(container), found, size)
        except av.error.FFmpegError as problem:
            broken(str(problem.strerror or problem))


def _file(path: str) -> BinaryIO:
    try:
        number = os.open(path, _FLAGS)
    except OSError as problem:
        broken(problem.strerror or str(problem))
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        broken("it is no file")
    return os.fdopen(number, "rb")


def probe(path: str) -> Footage:
    """What it holds. Raises ClipUnreadable."""
    with opened(path) as clip:
        return _counted(clip)


def _counted(clip: Clip) -> Footage:
    times: list[tuple[int, int]] = []
    ticks = there = rotation = 0
    shown = False
    for packet in clip.packets():
        if packet.stream is not clip.video:
            ticks += packet.duration or 0
            continue
        if packet.size:
            there += 1
            if packet.pts is None:
                broken("a picture has no time")
            if not packet.is_discard:
                times.append((packet.pts, packet.duration or 0))
        if not shown and (frames := packet.decode()):
            shown, rotation = True, int(frames[0].rotation)
    if not times or not shown:
        broken("it holds no picture")
    if clip.video.frames and clip.video.frames != there:
        broken(f"it is cut short: of {clip.video.frames} pictures {there} are there")
    times.sort()
    first, (last, length) = times[0][0], times[-1]
    base = clip.video.time_base or Fraction(1, 1)
    gaps = {after - before for (before, _), (after, _) in itertools.pairwise(times)}
    context = clip.video.codec_context
    ratio = clip.video.sample_aspect_ratio
    return Footage(
        bytes=clip.bytes,
        sha256=clip.sha256,
        duration_s=float((last + length - first) * base),
        width=context.width,
        height=context.height,
        fps=str(clip.video.average_rate),
        frames=len(times),
        steady=max(gaps, default=0) - min(gaps, default=0) <= 1,
        codec=context.name,
        pixels=str(context.pix_fmt),
        rotation=rotation,
        square=not ratio or ratio == 1,
        colour=Colour(
            range=int(context.color_range), primaries=int(context.color_primaries), transfer=int(context.color_trc),
            matrix=int(context.colorspace),
        ),
        sound=None if clip.sound is None else _sound(clip.sound, ticks),
    )  # fmt: skip


def _sound(stream: AudioStream, ticks: int) -> Sound:
    context = stream.codec_context
    seconds = ticks * (stream.time_base or Fraction(0))
    rate = context.sample_rate or 0
    return Sound(codec=context.name, rate=rate, channels=context.channels, samples=round(seconds * rate))


def _tracks(container: InputContainer) -> tuple[VideoStream, AudioStream | None]:
    videos, sounds = container.streams.video, container.streams.audio
    if len(videos) != 1 or len(sounds) > 1:
        broken(f"it has {len(videos)} tracks of pictures and {len(sounds)} of sound")
    video, context = videos[0], videos[0].codec_context
    contexts: list[object] = [context, *(sound.codec_context for sound in sounds)]
    if None in contexts:  # whatever the stubs say
        broken("its format is not one that clips come in")
    if context.width not in SIDES or context.height not in SIDES:
        broken(f"its pictures are {context.width} x {context.height}")
    rate = video.average_rate
    if rate is None or not RATES[0] <= rate <= RATES[1]:
        broken(f"it has {rate} pictures a second")
    if container.duration is None or container.duration / av.time_base > CLIP_SECONDS:
        broken(f"it is longer than {CLIP_SECONDS:g} s, or doesn't say how long it is")
    return video, sounds[0] if sounds else None


def _hashed(file: BinaryIO) -> tuple[str, int]:
    size = os.fstat(file.fileno()).st_size
    if not 0 < size <= CLIP_BYTES:
        broken(f"it has {size} bytes")
    digest = hashlib.sha256()
    while piece := file.read(_CHUNK):
        digest.update(piece)
    file.seek(0)
    return digest.hexdigest(), size


def _nothing_else(*_: object) -> NoReturn:
    """A clip that names other files or addresses gets none of them."""
    raise PermissionError("a clip is one file")
