import base64

import pytest

from tendred.errors import InvalidParams, NotFound
from tendred.library.index import Index, Query, match_words
from tendred.schema.asset import Asset, EngineInfo, ModelUse

ENGINE = EngineInfo(version="0", torch="t", diffusers="d", device="cpu", dtype="float32", threads=2, batch_size=1)


def asset(root, number, **more):
    fields = {
        "id": f"ast_{number:026d}", "kind": "still", "path": str(root / f"{number}.png"), "url": f"/media/{number}",
        "media_type": "image/png", "bytes": 1, "sha256": "s", "pixels_sha256": "p", "width": 8, "height": 8,
        "duration_s": None, "fps": None, "audio": None, "created_at": "2026-01-01T00:00:00.000Z", "job_id": "job_1",
        "index": number, "seed": 1, "settings": {"prompt": "x"}, "model": ModelUse(name="starter", sha256="m"),
        "loras": [], "character": None, "engine": ENGINE, "parents": [], "receipt_id": "rcp_1", "policy": "1",
        "tags": [], "state": "kept",
    }  # fmt: skip
    return Asset(**{**fields, **more})


@pytest.fixture
async def index(database, tmp_path):
    index = Index(database, tmp_path)
    prompts = ["red hills", "blue hills under a redwood", "Émilie smiles", 'say "cheese" OR NEAR', "green hills"]
    for number, prompt in enumerate(prompts):
        (tmp_path / f"{number}.png").write_bytes(b"x")
        made = asset(tmp_path, number, tags=["fav"] if number in {0, 4} else [])
        await database.write(lambda tx, made=made, prompt=prompt: index.add_in(tx, made, prompt))
    while await index.index_some(2):
        pass
    return index


async def found(index, **query):
    return [entry.index for entry in (await index.search(Query(**query))).assets]


async def test_newest_first_and_pages_without_gaps(index):
    assert await found(index) == [4, 3, 2, 1, 0]
    first = await index.search(Query(limit=2))
    second = await index.search(Query(limit=2, cursor=first.next))
    third = await index.search(Query(limit=2, cursor=second.next))
    assert [entry.index for page in (first, second, third) for entry in page.assets] == [4, 3, 2, 1, 0]
    assert third.next is None
    assert await found(index, order="oldest") == [0, 1, 2, 3, 4]


async def test_best_first_without_words_is_newest_first_on_every_page(index):
    first = await index.search(Query(order="best", limit=2))
    second = await index.search(Query(order="best", limit=2, cursor=first.next))
    third = await index.search(Query(order="best", limit=2, cursor=second.next))
    assert [entry.index for page in (first, second, third) for entry in page.assets] == [4, 3, 2, 1, 0]


async def test_best_first_pages_without_gaps(index):
    first = await index.search(Query(query="hills", order="best", limit=2))
    second = await index.search(Query(query="hills", order="best", limit=2, cursor=first.next))
    assert sorted(entry.index for page in (first, second) for entry in page.assets) == [0, 1, 4]
    assert second.next is None


async def test_tags_words_and_filters_together_page_without_gaps(index):
    assert await found(index, tag="fav", query="hills") == [4, 0]
    assert await found(index, tag="fav", query="hills", order="oldest") == [0, 4]
    assert await found(index, tag="fav", query="hills", model="starter", kind="still") == [4, 0]
    assert await found(index, tag="fav", query="hills", kind="clip") == []
    assert sorted(await found(index, tag="fav", query="hills", order="best")) == [0, 4]
    for query in ("", "hills"):
        first = await index.search(Query(tag="fav", query=query, limit=1))
        second = await index.search(Query(tag="fav", query=query, limit=1, cursor=first.next))
        assert [entry.index for page in (first, second) for entry in page.assets] == [4, 0]
        assert second.next is None
    assert await found(index, after=0.0) == [4, 3, 2, 1, 0]
    assert await found(index, before=0.0) == []


