"""A clip to 4K: what it keeps, in how much memory, and how fast beside `ffmpeg -vf scale` with the same encoder.

Both decode the same drawn clip (fine detail that moves), scale it with Lanczos and encode it with the same settings of
x264 and as many threads; ours runs as the media child does, in its bounds, hashes and reads its own file back. Every
picture is then compared, plane by plane, with Pillow's Lanczos of its original. Needs PyAV, and a program ffmpeg.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from _house import Table, arguments, folder
from PIL import Image

from tendred.media.worker.enlarge import QUALITY, THREADS
from tendred.media.worker.footage import probe
from tendred.testing.drawn import Drawn, draw

LEAST_DB = 45.0
MOST_BYTES = 2 * 1024**3
SIZES = {1080: (1920, 1080), 720: (1280, 720)}
CHILD = """
import json, resource, sys, time
from tendred.media.worker.confine import confine
confine()
from tendred.media.worker.enlarge import enlarge
from tendred.media.worker.footage import probe
from tendred.schema.footage import FINAL_SIDES, Enlarge
clip = probe(sys.argv[1])
factor = FINAL_SIDES[clip.width, clip.height]
work = Enlarge(source=sys.argv[1], sha256=clip.sha256, target=sys.argv[2], width=clip.width * factor,
    height=clip.height * factor, engine=None, settings={})
begun, busy = time.perf_counter(), time.process_time()
enlarge(work, lambda done, total: None)
took, busy = time.perf_counter() - begun, time.process_time() - busy
print(json.dumps([took, busy, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024]))
"""


class Took(NamedTuple):
    """Seconds on the clock and of processors, and bytes of memory at most."""

    seconds: float
    processor_s: float
    peak: int


def ours(source: Path, target: Path) -> Took:
    """As the media child does it."""
    ran = subprocess.run([sys.executable, "-c", CHILD, str(source), str(target)], check=True, capture_output=True)
    return Took(*json.loads(ran.stdout))


def theirs(program: str, source: Path, target: Path) -> Took:
    """The same of ffmpeg."""
    line = [
        program, "-v", "error", "-y", "-i", str(source),
        "-vf", "scale=3840:2160:flags=lanczos+accurate_rnd+full_chroma_int+full_chroma_inp",
        "-c:v", "libx264", *(part for name, value in QUALITY.items() for part in (f"-{name}", value)), "-threads", str(THREADS),
        "-filter_threads", str(THREADS), "-c:a", "copy", str(target),
    ]  # fmt: skip
    begun = time.perf_counter()
    process = subprocess.Popen(line)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, line)
    return Took(time.perf_counter() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def pictures(path: Path) -> Iterator[tuple[Fraction, list[Any]]]:
    """When each is shown, and its three planes."""
    with av.open(str(path)) as clip:
        clip.streams.video[0].thread_type = "AUTO"
        for frame in clip.decode(video=0):
            assert frame.pts is not None
            assert frame.time_base is not None
            sizes = [(frame.width, frame.height), *[((frame.width + 1) // 2, (frame.height + 1) // 2)] * 2]
            yield (
                frame.pts * frame.time_base,
                [
                    np.frombuffer(memoryview(plane), "uint8").reshape(-1, plane.line_size)[:high, :wide].copy()
                    for plane, (wide, high) in zip(frame.planes, sizes, strict=True)
                ],
            )


def lanczos(plane: Any, like: Any) -> Any:
    """One plane, as Pillow makes it larger: none of our code or the library's takes part."""
    high, wide = like.shape
    return np.asarray(Image.fromarray(plane).resize((wide, high), Image.Resampling.LANCZOS))


