from __future__ import annotations

import datetime as dt

import pytest

from tendred.errors import CapExceeded
from tendred.money import caps, ledger
from tendred.money.ledger import Hold
from tendred.schema.money import CapChanges
from tendred.testing.clock import ManualClock


@pytest.fixture
def clock():
    return ManualClock(dt.datetime(2026, 11, 29, 23, tzinfo=dt.UTC).timestamp())


def hold(number, mcr=100, **more):
    fields = {"job_id": f"job_{number}", "provider": "p", "token_id": "owner", "door": "rpc", "mcr": mcr}
    return Hold(**{**fields, **more})


async def allow(database, **mcr):
    await database.write(lambda tx: caps.set_in(tx, CapChanges(**mcr)))


async def take(database, one):
    def work(tx):
        caps.check_in(tx, one)
        ledger.hold_in(tx, one)

    await database.write(work)


async def refused(database, one):
    with pytest.raises(CapExceeded) as caught:
        await take(database, one)
    return caught.value


async def test_no_cap_means_none_of_it(database):
    error = await refused(database, hold(1))
    assert (error.variant, error.detail["left_mcr"]) == ("unset", 0)
    await allow(database, job_mcr=100, day_mcr=100)
    assert (await refused(database, hold(1))).detail["cap"] == "month"
    await allow(database, month_mcr=100)
    await take(database, hold(1))


async def test_zero_lets_nothing_through(database):
    await allow(database, job_mcr=0, day_mcr=1000, month_mcr=1000)
    error = await refused(database, hold(1))
    assert (error.variant, error.detail["cap"]) == ("", "job")
    await take(database, hold(2, mcr=0))  # what costs nothing needs no room


async def test_a_day_and_a_month_fill_up_and_begin_anew_in_utc(database, clock):
    await allow(database, job_mcr=100, day_mcr=250, month_mcr=450)
    await take(database, hold(1))
    await take(database, hold(2))
    error = await refused(database, hold(3))
    assert (error.detail["cap"], error.detail["left_mcr"]) == ("day", 50)
    clock.advance(3600)  # 30 November
    await take(database, hold(3))
    await take(database, hold(4))
    clock.advance(23 * 3600)
    error = await refused(database, hold(5))
    assert error.detail["cap"] in {"day", "month"}
    clock.advance(3600)  # 1 December
    await take(database, hold(5))


async def test_what_is_given_back_can_be_spent_again_and_what_is_unsure_cannot(database):
    await allow(database, job_mcr=100, day_mcr=100, month_mcr=1000)
    await take(database, hold(1))
    await database.write(lambda tx: ledger.release_in(tx, "job_1", "table", "never sent"))
    await take(database, hold(2))
    await database.write(lambda tx: ledger.unsure_in(tx, "job_2", "?"))
    assert (await refused(database, hold(3))).detail["cap"] == "day"


async def test_a_settlement_counts_for_the_day_of_its_hold(database, clock):
    await allow(database, job_mcr=100, day_mcr=100, month_mcr=1000)
    await take(database, hold(1))
    clock.advance(2 * 3600)
    await database.write(lambda tx: ledger.settle_in(tx, "job_1", None, "table"))
    await take(database, hold(2))


async def test_tokens_have_caps_of_their_own(database):
    await allow(database, job_mcr=100, day_mcr=1000, month_mcr=1000)
    assert (await refused(database, hold(1, token_id="tok_1"))).detail["cap"] == "token:tok_1"
    await allow(database, tokens={"tok_1": 150})
    await take(database, hold(1, token_id="tok_1"))
    assert (await refused(database, hold(2, token_id="tok_1"))).detail["left_mcr"] == 50
    await take(database, hold(3))


@pytest.mark.parametrize("door", ["hotfolder:/a/b c", "plugin:echo", "compat"])
async def test_doors_where_nobody_confirms_need_a_standing_cap(database, door):
    await allow(database, job_mcr=100, day_mcr=1000, month_mcr=1000)
    error = await refused(database, hold(1, door=door))
    assert (error.variant, error.detail["cap"]) == ("standing", f"door:{door}")
    assert door in str(error)
    await allow(database, doors={door: 100})
    await take(database, hold(1, door=door))
    error = await refused(database, hold(2, door=door))
    assert (error.variant, error.detail["cap"]) == ("", f"door:{door}")


async def test_the_cap_of_a_folder_is_no_other_folders(database):
    await allow(database, job_mcr=100, day_mcr=1000, month_mcr=1000, doors={"hotfolder:/a": 1000})
    assert (await refused(database, hold(1, door="hotfolder:/a/b"))).variant == "standing"
    assert (await refused(database, hold(1, door="hotfolder"))).variant == "standing"


@pytest.mark.parametrize("doors", [{}, {"hotfolder:/a": 0}])
async def test_where_nobody_confirms_what_costs_nothing_needs_a_cap_too(database, doors):
    await allow(database, job_mcr=100, day_mcr=1000, month_mcr=1000, doors=doors)
    assert (await refused(database, hold(1, mcr=0, door="hotfolder:/a"))).variant == "standing"
    await allow(database, doors={"hotfolder:/a": 1})
    await take(database, hold(1, mcr=0, door="hotfolder:/a"))


async def test_what_is_told_of_them(database, clock):
    await allow(database, day_mcr=300, doors={"hotfolder": 50})
    told = await database.read(lambda c: caps.caps_in(c, clock.now()))
    assert told.zone == "UTC"
    assert {one.name: one.mcr for one in told.caps} == {"job": None, "day": 300, "month": None, "door:hotfolder": 50}
