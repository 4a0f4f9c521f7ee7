"""What the drawn clip promises: the marker bounces where the clicks are, to the sample."""

from fractions import Fraction

import pytest

av = pytest.importorskip("av")

from tendred.testing.drawn import BOUNCE_S, RATE, Drawn, draw, place, samples  # noqa: E402

SMALL = Drawn(width=128, height=96, seconds=2)


def decoded(path):
    with av.open(str(path)) as container:
        pictures = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
        [stream] = container.streams.video
        rate = stream.average_rate
    sound = []
    with av.open(str(path)) as container:
        if container.streams.audio:
            sound = [frame.to_ndarray() for frame in container.decode(audio=0)]
    return pictures, sound, rate


@pytest.mark.parametrize("fps", ["24", "25", "24000/1001"])
def test_it_is_as_long_and_as_large_as_wanted(tmp_path, fps):
    what = Drawn(width=128, height=96, seconds=2, fps=fps, sound=False)
    pictures, sound, rate = decoded(draw(tmp_path / "a.mp4", what))
    assert (len(pictures), pictures[0].shape, sound, rate) == (round(2 * Fraction(fps)), (96, 128), [], Fraction(fps))


def test_the_marker_stands_at_an_edge_when_it_clicks(tmp_path):
    import numpy as np

    pictures, sound, _ = decoded(draw(tmp_path / "a.mp4", SMALL))
    clicks = np.abs(np.concatenate(sound, axis=1)[0]) > 0.2
    starts = [at for at in np.flatnonzero(clicks) if not clicks[max(0, at - RATE // 10) : at].any()]
    # What bounces at the very end has no picture any more.
    wanted = [round(number * BOUNCE_S * RATE) for number in range(round(SMALL.seconds / BOUNCE_S))]
    assert len(starts) == len(wanted)
    drift = [start - right for start, right in zip(starts, wanted, strict=True)]
    assert max(drift) - min(drift) <= 48  # a codec may delay all of them alike, and smears an edge by a millisecond
    side = SMALL.height // 8
    for number in range(len(wanted)):
        assert place(number * BOUNCE_S) == number % 2
        edge = slice(SMALL.width - side, None) if number % 2 else slice(0, side)
        picture = pictures[round(number * BOUNCE_S * 24)]
        assert picture[SMALL.height // 2 : SMALL.height // 2 + side, edge].mean() > 180


def test_the_sound_before_encoding_is_exact_to_the_sample():
    sound = samples(SMALL)
    assert len(sound) == 2 * RATE
    for number in range(1, 4):
        start = round(number * BOUNCE_S * RATE)
        assert not any(sound[start - 10 : start + 1])
        assert sound[start + 1]
