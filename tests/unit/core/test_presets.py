import pytest

from tendred.core.presets import PREFIX, Presets
from tendred.core.settings import Settings
from tendred.errors import InvalidParams, NotFound
from tendred.schema.still import LoraUse, StillRequest


@pytest.fixture
def settings(database):
    return Settings(database)


@pytest.fixture
def presets(settings):
    return Presets(settings)


async def applied(presets, **asked):
    asked = {"prompt": "hills", "preset": "ink", **asked}
    return await presets.apply(StillRequest(**asked), asked)


async def test_fields_are_kept_listed_replaced_and_forgotten(presets):
    made = await presets.set("ink", {"steps": 12, "loras": [{"name": "ink", "weight": 0.5}], "seed": None})
    assert (made.name, made.ignored) == ("ink", [])
    assert made.fields == {"steps": 12, "loras": [{"name": "ink", "weight": 0.5}]}
    await presets.set("a", {"guidance": 3})
    assert [one.name for one in await presets.list()] == ["a", "ink"]
    await presets.set("ink", {"steps": 13})
    assert (await presets.get("ink")).fields == {"steps": 13}
    await presets.remove("ink")
    for call in (presets.get, presets.remove):
        with pytest.raises(NotFound) as caught:
            await call("ikn")
        assert caught.value.path == "name"


async def test_what_a_request_says_itself_wins_even_where_it_says_the_default(presets):
    await presets.set(
        "ink", {"steps": 12, "guidance": 3.0, "format": "webp", "loras": [{"name": "ink"}], "tags": ["a"]}
    )
    request = await applied(presets)
    assert (request.steps, request.guidance, request.format, request.tags) == (12, 3.0, "webp", ["a"])
    assert request.loras == [LoraUse(name="ink", weight=1.0)]
    own = await applied(presets, format="png", steps=5, tags=[], guidance=None)
    assert (own.format, own.steps, own.tags, own.guidance) == ("png", 5, [], 3.0)
    assert own.prompt == "hills"
    with pytest.raises(NotFound) as caught:
        await applied(presets, preset="inc")
    assert (caught.value.path, caught.value.detail["near"]) == ("preset", ["ink"])
    request = StillRequest(prompt="hills")
    assert await presets.apply(request, {"prompt": "hills"}) is request


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"prompt": "x"}, "fields.prompt"),
        ({"preset": "x"}, "fields.preset"),
        ({"stepz": 3}, "fields.stepz"),
        ({"steps": 0}, "fields.steps"),
        ({"loras": [{"name": "x", "weight": 9}]}, "fields.loras[0].weight"),
        ({}, "fields"),
        ({"steps": None}, "fields"),
    ],
)
async def test_a_field_that_a_still_would_refuse_is_refused(presets, fields, path):
    with pytest.raises(InvalidParams) as caught:
        await presets.set("ink", fields)
    assert caught.value.path == path
    assert await presets.list() == []


async def test_one_of_another_version_works_as_far_as_it_can(presets, settings):
    fields = {"steps": 12, "sparkle": 3, "guidance": "much", "prompt": "no"}
    await settings.set(PREFIX + "ink", {"fields": fields, "updated_at": "2026-01-01T00:00:00.000Z"})
    told = await presets.get("ink")
    assert (told.fields, told.ignored) == (fields, ["sparkle", "guidance", "prompt"])
    request = await applied(presets)
    assert (request.steps, request.guidance, request.prompt) == (12, None, "hills")
