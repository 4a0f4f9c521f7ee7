import pytest

from tendred.boundary.judge import Boundary
from tendred.clock import SystemClock, SystemRng
from tendred.core.characters import Cast
from tendred.core.refusals import Refusals
from tendred.core.roster import StoredRoster
from tendred.core.settings import Settings
from tendred.errors import BoundaryRefused, InvalidParams, ModelMissing, NotFound
from tendred.library.index import Index
from tendred.models.shelf import Shelf
from tendred.schema.character import CharacterChanges, CharacterLora, LoraOfCharacter, NewCharacter
from tendred.schema.job import Origin
from tendred.schema.still import LoraUse, StillRequest
from tendred.testing.loras import write

RPC = Origin(door="rpc")
TOM = NewCharacter(name="tom", fragment=" tom, a tall man ")


@pytest.fixture
def shelf(database, tmp_path):
    return Shelf(database, [tmp_path / "package", tmp_path / "models"])


@pytest.fixture
def rosters(database, ids, tmp_path):
    """`rosters(shelf)`: one over the same database."""
    return lambda shelf: StoredRoster(
        settings=Settings(database), shelf=shelf, index=Index(database, tmp_path),
        boundary=Boundary(bytes(32), year=lambda: 2026), refusals=Refusals(database, ids, SystemRng(), SystemClock()),
        language=lambda: "en",
    )  # fmt: skip


@pytest.fixture
def roster(rosters, shelf):
    return rosters(shelf)


@pytest.fixture
def cast(shelf, roster):
    return Cast(shelf, roster)


@pytest.fixture
def ink(tmp_path):
    return write(tmp_path / "models" / "loras" / "ink.safetensors")


async def test_somebody_new_can_be_asked_for(roster, cast, ink):
    made = await roster.create(
        NewCharacter(name="tom", fragment="tom, a man", loras=[LoraOfCharacter(name="ink", weight=0.5)], seed=4), RPC
    )
    assert (made.version, made.seed, made.ships) == (1, 4, False)
    assert made.created_at.endswith("Z")
    played = await cast.play(StillRequest(prompt="@tom on a hill"))
    assert played.request.prompt == "tom, a man on a hill"
    assert (played.request.loras, played.request.seed) == ([LoraUse(name="ink", weight=0.5)], 4)
    assert played.character.version == 1
    assert [(one.name, one.state, one.ships) for one in await cast.list()] == [
        ("mira", "missing", True),
        ("tom", "ready", False),
    ]
    ink.unlink()
    told = await cast.get("tom")
    assert (told.state, told.reason) == ("missing", "the LoRA ink is not there")
    with pytest.raises(ModelMissing) as caught:
        await cast.play(StillRequest(prompt="@tom"))
    assert caught.value.variant == "own_character"


async def test_every_change_is_a_version_and_the_ones_before_stay(roster, cast, ink):
    await roster.create(TOM, RPC)
    second = await roster.update(CharacterChanges(name="tom", fragment="tom, a short man"), RPC)
    third = await roster.update(CharacterChanges(name="tom", seed=3, loras=[LoraOfCharacter(name="ink")]), RPC)
    assert (second.version, third.version) == (2, 3)
    assert (third.fragment, third.seed, third.loras) == ("tom, a short man", 3, [CharacterLora(name="ink", weight=1.0)])
    # The same again is no new version; null takes away.
    assert await roster.update(CharacterChanges(name="tom", seed=3, fragment=" tom, a short man"), RPC) == third
    assert (await roster.update(CharacterChanges(name="tom", seed=None, loras=[]), RPC)).seed is None
    assert [(await cast.get("tom", number)).fragment for number in (1, 2, 3)] == [
        "tom, a tall man", "tom, a short man", "tom, a short man",
    ]  # fmt: skip
    assert (await cast.get("tom")).version == 4
    with pytest.raises(NotFound) as caught:
        await cast.get("tom", 5)
    assert (caught.value.path, caught.value.detail["near"]) == ("version", ["2", "3", "4"])


