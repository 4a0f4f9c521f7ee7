"""The examples of jsonrpc.org/specification, section 7, and what we refuse beyond them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from tendred.errors import Internal, NotFound, StoreBroken, TendredError
from tendred.rpc.jsonrpc import ANSWER_BYTES, Call, Dispatcher, Registry, Scope
from tendred.schema.base import Asked, Record
from tendred.schema.error import ErrorInfo, tell


@dataclass
class Place:
    scopes: frozenset[Scope] = frozenset({"read"})
    on_socket: bool = False
    updates: list[Any] = field(default_factory=list)


class Subtract(Asked, frozen=True):
    minuend: int
    subtrahend: int = 0


class Anything(Asked, frozen=True):
    value: Any = None


async def half(call: Call[Place], params: Anything) -> None:
    raise NotFound(noun="file", name="colo\udcff", near=[])


class Unsayable:
    """Nothing that JSON has a form for."""


async def subtract(call: Call[Place], params: Subtract) -> int:
    return params.minuend - params.subtrahend


async def update(call: Call[Place], params: Anything) -> None:
    call.door.updates.append(call.asked)


async def broken(call: Call[Place], params: Anything) -> None:
    raise TypeError("subtract() missing 1 required positional argument")


async def missing(call: Call[Place], params: Anything) -> None:
    raise NotFound(noun="job", name="job_1", near=["job_2"])


async def stored(call: Call[Place], params: Anything) -> None:
    raise StoreBroken(file="x", problem="y")


async def unsayable(call: Call[Place], params: Anything) -> Unsayable:
    return Unsayable()


def words(error: BaseException) -> ErrorInfo:
    return tell(error if isinstance(error, TendredError) else Internal(), "r1")


@pytest.fixture
def dispatcher() -> Dispatcher[Place]:
    methods: Registry[Place] = Registry()
    methods.add("subtract", Subtract, subtract, result=int, summary="", scope="read")
    for name, run in (
        ("update", update),
        ("broken", broken),
        ("missing", missing),
        ("unsayable", unsayable),
        ("half", half),
    ):
        methods.add(name, Anything, run, result=Record, summary="", scope="read")
    methods.add("stored", Anything, stored, result=Record, summary="", scope="read")
    methods.add("purge", Anything, update, result=Record, summary="", scope="manage")
    methods.add("listen", Anything, update, result=Record, summary="", scope="read", needs_socket=True)
    return Dispatcher(methods, words)


async def answer(dispatcher: Dispatcher[Place], sent: object, place: Place | None = None) -> Any:
    raw = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
    got = await dispatcher.answer(raw, place or Place())
    return None if got is None else json.loads(got)


def brief(response: Any) -> Any:
    """A response with `error` cut down to its code."""
    if isinstance(response, list):
        return [brief(entry) for entry in response]
    if response is None or "result" in response:
        return response
    return {**response, "error": response["error"]["code"]}


def ok(result: object, call_id: object) -> Any:
    return {"jsonrpc": "2.0", "result": result, "id": call_id}


def bad(code: int, call_id: object = None) -> Any:
    return {"jsonrpc": "2.0", "error": code, "id": call_id}


def call(method: object = "subtract", **more: Any) -> Any:
    return {"jsonrpc": "2.0", "method": method, **more}


NAMED = {"minuend": 42, "subtrahend": 23}
INVALID = {"foo": "boo"}

SPECIFICATION = [
    # positional parameters are the one example that we answer otherwise, as the specification allows
    (call(params=[42, 23], id=1), bad(-32602, 1)),
    (call(params=NAMED, id=3), ok(19, 3)),
    (call(params={"subtrahend": 23, "minuend": 42}, id=4), ok(19, 4)),
    (call("update", params={"value": [1, 2, 3]}), None),
    (call("foobar"), None),
    (call("foobar", id="1"), bad(-32601, "1")),
    (b'{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]', bad(-32700)),
    (call(1, params="bar"), bad(-32600)),
    (b'[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},{"jsonrpc": "2.0", "method"', bad(-32700)),
    ([], bad(-32600)),
    ([1], [bad(-32600)]),
    ([1, 2, 3], [bad(-32600)] * 3),
    (
        [
            call(params=NAMED, id="1"),
            call("update", params={"value": 7}),
            call(params=NAMED, id="2"),
            INVALID,
            call("foo.get", params={"name": "myself"}, id="5"),
            call("update", id="9"),
        ],
        [ok(19, "1"), ok(19, "2"), bad(-32600), bad(-32601, "5"), ok(None, "9")],
    ),
    ([call("update"), call("foobar")], None),
]

BEYOND = [
    (call(params=[1], id=None), bad(-32602)),
    (call(params=[1]), None),
    (call(params={"minuend": "x"}), None),
    (call("broken"), None),
    (call(params=None, id=1), bad(-32600, 1)),
    (call(params="x", id=1), bad(-32600, 1)),
    (call(None, id=1), bad(-32600, 1)),
    (call(params=NAMED, id=True), bad(-32600)),
    (call(params=NAMED, id=[1]), bad(-32600)),
    (call(params=NAMED, id="x" * 257), bad(-32600)),
    (call(params=NAMED, id=None), ok(19, None)),
    (call(params=NAMED, id=1.5), ok(19, 1.5)),
    (call(params=NAMED, id=0), ok(19, 0)),
    (call(params={}, id=1), bad(-32602, 1)),
    (call(id=1), bad(-32602, 1)),
    ({"method": "subtract", "params": NAMED, "id": 1}, bad(-32600, 1)),
    ({"jsonrpc": 2.0, "method": "subtract", "params": NAMED, "id": 1}, bad(-32600, 1)),
    ({"jsonrpc": "1.0", "method": "subtract", "params": NAMED, "id": 1}, bad(-32600, 1)),
    ("text", bad(-32600)),
    (None, bad(-32600)),
    (call(params={"minuend": 1, "minuent": 2}, id=1), bad(-32602, 1)),
    ([[call(params=NAMED, id=1)]], [bad(-32600)]),
    ([call("update")] * 33, bad(-32600)),
    ([call("update")] * 10_000, bad(-32600)),
    ([call(params=NAMED, id=1)] * 32, [ok(19, 1)] * 32),
    (call("broken", id=1), bad(-32603, 1)),
    (call("unsayable", id=1), bad(-32603, 1)),
    (call("stored", id=1), bad(-32603, 1)),
    (call("missing", id=1), bad(1010, 1)),
    (call("purge", id=1), bad(1013, 1)),
    (call("listen", id=1), bad(1015, 1)),
    (b"[" * 100 + b"]" * 100, bad(-32700)),
    (b'{"jsonrpc":"2.0","method":"update","method":"purge","id":1}', bad(-32700)),
    (b'{"jsonrpc":"2.0","method":"update","params":{"value":NaN},"id":1}', bad(-32700)),
    (b"\xff\xfe", bad(-32700)),
]


@pytest.mark.parametrize(("sent", "expected"), SPECIFICATION, ids=range(len(SPECIFICATION)))
async def test_the_specifications_examples(dispatcher: Dispatcher[Place], sent: Any, expected: Any) -> None:
    assert brief(await answer(dispatcher, sent)) == expected


@pytest.mark.parametrize(("sent", "expected"), BEYOND, ids=range(len(BEYOND)))
async def test_beyond_the_specification(dispatcher: Dispatcher[Place], sent: Any, expected: Any) -> None:
    assert brief(await answer(dispatcher, sent)) == expected


async def test_a_notification_runs(dispatcher: Dispatcher[Place]) -> None:
    place = Place()
    assert await answer(dispatcher, call("update", params={"value": 1}), place) is None
    assert place.updates == [{"value": 1}]


async def test_error_data_is_the_error_in_words(dispatcher: Dispatcher[Place]) -> None:
    error = (await answer(dispatcher, call("missing", id=1)))["error"]
    assert error["message"] == error["data"]["message"] == "There is no job job_1."
    assert error["data"]["kind"] == "not_found"
    assert error["data"]["detail"] == {"noun": "job", "name": "job_1", "near": ["job_2"]}
    assert error["data"]["ref"] == "r1"
    assert error["data"]["next"]


async def test_an_unknown_param_is_named(dispatcher: Dispatcher[Place]) -> None:
    error = (await answer(dispatcher, call(params={"minuend": 1, "minuent": 2}, id=1)))["error"]
    assert error["data"]["path"] == "minuent"
    assert error["data"]["detail"]["near"] == ["minuend"]


async def test_an_unknown_method_comes_with_the_nearest(dispatcher: Dispatcher[Place]) -> None:
    error = (await answer(dispatcher, call("substract", id=1)))["error"]
    assert error["data"]["detail"]["near"] == ["subtract"]


async def test_a_fault_inside_a_handler_says_nothing_but_its_reference(dispatcher: Dispatcher[Place]) -> None:
    error = (await answer(dispatcher, call("broken", id=1)))["error"]
    assert "positional" not in json.dumps(error)
    assert (error["data"]["kind"], error["data"]["ref"]) == ("internal", "r1")


async def test_a_long_document_is_parsed_in_a_thread_with_the_same_answer(dispatcher: Dispatcher[Place]) -> None:
    long = call("update", params={"value": "x" * 100_000}, id=1)
    assert await answer(dispatcher, long) == ok(None, 1)


async def long_text(call: Call[Place], params: Anything) -> str:
    call.door.updates.append(params.value)
    return "x" * 400


async def test_an_answer_has_a_size() -> None:
    methods: Registry[Place] = Registry()
    methods.add("read", Anything, long_text, result=str, summary="", scope="read")
    methods.add("change", Anything, long_text, result=str, summary="", scope="manage")
    dispatcher, place = Dispatcher(methods, words, answer_bytes=1000), Place(frozenset({"read", "manage"}))
    batch = [call("read", params={"value": index}, id=index) for index in range(5)]
    batch.append(call("change", params={"value": "told"}))
    answers = await answer(dispatcher, batch, place)
    assert ["result" in entry for entry in answers] == [True, True, False, False, False]
    assert {entry["error"]["code"] for entry in answers[2:]} == {1012}
    assert "smaller limit" in answers[2]["error"]["data"]["next"]
    # The third was run and found no room; those behind it weren't, but a notification wants none.
    assert place.updates == [0, 1, 2, "told"]
    assert len(json.dumps(answers)) < 4000


async def test_what_has_changed_something_is_told_even_where_room_is_short() -> None:
    methods: Registry[Place] = Registry()
    methods.add("change", Anything, long_text, result=str, summary="", scope="manage")
    dispatcher, place = Dispatcher(methods, words, answer_bytes=500), Place(frozenset({"manage"}))
    answers = await answer(dispatcher, [call("change", id=index) for index in range(3)], place)
    assert ["result" in entry for entry in answers] == [True, True, False]
    assert len(place.updates) == 2


async def test_one_answer_alone_may_be_too_large() -> None:
    methods: Registry[Place] = Registry()
    methods.add("read", Anything, long_text, result=str, summary="", scope="read")
    alone = await answer(Dispatcher(methods, words, answer_bytes=100), call("read", id=1))
    assert alone["error"]["code"] == 1012


def test_an_answer_holds_eight_mebibytes() -> None:
    assert ANSWER_BYTES == 8 * 1024 * 1024


def test_a_name_is_registered_once() -> None:
    methods: Registry[Place] = Registry()
    methods.add("subtract", Subtract, subtract, result=int, summary="", scope="read")
    with pytest.raises(ValueError, match="twice"):
        methods.add("subtract", Subtract, subtract, result=int, summary="", scope="read")


async def test_an_error_that_tells_of_no_text_is_answered_all_the_same(dispatcher: Dispatcher[Place]) -> None:
    got = await answer(dispatcher, call("half", id=1))
    assert (got["id"], got["error"]["data"]["detail"]["name"]) == (1, "colo?")
