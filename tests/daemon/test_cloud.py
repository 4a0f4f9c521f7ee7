"""Keys of providers in a whole daemon: where they may be, and where never."""

import os
import signal

import psutil
import pytest

from tendred.app.client import RpcError
from tendred.testing.process import DaemonProcess
from tendred.testing.secret_service import PROGRAMS, SecretService

CANARY = "canary-key-77c0ffee"


def hits(folder):
    """Files that hold the key, the database and the logs among them."""
    return [
        file for file in folder.rglob("*")
        if file.is_file() and not file.is_symlink() and CANARY.encode() in file.read_bytes()
    ]  # fmt: skip


def shown(process):
    """What any program of this user can read of it and its children."""
    found = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    return " ".join(str([one.cmdline(), one.environ()]) for one in found)


@pytest.mark.needs(*PROGRAMS)
@pytest.mark.timeout(300)
def test_a_key_is_in_the_keyring_and_nowhere_else(tmp_path):
    home = tmp_path / "home"
    with SecretService(tmp_path / "desktop") as service:
        with DaemonProcess(home, "-o", "log.level=debug", env=service.env) as process:
            client = process.ready()
            assert client.call("cloud.login", provider="ltx", key=CANARY)["present"] is True
            states = {one["name"]: one["key"] for one in client.call("cloud.status")["providers"]}
            assert (states["ltx"]["present"], states["fal"]["present"]) == (True, False)
            with pytest.raises(RpcError):
                client.call("cloud.login", provider="ltx", key=f"{CANARY} ")
            assert CANARY not in shown(process.process)
            process.process.send_signal(signal.SIGABRT)  # a crash, with whatever it leaves behind
            process.process.wait(30)
        assert hits(home) == []
        with DaemonProcess(home, env=service.env) as process:
            client = process.ready()
            assert client.call("cloud.status")["providers"][1]["key"]["present"] is True
            assert client.call("cloud.logout", provider="ltx")["removed"] is True
            assert all(one["key"]["present"] is False for one in client.call("cloud.status")["providers"])
        assert hits(home) == []


@pytest.mark.timeout(300)
def test_without_a_keyring_a_named_file_will_do(tmp_path):
    file = tmp_path / "ltx.key"
    file.write_text(CANARY)
    file.chmod(0o600)
    env = {"DBUS_SESSION_BUS_ADDRESS": "", "PATH": os.environ["PATH"]}
    with DaemonProcess(tmp_path / "home", "-o", f'cloud.key_files={{ltx = "{file}"}}', env=env) as process:
        client = process.ready()
        states = {one["name"]: one["key"] for one in client.call("cloud.status")["providers"]}
        assert (states["ltx"]["source"], states["ltx"]["present"]) == ("file", True)
        assert states["fal"]["present"] is None
        assert "key_files" in states["fal"]["problem"]
        for method in ("cloud.login", "cloud.logout"):
            params = {"provider": "ltx", **({"key": "k"} if method == "cloud.login" else {})}
            with pytest.raises(RpcError) as caught:
                client.call(method, **params)
            assert caught.value.info.kind == "wrong_state"
    assert file.read_text() == CANARY
    assert hits(tmp_path / "home") == []


@pytest.mark.timeout(300)
def test_a_table_that_is_wrong_ends_the_start_with_words(tmp_path):
    folder = tmp_path / "home" / "config" / "providers"
    folder.mkdir(parents=True)
    (folder / "ltx.toml").write_text("concurrency = many")
    with DaemonProcess(tmp_path / "home", module="tendred") as process:
        assert process.process.wait(60) == 2
        assert "ltx.toml" in process.words
