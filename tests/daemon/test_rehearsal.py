"""`tendre shot demo` as somebody types it who has no account, no daemon and no configuration."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip("av")

from PIL import Image

from tendred.media.worker.footage import probe

WITHOUT = """
import sys
sys.modules["av"] = None
sys.argv = ["rehearsal", sys.argv[1]]
from tendred.testing.rehearsal import main
main()
"""


@pytest.fixture
def alone(tmp_path):
    """An environment that knows nothing of this user."""
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TENDRED", "XDG_", "HTTP"))}
    return {**kept, "HOME": str(home)}


@pytest.mark.timeout(240)
def test_from_words_to_a_4k_file_with_sound_and_nothing_spent(tmp_path, alone):
    line = [sys.executable, "-m", "tendred.app.cli", "shot", "demo"]
    ran = subprocess.run(line, cwd=tmp_path, env=alone, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.startswith("A rehearsal: ")
    assert "Spent: 0 credits. The final is 3840 x 2160, 2.0 s, with sound (48000 Hz)." in ran.stderr
    folder = tmp_path / "tendre-rehearsal"
    assert set(ran.stdout.splitlines()) == {str(path) for path in folder.iterdir()}
    assert sorted(path.name for path in folder.iterdir()) == [
        "final.mp4", "poster.webp", "sheet.webp", "waveform.webp",
    ]  # fmt: skip
    clip = probe(str(folder / "final.mp4"))
    assert (clip.width, clip.height, clip.frames, clip.duration_s) == (3840, 2160, 48, 2.0)
    assert clip.sound is not None
    assert clip.sound.samples / clip.sound.rate == pytest.approx(2.0, abs=0.05)
    for name in ("poster", "sheet", "waveform"):
        with Image.open(folder / f"{name}.webp") as picture:
            picture.load()
            assert len(set(picture.convert("L").resize((64, 64)).tobytes())) > 8  # it shows something
    assert not any((tmp_path / "home").iterdir())


@pytest.mark.timeout(120)
def test_what_is_missing_is_said_in_words(tmp_path, alone):
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(tmp_path)], env=alone, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert "PyAV" in ran.stderr
    assert "Traceback" not in ran.stderr
