import errno
import os
import stat

import pytest

from tendred.errors import DiskFull, FolderUnwritable
from tendred.fs import SystemFs
from tendred.library.files import Files, slug, stem


@pytest.fixture
def files(tmp_path):
    files = Files(tmp_path / "pictures", tmp_path / "pictures" / ".staging", SystemFs())
    files.prepare()
    return files


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("A smiling woman, red hair!", "a-smiling-woman-red-hair"),
        ("Émilie à la forêt", "emilie-a-la-foret"),
        ("../../etc/passwd", "etc-passwd"),
        ("月の下の猫", "still"),
        ("", "still"),
        ("word " * 40, "word-word-word-word-word-word-word-word"),
        ("CON\x00\n\u202e", "con"),
    ],
)
def test_slugs_are_safe_names(prompt, words):
    assert slug(prompt) == words


def test_a_stem_depends_on_the_job_alone():
    one = stem("job_01JD0000000000000000ABCDEF", 1_700_000_000.5, "a hill")
    assert one == stem("job_01JD0000000000000000ABCDEF", 1_700_000_000.5, "a hill")
    assert one.endswith(" a-hill ABCDEF")
    assert one.count("/") == 1


def test_publish_moves_a_private_file_and_replaces_its_own_earlier_try(files):
    for content in (b"first", b"second"):
        staged = files.stage("job_1") / "0.png"
        SystemFs().write(staged, content)
        path = files.publish(staged, "2026-01-01/a.png")
        assert path.read_bytes() == content
        assert not staged.exists()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_prepare_sweeps_what_a_crash_left(files):
    staged = files.stage("job_1") / "0.rgb"
    SystemFs().write(staged, b"half")
    files.prepare()
    assert list(files.staging.iterdir()) == []


def test_a_link_in_staging_goes_and_what_it_points_at_stays(files, tmp_path):
    mine = tmp_path / "documents"
    mine.mkdir()
    (mine / "letter.txt").write_text("dear")
    (files.staging / "x").symlink_to(mine)
    files.prepare()
    assert list(files.staging.iterdir()) == []
    assert (mine / "letter.txt").read_text() == "dear"


class FullFs(SystemFs):
    def __init__(self, number):
        self.number = number

    def write(self, path, data):
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, DiskFull), (errno.EDQUOT, DiskFull), (errno.EROFS, FolderUnwritable)]
)
def test_refusals_of_the_system_are_typed(tmp_path, number, kind):
    files = Files(tmp_path / "p", tmp_path / "p" / ".staging", FullFs(number))
    files.prepare()
    with pytest.raises(kind) as caught:
        files.write("a/b.json", b"{}", files.stage("job_1") / "x")
    assert caught.value.detail["folder"] == str(tmp_path / "p")
