import pytest
from hypothesis import given
from hypothesis import strategies as st

from tendred.core.characters import _MENTION, Cast, Played, Sheet, _written, shipped
from tendred.core.trail import Edit
from tendred.errors import InvalidParams, ModelMissing, NotFound
from tendred.models.shelf import Shelf
from tendred.schema.character import CharacterLora, CharacterUse
from tendred.schema.still import LoraUse, StillRequest
from tendred.testing.loras import mira, write

FRAGMENT = "mira, a tan woman with long wavy black hair"


@pytest.fixture
def package(tmp_path):
    mira(tmp_path / "package")
    return tmp_path / "package"


@pytest.fixture
def cast(database, tmp_path):
    return Cast(Shelf(database, [tmp_path / "package", tmp_path]))


def test_mira_ships_with_the_words_her_lora_was_trained_on():
    assert list(shipped()) == ["mira"]
    one = shipped()["mira"]
    assert (one.name, one.version, one.fragment, one.seed) == ("mira", 1, FRAGMENT, None)
    assert one.loras == [CharacterLora(name="mira", weight=1.0)]


@pytest.mark.parametrize(
    ("prompt", "written"),
    [
        ("@mira", FRAGMENT),
        ("@mira in a red dress", f"{FRAGMENT} in a red dress"),
        ("portrait of @mira, smiling", f"portrait of {FRAGMENT}, smiling"),
        ("(@mira)", f"({FRAGMENT})"),
        ("@Mira's house", f"{FRAGMENT}'s house"),
        ("@mira.", f"{FRAGMENT}."),
        ("@mira and @mira", f"{FRAGMENT} and {FRAGMENT}"),
    ],
)
async def test_the_fragment_takes_the_place_of_a_mention(cast, package, prompt, written):
    played = await cast.play(StillRequest(prompt=prompt))
    assert played.request.prompt == written
    assert played.request.loras == [LoraUse(name="mira", weight=1.0)]
    assert (played.character, played.request.character) == (CharacterUse(name="mira", version=1), "mira")
    assert (played.own, played.path_of(0)) == (0, "prompt")


@pytest.mark.parametrize(
    ("prompt", "written"),
    [
        ("on a hill", f"{FRAGMENT}, on a hill"),
        ("", FRAGMENT),
        ("a hill and @mira", f"a hill and {FRAGMENT}"),
    ],
)
async def test_the_field_puts_her_first_unless_she_is_mentioned(cast, package, prompt, written):
    played = await cast.play(StillRequest(prompt=prompt, character="mira"))
    assert played.request.prompt == written
    assert played.path_of(0) == "character"


@pytest.mark.parametrize(
    "prompt", ["mail me@mira.org", r"\@mira", "10@mira", "a @ mira", "@@mira", "@1", "k@ds", "x/@mira", "@"]
)
async def test_a_sign_within_a_word_is_ordinary_text(cast, package, prompt):
    request = StillRequest(prompt=prompt, loras=[LoraUse(name="ink")])
    played = await cast.play(request)
    assert (played.request, played.character, played.path_of(0)) == (request, None, "loras[0].name")


async def test_the_users_loras_keep_their_places_and_hers_is_not_added_twice(cast, package):
    ink, weak = LoraUse(name="ink", weight=0.3), LoraUse(name="mira", weight=0.5)
    beside = await cast.play(StillRequest(prompt="@mira", loras=[ink]))
    assert beside.request.loras == [ink, LoraUse(name="mira", weight=1.0)]
    assert [beside.path_of(number) for number in range(2)] == ["loras[0].name", "prompt"]
    same = await cast.play(StillRequest(prompt="@mira", loras=[weak, ink]))
    assert same.request.loras == [weak, ink]


async def test_every_still_chooses_its_own_seed_while_the_policy_is_free(cast, package):
    assert (await cast.play(StillRequest(prompt="@mira"))).request.seed is None
    assert (await cast.play(StillRequest(prompt="@mira", seed=3))).request.seed == 3


