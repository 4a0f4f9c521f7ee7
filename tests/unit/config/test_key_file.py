import os

import pytest

from tendred.config.key_file import UnfitError, is_key, read


def write(tmp_path, data, mode=0o600):
    file = tmp_path / "key"
    file.write_bytes(data)
    file.chmod(mode)
    return file


def test_what_stands_in_it_without_the_line_end(tmp_path):
    assert read(write(tmp_path, b"abc-123\n")).reveal() == "abc-123"


@pytest.mark.parametrize("data", [b"", b"\n", b"two words", b"\xff\xfe", b"x" * 5000, "clé".encode()])
def test_what_is_no_key(tmp_path, data):
    with pytest.raises(UnfitError):
        read(write(tmp_path, data))


def test_one_that_others_can_read_is_refused_unless_the_system_gave_it(tmp_path):
    file = write(tmp_path, b"abc", 0o640)
    with pytest.raises(UnfitError, match="chmod 600"):
        read(file)
    assert read(file, private=False).reveal() == "abc"


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe", 0o600)
    for place in (tmp_path / "pipe", tmp_path, tmp_path / "none"):
        with pytest.raises(UnfitError):
            read(place)


def test_keys():
    assert is_key("sk-1234")
    assert not is_key("a b")
    assert not is_key("")
    assert not is_key("a" * 4097)
