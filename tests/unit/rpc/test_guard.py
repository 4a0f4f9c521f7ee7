"""Who gets in: over raw sockets, on HTTP and on the WebSocket handshake, against a door that really runs."""

from __future__ import annotations

import logging

import pytest

from tendred.errors import Internal, SlowDown
from tendred.rpc.guard import BODY_BYTES, HEADERS, Guard, Head, raw_answer, status_of
from tendred.testing.door import Door
from tendred.testing.raw import UPGRADE, Answer, request

PING = {"jsonrpc": "2.0", "id": 1, "method": "queue.status"}
# `PORT` becomes the bound port.
FOREIGN_HOSTS = [
    "evil.example", "evil.example:PORT", "127.0.0.1", "localhost", "[::1]", "127.0.0.1:1", "127.0.0.1:0PORT",
    "127.0.0.1:PORT0", "127.0.0.1:", "127.0.0.1:+PORT", "127.0.0.1:-1", "127.0.0.1:99999999", ":PORT", "PORT",
    "127.0.0.1.evil.example:PORT", "localhost.evil.example:PORT", "evil.example.localhost:PORT", "localhost.:PORT",
    "127.0.0.1.:PORT", "LOCALHOST:PORT", "Localhost:PORT", "lOCALHOST:PORT", "127.1:PORT", "127.0.1:PORT",
    "2130706433:PORT", "0x7f000001:PORT", "0x7f.0.0.1:PORT", "0177.0.0.1:PORT", "017700000001:PORT",
    "127.000.000.001:PORT", "127.0.0.2:PORT", "0.0.0.0:PORT", "0:PORT", "[::]:PORT", "::1:PORT", "[::1%25lo]:PORT",
    "[::1%lo]:PORT", "[0:0:0:0:0:0:0:1]:PORT", "[::ffff:127.0.0.1]:PORT", "[127.0.0.1]:PORT", "[::1]", "[::1]:1",
    "user@127.0.0.1:PORT", "127.0.0.1:PORT@evil.example", "user:pw@localhost:PORT", "http://127.0.0.1:PORT",
    "//127.0.0.1:PORT", "127.0.0.1:PORT/", "127.0.0.1:PORT/rpc", "127.0.0.1:PORT?x", "127.0.0.1:PORT#x",
    "127.0.0.1 :PORT", "127.0.0.1: PORT", "127.0.0.1\t:PORT", "127.0.0.1:PORT,evil.example", "evil.example,127.0.0.1:PORT",
    "127.0.0.1:PORT, 127.0.0.1:PORT", "127.0.0.1:PORT;x", "127.0.0.1%00:PORT", "127.0.0.1%2e:PORT", "*", "*:PORT",
    "", "null", "localhost:PORT\x7f", "loc\xe4lhost:PORT", "\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1:PORT", "ip6-localhost:PORT",
    "localhost.localdomain:PORT", "127.0.0.1.nip.io:PORT", "localtest.me:PORT", "127-0-0-1.example:PORT",
]  # fmt: skip
FOREIGN_ORIGINS = [
    "null", "", "http://evil.example", "https://evil.example", "http://127.0.0.1", "http://localhost",
    "https://127.0.0.1:PORT", "https://localhost:PORT", "http://127.0.0.1:1", "http://127.0.0.1:PORT0",
    "http://127.0.0.1:PORT/", "http://127.0.0.1:PORT.evil.example", "http://127.0.0.1.evil.example:PORT",
    "http://localhost.evil.example:PORT", "http://evil.example:PORT", "HTTP://127.0.0.1:PORT", "http://LOCALHOST:PORT",
    "http://localhost.:PORT", "http://127.1:PORT", "http://2130706433:PORT", "http://[::]:PORT", "http://0.0.0.0:PORT",
    "http://127.0.0.1:PORT http://evil.example", "http://127.0.0.1:PORT,http://127.0.0.1:PORT",
    "http://user@127.0.0.1:PORT", "http://127.0.0.1:PORT@evil.example", "//127.0.0.1:PORT", "127.0.0.1:PORT",
    "file://", "file:///etc/passwd", "data:", "about:blank", "about:srcdoc", "blob:http://127.0.0.1:PORT/x",
    "chrome-extension://abcdefgh", "moz-extension://abcdefgh", "vscode-webview://abc", "app://obsidian.md",
    "ws://127.0.0.1:PORT", "wss://127.0.0.1:PORT", "http:127.0.0.1:PORT", "http://ip6-localhost:PORT",
    "http://127.0.0.1:PORT%00", "*",
]  # fmt: skip
FOREIGN_SITES = ["cross-site", "same-site", "", "NONE", "none, cross-site", "nonsense"]


