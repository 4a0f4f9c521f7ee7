import hashlib

import pytest

from tendred.clock import SystemRng
from tendred.core.refusals import Refusals
from tendred.schema.job import Origin
from tendred.schema.sealed import Verdict

VERDICT = Verdict(verdict="refuse", rule="minor.age", reason="told", span=(0, 3), removed=[], policy="p1")
PROMPT = "secretword \ud800"


@pytest.fixture
def refusals(database, ids):
    return Refusals(database, ids, SystemRng())


async def test_a_refusal_is_counted_without_its_words(refusals, rows, published):
    await refusals.note(VERDICT, PROMPT, Origin(door="hotfolder", client="me", file="secretword.txt"))
    [(refusal, at, door, rule, policy, salted)] = await rows("SELECT * FROM refusal")
    assert refusal.startswith("ref_")
    assert (at, door, rule, policy) == (published[0].at and at, "hotfolder", "minor.age", "p1")
    assert b"secretword" not in salted
    assert salted[16:] == hashlib.sha256(salted[:16] + PROMPT.encode("utf-8", "surrogatepass")).digest()
    [event] = published
    assert (event.topic, event.job_id) == ("boundary.refused", None)
    assert event.data == {"refusal": {"id": refusal, "rule": "minor.age", "policy": "p1", "door": "hotfolder"}}


async def test_equal_words_cannot_be_told_from_the_rows(refusals, rows):
    for _ in range(2):
        await refusals.note(VERDICT, PROMPT, Origin(door="rpc"))
    one, two = [row[0] for row in await rows("SELECT salted FROM refusal")]
    assert one[:16] != two[:16]
    assert one[16:] != two[16:]
