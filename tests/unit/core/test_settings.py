import pytest

from tendred.core.settings import Settings


async def test_a_value_is_kept_and_replaced(database):
    settings = Settings(database)
    assert await settings.get("name") is None
    for value in (True, "text", {"a": [1, None]}, None):
        await settings.set("name", value)
        assert await Settings(database).get("name") == value


async def test_a_value_belongs_to_its_transaction(database):
    settings = Settings(database)

    def work(tx):
        settings.set_in(tx, "name", 1)
        raise KeyError("undone")

    with pytest.raises(KeyError):
        await database.write(work)
    assert await settings.get("name") is None
