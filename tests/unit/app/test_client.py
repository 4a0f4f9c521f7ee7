import json
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tendred import __version__
from tendred.app import instance
from tendred.app.client import Client, RpcError, alive
from tendred.config.paths import resolve
from tendred.config.schema import PathsSection
from tendred.errors import NoDaemon
from tendred.schema.system import Discovery
from tendred.testing.rpc_peer import TOKEN, RpcPeer


@pytest.fixture(params=[False, True], ids=["tcp", "unix"])
def peer(request, tmp_path):
    peer = RpcPeer(tmp_path, socket=request.param)
    yield peer
    peer.close()


def paths_of(home):
    return resolve(PathsSection(), {"TENDRED_HOME": str(home)})


def discovery(url, **fields):
    return Discovery(**{
        "url": url, "socket": None, "token": TOKEN, "pid": 1, "version": "0", "api": "1.0", "boot_id": "boot_0", **fields
    })  # fmt: skip


def listening():
    """A loopback socket and its url."""
    server = socket.create_server(("127.0.0.1", 0))
    return server, f"http://127.0.0.1:{server.getsockname()[1]}"


def gone():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


class Sharp(BaseHTTPRequestHandler):
    """Answers what it was told to, and remembers what it heard."""

    answer = (200, b"{}")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard = (dict(self.headers), json.loads(body))
        status, data = self.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


@pytest.fixture
def sharp():
    server = HTTPServer(("127.0.0.1", 0), type("Handler", (Sharp,), {}))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def client_of(server, tmp_path, **fields):
    return Client(discovery(f"http://127.0.0.1:{server.server_port}"), folder=tmp_path, **fields)


def test_a_call_comes_back_with_its_result(peer):
    client = Client.find(peer.paths)
    job = client.call("images.generate", prompt="a red egg", seed=7)["job"]
    assert job["request"]["seed"] == 7
    assert client.call("jobs.get", job_id=job["id"])["id"] == job["id"]


def test_the_daemon_sees_who_calls(peer):
    Client.find(peer.paths).call("images.generate", prompt="a red egg")
    [origin] = peer.studio.origins
    assert (origin.door, origin.client) == ("cli", f"tendre/{__version__}")


def test_an_error_keeps_its_kind_words_and_detail(peer):
    with pytest.raises(RpcError) as told:
        Client.find(peer.paths).call("images.generate", prompt="a child")
    assert told.value.kind == "boundary_refused"
    assert told.value.detail["rule"] == "minor.words"
    assert told.value.message
    assert told.value.next


def test_a_wrong_field_is_told_by_path(peer):
    with pytest.raises(RpcError) as told:
        Client.find(peer.paths).call("images.generate", prompt="x", steps=0)
    assert (told.value.kind, told.value.info.path) == ("invalid_params", "steps")


def test_a_wrong_token_is_told_without_showing_any(tmp_path):
    peer = RpcPeer(tmp_path, token="stale-token")
    try:
        with pytest.raises(RpcError) as told:
            Client.find(peer.paths).call("system.status")
    finally:
        peer.close()
    assert told.value.kind == "unauthorized"
    assert told.value.next
    assert "stale-token" not in repr(told.value) + repr(told.value.info)


def test_no_discovery_file_means_no_daemon(tmp_path):
    with pytest.raises(NoDaemon) as told:
        Client.find(paths_of(tmp_path))
    assert told.value.variant == ""


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"url": 1}'])
def test_a_broken_discovery_file_means_no_daemon(tmp_path, content):
    paths = paths_of(tmp_path)
    paths.runtime.mkdir()
    paths.discovery.write_bytes(content)
    with pytest.raises(NoDaemon):
        Client.find(paths)


def test_a_discovery_file_of_a_dead_process_means_no_daemon(tmp_path):
    peer = RpcPeer(tmp_path, pid=gone())
    try:
        with pytest.raises(NoDaemon):
            Client.find(peer.paths)
    finally:
        peer.close()


def test_a_refused_connection_means_no_daemon(peer):
    client = Client.find(peer.paths)
    peer.close()
    with pytest.raises(NoDaemon) as told:
        client.call("system.status")
    assert told.value.variant == ""


def test_a_daemon_that_vanishes_in_the_middle_says_so(tmp_path):
    server, url = listening()

    def hang_up():
        link, _ = server.accept()
        link.recv(10)
        link.close()

    thread = threading.Thread(target=hang_up)
    thread.start()
    with pytest.raises(NoDaemon) as told:
        Client(discovery(url), folder=tmp_path).call("system.status")
    thread.join()
    server.close()
    assert told.value.variant == "gone"


def test_a_daemon_that_never_answers_says_so(tmp_path):
    server, url = listening()
    with pytest.raises(NoDaemon) as told:
        Client(discovery(url, pid=4711), folder=tmp_path, timeout_s=0.1).call("jobs.wait", timeout_s=0.1)
    server.close()
    assert (told.value.variant, told.value.detail["pid"], told.value.detail["seconds"]) == ("silent", 4711, "0.2")


def test_what_goes_over_the_wire(sharp, tmp_path):
    sharp.RequestHandlerClass.answer = (200, b'{"jsonrpc":"2.0","id":1,"result":{"x":1}}')
    assert client_of(sharp, tmp_path, lang="fr").call("a.b", c="é") == {"x": 1}
    headers, body = sharp.heard
    assert body == {"jsonrpc": "2.0", "id": 1, "method": "a.b", "params": {"c": "é"}}
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["Content-Type"] == "application/json"
    assert headers["Host"] == f"127.0.0.1:{sharp.server_port}"
    assert headers["Accept-Language"] == "fr"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b"", "internal"),
        (502, b"<html>", "internal"),
        (200, b'{"jsonrpc":"2.0","id":1}', "internal"),
        (200, b'{"jsonrpc":"2.0","id":1,"result":[]}', "internal"),
        (200, b'{"error":{"code":-32603,"message":"x"}}', "internal"),
        (200, b'{"error":{"code":-32603,"message":"x","data":null}}', "internal"),
        (429, b'{"error":{"kind":"slow_down","message":"Too many."}}', "slow_down"),
        (421, b'{"error":{"kind":"host_refused","message":"No."}}', "host_refused"),
        (418, b'{"error":{"kind":"of_a_newer_daemon","message":"Tea."}}', "internal"),
    ],
)
def test_an_answer_that_is_none_is_an_error_with_a_next_step(sharp, tmp_path, status, body, kind):
    sharp.RequestHandlerClass.answer = (status, body)
    with pytest.raises(RpcError) as told:
        client_of(sharp, tmp_path).call("system.status")
    assert told.value.kind == kind
    assert told.value.next


def test_a_process_nobody_buried_is_not_alive():
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    process.stdout.read()  # closed when it ends; it stays a zombie until wait()
    while alive(process.pid):
        pass
    process.wait()
    process.stdout.close()


def test_instance_and_client_read_the_same_file(tmp_path):
    path = tmp_path / "tendred.json"
    wrote = discovery("http://127.0.0.1:1", socket="/x")
    instance.write_discovery(path, wrote)
    assert instance.read_discovery(path) == wrote
