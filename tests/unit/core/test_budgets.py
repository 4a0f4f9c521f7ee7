import pytest
from msgspec.structs import replace

from tendred.core.budgets import FRESH_S, Accounts
from tendred.library.usage import Usage
from tendred.schema.model import ModelInfo

ENTRY = ModelInfo(
    name="starter", kind="model", family="sdxl", path="/starter", bytes=30, licence=None, source=None, sha256=None,
    last_used_at=None, is_default=False, state="ready", reason=None,
)  # fmt: skip
MODELS = [
    ENTRY,
    replace(ENTRY, name="old", path="/old", bytes=100, last_used_at="2025-01-01T00:00:00.000Z"),
    replace(ENTRY, name="never", path="/never", bytes=50),
    replace(ENTRY, name="now", path="/now", bytes=70, last_used_at="2026-01-01T00:00:00.000Z"),
    replace(ENTRY, name="mine", path="/mine", bytes=90, is_default=True),
    replace(ENTRY, name="gone", path="/gone", bytes=0, state="missing"),
]


@pytest.fixture
def accounts(database, clock):
    def make(models_limit=0, pictures_limit=0):
        looks = []

        async def models():
            looks.append(clock.mono())
            return MODELS

        made = Accounts(
            models=models, ships=lambda model: model.name == "starter", usage=Usage(database), clock=clock,
            models_limit=models_limit, pictures_limit=pictures_limit,
        )  # fmt: skip
        made.looks = looks
        return made

    return make


def test_without_a_limit_room_is_only_told(accounts):
    told = accounts().of_models(MODELS)
    assert (told.limit_bytes, told.used_bytes, told.advice) == (None, 310, [])


@pytest.mark.parametrize(
    ("limit", "names"),
    [(310, []), (309, ["never"]), (261, ["never"]), (259, ["never", "old"]), (1, ["never", "old", "now"])],
)
def test_what_was_of_no_use_for_longest_could_go(accounts, limit, names):
    told = accounts(limit).of_models(MODELS)
    assert (told.limit_bytes, told.used_bytes) == (limit, 310)
    assert [one.name for one in told.advice] == names


async def test_without_limits_nothing_is_looked_at(accounts):
    made = accounts()
    told = await made.both()
    assert (told.models.used_bytes, told.pictures.used_bytes, made.looks) == (None, None, [])


async def test_what_was_found_is_told_again_for_a_while(accounts, clock):
    made = accounts(models_limit=100, pictures_limit=5)
    told = await made.both()
    assert await made.both() == told
    assert (told.models.used_bytes, told.pictures.used_bytes, told.pictures.limit_bytes) == (310, 0, 5)
    clock.advance(FRESH_S + 1)
    await made.both()
    assert len(made.looks) == 2
