import logging
import os
import threading

import pytest

from tendred.hotfolder.watch import Overflows, Watch, silent


class Heard:
    def __init__(self):
        self.hints = []
        self.upsets = 0
        self._news = threading.Condition()

    def hint(self, name, finished):
        with self._news:
            self.hints.append((name, finished))
            self._news.notify_all()

    def upset(self):
        with self._news:
            self.upsets += 1
            self._news.notify_all()

    def wait_for(self, condition):
        with self._news:
            assert self._news.wait_for(condition, timeout=10)


@pytest.fixture
def heard(tmp_path):
    heard = Heard()
    (tmp_path / "hot" / "sub").mkdir(parents=True)
    watch = Watch(tmp_path / "hot", heard.hint, heard.upset)
    watch.start()
    yield heard
    watch.stop()


def test_a_close_and_a_move_mean_finished(heard, tmp_path):
    hot = tmp_path / "hot"
    (hot / "a.txt").write_text("x")
    heard.wait_for(lambda: ("a.txt", True) in heard.hints)
    (tmp_path / "outside").write_text("x")
    (tmp_path / "outside").rename(hot / "b.txt")
    heard.wait_for(lambda: ("b.txt", True) in heard.hints)
    (hot / "b.txt").rename(hot / "c.txt")
    heard.wait_for(lambda: ("c.txt", True) in heard.hints)
    (hot / "sub" / "d.txt").write_text("x")
    os.link(hot / "a.txt", hot / "e.txt")
    heard.wait_for(lambda: ("e.txt", False) in heard.hints)
    assert not [name for name, _ in heard.hints if name in {"d.txt", "sub"}]


def test_a_file_moved_away_holds_nothing_back(heard, tmp_path):
    """Each hint comes before the next file is written; watchdog alone keeps back what follows a move by 0.5 s."""
    hot = tmp_path / "hot"
    watched = logging.getLogger("watchdog.observers.inotify_move_event_grouper")
    told = []
    handler = logging.Handler()
    handler.emit = lambda record: told.append(record.getMessage())
    before = watched.level
    watched.setLevel(logging.DEBUG)
    watched.addHandler(handler)
    try:
        for number in range(5):
            (hot / f"{number}.txt").write_text("x")
            heard.wait_for(lambda: (f"{number}.txt", True) in heard.hints)  # noqa: B023 - used at once
            (hot / f"{number}.txt").rename(hot / "sub" / f"{number}.txt")
    finally:
        watched.removeHandler(handler)
        watched.setLevel(before)
    assert told
    assert not [line for line in told if "MOVED_FROM" in line]


def test_a_folder_that_goes_away_upsets(heard, tmp_path):
    (tmp_path / "hot").rename(tmp_path / "cold")
    heard.wait_for(lambda: heard.upsets)


def test_a_folder_that_is_not_there_cannot_be_watched(tmp_path):
    watch = Watch(tmp_path / "gone", lambda name, finished: None, lambda: None)
    with pytest.raises(FileNotFoundError):
        watch.start()
    watch.stop()


def test_overflows_are_heard_whatever_the_level_of_the_log():
    heard = Heard()
    overflows = Overflows(heard.upset)
    logger = logging.getLogger("watchdog.observers")
    before = logger.level
    logger.setLevel(logging.ERROR)
    overflows.start()
    try:
        logging.getLogger("watchdog.observers.inotify_c").warning("Inotify queue overflowed")
        logging.getLogger("watchdog.observers.other").warning("something else")
    finally:
        overflows.stop()
        logger.setLevel(before)
    logging.getLogger("watchdog.observers.inotify").warning("after the end")
    assert heard.upsets == 1


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/home/a/hot", False), ("/net/share/hot", True), ("/net/with space/hot", True), ("/mnt/phone", True),
     ("/netting", False), ("/over", True), ("/over/disk/hot", False)],
)  # fmt: skip
def test_file_systems_that_tell_nothing(tmp_path, path, expected):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "1 0 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n"
        "2 1 0:1 / /net rw - nfs4 server:/x rw\n"
        r"3 1 0:2 / /net/with\040space rw - cifs //server/x rw"
        "\n"
        "4 1 0:3 / /mnt/phone rw - fuse.sshfs x rw\n"
        "5 1 0:4 / /over rw - ext4 x rw\n"
        "6 1 0:5 / /over rw - overlay x rw\n"
        "7 6 0:6 / /over/disk rw - xfs x rw\n"
        "nonsense\n"
    )
    assert silent(path, mounts) == expected


def test_no_list_of_mounts_means_events(tmp_path):
    assert not silent(tmp_path, tmp_path / "none")
