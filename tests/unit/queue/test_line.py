"""The line, driven as its rows are: in one transaction after another, on a clock that stands still."""

import sqlite3
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tendred.clock import Ids, SystemRng
from tendred.errors import NotFound, WrongState
from tendred.queue.line import FORGET, line_of, take
from tendred.queue.machine import CancelAsked, Claimed, Finished, PutBack
from tendred.queue.store import NewJob, Queue
from tendred.schema.job import Origin
from tendred.schema.sealed import Reviewed
from tendred.store.database import Tx
from tendred.store.migrations import migrate
from tendred.testing.clock import ManualClock

SEALED = Reviewed(request=b"r", conditioning=b"c", policy="p", mac=b"m")
WARM_S = 10.0


class Room:
    """A queue in memory. `names` are short ones for job ids."""

    def __init__(self):
        self.clock = ManualClock()
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.connection.row_factory = sqlite3.Row
        migrate(self.connection, Path("memory"), self.clock)
        self.queue = Queue(None, 10_000, warm_s=WARM_S)
        self.ids = Ids(self.clock, SystemRng())
        self.names = {}

    @property
    def tx(self):
        return Tx(self.connection, self.clock, "boot_1")

    def send(self, name, client="krita", model="a", lane="normal", work=1, kind="still"):
        new = NewJob(
            id=self.ids.new("job"), kind=kind, lane=lane, asked={}, reviewed=SEALED, removed=[], retry_of=None,
            request={"model": model, "count": work, "steps": 1, "width": 1000, "height": 1000}, key=None, key_hash=b"",
            origin=Origin(door="rpc", client=client),
        )  # fmt: skip
        self.queue.add_in(self.tx, new)
        self.names[name] = new.id
        return new.id

    def name(self, job_id):
        return next(name for name, known in self.names.items() if known == job_id)

    def take(self, *loaded):
        """Claim one; its name."""
        job_id = take(self.tx, loaded, self.queue.warm_s)
        if job_id is None:
            return None
        self.queue.apply_in(self.tx, job_id, Claimed())
        return self.name(job_id)

    def all(self, *loaded):
        """Claim whatever waits."""
        found = []
        while (name := self.take(*loaded)) is not None:
            found.append(name)
        return "".join(found)

    def apply(self, name, happening):
        return self.queue.apply_in(self.tx, self.names[name], happening)

    def move(self, name, to):
        return self.queue._move_in(self.tx, self.names[name], self.names.get(to, to))

    def rows(self, sql):
        return [tuple(row) for row in self.connection.execute(sql)]

    def in_order(self):
        """Waiting rows are the queued jobs, and everything that counts them agrees."""
        waiting = self.rows("SELECT job_id, lane_rank FROM waiting ORDER BY job_id")
        assert waiting == self.rows("SELECT id, lane_rank FROM job WHERE state = 'queued' ORDER BY id")
        counted = self.rows("SELECT lane_rank, line, waiting FROM share WHERE waiting <> 0 ORDER BY 1, 2")
        assert counted == self.rows("SELECT lane_rank, line, count(*) FROM waiting GROUP BY 1, 2 ORDER BY 1, 2")
        tally = self.rows("SELECT state, lane, count FROM tally WHERE count <> 0 ORDER BY 1, 2")
        assert tally == self.rows("SELECT state, lane, count(*) FROM job GROUP BY 1, 2 ORDER BY 1, 2")


@pytest.fixture
def room():
    return Room()


@pytest.mark.parametrize(
    ("origin", "line"),
    [
        (Origin(door="rpc", client="krita/5.3"), "rpc:krita"),
        (Origin(door="rpc"), "rpc:local"),
        (Origin(door="cli", client="tendre/0.1"), "cli:tendre"),
        (Origin(door="hotfolder", file="a.txt"), "hotfolder"),
    ],
)
def test_a_client_is_what_it_calls_itself(origin, line):
    assert line_of(origin) == line


def test_clients_take_turns_however_much_each_has_sent(room):
    for name in "abcdef":
        room.send(name, "krita")
    for name in "UVW":
        room.send(name, "blender")
    assert room.all() == "aUbVcWdef"


def test_turns_are_counted_in_time_not_in_jobs(room):
    for name in "ab":
        room.send(name, "krita", work=4)
    for name in "UVWXYZ":
        room.send(name, "blender")
    assert room.all() == "aUVWXbYZ"


def test_whoever_sends_the_next_when_one_is_taken_gets_no_more_than_its_turn(room):
    for name in "abcd":
        room.send(name, "krita")
    room.send("U", "blender")
    taken = ""
    for following in ("V", "W", "X"):
        taken += room.take() + room.take()
        room.send(following, "blender")
    assert taken == "aUbVcW"


def test_a_client_that_was_away_saves_nothing_up(room):
    for name in "abcd":
        room.send(name, "krita")
    assert room.take() + room.take() == "ab"
    for name in "UVW":
        room.send(name, "blender")
    assert room.all() == "UcVdW"


