"""How fast a clip becomes 4K, and in how much memory, beside `ffmpeg -vf scale` on the same machine.

`python packaging/bench/upscale_clip.py [--seconds 2] [--size 1080p]`. Both decode the same drawn clip, scale it with the
same Lanczos and encode it with the same settings of x264 and as many threads; ours runs as the media child does, in its
bounds, and reads its own file back. The ratio of the two, from one run, is the figure. Needs PyAV, and a program ffmpeg
(`--ffmpeg`, or on the path, or that of the package imageio-ffmpeg).
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tendred.media.worker.enlarge import QUALITY, THREADS
from tendred.testing.drawn import Drawn, draw

SIZES = {"720p": (1280, 720), "1080p": (1920, 1080)}
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
begun = time.perf_counter()
made = enlarge(work, lambda done, total: None)
took = time.perf_counter() - begun
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"seconds": took, "peak_mb": round(peak / 1e6), "frames": made.footage.frames, "bytes": made.footage.bytes}))
"""


def ours(source: Path, target: Path) -> dict[str, float]:
    ran = subprocess.run([sys.executable, "-c", CHILD, str(source), str(target)], check=True, capture_output=True)
    return json.loads(ran.stdout)


def theirs(program: str, source: Path, target: Path, size: tuple[int, int]) -> dict[str, float]:
    line = [
        program, "-v", "error", "-y", "-i", str(source),
        "-vf", f"scale={size[0]}:{size[1]}:flags=lanczos+accurate_rnd+full_chroma_int+full_chroma_inp",
        "-c:v", "libx264", "-crf", QUALITY["crf"], "-preset", QUALITY["preset"], "-threads", str(THREADS),
        "-c:a", "copy", str(target),
    ]  # fmt: skip
    begun = time.perf_counter()
    subprocess.run(line, check=True)
    took = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return {"seconds": took, "peak_of_all_mb": round(peak / 1e6), "bytes": target.stat().st_size}


def ffmpeg() -> str | None:
    if found := shutil.which("ffmpeg"):
        return found
    try:
        return importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe()
    except ImportError:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--size", choices=SIZES, default="1080p")
    parser.add_argument("--ffmpeg", default=None)
    parser.add_argument("--small", action="store_true", help="half a second of 720p")
    args = parser.parse_args()
    if args.small:
        args.seconds, args.size = 0.5, "720p"
    width, height = SIZES[args.size]
    with tempfile.TemporaryDirectory() as folder:
        source = draw(Path(folder) / "a.mp4", Drawn(width=width, height=height, seconds=args.seconds, busy=True))
        result = {"cpus": os.cpu_count(), "threads": THREADS, "ours": ours(source, Path(folder) / "b.mp4")}
        program = args.ffmpeg or ffmpeg()
        if program is None:
            result["ffmpeg"] = "not found"
        else:
            result["ffmpeg"] = theirs(program, source, Path(folder) / "c.mp4", (3840, 2160))
            result["ratio"] = round(result["ours"]["seconds"] / result["ffmpeg"]["seconds"], 2)
        print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
