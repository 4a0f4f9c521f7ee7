"""Every phase with every event: decided, by generation; and what each arrow does to the money and the job."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest

from tendred.cloud import machine
from tendred.cloud.machine import LEGAL, Facts, IllegalStepError, Release, Settle, Unsure, step
from tendred.queue.machine import LEGAL as JOB_LEGAL
from tendred.schema.clip import ENDED, Phase
from tendred.schema.error import ErrorInfo

ERROR = ErrorInfo(kind="provider_refused", message="m", path=None, next="n", detail={}, ref="r")
EVENTS = [
    machine.Confirmed(), machine.Reserved(), machine.Refused(ERROR), machine.Sending(), machine.NotSent("why"),
    machine.Rejected(ERROR), machine.Accepted("r1", None), machine.Lost(ERROR), machine.Found("r1", "user"),
    machine.NotCharged(ERROR), machine.Charged(ERROR, None), machine.Rendering(), machine.Ready(None),
    machine.RemoteFailed(ERROR, "unknown", None), machine.Gone(ERROR), machine.Overdue(ERROR), machine.Downloading(),
    machine.Verified("0" * 64, 1), machine.Spoiled(ERROR), machine.Missing(), machine.Kept(),
    machine.Withheld(ERROR), machine.CancelAsked(), machine.RemoteCancelled(), machine.StillBilled(),
]  # fmt: skip
PHASES = get_args(Phase)
SENT = {"submitted", "rendering", "ready", "downloading", "verified"}
"""From here on the provider has it: whatever ends there says what became of the money."""


def test_the_list_is_whole():
    assert {type(event) for event in EVENTS} == set(get_args(machine.Event))
    assert set(LEGAL) == set(PHASES)


@pytest.mark.parametrize("unwanted", [False, True])
@pytest.mark.parametrize(("phase", "event"), list(itertools.product(PHASES, EVENTS)))
def test_every_pair_is_decided(phase, event, unwanted):
    facts = Facts(phase, unwanted, None)
    if type(event) in LEGAL[phase]:
        arrow = step(facts, event)
        if isinstance(event, machine.CancelAsked) and unwanted and phase in {"sending", "submitted", "rendering"}:
            assert arrow is None  # twice is fine
            return
        assert arrow is not None
        assert arrow.phase in PHASES
        if arrow.phase in ENDED:
            # Whoever held money has none held after the end; whoever held none has nothing to give back.
            assert (arrow.money is None) == (phase in {"quoted", "confirmed"})
        if arrow.fate in {"fail", "lose"}:
            assert arrow.error is not None
    elif isinstance(event, machine.CancelAsked):
        assert step(facts, event) is None
    else:
        with pytest.raises(IllegalStepError):
            step(facts, event)


def test_nothing_leads_out_of_an_end():
    for phase in ENDED:
        assert LEGAL[phase] == frozenset()


def test_only_a_person_or_the_providers_list_leads_out_of_unknown():
    assert LEGAL["unknown"] == {machine.Found, machine.NotCharged, machine.Charged}


def test_what_was_sent_is_never_sent_again():
    """No way leads from a phase in which the provider may have it back to one from which it is sent."""
    after = {"sending": {arrow.phase for event in EVENTS if (arrow := moved("sending", event))}}
    assert after["sending"] == {"reserved", "rejected", "submitted", "unknown", "sending"}
    assert {type(event) for event in EVENTS if (a := moved("sending", event)) and a.phase == "reserved"} == {
        machine.NotSent
    }
    for phase in {*SENT, "unknown"}:
        reached, left = set(), {phase}
        while left:
            reached |= left
            left = {a.phase for one in left for event in EVENTS if (a := moved(one, event))} - reached
        assert reached & {"reserved", "sending", "quoted", "confirmed"} == set()


def moved(phase, event):
    try:
        return step(Facts(phase), event)
    except IllegalStepError:
        return None


@pytest.mark.parametrize(
    ("refund", "said", "money"),
    [
        ("free", None, Release("table", "the provider's terms: not billed")),
        ("billed", None, Settle(None, "table")),
        ("unknown", None, Unsure("the provider's terms don't say whether a failed job is billed")),
        ("free", 700, Settle(700, "provider")),
        ("unknown", 0, Settle(0, "provider")),
    ],
)
def test_a_failed_job_is_booked_by_the_providers_word_then_its_terms(refund, said, money):
    arrow = step(Facts("rendering"), machine.RemoteFailed(ERROR, refund, said))
    assert arrow is not None
    assert (arrow.phase, arrow.money) == ("failed", money)


def test_a_settlement_says_on_whose_word():
    for said, basis in ((None, "table"), (1234, "provider")):
        arrow = step(Facts("verified", said_mcr=said), machine.Kept())
        assert arrow is not None
        assert arrow.money == Settle(said, basis)


def test_every_fate_is_one_that_the_jobs_machine_knows():
    from tendred.cloud.clips import FATES

    kinds = {type(happening) for happening in FATES.values()}
    assert kinds <= {happening for _, happening in JOB_LEGAL}