def test_what_was_cancelled_leaves_no_hole(room):
    for name in "abcdef":
        room.send(name, "krita")
    for name in "UV":
        room.send(name, "blender")
    for name in "abcde":
        room.apply(name, CancelAsked())
    assert room.all() == "fUV"


def test_higher_lanes_go_first_whatever_is_loaded(room):
    room.send("i", model="a", lane="idle")
    room.send("n", model="a")
    room.send("x", model="b", lane="interactive")
    assert room.all("a") == "xni"


def test_jobs_of_a_loaded_model_pass_for_so_long(room):
    for name, model in zip("aBcDef", "abaabb", strict=True):
        room.send(name, model=model.replace("b", "cold"))
    assert room.take("a") + room.take("a") == "ac"
    room.clock.advance(WARM_S - 0.1)
    assert room.take("a") == "D"
    room.send("g", model="a")
    room.clock.advance(0.1)
    assert room.take("a") == "B"
    assert room.take("cold") == "e"


def test_a_job_that_let_others_pass_long_enough_goes_even_if_somebody_stands_before_it_by_now(room):
    room.send("a", "krita", model="warm")
    room.send("b", "krita", model="cold")
    room.send("c", "krita", model="warm")
    assert room.take("warm") + room.take("warm") == "ac"
    room.send("d", "blender", model="warm")
    room.clock.advance(WARM_S)
    assert room.take("warm") == "b"


def test_a_clock_that_was_set_back_ends_the_passing(room):
    room.send("b", model="cold")
    room.send("c", model="warm")
    room.send("d", model="warm")
    assert room.take("warm") == "c"
    room.clock.advance(-3600)
    assert room.take("warm") == "b"


def test_nothing_warm_waits(room):
    room.send("b", model="cold")
    assert room.take("warm", "other") == "b"
    assert room.take("warm") is None


def test_first_last_and_before(room):
    for name in "abc":
        room.send(name, "krita")
    for name in "UV":
        room.send(name, "blender")
    room.move("V", "first")
    room.move("c", "first")
    room.move("a", "last")
    room.move("U", "b")
    assert room.move("a", "last").position == 4
    assert room.all() == "cVUba"


def test_who_was_moved_to_the_front_lets_nobody_pass_and_who_was_put_last_passes_nobody(room):
    room.send("a", model="warm")
    room.send("b", model="cold")
    room.send("c", model="warm")
    room.move("b", "first")
    room.move("a", "last")
    assert room.all("warm") == "bca"


def test_a_sheet_takes_no_time_of_the_engine_and_lets_nobody_pass(room):
    room.send("a")
    room.send("s", model="", kind="sheet")
    room.send("b", client="gimp")
    room.send("c", client="gimp")
    assert room.take() == "a"
    assert room.take("a") == "b"
    assert room.take("a") == "s"
    room.clock.advance(1000)
    before = room.rows("SELECT * FROM pace"), room.rows("SELECT served FROM share")
    room.apply("s", Finished())
    assert (room.rows("SELECT * FROM pace"), room.rows("SELECT served FROM share")) == before


def test_what_was_put_last_stays_last_however_slow_the_others_turn_out(room):
    for name in "abcd":
        room.send(name)
    room.move("a", "last")
    room.move("b", "last")
    assert room.take() == "c"
    room.clock.advance(1000)
    room.apply("c", Finished())
    room.send("e", client="gimp")
    assert room.all() == "edab"


def test_before_goes_to_that_ones_lane_and_stays_before_it_as_the_line_moves(room):
    room.send("i", "blender", lane="idle")
    for name in "abcd":
        room.send(name, "krita")
    job = room.move("i", "d")
    assert (job.lane, job.position) == ("normal", 3)
    for name in "ab":
        room.apply(name, CancelAsked())
    assert room.all() == "cid"
    room.in_order()


def test_a_hundred_moves_into_the_same_gap(room):
    names = [f"<{number}>" for number in range(100)]
    for name in ("a", "z", *names):
        room.send(name)
    for name in names:
        room.move(name, "z")
    assert room.all() == "a" + "".join(names) + "z"


def test_another_lane_is_entered_as_if_sent_just_now(room):
    room.send("a", lane="idle")
    for name in "bc":
        room.send(name)
    assert room.move("a", "normal").lane == "normal"
    assert room.move("b", "interactive").lane == "interactive"
    room.in_order()
    assert room.all() == "bca"


def test_moving_to_its_own_place_changes_nothing(room):
    for name in "ab":
        room.send(name)
    room.move("a", "a")
    assert room.all() == "ab"


def test_a_person_who_pushes_ahead_has_the_turn_of_the_jobs_behind(room):
    for name in "ab":
        room.send(name, "krita")
    for name in "UV":
        room.send(name, "blender")
    room.move("b", "first")
    assert room.take() == "b"
    assert room.all() == "UaV"


