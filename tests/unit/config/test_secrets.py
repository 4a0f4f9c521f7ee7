"""Keys: from files and credentials, and from a real Secret Service."""

import asyncio
import os
import socket
import sys
import threading

import psutil
import pytest

from tendred.clock import SystemClock
from tendred.config.schema import CloudSection
from tendred.config.secret import Secret
from tendred.config.secrets import KEEP_S, MODULE, Keys
from tendred.errors import CredentialsMissing, KeyringUnavailable, WrongState
from tendred.testing.clock import ManualClock
from tendred.testing.secret_service import PROGRAMS, SecretService

CANARY = "canary-key-5e1c"
PATIENT = {"get_s": 120.0, "change_s": 120.0}


def bare(**more):
    """An environment without a desktop."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), **more}


def keys(env=None, clock=None, files=None, hidden=None, **deadlines):
    section = CloudSection(key_files={} if files is None else files)
    hide = (lambda _: None) if hidden is None else (lambda key: hidden.append(key.reveal()))
    return Keys(section, clock or SystemClock(), hide, bare() if env is None else env, **{**PATIENT, **deadlines})


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "key"
    file.write_text(f"{CANARY}\n")
    file.chmod(0o600)
    return file


async def test_a_named_file_comes_first_and_is_the_users_to_change(file, tmp_path):
    hidden = []
    (tmp_path / "tendred-ltx").write_text("other")
    store = keys(bare(CREDENTIALS_DIRECTORY=str(tmp_path)), files={"ltx": str(file)}, hidden=hidden)
    assert (await store.get("ltx")).reveal() == CANARY
    assert hidden == [CANARY]
    assert (store.where("ltx").source, store.where("ltx").place) == ("file", str(file))
    for change in (store.set("ltx", Secret("x")), store.remove("ltx")):
        with pytest.raises(WrongState) as caught:
            await change
        assert str(file) in str(caught.value)
    assert file.read_text() == f"{CANARY}\n"


async def test_a_file_that_others_can_read_is_refused_by_name(file):
    file.chmod(0o644)
    with pytest.raises(CredentialsMissing) as caught:
        await keys(files={"ltx": str(file)}).get("ltx")
    assert str(file) in str(caught.value)
    assert CANARY not in str(caught.value.detail)


async def test_a_systemd_credential_is_next(tmp_path):
    (tmp_path / "tendred-fal").write_text("from-systemd")
    store = keys(bare(CREDENTIALS_DIRECTORY=str(tmp_path)))
    assert (store.where("fal").source, (await store.get("fal")).reveal()) == ("systemd", "from-systemd")
    assert store.where("ltx").source == "keyring"
    with pytest.raises(WrongState):
        await store.remove("fal")


@pytest.mark.timeout(200)
async def test_without_a_keyring_it_says_what_to_do_and_falls_back_to_nothing():
    for call in (
        keys().get("ltx"),
        keys(bare(PYTHON_KEYRING_BACKEND="keyring.backends.null.Keyring")).set("ltx", Secret("k")),
    ):
        with pytest.raises(KeyringUnavailable) as caught:
            await call
        assert caught.value.variant == "missing"
        assert caught.value.detail["credential"] == "tendred-ltx"


@pytest.fixture
def silent(tmp_path):
    """A session bus that takes calls and never answers: a keyring that waits for its password."""
    place = tmp_path / "bus"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(place))
    listener.listen()
    held = []

    def take():
        while True:
            try:
                held.append(listener.accept()[0])
            except OSError:
                return

    threading.Thread(target=take, daemon=True).start()
    yield bare(DBUS_SESSION_BUS_ADDRESS=f"unix:path={place}")
    listener.close()
    for one in held:
        one.close()


def children():
    """Ours; what other tests left behind has no command line any more."""
    found = psutil.Process().children(recursive=True)
    return [child for child in found if child.status() != psutil.STATUS_ZOMBIE and MODULE in child.cmdline()]


@pytest.mark.timeout(200)
async def test_one_that_never_answers_is_given_up_and_its_child_is_gone(silent):
    with pytest.raises(KeyringUnavailable) as caught:
        await keys(silent, get_s=1.0).get("ltx")
    assert caught.value.variant == "slow"
    assert children() == []


@pytest.mark.timeout(200)
async def test_a_key_stands_in_no_childs_arguments_or_environment(silent):
    setting = asyncio.ensure_future(keys(silent, change_s=60.0).set("ltx", Secret(CANARY)))
    async with asyncio.timeout(60):
        while not (found := children()):
            await asyncio.sleep(0.01)
    [child] = found
    assert CANARY not in " ".join(child.cmdline())
    assert CANARY not in str(child.environ())
    setting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await setting
    assert children() == []


needs_service = pytest.mark.needs(*PROGRAMS)


@needs_service
@pytest.mark.timeout(300)
async def test_a_key_is_kept_by_a_real_service_and_really_removed(tmp_path):
    hidden = []
    with SecretService(tmp_path) as service:
        store = keys(service.env, hidden=hidden)
        assert await store.get("ltx") is None
        await store.set("ltx", Secret(CANARY))
        await store.set("fal", Secret("other"))
        assert (await keys(service.env).get("ltx")).reveal() == CANARY
        assert await store.remove("ltx") is True
        assert await store.remove("ltx") is False
        assert await store.get("ltx") is None
        assert await keys(service.env).get("ltx") is None
        assert (await store.get("fal")).reveal() == "other"
    assert set(hidden) == {CANARY, "other"}
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or CANARY.encode() not in file.read_bytes(), file


@needs_service
@pytest.mark.timeout(300)
async def test_a_locked_one_is_told_as_locked(tmp_path):
    with SecretService(tmp_path) as service:
        await keys(service.env).set("ltx", Secret(CANARY))
    with SecretService(tmp_path, password="another") as service:  # it starts, and its keyring stays locked
        for call in (
            keys(service.env).get("ltx"),
            keys(service.env).set("ltx", Secret("x")),
            keys(service.env).remove("ltx"),
        ):
            with pytest.raises(KeyringUnavailable) as caught:
                await call
            assert caught.value.variant == "locked"
    with SecretService(tmp_path) as service:
        assert (await keys(service.env).get("ltx")).reveal() == CANARY


@needs_service
@pytest.mark.timeout(300)
async def test_a_key_that_was_read_is_used_again_for_a_minute_and_forgotten_when_it_is_removed(tmp_path):
    clock = ManualClock()
    with SecretService(tmp_path) as service:
        store = keys(service.env, clock)
        await store.set("ltx", Secret(CANARY))
        await store.get("ltx")
        await keys(service.env).remove("ltx")  # by another program
        assert (await store.get("ltx")).reveal() == CANARY
        clock.advance(KEEP_S + 1)
        assert await store.get("ltx") is None
