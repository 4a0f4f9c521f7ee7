import hashlib

import pytest

from tendred.clock import SystemRng
from tendred.core.refusals import CLIENTS, FIRST_S, FORGOTTEN_S, FREE, MOST_S, Refusals
from tendred.errors import SlowDown
from tendred.schema.job import Origin
from tendred.schema.sealed import Verdict

VERDICT = Verdict(verdict="refuse", rule="minor.age", reason="told", span=(0, 3), removed=[], policy="p1")
PROMPT = "secretword \ud800"
ME = Origin(door="rpc", client="me/1.0")


@pytest.fixture
def refusals(database, ids, clock):
    return Refusals(database, ids, SystemRng(), clock)


async def test_a_refusal_is_counted_without_its_words(refusals, rows, published):
    await refusals.note(VERDICT, PROMPT, Origin(door="hotfolder", client="me", file="secretword.txt"))
    [(refusal, at, door, rule, policy, salted, category)] = await rows("SELECT * FROM refusal")
    assert refusal.startswith("ref_")
    assert (at, door, category, rule, policy) == (published[0].at and at, "hotfolder", "minor", "minor.age", "p1")
    assert b"secretword" not in salted
    assert salted[16:] == hashlib.sha256(salted[:16] + PROMPT.encode("utf-8", "surrogatepass")).digest()
    [event] = published
    assert (event.topic, event.job_id) == ("boundary.refused", None)
    told = {"id": refusal, "category": "minor", "rule": "minor.age", "policy": "p1", "door": "hotfolder"}
    assert event.data == {"refusal": told}


async def test_equal_words_cannot_be_told_from_the_rows(refusals, rows):
    for _ in range(2):
        await refusals.note(VERDICT, PROMPT, Origin(door="rpc"))
    one, two = [row[0] for row in await rows("SELECT salted FROM refusal")]
    assert one[:16] != two[:16]
    assert one[16:] != two[16:]


def left(refusals, origin=ME):
    """Seconds to wait; 0 where the next may come."""
    try:
        refusals.admit(origin)
    except SlowDown as slow:
        assert slow.variant == "refusals"
        return slow.detail["retry_after_s"]
    return 0


async def test_whoever_goes_on_is_put_off_longer_and_longer(refusals, clock):
    waits = []
    for _ in range(FREE + 6):
        await refusals.note(VERDICT, PROMPT, ME)
        waits.append(left(refusals))
        clock.advance(waits[-1])
        assert left(refusals) == 0
    assert waits[: FREE - 1] == [0] * (FREE - 1)
    assert waits[FREE - 1 : FREE + 2] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S]
    assert max(waits) == MOST_S


async def test_another_client_is_not_put_off(refusals):
    for _ in range(FREE):
        await refusals.note(VERDICT, PROMPT, ME)
    assert left(refusals, Origin(door="rpc", client="me/2.0")) > 0
    assert left(refusals, Origin(door="rpc", client="other")) == left(refusals, Origin(door="hotfolder")) == 0


async def test_after_a_while_it_is_forgotten(refusals, clock):
    for _ in range(FREE - 1):
        await refusals.note(VERDICT, PROMPT, ME)
    clock.advance(FORGOTTEN_S + 1)
    await refusals.note(VERDICT, PROMPT, ME)
    assert left(refusals) == 0


def test_many_names_fill_nothing(refusals):
    for number in range(CLIENTS + 5):
        refusals._count(f"rpc:{number}")
    assert len(refusals._rows) == CLIENTS