def test_what_does_not_wait_can_not_be_moved(room):
    for name in "ab":
        room.send(name)
    assert room.take() == "a"
    with pytest.raises(WrongState) as caught:
        room.move("a", "first")
    assert (caught.value.path, caught.value.detail["state"]) == ("job_id", "running")
    with pytest.raises(WrongState) as caught:
        room.move("b", "a")
    assert caught.value.path == "to"
    with pytest.raises(NotFound):
        room.move("b", "job_nope")
    assert room.take() == "b"


def test_what_is_put_back_is_at_the_head_again(room):
    for name in "abc":
        room.send(name)
    assert room.take() == "a"
    room.apply("a", PutBack())
    room.in_order()
    assert room.all() == "abc"


def test_a_model_that_turns_out_slow_costs_its_client_turns(room):
    for name in "abcdef":
        room.send(name, "krita", model="slow")
    for name in "UVWXYZ":
        room.send(name, "blender", model="quick")
    for seconds in (90.0, 10.0):
        name = room.take()
        room.clock.advance(seconds)
        room.apply(name, Finished())
    assert room.all()[:5] == "VWXYZ"


def test_clients_that_are_gone_are_forgotten(room):
    for client in ("krita", "blender", "tray"):
        room.send(client, client)
    room.send("rest", "krita")
    for _ in range(3):
        room.take()
    room.connection.execute(FORGET)
    assert len(room.rows("SELECT line FROM share")) == 3, "they were served ahead of the clock"
    room.take()
    room.send("late", "tray")
    room.take()
    room.connection.execute(FORGET)
    assert {line for (line,) in room.rows("SELECT line FROM share")} <= {"rpc:krita", "rpc:tray"}


STEPS = st.one_of(
    st.tuples(
        st.just("send"), st.sampled_from(["x", "y", "z"]), st.sampled_from(["a", "b"]),
        st.sampled_from(["interactive", "normal", "idle"]), st.integers(1, 4),
    ),
    st.tuples(st.just("take"), st.sampled_from([(), ("a",), ("b",), ("a", "b")])),
    st.tuples(st.sampled_from(["cancel", "finish", "back"]), st.integers(0, 30)),
    st.tuples(
        st.just("move"), st.integers(0, 30), st.sampled_from(["first", "last", "interactive", "normal", "idle", None]),
        st.integers(0, 30),
    ),
    st.tuples(st.just("wait"), st.floats(0.1, 20)),
)  # fmt: skip


class Driver(Room):
    """Does whatever it is told, as far as that makes sense."""

    def __init__(self):
        super().__init__()
        self.taken = Counter()

    def of(self, state, number):
        found = self.rows(f"SELECT id FROM job WHERE state = '{state}' ORDER BY id")
        return self.name(found[number % len(found)][0]) if found else None

    def do(self, step):
        kind, *words = step
        if kind == "send":
            client, model, lane, work = words
            self.send(len(self.names), client, model, lane, work)
        elif kind == "take":
            ranks = [rank for (rank,) in self.rows("SELECT lane_rank FROM waiting")]
            taken = self.take(*words[0])
            assert (taken is None) == (not ranks)
            if taken is not None:
                self.taken[taken] += 1
                rank = self.rows(f"SELECT lane_rank FROM job WHERE id = '{self.names[taken]}'")[0][0]
                assert rank == min(ranks), "a job of a lower lane went first"
        elif kind == "wait":
            self.clock.advance(words[0])
        elif kind == "move":
            name, other = self.of("queued", words[0]), self.of("queued", words[2])
            if name is not None:
                self.move(name, words[1] or self.names[other])
        elif (name := self.of("queued" if kind == "cancel" else "running", words[0])) is not None:
            self.apply(name, {"cancel": CancelAsked(), "finish": Finished(), "back": PutBack()}[kind])


@settings(max_examples=40, deadline=None)
@given(st.lists(STEPS, max_size=30))
def test_whatever_happens_rows_agree_lanes_hold_and_everybody_is_served(steps):
    driver = Driver()
    for step in steps:
        driver.do(step)
        driver.in_order()
    waiting = len(driver.rows("SELECT 1 FROM waiting"))
    places = [
        driver.queue.get_in(driver.connection, row, position=True).position
        for (row,) in driver.rows("SELECT job_id FROM waiting ORDER BY lane_rank, place, job_id")
    ]
    assert places == list(range(waiting))
    for _ in range(waiting):
        assert driver.take("a") is not None
    assert driver.take() is None


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["x", "y", "z"]), st.integers(1, 5)), min_size=1, max_size=40))
def test_a_clients_jobs_go_in_its_own_order_and_no_client_gets_ahead_of_another_that_waits(sent):
    room = Room()
    for number, (client, work) in enumerate(sent):
        room.send(number, client, work=work)
    left, served = Counter(client for client, _ in sent), Counter()
    last = {}
    while (number := room.take()) is not None:
        client, work = sent[number]
        assert last.get(client, -1) < number
        last[client] = number
        served[client] += work
        left[client] -= 1
        for other in left:
            if left[other]:
                assert served[client] - served[other] <= 2 * 5, "more than a turn ahead"
