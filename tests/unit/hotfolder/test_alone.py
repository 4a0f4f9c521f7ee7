import pytest

from tendred.hotfolder.alone import Alone


def test_one_has_it_until_it_lets_go(tmp_path):
    first, second = Alone(), Alone()
    first.take(tmp_path)
    first.take(tmp_path)
    with pytest.raises(BlockingIOError, match="another daemon"):
        second.take(tmp_path)
    first.release()
    first.release()
    second.take(tmp_path)
    second.release()


def test_a_folder_that_is_gone_is_told(tmp_path):
    with pytest.raises(FileNotFoundError):
        Alone().take(tmp_path / "gone")
