from __future__ import annotations

import stat

import pytest

from tendred.app.owner import owner_token, read_owner
from tendred.clock import SystemRng
from tendred.errors import FolderUnwritable, StoreBroken
from tendred.fs import SystemFs


def test_it_is_made_once_for_its_owner_alone(tmp_path):
    file = tmp_path / "owner.token"
    assert read_owner(file) is None
    made = owner_token(file, SystemRng(), SystemFs())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert owner_token(file, SystemRng(), SystemFs()) == made == read_owner(file)
    assert made.reveal() not in repr(made)
    assert [one.name for one in tmp_path.iterdir()] == ["owner.token"]


def test_what_others_can_read_is_refused(tmp_path):
    file = tmp_path / "owner.token"
    owner_token(file, SystemRng(), SystemFs())
    file.chmod(0o640)
    with pytest.raises(StoreBroken):
        owner_token(file, SystemRng(), SystemFs())


@pytest.mark.parametrize("text", ["", "own_xyz", "own_" + "0" * 63, "\xff"])
def test_what_is_no_token_is_never_replaced(tmp_path, text):
    file = tmp_path / "owner.token"
    file.write_text(text, "latin-1")
    file.chmod(0o600)
    with pytest.raises(StoreBroken):
        owner_token(file, SystemRng(), SystemFs())
    assert file.read_text("latin-1") == text


def test_a_link_or_a_folder_is_refused(tmp_path):
    (tmp_path / "elsewhere").write_text("own_" + "0" * 64)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "folder").mkdir()
    for name in ("link", "folder"):
        with pytest.raises(StoreBroken):
            read_owner(tmp_path / name)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(FolderUnwritable):
        owner_token(tmp_path / "gone" / "owner.token", SystemRng(), SystemFs())
