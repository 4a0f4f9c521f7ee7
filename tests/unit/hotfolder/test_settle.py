import pytest

from tendred.hotfolder.settle import Look, Settler, ignored

SMALL, LARGE, EMPTY = Look(1, 1, 1), Look(2, 2, 1), Look(0, 0, 1)


@pytest.mark.parametrize(
    "name",
    [".fox.txt", "fox.txt~", "~fox.txt", "~$fox.md", "#fox.txt#", "fox.part", "fox.txt.PART", "fox.tmp", "fox.crdownload",
     "fox.partial", "fox.download", ".fox.txt.swp", ".~lock.fox.csv#", "Thumbs.db", "desktop.ini"],
)  # fmt: skip
def test_names_that_are_not_finished_or_not_ours(name):
    assert ignored(name)


@pytest.mark.parametrize("name", ["fox.txt", "#1 fox.txt", "part.txt", "fox.part.txt", "a~b.md", "README", "tmp"])
def test_names_that_count(name):
    assert not ignored(name)


def test_a_closed_file_is_finished_at_once():
    settler = Settler(1.0)
    settler.closed("a", 5.0)
    assert settler.due(5.0) == ["a"]
    assert settler.finished("a", SMALL, 5.0)
    assert settler.next_due() is None


def test_an_empty_file_that_was_closed_has_to_stand_still():
    settler = Settler(1.0)
    settler.closed("a", 5.0)
    assert not settler.finished("a", EMPTY, 5.0)
    assert settler.next_due() == 6.0
    settler.closed("a", 5.5)
    assert settler.finished("a", SMALL, 5.5)


def test_a_file_that_appeared_has_to_stand_still():
    settler = Settler(1.0)
    settler.appeared("a", 5.0)
    assert not settler.finished("a", SMALL, 5.0)
    assert settler.due(5.9) == []
    assert not settler.finished("a", LARGE, 6.0)
    assert settler.next_due() == 7.0
    assert settler.finished("a", LARGE, 7.0)


def test_a_new_file_under_the_same_name_starts_over():
    settler = Settler(1.0)
    settler.appeared("a", 5.0)
    assert not settler.finished("a", SMALL, 5.0)
    assert not settler.finished("a", SMALL._replace(inode=9), 6.0)


def test_what_is_gone_is_forgotten():
    settler = Settler(1.0)
    settler.scanned(["b", "a"], 5.0)
    assert settler.due(5.0) == ["a", "b"]
    assert not settler.finished("a", None, 5.0)
    assert settler.due(5.0) == ["b"]
    assert not settler.finished("a", SMALL, 9.0)


def test_a_scan_does_not_forget_what_came_after_it():
    settler = Settler(1.0)
    settler.closed("new", 5.0)
    settler.scanned([], 5.1)
    assert settler.finished("new", SMALL, 5.1)


def test_trying_again_waits():
    settler = Settler(1.0)
    settler.again("a", 5.0, 2.0)
    assert settler.due(6.9) == []
    assert settler.due(7.0) == ["a"]
