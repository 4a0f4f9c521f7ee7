"""Enlarged clips: every picture beside an independent Lanczos, every packet of sound, every time, and their distance."""

from __future__ import annotations

import hashlib
import math
import resource
import subprocess
import sys
from fractions import Fraction

import pytest

av = pytest.importorskip("av")

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

from tendred.errors import Cancelled, ClipUnreadable, FolderUnwritable  # noqa: E402
from tendred.media.worker.enlarge import enlarge  # noqa: E402
from tendred.media.worker.footage import probe  # noqa: E402
from tendred.schema.footage import FINAL_SIDES, Enlarge  # noqa: E402
from tendred.testing.drawn import BOUNCE_S, Drawn, draw  # noqa: E402

LEAST_DB = 45.0
MOST_BYTES = 2 * 1024**3


def order(source, target, **changes):
    clip = probe(str(source))
    factor = FINAL_SIDES[clip.width, clip.height]
    fields = {
        "source": str(source), "sha256": clip.sha256, "target": str(target), "width": clip.width * factor,
        "height": clip.height * factor, "engine": None, "settings": {"tendred": 1},
    }  # fmt: skip
    return Enlarge(**{**fields, **changes})


def made(source, target, **changes):
    steps = []
    enlarged = enlarge(order(source, target, **changes), lambda done, total: steps.append((done, total)))
    frames = enlarged.footage.frames
    assert steps == [(number, frames) for number in range(1, frames + 1)]
    assert enlarged.footage == probe(str(target))
    return enlarged


def luma(frame):
    """The Y plane as it is, without its padding."""
    plane = frame.planes[0]
    return np.frombuffer(plane, "uint8").reshape(-1, plane.line_size)[: frame.height, : frame.width]


def pictures(path):
    with av.open(str(path)) as clip:
        for frame in clip.decode(video=0):
            yield frame.pts * frame.time_base, luma(frame)


def psnr(one, other):
    error = np.mean((one.astype("float32") - other.astype("float32")) ** 2)
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def packets(path):
    with av.open(str(path)) as clip:
        base = clip.streams.audio[0].time_base
        found = [packet for packet in clip.demux(clip.streams.audio[0]) if packet.size]
        return [(packet.pts * base, packet.duration, hashlib.sha256(bytes(packet)).hexdigest()) for packet in found]


def compare(source, target):
    """The worst picture in dB, having compared times, and that each picture is nearest to its own original."""
    small, large = list(pictures(source)), pictures(target)
    worst, before = math.inf, None
    for number, (at, picture) in enumerate(large):
        assert at == small[number][0]
        height, width = picture.shape
        wanted = np.asarray(Image.fromarray(small[number][1]).resize((width, height), Image.Resampling.LANCZOS))
        worst = min(worst, psnr(picture, wanted))
        if before is not None:
            assert psnr(picture, before) < psnr(picture, wanted), f"picture {number} is the one before it"
        before = wanted
    assert number + 1 == len(small)
    return worst


def ratio(source, target):
    small, large = probe(str(source)), probe(str(target))
    assert (large.frames, large.fps, large.duration_s, large.steady) == (
        small.frames, small.fps, small.duration_s, small.steady,
    )  # fmt: skip
    assert (large.sound, large.colour, large.pixels) == (small.sound, small.colour, small.pixels)


@pytest.mark.parametrize(
    "what",
    [
        Drawn(seconds=0.5),
        Drawn(seconds=0.25, fps="24000/1001", busy=True, rate=24_000),
        Drawn(width=1080, height=1920, seconds=0.2, fps="50", colour=(2, 9, 16, 9)),
    ],
    ids=["720p", "fractional, fine detail", "portrait, full range"],
)
def test_pictures_are_lanczos_sound_is_the_same_and_nothing_moves(tmp_path, what):
    source, target = draw(tmp_path / "a.mp4", what), tmp_path / "b.mp4"
    made(source, target)
    with av.open(str(target)) as clip:
        size = clip.streams.video[0].width, clip.streams.video[0].height
    assert size == ((3840, 2160) if what.width > what.height else (2160, 3840))
    ratio(source, target)
    assert packets(source) == packets(target)
    assert compare(source, target) >= LEAST_DB


