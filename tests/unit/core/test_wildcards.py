import asyncio
import os
import time

import pytest

from tendred.core.template import DEPTH, parse
from tendred.core.wildcards import FILE_BYTES, REACHED, Wildcards
from tendred.errors import InvalidParams, NotFound, TooLarge
from tendred.fs import SystemFs
from tendred.schema.prompt import OPTIONS


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "wildcards"


@pytest.fixture
def wildcards(folder):
    return Wildcards(folder, SystemFs())


def put(folder, **files):
    for name, text in files.items():
        file = folder / f"{name.replace('__', '/')}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())


async def reached(wildcards, text):
    return await wildcards.reachable([parse(text)], "prompt")


async def test_a_file_written_by_hand_is_read(wildcards, folder):
    put(folder, animals="\ufeff# what there is\ncat\r\n\n  2::dog  \n__birds/night__\n", birds__night="owl\n")
    found = await reached(wildcards, "a __animals__")
    assert sorted(found) == ["animals", "birds/night"]
    assert found["animals"].weights == (1000, 2000, 1000)
    assert found["animals"].texts[:2] == (("cat",), ("dog",))
    listed = await wildcards.list()
    assert [(one.name, one.options, one.state) for one in listed] == [
        ("animals", 3, "ready"),
        ("birds/night", 1, "ready"),
    ]
    put(folder, animals="cat and dog\n")
    assert list(await reached(wildcards, "__animals__")) == ["animals"]


async def test_options_are_shown_in_pages(wildcards):
    await wildcards.add("numbers", [f"n{at}" for at in range(5)], replace=False)
    first = await wildcards.show("numbers", 2, None)
    assert (first.options, first.next, first.wildcard.options) == (["n0", "n1"], "2", 5)
    last = await wildcards.show("numbers", 3, "2")
    assert (last.options, last.next) == (["n2", "n3", "n4"], None)
    with pytest.raises(InvalidParams) as caught:
        await wildcards.show("numbers", 3, "x")
    assert caught.value.path == "cursor"


async def test_one_is_added_replaced_and_removed(wildcards, folder):
    made = await wildcards.add("a/colours", ["red", " 2::blue "], replace=False)
    assert (made.name, made.options, made.state) == ("a/colours", 2, "ready")
    assert (folder / "a" / "colours.txt").read_text() == "red\n2::blue\n"
    with pytest.raises(InvalidParams) as caught:
        await wildcards.add("a/colours", ["green"], replace=False)
    assert caught.value.path == "name"
    await wildcards.add("a/colours", ["green"], replace=True)
    assert (await wildcards.show("a/colours", 9, None)).options == ["green"]
    await wildcards.remove("a/colours")
    assert await wildcards.list() == []
    assert [file for file in folder.rglob("*") if file.is_file()] == []
    with pytest.raises(NotFound):
        await wildcards.remove("a/colours")


async def test_a_name_that_many_ask_for_at_once_is_given_once(folder):
    class Slow(SystemFs):
        def write(self, path, data):
            super().write(path, data)
            time.sleep(0.05)

    wildcards = Wildcards(folder, Slow())
    adding = [wildcards.add("colours", [f"red {number}"], replace=False) for number in range(4)]
    told = await asyncio.gather(*adding, return_exceptions=True)
    refused = [one for one in told if isinstance(one, Exception)]
    assert [(type(one), one.path) for one in refused] == [(InvalidParams, "name")] * 3
    replacing = [wildcards.add("colours", [f"blue {number}"], replace=True) for number in range(4)]
    assert all(one.state == "ready" for one in await asyncio.gather(*replacing))


@pytest.mark.parametrize("name", ["", "..", "../x", "a..b", "A", "a b", "/a", "a/", "a__b", ".a", "é", "a\n", "con\0"])
async def test_a_name_stays_within_the_folder(wildcards, folder, name):
    with pytest.raises(InvalidParams) as caught:
        await wildcards.add(name, ["x"], replace=True)
    assert caught.value.path == "name"
    with pytest.raises(NotFound):
        await wildcards.show(name, 1, None)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("options", "path"),
    [
        (["a", "{b"], "options[1]"),
        (["a", " "], "options[1]"),
        (["# a"], "options[0]"),
        (["a\nb"], "options[0]"),
        (["a\0"], "options[0]"),
        (["a\\"], "options[0]"),
        (["__me__"], "options"),
        (["__a__"], "options"),
        (["{x|{y|__a__}}"], "options"),
    ],
)
async def test_what_would_never_expand_is_not_written(wildcards, folder, options, path):
    put(folder, a="__b__\n", b="x\n__me__\n")
    with pytest.raises(InvalidParams) as caught:
        await wildcards.add("me", options, replace=False)
    assert caught.value.path == path
    assert not (folder / "me.txt").exists()


