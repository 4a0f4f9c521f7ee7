"""Routes: every one is closed without a token, and every answer carries the same headers."""

from __future__ import annotations

import json

import pytest
from aiohttp import web

from tendred.rpc.guard import HEADERS
from tendred.testing.door import Door, Opener
from tendred.testing.raw import UPGRADE, Answer, connection, read_answer, request

PING = {"jsonrpc": "2.0", "id": 1, "method": "queue.status"}


def guarded_headers(answer: Answer) -> bool:
    return all(answer.headers.get(name.lower()) == value for name, value in HEADERS.items())


async def test_health_is_open_and_says_nothing_else(door: Door) -> None:
    answer = await door.send(request("GET /health HTTP/1.1", door.host))
    assert (answer.status, answer.json()) == (200, {"ok": True})


async def test_every_route_but_health_answers_401_without_a_token(door: Door) -> None:
    closed = 0
    for method, path in door.server.front.routes:
        target = path + "ast_1" if path.endswith("/") else path
        answer = await door.send(request(f"{method} {target} HTTP/1.1", door.host))
        if (method, path) == ("GET", "/health"):
            assert answer.status == 200
            continue
        assert (answer.status, answer.kind) == (401, "unauthorized")
        closed += 1
    assert closed == 3


@pytest.mark.parametrize(
    "target", ["/", "/healthz", "/health/", "/health?x", "/rpc/", "/rpc/x", "/nowhere", "/media/", "/..", "/%2e%2e/x"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "PUT", "DELETE", "TRACE"])
async def test_what_is_no_route_answers_401_too(door: Door, method: str, target: str) -> None:
    async with connection(door.port) as (reader, writer):
        writer.write(request(f"{method} {target} HTTP/1.1", door.host))
        head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 401 ")


async def test_the_headers_are_on_every_answer(door: Door, tmp_path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"picture")
    asset = door.studio.add_asset(picture)
    answers = {
        "health": await door.send(request("GET /health HTTP/1.1", door.host)),
        "rpc": await door.send(door.post(PING)),
        "204": await door.send(door.post({"jsonrpc": "2.0", "method": "queue.status"})),
        "ws": await door.send(request("GET /ws HTTP/1.1", door.host, door.auth, *UPGRADE)),
        "media": await door.send(request(f"GET {asset.url} HTTP/1.1", door.host, door.auth)),
        "range": await door.send(request(f"GET {asset.url} HTTP/1.1", door.host, door.auth, "Range: bytes=1-2")),
        "416": await door.send(request(f"GET {asset.url} HTTP/1.1", door.host, door.auth, "Range: bytes=99-")),
        "304": await door.send(
            request(f"GET {asset.url} HTTP/1.1", door.host, door.auth, f'If-None-Match: "{asset.sha256}"')
        ),
        "404": await door.send(request("GET /nowhere HTTP/1.1", door.host, door.auth)),
        "405": await door.send(request("GET /rpc HTTP/1.1", door.host, door.auth)),
        "401": await door.send(request("GET /rpc HTTP/1.1", door.host)),
        "403": await door.send(request("OPTIONS /rpc HTTP/1.1", door.host)),
        "413": await door.send(request("POST /rpc HTTP/1.1", door.host, door.auth, "Content-Type: application/json")),
        "415": await door.send(request("POST /rpc HTTP/1.1", door.host, door.auth, "Content-Length: 1")),
        "421": await door.send(request("GET /rpc HTTP/1.1", "Host: evil.example")),
        "400": await door.send(b"\x00\x01\r\n\r\n"),
    }
    assert {name for name, answer in answers.items() if not guarded_headers(answer)} == set()
    for name, answer in answers.items():
        if name.isdigit():
            assert answer.status == int(name)
        if name not in {"media", "range", "ws", "304", "416", "400"}:
            assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers or "tendred" not in answer.headers["server"]
    assert answers["media"].headers["content-disposition"].startswith("attachment")
    assert answers["range"].headers["content-disposition"].startswith("attachment")


async def test_an_unknown_path_and_a_wrong_method_are_typed(door: Door) -> None:
    nowhere = await door.send(request("GET /nowhere HTTP/1.1", door.host, door.auth))
    assert (nowhere.status, nowhere.kind) == (404, "not_found")
    wrong = await door.send(request("GET /rpc HTTP/1.1", door.host, door.auth))
    assert (wrong.status, wrong.kind) == (405, "method_not_found")