def psnr(one: Any, other: Any) -> float:
    error: float = np.square(one.astype("float32") - other.astype("float32")).mean()
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def compared(source: Path, target: Path) -> tuple[list[float], int, int, int]:
    """Of every picture beside its original: the worst dB of each plane; how many there are; of those at another time; of
    those that are nearer to the original before theirs."""
    worst, count, moved, doubled, before = [math.inf] * 3, 0, 0, 0, None
    for (at, small), (shown, large) in zip(pictures(source), pictures(target), strict=True):
        wanted = [lanczos(*pair) for pair in zip(small, large, strict=True)]
        values = [psnr(*pair) for pair in zip(large, wanted, strict=True)]
        worst = [min(pair) for pair in zip(worst, values, strict=True)]
        moved += at != shown
        doubled += before is not None and psnr(large[0], before) >= values[0]
        before, count = wanted[0], count + 1
    return worst, count, moved, doubled


def sound(path: Path) -> list[tuple[Any, Any, bytes]]:
    """Every packet: when, how long, and what is in it."""
    with av.open(str(path)) as clip:
        track = clip.streams.audio[0]
        return [(packet.pts, packet.duration, bytes(packet)) for packet in clip.demux(track) if packet.size]


def offset(path: Path) -> Fraction:
    """Samples from the first picture to the first sample."""
    with av.open(str(path)) as clip:
        track, video = clip.streams.audio[0], clip.streams.video[0]
        first: dict[int, int] = {}
        for packet in clip.demux([track, video]):
            if packet.pts is not None and packet.size:
                first[packet.stream.index] = min(first.get(packet.stream.index, packet.pts), packet.pts)
        assert track.time_base is not None
        assert video.time_base is not None
        begins = first[track.index] * track.time_base - first[video.index] * video.time_base
        return begins * (track.codec_context.sample_rate or 0)


def whole(table: Table, program: str | None, height: int, seconds: float) -> None:
    """One clip."""
    width, factor = SIZES[height][0], 2160 // height
    name = f"{seconds:g} s of {height}p, x{factor}"
    with folder() as place:
        source = draw(place / "a.mp4", Drawn(width=width, height=height, seconds=seconds, busy=True))
        target = place / "b.mp4"
        took = ours(source, target)
        table.add(f"{name}: memory at most", f"{took.peak / 2**20:.0f} MiB", f"{MOST_BYTES // 2**20} MiB")
        other = None if program is None else theirs(program, source, place / "c.mp4")
        table.add(
            f"{name}: seconds", f"{took.seconds:.1f} s", "",
            "no ffmpeg here" if other is None else f"{took.seconds / other.seconds:.2f} x ffmpeg ({other.seconds:.1f} s)",
        )  # fmt: skip
        if other is not None:
            ratio = f"{took.processor_s / other.processor_s:.2f} x ffmpeg ({other.processor_s:.1f} s)"
            table.add(f"{name}: processor time", f"{took.processor_s:.1f} s", "", ratio)
            table.add(f"{name}: ffmpeg's memory", f"{other.peak / 2**20:.0f} MiB")
        small, large = probe(str(source)), probe(str(target))
        worst, count, moved, doubled = compared(source, target)
        decibels = " / ".join(f"{value:.1f}" for value in worst)
        table.add(f"{name}: worst picture, Y / U / V beside Lanczos", f"{decibels} dB", f"{LEAST_DB:g} dB")
        table.add(
            f"{name}: pictures there / at another time / doubled",
            f"{count} / {moved} / {doubled}",
            f"{small.frames} / 0 / 0",
        )
        ours_s, theirs_s = large.duration_s, small.duration_s
        table.add(f"{name}: duration", f"{ours_s} s", f"{theirs_s} s")
        before, after = sound(source), sound(target)
        same = sum(one == other for one, other in zip(before, after, strict=True))
        table.add(f"{name}: packets of sound that are identical", str(same), str(len(before)))
        table.add(f"{name}: change of picture-sound offset", f"{offset(target) - offset(source)} samples", "0 samples")


def main() -> None:
    options = arguments(__doc__, large_s=(10, 1, "seconds of 1080p"), small_s=(5, 1, "seconds of 720p"))
    program = shutil.which("ffmpeg")
    table = Table("upscale_clip")
    whole(table, program, 1080, options.large_s)
    whole(table, program, 720, options.small_s)


if __name__ == "__main__":
    main()