async def test_who_was_removed_is_asked_for_no_more_and_goes_on_counting(roster, cast):
    await roster.create(TOM, RPC)
    await roster.remove("tom")
    assert [one.name for one in await cast.list()] == ["mira"]
    for call in (cast.get("tom"), cast.play(StillRequest(prompt="@tom")), roster.remove("tom"),
                 roster.update(CharacterChanges(name="tom", seed=1), RPC)):  # fmt: skip
        with pytest.raises(NotFound):
            await call
    assert (await cast.get("tom", 1)).fragment == "tom, a tall man"
    assert (await roster.create(NewCharacter(name="tom", fragment="tom, another man"), RPC)).version == 2


async def test_a_change_brings_nobody_back_who_was_removed_meanwhile(rosters, roster, database, tmp_path, ink):
    class Leaving(Shelf):
        """While it looks, they go."""

        async def lora(self, name, path=None):
            await roster.remove("tom")
            return await super().lora(name, path)

    await roster.create(TOM, RPC)
    other = rosters(Leaving(database, [tmp_path / "package", tmp_path / "models"]))
    with pytest.raises(NotFound) as caught:
        await other.update(CharacterChanges(name="tom", loras=[LoraOfCharacter(name="ink")]), RPC)
    assert caught.value.path == "name"
    assert await roster.everyone() == {}


@pytest.mark.parametrize(
    ("fields", "kind", "path"),
    [
        ({"name": "Tom"}, InvalidParams, "name"),
        ({"name": "1tom"}, InvalidParams, "name"),
        ({"name": "to m"}, InvalidParams, "name"),
        ({"name": "mira"}, InvalidParams, "name"),
        ({"fragment": " "}, InvalidParams, "fragment"),
        ({"fragment": "a {tall|short} man"}, InvalidParams, "fragment"),
        ({"fragment": "a __who__"}, InvalidParams, "fragment"),
        ({"fragment": "@mira's brother"}, InvalidParams, "fragment"),
        ({"fragment": "a (tall:9) man"}, InvalidParams, "fragment"),
        ({"fragment": "a {man"}, InvalidParams, "fragment"),
        ({"fragment": "a 15 year old"}, BoundaryRefused, "fragment"),
        ({"fragment": "a chi(ld:1.2)"}, BoundaryRefused, "fragment"),
        ({"name": "schoolgirl"}, BoundaryRefused, "name"),
        ({"loras": [LoraOfCharacter(name="nosuch")]}, NotFound, "loras[0].name"),
        ({"loras": [LoraOfCharacter(name="ink"), LoraOfCharacter(name="ink")]}, InvalidParams, "loras[1].name"),
        ({"reference_asset_id": "ast_nope"}, NotFound, None),
    ],
)
async def test_what_does_not_fit_is_named_and_nobody_is_made(roster, ink, rows, fields, kind, path):
    with pytest.raises(kind) as caught:
        await roster.create(NewCharacter(**{"name": "tom", "fragment": "tom, a man", **fields}), RPC)
    assert caught.value.path == path
    assert await roster.everyone() == {}
    assert len(await rows("SELECT * FROM refusal")) == (kind is BoundaryRefused)


async def test_a_name_is_taken_once_and_the_package_stays_as_it_is(roster):
    await roster.create(TOM, RPC)
    with pytest.raises(InvalidParams) as caught:
        await roster.create(TOM, RPC)
    assert caught.value.path == "name"
    for call in (roster.update(CharacterChanges(name="mira", seed=1), RPC), roster.remove("mira")):
        with pytest.raises(InvalidParams):
            await call
    with pytest.raises(BoundaryRefused):
        await roster.update(CharacterChanges(name="tom", fragment="tom, 15 years old"), RPC)
    assert (await roster.version("tom", 1)).fragment == "tom, a tall man"
    assert (await roster.everyone())["tom"].version == 1


async def test_one_is_found_without_reading_all_the_others(roster, cast, database):
    await roster.create(TOM, RPC)
    # What stands under another name is nobody's business here, even where it can't be read.
    await Settings(database).set("character:odd", {"versions": "none"})
    request = StillRequest(prompt="@Tom on a hill")
    assert await cast.seed_of(request) is None
    played = await cast.play(request)
    assert (played.request.prompt, played.character.version) == ("tom, a tall man on a hill", 1)
    assert (await cast.get("tom")).version == 1
    await roster.remove("tom")
    assert await roster.newest("tom") is None
    assert await roster.newest("ann") is None
