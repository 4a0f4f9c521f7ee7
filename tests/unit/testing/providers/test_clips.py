import asyncio
import io

import pytest

from tendred.testing.providers.clips import Wanted, canned, drawn, piped

SMALL = Wanted(128, 96, 2, "24", audio=True)


@pytest.mark.parametrize("audio", [True, False])
async def test_a_drawn_clip_is_what_was_asked_for(audio):
    av = pytest.importorskip("av")
    with av.open(io.BytesIO(await drawn(Wanted(96, 128, 1, "25", audio=audio)))) as container:
        [video] = container.streams.video
        assert (video.width, video.height, video.frames, video.average_rate) == (96, 128, 25, 25)
        assert len(container.streams.audio) == audio


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
