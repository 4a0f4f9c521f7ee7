"""tendre verify: no daemon, no token."""

from __future__ import annotations

import json
from io import BytesIO

import pytest
from PIL import Image

from tendred.app.cli.run import main
from tendred.media.worker.credentials import Signatory
from tendred.schema.marks import Signing


@pytest.fixture
def file(tmp_path):
    out = BytesIO()
    Image.new("RGB", (40, 30), "red").save(out, "PNG")
    (tmp_path / "one.png").write_bytes(
        Signatory(Signing(folder=str(tmp_path / "home" / "state" / "signing"))).sign(out.getvalue(), "image/png", [])
    )
    return tmp_path / "one.png"


def run(*words, home):
    return main(["verify", *map(str, words), "--home", str(home)])


def test_in_words_and_as_json(file, tmp_path, capsys):
    assert run(file, "--lang", "en", home=tmp_path / "home") == 0
    told = capsys.readouterr().out
    assert told.startswith("one.png: signed, and unchanged since\n")
    assert "this installation" in told
    assert run(file, "--lang", "fr", home=tmp_path / "elsewhere") == 0
    assert "signature valable, signataire inconnu" in capsys.readouterr().out
    assert run(file, "--json", home=tmp_path / "home") == 0
    [one] = json.loads(capsys.readouterr().out)["files"]
    assert (one["state"], one["signer"], one["synthetic"]) == ("intact", "ours", True)


def test_a_changed_file_is_a_failure_and_a_missing_one_too(file, tmp_path, capsys):
    data = bytearray(file.read_bytes())
    data[-30] ^= 1
    file.write_bytes(data)
    assert run(file, home=tmp_path / "home") == 1
    assert "assertion.dataHash.mismatch" in capsys.readouterr().out
    assert run(tmp_path / "none.png", home=tmp_path / "home") == 1
    assert "none.png" in capsys.readouterr().err


def test_what_is_no_picture_is_a_failure_and_an_unsigned_one_is_not(tmp_path, capsys):
    (tmp_path / "text.png").write_text("hello")
    Image.new("RGB", (40, 30), "red").save(tmp_path / "plain.png")
    assert run(tmp_path / "plain.png", "--lang", "en", home=tmp_path / "home") == 0
    assert "not signed" in capsys.readouterr().out
    assert run(tmp_path / "text.png", home=tmp_path / "home") == 1
