from __future__ import annotations

import pytest

from tendred.errors import InvalidParams
from tendred.money import ledger, report
from tendred.money.ledger import Hold


async def spent(database, number, mcr=100, said=None):
    hold = Hold(job_id=f"job_{number}", provider="p", token_id="t", door="rpc", mcr=mcr)
    await database.write(lambda tx: ledger.hold_in(tx, hold))
    await database.write(lambda tx: ledger.settle_in(tx, hold.job_id, said, "table" if said is None else "provider"))


async def reconciled(database, balance, topped_up=0):
    return await database.write(lambda tx: report.reconcile_in(tx, "p", balance, topped_up))


async def test_the_first_balance_opens_the_account_and_later_ones_find_differences(database):
    await spent(database, 1)
    first = await reconciled(database, 900)
    assert (first.first, first.difference_mcr) == (True, 0)
    await spent(database, 2)
    assert (await reconciled(database, 800)).difference_mcr == 0
    await spent(database, 3)
    off = await reconciled(database, 690)  # ten more were billed than we knew
    assert (off.expected_mcr, off.difference_mcr) == (700, -10)
    assert (await reconciled(database, 690)).difference_mcr == 0
    up = await reconciled(database, 1_195, topped_up=500)
    assert (up.expected_mcr, up.difference_mcr) == (1_190, 5)
    [balance] = await database.read(ledger.balances_in)
    assert (balance.known, balance.credit_mcr, balance.difference_mcr) == (True, 1_195, 5 * -1 + 10)


async def test_an_account_may_open_empty(database):
    assert (await reconciled(database, 0)).first
    assert not (await reconciled(database, 0)).first


async def test_a_balance_that_nobody_typed_in_is_unknown(database):
    await spent(database, 1)
    [balance] = await database.read(ledger.balances_in)
    assert not balance.known


async def test_what_is_held_is_still_in_the_console(database):
    await reconciled(database, 1_000)
    hold = Hold(job_id="job_1", provider="p", token_id="t", door="rpc", mcr=100)
    await database.write(lambda tx: ledger.hold_in(tx, hold))
    assert (await reconciled(database, 1_000)).difference_mcr == 0


async def test_the_first_time_nothing_can_have_been_topped_up(database):
    with pytest.raises(InvalidParams):
        await reconciled(database, 100, topped_up=100)


@pytest.mark.parametrize("by", ["day", "provider", "shot"])
async def test_groups(database, by):
    await spent(database, 1, said=70)
    await spent(database, 2)
    told = await database.read(lambda c: report.report_in(c, by, "0000-00-00", "9999-99-99"))
    [row] = told.rows
    assert (row.clips, row.spent_mcr, row.held_mcr, told.chain, told.zone) == (2, 170, 0, "whole", "UTC")
    assert (await database.read(lambda c: report.report_in(c, by, "1999-01-01", "1999-12-31"))).rows == []
