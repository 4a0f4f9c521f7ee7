import itertools

import pytest

from tendred.queue import machine
from tendred.queue.machine import Facts, IllegalTransitionError, transition
from tendred.schema.error import ErrorInfo
from tendred.schema.job import TERMINAL

ERROR = ErrorInfo(kind="engine_died", message="m", path=None, next="n", detail={}, ref="r")
HAPPENINGS = [
    machine.Claimed(),
    machine.CancelAsked(),
    machine.Stopped(),
    machine.Finished(),
    machine.Failed(ERROR),
    machine.EngineDied(ERROR),
    machine.Interrupted(ERROR),
    machine.PutBack(),
    machine.Lost(ERROR),
    machine.Found(),
]
STATES = ["queued", "running", "cancelling", "succeeded", "failed", "cancelled", "parked", "unknown"]


@pytest.mark.parametrize(("state", "happening"), list(itertools.product(STATES, HAPPENINGS)))
def test_every_pair_is_decided(state, happening):
    facts = Facts(state, 1, 0)
    if (state, type(happening)) in machine.LEGAL:
        change = transition(facts, happening)
        assert change is not None
        assert change.state != state
        assert change.finished == (change.state in TERMINAL)
    elif isinstance(happening, machine.CancelAsked):
        assert transition(facts, happening) is None
    else:
        with pytest.raises(IllegalTransitionError):
            transition(facts, happening)


def test_terminal_states_are_final():
    for state, happening in itertools.product(TERMINAL, HAPPENINGS):
        assert (state, type(happening)) not in machine.LEGAL


def test_second_engine_death_parks():
    first = transition(Facts("running", 1, 0), machine.EngineDied(ERROR))
    assert first is not None
    assert (first.state, first.engine_deaths) == ("queued", 1)
    second = transition(Facts("running", 2, 1), machine.EngineDied(ERROR))
    assert second is not None
    assert (second.state, second.engine_deaths, second.error) == ("parked", 2, ERROR)


def test_fifth_interruption_parks_and_engine_deaths_do_not_count():
    attempts, state = 0, "queued"
    for _ in range(5):
        claimed = transition(Facts("queued", attempts, 0), machine.Claimed())
        assert claimed is not None
        attempts = claimed.attempts
        change = transition(Facts("running", attempts, 0), machine.Interrupted(ERROR))
        assert change is not None
        state = change.state
    assert (attempts, state) == (5, "parked")
    spared = transition(Facts("running", 5, 1), machine.Interrupted(ERROR))
    assert spared is not None
    assert spared.state == "queued"


def test_put_back_counts_nothing():
    claimed = transition(Facts("queued", 3, 1), machine.Claimed())
    assert claimed is not None
    back = transition(Facts("running", claimed.attempts, claimed.engine_deaths), machine.PutBack())
    assert back is not None
    assert (back.state, back.attempts, back.engine_deaths) == ("queued", 3, 1)