def handshake(door: Door, host: str | None = None, *more: str) -> bytes:
    return request("GET /ws HTTP/1.1", host or door.host, door.auth, *UPGRADE, *more)


def typed(answer: Answer, status: int, kind: str) -> None:
    assert (answer.status, answer.kind) == (status, kind)
    assert set(answer.json()["error"]) == {"kind", "message"}


def test_the_matrices_are_as_wide_as_they_claim() -> None:
    assert len(set(FOREIGN_HOSTS)) >= 60
    assert len(set(FOREIGN_ORIGINS)) >= 40


@pytest.mark.parametrize("host", FOREIGN_HOSTS, ids=repr)
async def test_a_foreign_host_is_refused_on_http_and_websocket(door: Door, host: str) -> None:
    line = "Host: " + host.replace("PORT", str(door.port))
    good = door.post(PING)
    for data in (good.replace(door.host.encode(), line.encode("latin-1")), handshake(door, line)):
        # What isn't even a header (a control character) is refused by the parser.
        expected = (400, "invalid_request") if "\x7f" in host else (421, "host_refused")
        typed(await door.send(data), *expected)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]"])
async def test_our_own_names_get_in(door: Door, name: str) -> None:
    line = f"Host: {name}:{door.port}"
    assert (await door.send(door.post(PING).replace(door.host.encode(), line.encode()))).status == 200
    assert (await door.send(handshake(door, line))).status == 101


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS, ids=repr)
async def test_a_foreign_origin_is_refused_on_http_and_websocket(door: Door, origin: str) -> None:
    line = "Origin: " + origin.replace("PORT", str(door.port))
    for data in (door.post(PING, line), handshake(door, None, line)):
        typed(await door.send(data), 403, "origin_refused")


async def test_two_origins_are_refused_even_if_both_are_ours(door: Door) -> None:
    own = f"Origin: http://127.0.0.1:{door.port}"
    typed(await door.send(door.post(PING, own, own)), 403, "origin_refused")
    typed(await door.send(handshake(door, None, own, own)), 403, "origin_refused")


@pytest.mark.parametrize("site", FOREIGN_SITES, ids=repr)
async def test_a_request_from_another_site_is_refused(door: Door, site: str) -> None:
    line = f"Sec-Fetch-Site: {site}"
    for data in (door.post(PING, line), handshake(door, None, line)):
        typed(await door.send(data), 403, "origin_refused")


async def test_our_own_page_gets_in(door: Door) -> None:
    for name in ("127.0.0.1", "localhost", "[::1]"):
        own = (f"Origin: http://{name}:{door.port}", "Sec-Fetch-Site: same-origin")
        assert (await door.send(door.post(PING, *own))).status == 200
        assert (await door.send(handshake(door, None, *own))).status == 101


