"""Words from as they were received to as they are judged, and the way back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tendred.core.characters import Cast, Sheet
from tendred.core.presets import Presets
from tendred.core.settings import Settings
from tendred.core.trail import Edit, back
from tendred.core.wildcards import Wildcards
from tendred.core.wording import Writer, weighed
from tendred.errors import InvalidParams, NotFound, TooLarge
from tendred.fs import SystemFs
from tendred.models.shelf import Shelf
from tendred.schema.still import StillRequest

TOM = Sheet(name="tom", version=3, fragment="tom, a (tall:1.2) man", loras=[], seed=7)


@pytest.fixture
def writer(database, tmp_path):
    folder = tmp_path / "wildcards"
    folder.mkdir()
    (folder / "who.txt").write_text("@tom\n@tom\n")
    (folder / "long.txt").write_text("x" * 5000 + "\n")
    return Writer(
        Presets(Settings(database)),
        Wildcards(folder, SystemFs()),
        Cast(Shelf(database, [tmp_path]), everyone={"tom": TOM}),
    )


async def test_choices_come_before_characters_and_weights_last(writer):
    request = StillRequest(prompt="{a|a} (portrait:1.3) of __who__, \\{fine\\}", negative_prompt="{fog|fog} (blur:1.1)")
    played = await writer.write(request, 1)
    assert played.request.prompt == "a (portrait:1.3) of tom, a (tall:1.2) man, \\{fine\\}"
    assert (played.request.negative_prompt, played.request.seed, played.character.version) == ("fog (blur:1.1)", 1, 3)
    prompt, negative = weighed(played.request)
    assert prompt.text == "a portrait of tom, a tall man, {fine}"
    assert [(span.text, span.weight) for span in negative.spans] == [("fog ", 1.0), ("blur", 1.1)]


async def test_each_field_draws_for_itself(writer):
    words = "{a|b|c|d|e|f|g|h}"
    alone = [(await writer.write(StillRequest(prompt=words), seed)).request.prompt for seed in range(9)]
    beside = [await writer.write(StillRequest(prompt=words, negative_prompt=words), seed) for seed in range(9)]
    assert [one.request.prompt for one in beside] == alone
    assert [one.request.negative_prompt for one in beside] != alone


async def test_a_place_in_what_is_judged_leads_to_what_was_written(writer):
    text = "{hills|hills} by __who__ and (a chi(ld:1.1):1.2) at \\(sea\\)"
    played = await writer.write(StillRequest(prompt=text), 0)
    judged = weighed(played.request)[0]

    def written(words):
        at = judged.text.index(words)
        start, end = played.received(back(judged.edits, (at, at + len(words))))
        return text[start:end]

    assert written("child") == "chi(ld"
    assert written("hills") == "{hills|hills}"
    assert written("tall man") == "__who__"
    assert written("(sea)") == "(sea\\)"
    assert written(" and a") == " and (a"


async def test_the_seed_is_the_requests_own_or_that_of_who_is_named(writer):
    assert await writer.seed_of(StillRequest(prompt="@tom", seed=1)) == 1
    assert await writer.seed_of(StillRequest(prompt="a @Tom")) == 7
    assert await writer.seed_of(StillRequest(prompt="x", character="tom")) == 7
    assert await writer.seed_of(StillRequest(prompt="__who__")) is None
    assert await writer.seed_of(StillRequest(prompt="@nobody")) is None


@pytest.mark.parametrize(
    ("fields", "kind", "path"),
    [
        ({"prompt": "{a"}, InvalidParams, "prompt"),
        ({"prompt": "x", "negative_prompt": "{a"}, InvalidParams, "negative_prompt"),
        ({"prompt": "__nobody__"}, NotFound, "prompt"),
        ({"prompt": "x", "negative_prompt": "__nobody__"}, NotFound, "negative_prompt"),
        ({"prompt": "__long__ __long__"}, TooLarge, "prompt"),
        ({"prompt": "x" * 20_000}, TooLarge, "prompt"),
        ({"prompt": "(" * 9_000}, TooLarge, "prompt"),
        ({"prompt": "{" * 8_000}, InvalidParams, "prompt"),
    ],
)
async def test_what_cannot_be_written_out_is_told(writer, fields, kind, path):
    with pytest.raises(kind) as caught:
        await writer.write(StillRequest(**fields), 0)
    assert caught.value.path == path


async def test_ways_too_deep_to_be_taken_are_told(writer, tmp_path):
    (tmp_path / "wildcards" / "deep.txt").write_text("{a|" * 31 + "__deeper__" + "}" * 31)
    (tmp_path / "wildcards" / "deeper.txt").write_text("{a|b}\n")
    with pytest.raises(InvalidParams) as caught:
        await writer.combinations(StillRequest(prompt="x", negative_prompt="__deep__"))
    assert caught.value.path == "negative_prompt"


async def test_ways_are_counted_over_both_fields(writer):
    assert await writer.combinations(StillRequest(prompt="{a|b} {c|d|e}", negative_prompt="{f|g}")) == 12
    assert await writer.combinations(StillRequest(prompt="a hill")) == 1


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 4)), max_size=5))
def test_the_way_back_by_walking_along(moves):
    """`moves`: so many characters kept, so many replaced, by so many."""
    edits, origins, at = [], [], 0
    for kept, taken, size in moves:
        origins += [(place, place + 1) for place in range(at, at + kept)]
        at += kept
        edits.append(Edit(at, at + taken, size))
        origins += [(at, at + taken)] * size
        at += taken
    origins += [(place, place + 1) for place in range(at, at + 2)]
    for place, (start, end) in enumerate(origins):
        assert back(tuple(edits), (place, place + 1)) == ((start, end) if start < end else None)
