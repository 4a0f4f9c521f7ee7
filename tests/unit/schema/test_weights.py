import os

import pytest

from tendred.schema.weights import (
    entries,
    file_fingerprint,
    file_sha256,
    fingerprint,
    open_regular,
    weights_sha256,
)


def put(root, **files):
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_hidden_folders_at_the_top_are_no_part_of_it(tmp_path):
    put(tmp_path, a__x="1")
    digest = weights_sha256(tmp_path)
    put(tmp_path / ".cache", y="2")
    assert [entry.name for entry in entries(tmp_path)] == ["a/x"]
    assert weights_sha256(tmp_path) == digest


def test_names_and_contents_both_count(tmp_path):
    for folder, name, text in (("one", "a", "1"), ("two", "b", "1"), ("three", "a", "2")):
        put(tmp_path / folder, **{name: text})
    assert len({weights_sha256(tmp_path / folder) for folder in ("one", "two", "three")}) == 3


def test_a_file_in_place_of_another_shows(tmp_path):
    put(tmp_path, a="1", b="1")
    times = (1, 1)
    os.utime(tmp_path / "a", ns=times)
    os.utime(tmp_path / "b", ns=times)
    before = fingerprint(tmp_path)
    (tmp_path / "a").rename(tmp_path / "c")
    (tmp_path / "b").rename(tmp_path / "a")
    (tmp_path / "c").rename(tmp_path / "b")
    assert fingerprint(tmp_path) != before


@pytest.mark.parametrize("link", [True, False])
def test_opening_never_waits(tmp_path, link):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    if link:
        path = tmp_path / "link"
        path.symlink_to(tmp_path / "pipe")
    with pytest.raises(ValueError, match="regular"):
        open_regular(path)
    with pytest.raises(ValueError, match="regular"):
        weights_sha256(tmp_path)


def test_one_file_is_known_by_its_bytes_and_marked_by_every_change(tmp_path):
    put(tmp_path, a="1", b="1")
    file, other = tmp_path / "a", tmp_path / "b"
    assert file_sha256(file) == file_sha256(other)
    before = file_fingerprint(file)
    assert before == file_fingerprint(file) != file_fingerprint(other)
    put(tmp_path, a="2")
    assert file_sha256(file) != file_sha256(other)
    assert file_fingerprint(file) != before
    os.mkfifo(tmp_path / "pipe")
    for look in (file_sha256, file_fingerprint):
        with pytest.raises(ValueError, match="no regular file"):
            look(tmp_path / "pipe")