async def test_calls_notifications_and_batches(door: Door) -> None:
    assert (await door.send(door.post(PING))).json()["result"]["paused"] is False
    nothing = await door.send(door.post({"jsonrpc": "2.0", "method": "queue.pause"}))
    assert (nothing.status, nothing.body) == (204, b"")
    both = (await door.send(door.post([PING, {**PING, "id": 2}]))).json()
    assert [(entry["id"], entry["result"]["paused"]) for entry in both] == [(1, True), (2, True)]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"[" * 100 + b"]" * 100, -32700),
        (b"\xff", -32700),
        (b"", -32700),
        (b"{", -32700),
        (b'{"a":1,"a":1}', -32700),
        (b"NaN", -32700),
        (b"[]", -32600),
        (json.dumps([PING] * 10_000).encode(), -32600),
        (json.dumps({**PING, "params": []}).encode(), -32602),
        (json.dumps({**PING, "params": {"x": 1}}).encode(), -32602),
        (json.dumps({**PING, "method": "no.such"}).encode(), -32601),
    ],
    ids=lambda value: repr(value[:12]) if isinstance(value, bytes) else None,
)
async def test_a_bad_document_is_answered_in_json_rpc(door: Door, body: bytes, code: int) -> None:
    answer = await door.send(door.post(body))
    error = answer.json()["error"]
    assert (answer.status, error["code"]) == (200, code)
    assert error["data"]["kind"]
    assert error["data"]["next"]


async def test_failures_are_told_in_the_daemons_language(open_door: Opener) -> None:
    door = await open_door("fr")
    refused = await door.send(request("GET /rpc HTTP/1.1", door.host))
    assert "jeton" in refused.json()["error"]["message"]
    assert "méthode" in (await door.call("no.such"))["error"]["message"]


async def test_failures_are_told_in_the_askers_language(door: Door) -> None:
    french = "Accept-Language: fr-FR,en;q=0.5"
    refused = await door.send(request("GET /rpc HTTP/1.1", door.host, french))
    assert "jeton" in refused.json()["error"]["message"]
    wrong = {**PING, "method": "no.such"}
    async with connection(door.port) as (reader, writer):
        told = list[str]()
        for more in ([french], [], ["Accept-Language: de,fr;q=0.5"], [french]):
            writer.write(door.post(wrong, *more))
            told.append((await read_answer(reader)).json()["error"]["message"])
    assert ["méthode" in message for message in told] == [True, False, False, True]


async def test_several_requests_on_one_connection(door: Door) -> None:
    async with connection(door.port) as (reader, writer):
        for _ in range(3):
            writer.write(door.post(PING))
            assert (await read_answer(reader)).status == 200
        writer.write(door.post(PING) * 2)
        assert [(await read_answer(reader)).status for _ in range(2)] == [200, 200]


async def test_the_guard_stands_before_every_request_of_a_connection(door: Door) -> None:
    bare = door.post(PING).replace(f"{door.auth}\r\n".encode(), b"")
    async with connection(door.port) as (reader, writer):
        writer.write(door.post(PING) + bare)
        assert [(await read_answer(reader)).status for _ in range(2)] == [200, 401]
    async with connection(door.port) as (reader, writer):
        # A handshake that fails must not open the way for what follows it.
        half = [line for line in UPGRADE if "Key" not in line]
        writer.write(request("GET /ws HTTP/1.1", door.host, *half) + bare)
        answers = [await read_answer(reader), await read_answer(reader)]
        assert answers[0].status == 401
        assert answers[1].status in {0, 401}


async def test_a_handshake_with_a_subprotocol_is_refused(door: Door) -> None:
    answer = await door.send(request("GET /ws HTTP/1.1", door.host, door.auth, *UPGRADE, "Sec-WebSocket-Protocol: x"))
    assert (answer.status, answer.kind) == (400, "invalid_request")


async def test_a_plain_get_of_the_socket_is_told_what_it_is(door: Door) -> None:
    answer = await door.send(request("GET /ws HTTP/1.1", door.host, door.auth))
    assert (answer.status, answer.kind) == (400, "invalid_request")


async def test_a_fault_of_ours_is_a_500_with_a_reference(door: Door) -> None:
    async def broken(asset_id: str) -> None:
        raise RuntimeError(asset_id)

    door.studio.asset = broken
    answer = await door.send(request("GET /media/ast_1 HTTP/1.1", door.host, door.auth))
    assert (answer.status, answer.json()["error"]["kind"], answer.json()["error"]["ref"]) == (500, "internal", "ref1")
    assert "ast_1" not in answer.json()["error"]["message"]


async def test_a_fault_after_half_an_answer_ends_the_connection(door: Door) -> None:
    async def half(request, head, proved):
        response = web.StreamResponse()
        response.content_length = 100
        await response.prepare(request)
        await response.write(b"half")
        raise RuntimeError

    door.server.front.routes["GET", "/half"] = half
    async with connection(door.port) as (reader, writer):
        writer.write(request("GET /half HTTP/1.1", door.host, door.auth) + door.post(PING))
        rest = await reader.read()
    assert rest.endswith(b"\r\n\r\nhalf")
    assert [type(error) for error in door.studio.told] == [RuntimeError]
