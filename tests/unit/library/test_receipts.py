import msgspec
import pytest
from msgspec.structs import replace

from tendred.errors import NotFound
from tendred.library.receipts import GENESIS, Receipts, body_sha256, chained, file_bytes
from tendred.schema.asset import EngineInfo, ModelUse, Receipt, ReceiptVerdict
from tendred.schema.job import Origin

ENGINE = EngineInfo(version="0", torch="t", diffusers="d", device="cpu", dtype="float32", threads=2, batch_size=1)


def receipt(number):
    return Receipt(
        receipt=1, id=f"rcp_{number}", job_id=f"job_{number}", origin=Origin(door="rpc"), asked={"prompt": "é"},
        settings={"b": 1, "a": 2}, verdict=ReceiptVerdict(policy="1", anchor=None, removed=[]), made=[],
        model=ModelUse(name="starter", sha256="m"), loras=[], character=None, engine=ENGINE, cost=None,
        created_at="t", started_at=None, finished_at="t", body_sha256="", prev_sha256="",
    )  # fmt: skip


async def test_each_receipt_follows_the_one_before(database):
    receipts = Receipts(database)
    assert await receipts.head() == GENESIS
    heads = [GENESIS]
    for number in range(3):
        one = chained(receipt(number), await receipts.head())
        await database.write(lambda tx, one=one: receipts.add_in(tx, one))
        heads.append(await receipts.head())
    stored = [await receipts.get(f"rcp_{number}") for number in range(3)]
    assert [one.prev_sha256 for one in stored] == heads[:3]
    assert len(set(heads)) == 4
    assert all(body_sha256(one) == one.body_sha256 for one in stored)


def test_the_body_hash_leaves_out_the_chain_and_nothing_else():
    one = chained(receipt(1), "a" * 64)
    assert body_sha256(replace(one, prev_sha256="b" * 64)) == one.body_sha256
    assert body_sha256(replace(one, asked={"prompt": "e"})) != one.body_sha256
    assert msgspec.json.decode(file_bytes(one), type=Receipt) == one


async def test_receipts_cannot_be_deleted(database):
    receipts = Receipts(database)
    one = chained(receipt(1), GENESIS)
    await database.write(lambda tx: receipts.add_in(tx, one))
    with pytest.raises(Exception, match="append-only"):
        await database.write(lambda tx: tx.run("DELETE FROM receipt"))
    with pytest.raises(NotFound):
        await receipts.get("rcp_nope")


async def stored(database, count=3):
    receipts = Receipts(database)
    for number in range(count):
        one = chained(receipt(number), await receipts.head())
        await database.write(lambda tx, one=one: receipts.add_in(tx, one))
    return receipts


async def test_an_erased_body_leaves_the_chain_whole(database):
    receipts = await stored(database)
    one = await receipts.get("rcp_1")
    left = await database.write(lambda tx: receipts.erase_in(tx, one))
    assert await receipts.get("rcp_1") == left
    assert (left.asked, left.settings, left.erased) == ({}, {}, True)
    assert (left.made, left.body_sha256, left.prev_sha256) == (one.made, one.body_sha256, one.prev_sha256)
    assert await receipts.broken() == []
    following = chained(receipt(3), await receipts.head())
    await database.write(lambda tx: receipts.add_in(tx, following))
    assert await receipts.broken() == []


@pytest.mark.parametrize("statement", [
    "UPDATE receipt SET prev_sha256 = 'x' WHERE id = 'rcp_1'",
    "UPDATE receipt SET doc = replace(CAST(doc AS TEXT), 'starter', 'another') WHERE id = 'rcp_1'",
    "UPDATE receipt SET erased = 0 WHERE id = 'rcp_1'",
])  # fmt: skip
async def test_a_receipt_is_not_exchanged(database, statement):
    receipts = await stored(database)
    with pytest.raises(Exception, match="receipt"):
        await database.write(lambda tx: tx.run(statement))
    assert await receipts.broken() == []


async def test_who_gets_round_that_is_seen(database):
    receipts = await stored(database)
    await database.write(lambda tx: tx.run("DROP TRIGGER receipt_erased"))
    changed = "UPDATE receipt SET doc = replace(CAST(doc AS TEXT), 'starter', 'another') WHERE id = 'rcp_1'"
    await database.write(lambda tx: tx.run(changed))
    assert await receipts.broken() == ["rcp_1"]
    await database.write(lambda tx: tx.run("DROP TRIGGER receipt_kept"))
    await database.write(lambda tx: tx.run("DELETE FROM receipt WHERE id = 'rcp_1'"))
    assert await receipts.broken() == ["rcp_2"]