async def test_the_start_of_a_word_is_one_letter_or_more(index):
    assert await found(index, query="r") == [1, 0]
    assert await found(index, query="re") == [1, 0]
    assert await found(index, query="redw") == [1]


async def test_words_prefixes_accents_and_quotes(index):
    assert await found(index, query="hills") == [4, 1, 0]
    assert await found(index, query="red") == [1, 0]
    assert await found(index, query='"red"') == [0]
    assert await found(index, query="emilie") == [2]
    assert await found(index, query="hills blue") == [1]
    assert await found(index, query="nothing") == []
    first = await index.search(Query(query="hills", limit=2))
    assert [entry.index for entry in (await index.search(Query(query="hills", limit=2, cursor=first.next))).assets] == [
        0
    ]
    assert set(await found(index, query="hills", order="best")) == {0, 1, 4}


@pytest.mark.parametrize("query", ['"', "OR", "NEAR(", "a AND (", "*", "col:x", "- -", "^", '""', "'"])
async def test_no_operator_gets_through(index, query):
    await found(index, query=query)


def test_match_words_quotes_everything():
    assert match_words("red hills") == '"red" "hills"*'
    assert match_words("red hills ") == '"red" "hills"'
    assert match_words('"red hills"') == '"red hills"'
    assert match_words(" !! ") == ""


async def test_tags_filter_and_change(index):
    assert await found(index, tag="fav") == [4, 0]
    changed = await index.tag(f"ast_{1:026d}", add=["new", "new"], remove=["absent"])
    assert changed.tags == ["new"]
    assert await found(index, tag="new", query="blue") == [1]


async def test_removed_are_not_found_until_restored(index, published):
    one = f"ast_{1:026d}"
    assert (await index.set_state(one, "removed", "asset.removed")).state == "removed"
    told = len(published)
    await index.set_state(one, "removed", "asset.removed")
    assert len(published) == told
    assert await found(index, query="hills") == [4, 0]
    assert (await index.set_state(one, "kept", "asset.kept")).state == "kept"
    assert await found(index, query="hills") == [4, 1, 0]


async def test_a_file_that_is_gone_is_told(index, tmp_path):
    (tmp_path / "2.png").unlink()
    assert (await index.get(f"ast_{2:026d}")).state == "missing"


async def test_putting_an_asset_twice_is_one(index, database, tmp_path):
    again = asset(tmp_path, 3, sha256="other")
    await database.write(lambda tx: index.add_in(tx, again, "say cheese"))
    assert await found(index) == [4, 3, 2, 1, 0]
    assert (await index.get(again.id)).sha256 == "other"


async def test_bad_cursors_and_ids(index):
    with pytest.raises(InvalidParams) as caught:
        await found(index, cursor="%%%")
    assert caught.value.path == "cursor"
    with pytest.raises(NotFound):
        await index.get("ast_nope")


@pytest.mark.parametrize("number", [10**30, 2**63, -1, -(10**30)])
@pytest.mark.parametrize("order", ["newest", "oldest", "best"])
async def test_a_cursor_beyond_every_row_is_refused(index, number, order):
    cursor = base64.urlsafe_b64encode(str(number).encode()).decode()
    with pytest.raises(InvalidParams) as caught:
        await found(index, query="hills", cursor=cursor, order=order)
    assert caught.value.path == "cursor"


async def test_the_last_cursor_there_can_be_finds_nothing_more(index):
    cursor = base64.urlsafe_b64encode(str(2**63 - 1).encode()).decode()
    assert await found(index, query="hills", cursor=cursor, order="best") == []


@pytest.mark.parametrize("query", ["red\0hills", "red hills\0", "\0red\x01hills", '"red\x1fhills"', "red\x7fhills\x9f"])
async def test_control_characters_are_spaces(index, query):
    assert await found(index, query=query) == [0]
    assert await found(index, query="\0") == [4, 3, 2, 1, 0]
