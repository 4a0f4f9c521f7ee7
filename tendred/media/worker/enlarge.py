"""A clip with larger pictures, one after another: whatever its length, a handful of them is in memory.

Times, colour tags and the order of packets stay; the packets of the sound are copied as they are. Pictures are scaled
plane by plane, without a way through RGB, unless an upscaler of the engine sees them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

import av
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image

from tendred.errors import DiskFull, FolderUnwritable
from tendred.media.worker import marking
from tendred.media.worker.encode import FULL, write
from tendred.media.worker.footage import Clip, broken, opened, probe
from tendred.schema.footage import Engine, Enlarge, Enlarged

QUALITY: Final = {"crf": "12", "preset": "veryfast", "x264-params": "chroma-qp-offset=-5"}
"""A master: no plane of a picture falls below 45 dB. Without the offset colours do, by 3 dB (packaging/bench)."""
THREADS: Final = min(4, os.cpu_count() or 1)
"""Each one holds pictures of 12 MB; more than four bring a 4K encoder near the limit of this process."""
_SCALE: Final = (
    "flags=lanczos+accurate_rnd+full_chroma_int+full_chroma_inp"
    ":in_color_matrix=bt709:out_color_matrix=bt709:in_range=limited:out_range=limited"
)
"""The same matrix and range on both sides, whichever they are: otherwise colours go by way of a matrix nobody asked for."""
_KEPT: Final = frozenset({
    "yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "yuv420p10le", "yuv422p10le", "yuv444p10le",
})  # fmt: skip
"""Formats of pixels that come out as they went in; others become 4:2:0 of 8 bits."""
_RGB: Final = 3
_MATRICES: Final = {
    1: Colorspace.ITU709, 4: Colorspace.FCC, 5: Colorspace.ITU601, 6: Colorspace.ITU601, 7: Colorspace.SMPTE240M,
}  # fmt: skip
"""By their numbers in H.273. Where a clip says none it is what everybody assumes of high definition: BT.709."""

Steps = Callable[[int, int], None]
"""Told after each picture: done, of all. May raise Cancelled."""


class Scaler(Protocol):
    """Makes a picture larger. What comes out bears the time of what went in."""

    def __call__(self, frame: VideoFrame) -> VideoFrame: ...


def enlarge(work: Enlarge, steps: Steps) -> Enlarged:
    """Make the file at `work.target`. Raises ClipUnreadable, Cancelled, EOFError if the engine ends, OSError of the target."""
    with opened(work.source, work.sha256) as clip, _output(work) as output:
        clip.video.thread_type, clip.video.codec_context.thread_count = "AUTO", THREADS  # it decodes in one otherwise
        written = _Written(clip, output, work)
        with ExitStack() as held:
            scaler = (
                _lanczos(clip, work)
                if work.engine is None
                else held.enter_context(_by_engine(work.engine, work, pixels_of(clip)))
            )
            frames = 0
            for packet in clip.packets():
                if packet.stream is not clip.video:
                    written.copy(packet)
                    continue
                for frame in packet.decode():
                    _check(frame, clip)
                    written.add(frame, scaler(frame))
                    frames += 1
                    steps(frames, max(frames, clip.video.frames))
            written.finish()
    made = probe(work.target)
    if made.frames != frames:
        raise ValueError(f"{frames} pictures went in, {made.frames} came out")
    return Enlarged(footage=made, pictures_sha256=written.pictures.hexdigest())


def pixels_of(clip: Clip) -> str:
    """The format of the pixels that come out."""
    name = clip.video.codec_context.pix_fmt
    return name if name in _KEPT else "yuv420p"


def _check(frame: VideoFrame, clip: Clip) -> None:
    context = clip.video.codec_context
    if (frame.width, frame.height) != (context.width, context.height) or frame.pts is None or frame.is_corrupt:
        broken("its pictures change their size, have no time or are damaged")


class _Written:
    """The file on its way. Remembers how long each picture stays, which the encoder forgets."""

    def __init__(self, clip: Clip, output: Any, work: Enlarge) -> None:
        self.pictures = hashlib.sha256()
        self._output = output
        self._folder = str(Path(work.target).parent)
        self._lengths: dict[int, int] = {}
        source, base = clip.video.codec_context, clip.video.time_base or Fraction(1, 90_000)
        self._base, self.format = base, pixels_of(clip)
        self._video = output.add_stream("libx264", rate=clip.video.average_rate, options=QUALITY)
        context = self._video.codec_context
        context.width, context.height, context.pix_fmt = work.width, work.height, self.format
        context.time_base, context.thread_count = base, THREADS
        context.color_range, context.color_primaries = source.color_range, source.color_primaries
        context.color_trc, context.colorspace = source.color_trc, source.colorspace
        self._video.time_base = base
        self._sound = None if clip.sound is None else output.add_stream_from_template(clip.sound)

    def copy(self, packet: Any) -> None:
        """A packet of the sound, as it is."""
        packet.stream = self._sound
        with _typed(self._folder):
            self._output.mux(packet)

    def add(self, frame: VideoFrame, large: VideoFrame) -> None:
        assert frame.pts is not None
        self._lengths[frame.pts] = frame.duration
        if large.format.name != self.format:
            large = large.reformat(format=self.format)
        large.pts, large.time_base = frame.pts, self._base
        large.pict_type = 0  # where pictures of the source were keys, those of the new one need not be
        self._mux(self._video.encode(large))

    def finish(self) -> None:
        self._mux(self._video.encode(None))

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            if packet.pts is not None and packet.time_base == self._base:
                packet.duration = self._lengths.pop(packet.pts, packet.duration)
            self.pictures.update(bytes(packet))
            with _typed(self._folder):
                self._output.mux(packet)


@contextmanager
def _output(work: Enlarge) -> Generator[Any]:
    folder = str(Path(work.target).parent)
    write(Path(work.target), b"")  # ours alone, and no link, before the library opens it by its name
    try:
        with _typed(folder):
            output = av.open(work.target, "w", format="mp4", options={"movflags": "faststart"})
        try:
            output.metadata["comment"] = marking.settings_json(work.settings)
            yield output
        finally:
            with _typed(folder):
                output.close()
    except BaseException:
        with suppress(OSError):
            os.unlink(work.target)
        raise


@contextmanager
def _typed(folder: str) -> Generator[None]:
    """The library's errors of the file that is written; those of the one that is read are told elsewhere."""
    try:
        yield
    except av.error.FFmpegError as problem:
        if problem.errno in FULL:
            raise DiskFull(folder=folder) from problem
        raise FolderUnwritable(folder=folder, problem=str(problem.strerror)) from problem


