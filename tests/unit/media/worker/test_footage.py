"""What a clip's file holds; and files that are none, or want more than to be looked at."""

from __future__ import annotations

import os
import struct
from fractions import Fraction

import pytest

av = pytest.importorskip("av")

from tendred.errors import ClipUnreadable  # noqa: E402
from tendred.media.worker.footage import probe  # noqa: E402
from tendred.schema.footage import Colour  # noqa: E402
from tendred.testing.drawn import Drawn, draw  # noqa: E402

SMALL = Drawn(width=160, height=96, seconds=1.0)


@pytest.mark.parametrize(("fps", "frames"), [("24", 24), ("25", 25), ("50", 50), ("24000/1001", 24)])
def test_it_tells_rate_number_and_length_exactly(tmp_path, fps, frames):
    clip = probe(str(draw(tmp_path / "a.mp4", Drawn(width=160, height=96, seconds=1.0, fps=fps))))
    assert (clip.fps, clip.frames, clip.steady) == (fps, frames, True)
    assert clip.duration_s == pytest.approx(float(frames / Fraction(fps)), abs=1e-9)
    assert (clip.width, clip.height, clip.codec, clip.pixels) == (160, 96, "h264", "yuv420p")
    assert (clip.rotation, clip.square) == (0, True)


def test_it_tells_sound_and_colour(tmp_path):
    clip = probe(str(draw(tmp_path / "a.mp4", Drawn(width=160, height=96, rate=24_000, colour=(1, 9, 14, 9)))))
    assert (clip.sound.codec, clip.sound.rate, clip.sound.channels) == ("aac", 24_000, 2)
    assert clip.sound.samples >= 48_000
    assert clip.colour == Colour(range=1, primaries=9, transfer=14, matrix=9)
    silent = probe(str(draw(tmp_path / "b.mp4", Drawn(width=160, height=96, sound=False))))
    assert silent.sound is None


def test_a_clip_that_is_turned_or_stretched_says_so(tmp_path):
    path = tmp_path / "turned.mp4"
    with av.open(str(draw(tmp_path / "a.mp4", SMALL))) as source, av.open(str(path), "w") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        stream.set_display_rotation(90)
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = stream
                output.mux(packet)
    assert abs(probe(str(path)).rotation) == 90


def cut(path, share):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9, 0.99])
def test_a_file_that_was_cut_short_is_told_as_one(tmp_path, share):
    # The index first, as providers write it: then all of it can be read but the pictures that are missing.
    whole = draw(tmp_path / "a.mp4", SMALL)
    path = tmp_path / "fast.mp4"
    with av.open(str(whole)) as source, av.open(str(path), "w", options={"movflags": "faststart"}) as output:
        streams = {stream.index: output.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                output.mux(packet)
    probe(str(path))
    cut(path, share)
    with pytest.raises(ClipUnreadable):
        probe(str(path))


def box(kind, body):
    return struct.pack(">I4s", len(body) + 8, kind) + body


HOSTILE = {
    "empty": b"",
    "text": b"a prompt, not a clip" * 100,
    "playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n",
    "concat": b"ffconcat version 1.0\nfile /etc/passwd\n",
    "only a type": box(b"ftyp", b"isom\0\0\2\0isom"),
    "a box of 4 GB": box(b"ftyp", b"isom\0\0\2\0isom") + struct.pack(">I4s", 2**32 - 1, b"moov"),
    "a box in itself": box(b"ftyp", b"isom\0\0\2\0isom") + box(b"moov", box(b"trak", box(b"mdia", b"\0" * 64)) * 5_000),
    "noise": os.urandom(50_000),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_clip_is_refused_with_words(tmp_path, name):
    path = tmp_path / "x.mp4"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(ClipUnreadable) as told:
        probe(str(path))
    assert told.value.detail["problem"]


def test_every_byte_may_be_wrong(tmp_path):
    whole = draw(tmp_path / "a.mp4", Drawn(width=64, height=64, seconds=0.3)).read_bytes()
    path = tmp_path / "x.mp4"
    for at in range(0, len(whole), max(1, len(whole) // 60)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            probe(str(path))
        except ClipUnreadable:
            continue


def test_links_folders_and_pipes_are_no_clips(tmp_path):
    clip = draw(tmp_path / "a.mp4", SMALL)
    (tmp_path / "link.mp4").symlink_to(clip)
    os.mkfifo(tmp_path / "pipe.mp4")
    for name in ("link.mp4", "pipe.mp4", ".", "missing.mp4"):
        with pytest.raises(ClipUnreadable):
            probe(str(tmp_path / name))


def test_other_containers_and_many_tracks_are_refused(tmp_path):
    whole = draw(tmp_path / "a.mp4", SMALL)
    for name, twice in (("a.mkv", False), ("b.mp4", True)):
        path = tmp_path / name
        with av.open(str(whole)) as source, av.open(str(path), "w") as output:
            video = source.streams.video[0]
            streams = [output.add_stream_from_template(video) for _ in range(1 + twice)]
            for packet in source.demux(video):
                for stream in streams if packet.size else ():
                    packet.stream = stream
                    output.mux(packet)
        with pytest.raises(ClipUnreadable):
            probe(str(path))
