import asyncio
import io
from fractions import Fraction

import pytest

from tendred.testing.providers.clips import PERIOD, RATE, Wanted, bounces, canned, draw, marker, piped, samples

SMALL = Wanted(128, 96, 2, "24", audio=True)
av = pytest.importorskip("av")


def decoded(data):
    with av.open(io.BytesIO(data)) as container:
        pictures = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
        [stream] = container.streams.video
        rate, pts = stream.average_rate, stream.time_base
    sound = []
    with av.open(io.BytesIO(data)) as container:
        if container.streams.audio:
            sound = [frame.to_ndarray() for frame in container.decode(audio=0)]
    return pictures, sound, rate, pts


@pytest.mark.parametrize("fps", ["24", "25", "24000/1001"])
def test_it_is_as_long_and_as_large_as_wanted(fps):
    wanted = Wanted(128, 96, 2, fps, audio=False)
    pictures, sound, rate, _ = decoded(draw(wanted))
    assert (len(pictures), pictures[0].shape, sound, rate) == (wanted.frames, (96, 128), [], Fraction(fps))


def test_the_marker_stands_on_the_floor_when_it_clicks():
    import numpy as np

    pictures, sound, _, _ = decoded(draw(SMALL))
    for at in bounces(SMALL):
        left, top, side = marker(SMALL, at)
        assert top + side == SMALL.height
        assert pictures[at][top : top + side, left : left + side].mean() > 200
    clicks = np.abs(np.concatenate(sound, axis=1)[0]) > 0.2
    starts = [at for at in np.flatnonzero(clicks) if not clicks[max(0, at - RATE // 10) : at].any()]
    assert len(starts) == len(bounces(SMALL))
    drift = [start - round(frame / 24 * RATE) for start, frame in zip(starts, bounces(SMALL), strict=True)]
    assert max(drift) - min(drift) <= 48  # a codec may delay all of them alike, and smears an edge by a millisecond


def test_the_sound_before_encoding_is_exact_to_the_sample():
    sound = samples(SMALL)
    assert sound.shape == (2, 2 * RATE)
    for frame in bounces(SMALL):
        start = round(frame / 24 * RATE)
        assert sound[0, start] == 16000
        assert not sound[:, start - 10 : start].any()
    assert len(bounces(SMALL)) == SMALL.frames // PERIOD


async def test_a_file_of_ones_own_is_served_as_it_is():
    assert await canned(b"x")(SMALL) == b"x"


async def test_a_program_of_ones_own_is_told_what_is_wanted(tmp_path):
    script = tmp_path / "tiny.py"
    script.write_text("import sys\nopen(sys.argv[3], 'w').write(' '.join(sys.argv[1:]))")
    told = (await piped(script, tmp_path / "model")(SMALL)).decode().split()
    assert (told[0], told[1], told[3:]) == ("t2v", str(tmp_path / "model"), ["--wh", "256x128", "--nf", "17"])
    script.write_text("raise SystemExit(3)")
    with pytest.raises(RuntimeError):
        await asyncio.wait_for(piped(script, tmp_path)(SMALL), 60)