def _lanczos(clip: Clip, work: Enlarge) -> Scaler:
    graph = Graph()
    graph.threads = THREADS
    source, sink = graph.add_buffer(template=clip.video), graph.add("buffersink")
    graph.link_nodes(source, graph.add("scale", f"{work.width}:{work.height}:{_SCALE}"), sink).configure()

    def scaled(frame: VideoFrame) -> VideoFrame:
        graph.vpush(frame)
        return graph.vpull()

    return scaled


@contextmanager
def _by_engine(engine: Engine, work: Enlarge, pixels: str) -> Generator[Scaler]:
    """One picture there, one back: the engine reads all of it before it writes, so neither waits for the other in vain."""
    size = work.width * work.height * _RGB
    with open(engine.there, "wb", buffering=0) as there, open(engine.back, "rb") as back:

        def made(frame: VideoFrame) -> VideoFrame:
            matrix = _MATRICES.get(int(frame.colorspace), Colorspace.ITU709)
            small = frame.reformat(format="rgb24", src_colorspace=matrix, dst_color_range=ColorRange.JPEG)
            _send(there, small.to_image().tobytes())
            raw = back.read(size)
            if len(raw) != size:
                raise EOFError("the engine ended before the last picture")
            # PyAV's own from_bytes knows no rgb24.
            large = VideoFrame.from_image(Image.frombytes("RGB", (work.width, work.height), raw))
            full = ColorRange.JPEG if frame.color_range == ColorRange.JPEG else ColorRange.MPEG
            return large.reformat(format=pixels, dst_colorspace=matrix, dst_color_range=full)

        yield made


def _send(pipe: BinaryIO, data: bytes) -> None:
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[pipe.write(rest) :]
    except BrokenPipeError as problem:
        raise EOFError("the engine ended before the last picture") from problem