def bounces(path, side):
    """Seconds at which the marker stands at an edge, and at which a click begins."""
    seen = []
    for at, picture in pictures(path):
        row = picture[picture.shape[0] // 2 + picture.shape[0] // 16]
        bright = np.flatnonzero(row > 200)  # the marker has 209 at least, the ground 194 at most
        if bright.size and (bright[0] <= 1 or bright[-1] >= picture.shape[1] - 2):
            seen.append(at)
    heard = []
    with av.open(str(path)) as clip:
        resampler = av.AudioResampler(format="s16", layout="mono")
        for frame in clip.decode(audio=0):
            for part in resampler.resample(frame):
                samples = np.frombuffer(bytes(part.planes[0])[: part.samples * 2], "int16")
                start = round(part.pts * part.time_base * part.rate)
                heard += [start + int(loud) for loud in np.flatnonzero(np.abs(samples) > 12_000)]
    return seen, heard, side


def test_every_click_is_heard_where_it_was_to_the_sample(tmp_path):
    what = Drawn(seconds=1.2)
    source, target = draw(tmp_path / "a.mp4", what), tmp_path / "b.mp4"
    made(source, target)
    before, after = bounces(source, 1280), bounces(target, 3840)
    assert before[0] == after[0]
    assert before[1] == after[1]
    clicks = [at for at, last in zip(before[1], [-9_999, *before[1]], strict=False) if at - last > 4_000]
    assert len(clicks) == 3
    # And the test clip is what it says: a click at each bounce, within the blur that AAC lays around it.
    for number, click in enumerate(clicks):
        assert abs(click / what.rate - number * BOUNCE_S) < 0.003
        assert Fraction(number, 2) in before[0]


def test_a_silent_clip_stays_silent(tmp_path):
    source, target = draw(tmp_path / "a.mp4", Drawn(seconds=0.1, sound=False)), tmp_path / "b.mp4"
    assert made(source, target).footage.sound is None


def test_pictures_of_unequal_length_keep_theirs(tmp_path):
    source, target = tmp_path / "a.mp4", tmp_path / "b.mp4"
    times = [0, 1, 3, 4, 9]
    with av.open(str(source), "w") as output:
        video = output.add_stream("libx264", rate=24)
        video.width, video.height, video.pix_fmt = 1280, 720, "yuv420p"
        video.codec_context.time_base = Fraction(1, 24)
        for at in times:
            frame = av.VideoFrame.from_image(Image.new("RGB", (1280, 720), (at * 20, 90, 40)))
            frame.pts, frame.time_base = at, Fraction(1, 24)
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
    made(source, target)
    assert [at for at, _ in pictures(target)] == [Fraction(at, 24) for at in times]
    assert not probe(str(target)).steady


def test_the_settings_travel_in_the_file_and_nothing_of_the_source_does(tmp_path):
    source, target = draw(tmp_path / "a.mp4", Drawn(seconds=0.1)), tmp_path / "b.mp4"
    tagged = tmp_path / "c.mp4"
    with av.open(str(source)) as clip, av.open(str(tagged), "w") as output:
        output.metadata["title"] = "somebody's words"
        stream = output.add_stream_from_template(clip.streams.video[0])
        for packet in clip.demux(clip.streams.video[0]):
            if packet.size:
                packet.stream = stream
                output.mux(packet)
    made(tagged, target)
    with av.open(str(target)) as clip:
        assert clip.metadata["comment"] == '{"tendred":1}'
        assert "title" not in clip.metadata


def test_another_file_than_was_meant_is_not_used(tmp_path):
    source = draw(tmp_path / "a.mp4", Drawn(seconds=0.1))
    with pytest.raises(ClipUnreadable, match="SHA-256"):
        enlarge(order(source, tmp_path / "b.mp4", sha256="0" * 64), lambda _done, _total: None)
    assert not (tmp_path / "b.mp4").exists()


def test_cancelled_it_leaves_nothing(tmp_path):
    source = draw(tmp_path / "a.mp4", Drawn(seconds=0.2))

    def stop(done, _total):
        if done == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        enlarge(order(source, tmp_path / "b.mp4"), stop)
    assert not (tmp_path / "b.mp4").exists()


def test_a_folder_that_is_not_there_is_told(tmp_path):
    source = draw(tmp_path / "a.mp4", Drawn(seconds=0.1))
    with pytest.raises(FolderUnwritable):
        enlarge(order(source, tmp_path / "none" / "b.mp4"), lambda _done, _total: None)


PEAK = """
import resource, sys
from tendred.media.worker.confine import confine
confine()
from tendred.media.worker.enlarge import enlarge
from tendred.media.worker.footage import probe
from tendred.schema.footage import FINAL_SIDES, Enlarge
clip = probe(sys.argv[1])
factor = FINAL_SIDES[clip.width, clip.height]
enlarge(Enlarge(source=sys.argv[1], sha256=clip.sha256, target=sys.argv[2], width=clip.width * factor,
    height=clip.height * factor, engine=None, settings={}), lambda done, total: None)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(source, target):
    """Bytes that the child would have needed at most, inside its own bounds."""
    ran = subprocess.run([sys.executable, "-c", PEAK, str(source), str(target)], capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr.decode()
    return int(ran.stdout) * (1 if sys.platform == "darwin" else 1024)


def test_a_longer_clip_takes_no_more_memory(tmp_path):
    assert resource.getpagesize()
    short = draw(tmp_path / "a.mp4", Drawn(seconds=1.0, fps="50", busy=True))
    assert peak(short, tmp_path / "b.mp4") < MOST_BYTES


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "what",
    [
        pytest.param(Drawn(width=1920, height=1080, seconds=10, busy=True), marks=pytest.mark.heavy),
        pytest.param(Drawn(seconds=5, busy=True), marks=pytest.mark.heavy),
        pytest.param(Drawn(width=1920, height=1080, seconds=20), marks=pytest.mark.soak),
    ],
    ids=["10 s of 1080p", "5 s of 720p", "20 s of 1080p"],
)
def test_whole_clips(tmp_path, what):
    source, target = draw(tmp_path / "a.mp4", what), tmp_path / "b.mp4"
    assert peak(source, target) < MOST_BYTES
    ratio(source, target)
    assert packets(source) == packets(target)
    assert compare(source, target) >= LEAST_DB
