from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tendred.errors import PortInUse
from tendred.rpc.listen import bind_loopback, bind_unix


def test_only_loopback_is_bound() -> None:
    with bind_loopback(0) as bound:
        assert bound.getsockname()[0] == "127.0.0.1"
        assert bound.getsockname()[1] > 0


def test_a_taken_port_is_named() -> None:
    with bind_loopback(0) as first:
        port = first.getsockname()[1]
        with pytest.raises(PortInUse) as caught:
            bind_loopback(port)
        assert caught.value.detail == {"port": port}


def test_a_port_can_be_bound_again_after_its_connections_faded(tmp_path: Path) -> None:
    with bind_loopback(0) as first:
        port = first.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = first.accept()
        accepted.close()  # the server closes first, so its side waits in TIME_WAIT
        client.close()
    bind_loopback(port).close()


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets")
def test_the_unix_socket_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "run" / "tendred.sock"
    before = os.umask(0)
    try:
        with bind_unix(path):
            assert path.stat().st_mode & 0o777 == 0o600
            assert path.parent.stat().st_mode & 0o777 == 0o700
    finally:
        os.umask(before)


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets")
def test_a_socket_that_a_crash_left_is_replaced_and_a_file_is_not(tmp_path: Path) -> None:
    path = tmp_path / "tendred.sock"
    bind_unix(path).close()
    assert path.is_socket()
    bind_unix(path).close()
    path.unlink()
    path.write_text("precious")
    with pytest.raises(OSError, match="in use"):
        bind_unix(path)
    assert path.read_text() == "precious"