async def test_exactly_one_host(door: Door) -> None:
    good, host = door.post(PING), door.host.encode() + b"\r\n"
    for hosts in (b"", host * 2, host + b"Host: evil.example\r\n", b"Host: evil.example\r\n" + host):
        typed(await door.send(good.replace(host, hosts)), 421, "host_refused")


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:PORT/rpc",
        "http://evil.example/rpc",
        "//evil.example/rpc",
        "*",
        "evil.example:80",
        "rpc",
        "/rpc\xe4",
    ],
)
async def test_only_origin_form_targets(door: Door, target: str) -> None:
    line = f"POST {target.replace('PORT', str(door.port))} HTTP/1.1"
    typed(await door.send(door.post(PING).replace(b"POST /rpc HTTP/1.1", line.encode("latin-1"))), 421, "host_refused")


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/3.0"])
async def test_only_http_1_1(door: Door, version: str) -> None:
    for data in (door.post(PING), handshake(door)):
        typed(await door.send(data.replace(b"HTTP/1.1", version.encode(), 1)), 421, "host_refused")


@pytest.mark.parametrize(
    "auth",
    [
        "X-None: 1", "Authorization: Bearer", "Authorization: Bearer ", "Authorization: Bearer wrong", "Authorization: TOKEN",
        "Authorization: Basic TOKEN", "Authorization: Bearer TOKENx", "Authorization: Bearer xTOKEN",
        "Authorization: Bearer TOKEN TOKEN", "Authorization: Bearer \xe4\xf6", "Cookie: token=TOKEN", "X-Api-Key: TOKEN",
        "Authorization: Bearer TOKEN\r\nAuthorization: Bearer TOKEN", "Proxy-Authorization: Bearer TOKEN",
    ],
)  # fmt: skip
async def test_a_wrong_token_is_refused(door: Door, auth: str) -> None:
    line = auth.replace("TOKEN", door.token)
    data = door.post(PING).replace(door.auth.encode(), line.encode("latin-1"))
    typed(await door.send(data), 401, "unauthorized")


async def test_a_token_in_the_query_counts_for_nothing(door: Door) -> None:
    bare = door.post(PING).replace(f"{door.auth}\r\n".encode(), b"")
    for query in (f"token={door.token}", f"access_token={door.token}", f"Authorization=Bearer%20{door.token}"):
        typed(await door.send(bare.replace(b"/rpc", f"/rpc?{query}".encode())), 401, "unauthorized")
        plain = request(f"GET /ws?{query} HTTP/1.1", door.host)
        typed(await door.send(plain), 401, "unauthorized")


async def test_a_wrong_token_on_the_handshake_is_refused_before_101(door: Door) -> None:
    data = handshake(door).replace(door.token.encode(), b"wrong")
    typed(await door.send(data), 401, "unauthorized")


async def test_options_are_refused_and_no_cors_header_is_ever_sent(door: Door) -> None:
    asked = ("Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization")
    for path in ("/rpc", "/ws", "/health", "/media/ast_1", "/nowhere", "*"):
        for more in ((), (door.auth,), (f"Origin: http://127.0.0.1:{door.port}", *asked)):
            answer = await door.send(request(f"OPTIONS {path} HTTP/1.1", door.host, *more))
            assert answer.status in ({421} if path == "*" else {403})
            assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_the_wrong_kind_of_body_is_refused(door: Door) -> None:
    json_type = b"Content-Type: application/json"
    good = door.post(PING)
    for wrong in (
        b"Content-Type: text/plain",
        b"Content-Type: application/x-www-form-urlencoded",
        b"Content-Type: multipart/form-data; boundary=x",
        b"Content-Type: application/jsonx",
        b"Content-Type: application/json; charset=utf-16",
        b"Content-Type: text/plain, application/json",
        b"X-None: 1",
        json_type + b"\r\n" + json_type,
        json_type + b"\r\nContent-Encoding: gzip",
        json_type + b"\r\nContent-Encoding: identity",
    ):
        typed(await door.send(good.replace(json_type, wrong)), 415, "wrong_type")
    for right in (b"application/json; charset=utf-8", b'Application/JSON;charset="UTF-8"'):
        assert (await door.send(good.replace(b"application/json", right))).status == 200