@pytest.mark.parametrize(
    ("fields", "path"),
    [({"prompt": "@mirra on a hill"}, "prompt"), ({"prompt": "x", "character": "mirra"}, "character")],
)
async def test_an_unknown_name_is_told_with_near_ones(cast, package, fields, path):
    with pytest.raises(NotFound) as caught:
        await cast.play(StillRequest(**fields))
    assert (caught.value.path, caught.value.detail["noun"]) == (path, "character")
    assert (caught.value.detail["name"], caught.value.detail["near"]) == ("mirra", ["mira"])


async def test_a_still_has_one_character(database, package):
    tom = Sheet(name="tom", version=2, fragment="tom, a man", loras=[], seed=7)
    cast = Cast(Shelf(database, [package]), everyone={**shipped(), "tom": tom})
    assert [one.name for one in await cast.list()] == ["mira", "tom"]
    assert [(await cast.play(StillRequest(prompt="@tom", seed=seed))).request.seed for seed in (None, 3)] == [7, 3]
    assert (await cast.play(StillRequest(prompt="@tom"))).character == CharacterUse(name="tom", version=2)
    for fields in ({"prompt": "@mira and @tom"}, {"prompt": "@tom", "character": "mira"}):
        with pytest.raises(InvalidParams) as caught:
            await cast.play(StillRequest(**fields))
        assert caught.value.path == "prompt"


async def test_without_her_lora_she_is_refused_and_listed_as_missing(cast, tmp_path):
    # A user's file of that name is not what she was made with.
    write(tmp_path / "loras" / "mira.safetensors")
    for fields, path in (({"prompt": "@mira"}, "prompt"), ({"prompt": "x", "character": "mira"}, "character")):
        with pytest.raises(ModelMissing) as caught:
            await cast.play(StillRequest(**fields))
        assert (caught.value.variant, caught.value.path, caught.value.detail["lora"]) == ("character", path, "mira")
    [listed] = await cast.list()
    assert (listed.state, listed.reason) == ("missing", "the LoRA mira is not there")
    mira(tmp_path / "package")
    ready = await cast.get("mira")
    assert (ready.state, ready.reason, ready.reference_asset_id, ready.fragment) == ("ready", None, None, FRAGMENT)


async def test_one_that_is_asked_for_by_a_wrong_name(cast):
    with pytest.raises(NotFound) as caught:
        await cast.get("mara")
    assert (caught.value.path, caught.value.detail["near"]) == ("name", ["mira"])


@given(st.lists(st.sampled_from(["@mira", " on ", "a hill", ", ", "é", "@"]), max_size=6), st.booleans())
def test_what_stands_in_the_final_prompt_leads_back_to_what_was_written(parts, field):
    prompt = "".join(parts)
    mentions = [*_MENTION.finditer(prompt)]
    if not mentions and not field:
        return
    written, edits = _written(prompt, mentions, FRAGMENT)
    played = Played(StillRequest(prompt=written), edits=edits)
    # Where each character of the final prompt came from, found by walking along both.
    origins, at = [], 0
    if not mentions:
        origins = [None] * (len(written) - len(prompt))
    while at < len(prompt):
        mention = next((one for one in mentions if one.start() == at), None)
        size, end = (len(FRAGMENT), mention.end()) if mention else (1, at + 1)
        origins += [(at, end)] * size
        at = end
    assert len(origins) == len(written)
    assert [played.received((at, at + 1)) for at in range(len(written))] == origins
    if prompt:
        assert played.received((0, len(written))) == (0, len(prompt))


def test_no_span_stays_no_span():
    assert Played(StillRequest(prompt="x"), edits=(Edit(0, 0, 3),)).received(None) is None
    assert Played(StillRequest(prompt="x")).received((0, 1)) == (0, 1)
