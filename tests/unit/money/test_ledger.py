from __future__ import annotations

import sqlite3

import pytest

from tendred.money import ledger
from tendred.money.ledger import Hold


def hold(job_id="job_1", mcr=100, **more):
    return Hold(**{"job_id": job_id, "provider": "p", "token_id": "t", "door": "rpc", "mcr": mcr, **more})


async def booked(database, *works):
    for work in works:
        await database.write(work)
    return await database.read(
        lambda c: {name: ledger.balance_in(c, "job_1", name) for name in ("held", "unsure", "spent")}
    )


async def total(database):
    both = "SELECT mcr FROM ledger UNION ALL SELECT -mcr FROM ledger"
    return await database.read(lambda c: c.execute(f"SELECT coalesce(sum(mcr), 0) FROM ({both})").fetchone()[0])


@pytest.mark.parametrize(
    ("cost", "kinds", "credit"),
    [
        (None, ["hold", "settle"], -100),
        (100, ["hold", "settle"], -100),
        (80, ["hold", "settle", "release"], -80),
        (130, ["hold", "settle", "excess"], -130),
        (0, ["hold", "release"], 0),
    ],
)
async def test_a_settlement_books_more_and_less_openly(database, cost, kinds, credit):
    left = await booked(
        database, lambda tx: ledger.hold_in(tx, hold()), lambda tx: ledger.settle_in(tx, "job_1", cost, "provider")
    )
    assert left == {"held": 0, "unsure": 0, "spent": -credit}
    page = await database.read(lambda c: ledger.page_in(c, "job_1", 10, None))
    assert [entry.kind for entry in reversed(page.entries)] == kinds
    assert {entry.basis for entry in page.entries if entry.kind != "hold"} == {"provider"}
    [balance] = await database.read(ledger.balances_in)
    assert balance.credit_mcr == credit
    assert await total(database) == 0


async def test_a_release_gives_all_back(database):
    left = await booked(
        database,
        lambda tx: ledger.hold_in(tx, hold()),
        lambda tx: ledger.release_in(tx, "job_1", "table", "never sent"),
    )
    assert left == {"held": 0, "unsure": 0, "spent": 0}


@pytest.mark.parametrize(("cost", "spent"), [(0, 0), (40, 40), (100, 100), (150, 150)])
async def test_a_person_clears_what_nobody_knew(database, cost, spent):
    left = await booked(
        database,
        lambda tx: ledger.hold_in(tx, hold()),
        lambda tx: ledger.unsure_in(tx, "job_1", "?"),
    )
    assert left == {"held": 0, "unsure": 100, "spent": 0}
    left = await booked(database, lambda tx: ledger.clear_in(tx, "job_1", cost))
    assert left == {"held": 0, "unsure": 0, "spent": spent}
    assert await total(database) == 0


async def test_the_books_are_append_only(database):
    await database.write(lambda tx: ledger.hold_in(tx, hold()))
    for sql in ("UPDATE ledger SET mcr = 1", "DELETE FROM ledger"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            await database.write(lambda tx, sql=sql: tx.run(sql))


async def test_nothing_is_held_twice(database):
    await database.write(lambda tx: ledger.hold_in(tx, hold()))
    with pytest.raises(sqlite3.IntegrityError):
        await database.write(lambda tx: ledger.hold_in(tx, hold()))


@pytest.mark.parametrize(
    "column", ["mcr = mcr + 1", "note = 'x'", "day = '2000-01-01'", "basis = 'user'", "job_id = 'job_9'"]
)
async def test_a_row_that_was_changed_breaks_the_chain_where_it_stands(database, column):
    for number in range(4):
        await database.write(lambda tx, number=number: ledger.hold_in(tx, hold(f"job_{number}")))
    assert await database.read(ledger.broken_in) is None
    await database.write(lambda tx: tx.run("DROP TRIGGER ledger_fixed").rowcount)
    await database.write(lambda tx: tx.run(f"UPDATE ledger SET {column} WHERE n = 2").rowcount)
    assert await database.read(ledger.broken_in) == 2


async def test_a_row_that_is_gone_breaks_the_chain(database):
    for number in range(3):
        await database.write(lambda tx, number=number: ledger.hold_in(tx, hold(f"job_{number}")))
    await database.write(lambda tx: tx.run("DROP TRIGGER ledger_kept").rowcount)
    await database.write(lambda tx: tx.run("DELETE FROM ledger WHERE n = 2").rowcount)
    assert await database.read(ledger.broken_in) == 2


async def test_pages_go_backwards_and_end(database):
    for number in range(5):
        await database.write(lambda tx, number=number: ledger.hold_in(tx, hold(f"job_{number}")))
    seen, cursor = [], None
    while True:
        page = await database.read(lambda c, at=cursor: ledger.page_in(c, None, 2, at))
        seen += [entry.n for entry in page.entries]
        if page.next is None:
            break
        cursor = int(page.next)
    assert seen == [5, 4, 3, 2, 1]