async def test_a_body_without_its_length_is_refused(door: Door) -> None:
    head = ("POST /rpc HTTP/1.1", door.host, door.auth, "Content-Type: application/json")
    typed(await door.send(request(*head)), 413, "too_large")
    chunked = request(*head, "Transfer-Encoding: chunked", body=b"2\r\n{}\r\n0\r\n\r\n")
    answer = await door.send(chunked)
    typed(answer, 413, "too_large")
    assert "Content-Length" in answer.json()["error"]["message"]


async def test_a_body_that_is_too_large_is_refused_by_its_length(door: Door) -> None:
    head = ("POST /rpc HTTP/1.1", door.host, door.auth, "Content-Type: application/json")
    # Not one byte of the body is sent: the answer can only come from the header.
    for size in (BODY_BYTES + 1, 10_000_000, 999_999_999_999):
        typed(await door.send(request(*head, f"Content-Length: {size}")), 413, "too_large")
    full = b" " * (BODY_BYTES - 2) + b"{}"
    assert (await door.send(door.post(full))).json()["error"]["code"] == -32600


async def test_a_10_mb_body_that_is_really_sent_gets_its_answer(door: Door) -> None:
    typed(await door.send(door.post(b" " * 10_000_000)), 413, "too_large")


async def test_ambiguous_lengths_are_refused(door: Door) -> None:
    good = door.post(PING)
    length = good[good.index(b"Content-Length") : good.index(b"\r\n", good.index(b"Content-Length"))]
    for wrong in (b"Content-Length: 5, 5", b"Content-Length: -1", b"Content-Length: 0x10", length + b"\r\n" + length):
        answer = await door.send(good.replace(length, wrong))
        assert (answer.status, answer.kind) in {(413, "too_large"), (400, "invalid_request")}


async def test_a_get_takes_no_body(door: Door) -> None:
    typed(await door.send(request("GET /health HTTP/1.1", door.host, "Content-Length: 5")), 413, "too_large")


async def test_neither_the_token_nor_the_header_gets_into_a_log(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    hello = {"jsonrpc": "2.0", "id": 1, "method": "system.hello"}
    params = {"client": 1, "version": "1", "token": door.token}
    for data in (
        door.post(PING),
        door.post({**hello, "params": {**params, "client": "x"}}),
        door.post({**hello, "params": params}),
        door.post(b"{"),
        door.post(PING, "Bad Header: \x00 x"),
        door.post(PING).replace(b"Bearer ", b"Bearer \x00"),
        door.post(PING).replace(b"Bearer ", b"Basic "),
        door.post(PING).replace(b"POST", b"PO ST"),
        request("GET /ws HTTP/1.1", door.host, *UPGRADE, f"Sec-WebSocket-Protocol: bearer, {door.token}"),
        request(f"GET /{door.token} HTTP/1.1", door.host, door.auth),
    ):
        assert (await door.send(data)).status > 0
    assert caplog.records
    told = [f"{record.getMessage()} {record.exc_info} {record.__dict__}" for record in caplog.records]
    assert not [line for line in told if door.token in line or "Bearer" in line]


def test_a_token_is_compared_without_regard_to_its_encoding() -> None:
    guard = Guard("tök", 1)
    assert guard.knows("tök")
    assert not guard.knows("\ud800")


def test_statuses() -> None:
    assert (status_of(SlowDown(retry_after_s=1)), status_of(Internal())) == (429, 500)
    raw = raw_answer(SlowDown(retry_after_s=7), "fr").decode()
    assert raw.startswith("HTTP/1.1 429 ")
    assert "\r\nRetry-After: 7\r\n" in raw
    assert all(f"\r\n{name}: {value}\r\n" in raw for name, value in HEADERS.items())


def test_a_head_without_a_body_may_say_so() -> None:
    headers = ((b"Host", b"127.0.0.1:1"), (b"Content-Length", b"0"), (b"authorization", b"bearer t"))
    assert Guard("t", 1).check(Head("GET", "/media/x?y", (1, 1), headers), unix=False)
