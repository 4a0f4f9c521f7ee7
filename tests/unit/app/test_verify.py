"""The function that looks at a file without a daemon."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image

from tendred.app.verify import verify
from tendred.config.paths import resolve
from tendred.config.schema import MarksSection, PathsSection
from tendred.errors import FileUnreadable
from tendred.media.worker.credentials import Signatory
from tendred.schema.marks import Signing


def looked_at(home, file, **options):
    paths = resolve(PathsSection(), {"TENDRED_HOME": str(home)})
    return verify(file, paths=paths, marks=MarksSection(), **options)


def test_it_needs_nothing_but_the_file(tmp_path):
    out = BytesIO()
    Image.new("RGB", (40, 30), "red").save(out, "PNG")
    file = tmp_path / "one.png"
    file.write_bytes(
        Signatory(Signing(folder=str(tmp_path / "state" / "signing"))).sign(out.getvalue(), "image/png", [])
    )
    assert looked_at(tmp_path, file).signer == "ours"
    elsewhere = tmp_path / "elsewhere"
    assert looked_at(elsewhere, file).signer == "unknown"
    assert not elsewhere.exists()


@pytest.mark.parametrize("what", ["missing", "folder"])
def test_what_is_no_file_is_told(tmp_path, what):
    file = tmp_path / what
    if what == "folder":
        file.mkdir()
    with pytest.raises(FileUnreadable) as caught:
        looked_at(tmp_path, file)
    assert caught.value.detail["file"] == str(file)