async def test_one_that_names_itself_is_refused_with_the_chain_whichever_option_is_taken(wildcards, folder):
    put(folder, start="x\n__a__\n", a="1000::x\n__b__\n", b="y\n{z|__a__}\n", alone="__alone__\n")
    with pytest.raises(InvalidParams) as caught:
        await reached(wildcards, "{1000::x|__start__}")
    assert caught.value.variant == "wildcard_cycle"
    assert caught.value.detail["chain"] == ["a", "b", "a"]
    with pytest.raises(InvalidParams) as caught:
        await reached(wildcards, "__alone__")
    assert caught.value.detail["chain"] == ["alone", "alone"]
    assert {one.name: one.state for one in await wildcards.list()} == dict.fromkeys(
        ["a", "alone", "b", "start"], "refused"
    )


async def test_files_whose_names_can_not_be_told_are_none(wildcards, folder):
    put(folder, colour="red\n")
    (folder / "a\nb").mkdir()
    (folder / "a\nb" / "x.txt").write_text("x")
    os.close(os.open(os.fsencode(folder) + b"/colo\xff.txt", os.O_CREAT | os.O_WRONLY))
    assert [one.name for one in await wildcards.list()] == ["colour"]
    with pytest.raises(NotFound) as caught:
        await reached(wildcards, "__colo__")
    assert caught.value.detail["near"] == ["colour"]


async def test_an_unknown_one_is_told_with_near_names(wildcards, folder):
    put(folder, animals="cat\n")
    with pytest.raises(NotFound) as caught:
        await reached(wildcards, "__animal__")
    assert (caught.value.path, caught.value.detail["near"]) == ("prompt", ["animals"])
    # One that another names, too.
    put(folder, animals="__nothing__\n")
    with pytest.raises(NotFound):
        await reached(wildcards, "__animals__")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"caf\xe9\n", "UTF-8"),
        (b"a\0b\n", "zero byte"),
        (b"ok\n{b\n", "line 2"),
        (b"# nothing\n\n", "no option"),
        (b"0::a\n", "no option"),
        (b"x" * (FILE_BYTES + 1), "larger"),
        (b"x\n" * (OPTIONS + 1), f"more than {OPTIONS}"),
    ],
)
async def test_a_file_that_is_no_list_is_refused_and_listed_with_the_reason(wildcards, folder, data, told):
    put(folder, broken=data)
    with pytest.raises(InvalidParams) as caught:
        await reached(wildcards, "__broken__")
    assert (caught.value.variant, caught.value.path) == ("wildcard", "prompt")
    assert told in caught.value.detail["problem"]
    [listed] = await wildcards.list()
    assert listed.state == "refused"
    assert told in listed.reason


async def test_odd_files_do_no_harm(wildcards, folder, tmp_path):
    import os

    put(folder, Big="x\n", good="x\n")
    (folder / "a.TXT").write_text("x")
    (folder / ".hidden.txt").write_text("x")
    (folder / "d.txt").mkdir()
    os.mkfifo(folder / "pipe.txt")
    (folder / "loop").symlink_to(folder)
    assert {one.name: one.state for one in await wildcards.list()} == {
        "Big": "refused",
        "good": "ready",
        "pipe": "refused",
    }
    with pytest.raises(NotFound):
        await reached(wildcards, "__pipe__")


async def test_what_can_be_reached_has_bounds(wildcards, folder):
    put(folder, **{f"w{at}": f"__w{at + 1}__\n" for at in range(DEPTH + 2)}, **{f"w{DEPTH + 2}": "x\n"})
    with pytest.raises(InvalidParams, match=str(DEPTH)):
        await reached(wildcards, "__w0__")
    put(
        folder,
        all="".join(f"__v{at}__\n" for at in range(REACHED + 1)),
        **{f"v{at}": "x\n" for at in range(REACHED + 1)},
    )
    with pytest.raises(InvalidParams, match=str(REACHED)):
        await reached(wildcards, "__all__")
    with pytest.raises(TooLarge):
        await wildcards.add("large", ["x" * 4000] * 300, replace=False)
