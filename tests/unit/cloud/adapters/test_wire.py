"""What every adapter does with a submit that goes well, and with each way in which one can go wrong."""

from __future__ import annotations

import asyncio
import email.utils
import logging
import socket
import ssl
import subprocess
import sys

import aiohttp
import msgspec
import pytest

from tendred.clock import SystemClock
from tendred.cloud.adapters.hosts import HostNotAllowed
from tendred.cloud.adapters.registry import MAKERS
from tendred.cloud.adapters.table import load
from tendred.cloud.adapters.wire import Net, Wire
from tendred.config.secret import Secret
from tendred.errors import (
    CredentialsMissing,
    InsufficientFunds,
    NotSent,
    OutcomeUnknown,
    ProviderFiltered,
    ProviderRefused,
    ProviderUnavailable,
    SlowDown,
)
from tendred.testing.adapters import CLIP, ORDER, fetched, ready
from tendred.testing.providers.clips import Wanted
from tendred.testing.providers.faults import Fault


async def test_a_clip_is_ordered_looked_for_and_fetched(open_pair, provider):
    fake, adapter = await open_pair(provider, render_s=0.1)
    accepted = await adapter.submit(ORDER)
    assert (await adapter.poll(accepted.remote_id)).phase in {"waiting", "rendering"}
    state = await ready(adapter, accepted.remote_id)
    assert (state.phase, await fetched(adapter, state)) == ("ready", CLIP)
    [job] = fake.jobs.values()
    assert job.wanted == Wanted(1920, 1080, 6, "25", audio=True)
    assert job.asked["prompt"] == ORDER.prompt
    assert (fake.wrong, fake.leaked()) == ([], [])


@pytest.mark.parametrize("portrait", [False, True])
@pytest.mark.parametrize("pictures", [0, 1, 2])
async def test_requests_are_as_documented(open_pair, provider, tmp_path, portrait, pictures):
    fake, adapter = await open_pair(provider)
    still = tmp_path / "still.png"
    still.write_bytes(b"\x89PNG" + bytes(3_000_000))  # too large to travel inside a request where there is another way
    models = [model for model in adapter.features.models if model.replaced_by is None]
    for model in models:
        frames = [
            await adapter.upload(still, "image/png") for _ in range(pictures if model.last_frame else min(pictures, 1))
        ]
        first, last = (*frames, None, None)[:2]
        order = msgspec.structs.replace(ORDER, model=model.name, first=first, last=last, audio=pictures != 1)
        order = msgspec.structs.replace(order, width=1080, height=1920) if portrait else order
        accepted = await adapter.submit(order)
        await ready(adapter, accepted.remote_id)
        await adapter.cancel(accepted.remote_id)
    assert fake.wrong == []
    assert fake.leaked() == []
    assert len(fake.jobs) == len(models)
    if pictures:
        assert {job.first for job in fake.jobs.values()} == {still.read_bytes()}


UNKNOWN = [
    Fault(where="submit", what="status", status=504, accepted=True),
    Fault(where="submit", what="reset", accepted=True),
    Fault(where="submit", what="reset"),
    Fault(where="submit", what="page", status=502),
    Fault(where="submit", what="page", status=504, accepted=True),
    Fault(where="submit", what="page", status=413),
    Fault(where="submit", what="status", status=500),
    Fault(where="submit", what="status", status=503, accepted=True, retry_after="1"),
    Fault(where="submit", what="status", status=529),
    Fault(where="submit", what="truncated"),
    Fault(where="submit", what="cut"),
    Fault(where="submit", what="wrong_length"),
    Fault(where="submit", what="redirect", accepted=True),
]


@pytest.mark.parametrize("fault", UNKNOWN, ids=lambda fault: f"{fault.what}-{fault.status}-{fault.accepted}")
async def test_what_is_not_certain_is_unknown_and_sent_once(open_pair, provider, fault):
    fake, adapter = await open_pair(provider, faults=[fault])
    with pytest.raises(OutcomeUnknown) as caught:
        await adapter.submit(ORDER)
    assert len(fake.asked("submit")) == 1
    assert fake.leaked() == []
    assert caught.value.detail["provider"] == provider
    if fault.what in {"status", "page"}:
        assert caught.value.detail["status"] == fault.status
    assert ORDER.prompt not in str(caught.value.detail)


async def test_an_answer_that_never_ends_is_unknown(open_pair, provider):
    fault = Fault(where="submit", what="trickle", pause_s=0.5)
    fake, adapter = await open_pair(provider, faults=[fault], adapter={"submit_s": 3.0})
    with pytest.raises(OutcomeUnknown) as caught:
        await adapter.submit(ORDER)
    assert (len(fake.asked("submit")), len(fake.jobs)) == (1, 1)
    assert caught.value.detail["status"] in {200, 201, 202}


async def test_an_answer_that_came_twice_counts_once(open_pair, provider):
    fake, adapter = await open_pair(provider, faults=[Fault(where="submit", what="duplicate")])
    accepted = await adapter.submit(ORDER)
    [job] = fake.jobs
    assert accepted.remote_id.endswith(job)


REFUSED = [(400, ProviderRefused), (401, CredentialsMissing), (402, InsufficientFunds)]


@pytest.mark.parametrize(("status", "error"), REFUSED)
async def test_a_certain_no_is_told_as_what_it_is(open_pair, provider, status, error):
    fake, adapter = await open_pair(provider, faults=[Fault(where="submit", what="status", status=status)])
    with pytest.raises(error):
        await adapter.submit(ORDER)
    assert fake.jobs == {}
    await adapter.submit(ORDER)  # the fault is used up: nothing of it stays


async def test_filtered_words_are_told_as_filtered_where_the_provider_says_so(open_pair, provider):
    _, adapter = await open_pair(provider, faults=[Fault(where="submit", what="status", status=422)])
    with pytest.raises(ProviderRefused if provider == "replicate" else ProviderFiltered):
        await adapter.submit(ORDER)


@pytest.mark.parametrize("header", ["7", "date", "soon", "-3", None])
async def test_patience_is_told_in_seconds_whatever_the_header_says(open_pair, provider, header):
    now = SystemClock().now()
    told = email.utils.formatdate(now + 40, usegmt=True) if header == "date" else header
    fault = Fault(where="submit", what="status", status=429, retry_after=told)
    _, adapter = await open_pair(provider, faults=[fault])
    with pytest.raises(SlowDown) as caught:
        await adapter.submit(ORDER)
    pause = caught.value.detail["retry_after_s"]
    expected = {"7": (7, 7), "date": (0, 41)}.get(header, (15, 15))
    assert expected[0] <= pause <= expected[1]


async def test_a_closed_port_means_that_nothing_was_sent(open_pair, provider):
    fake, adapter = await open_pair(provider)
    await fake.stop()
    with pytest.raises(NotSent):
        await adapter.submit(ORDER)
    with pytest.raises(ProviderUnavailable):
        await adapter.poll("text-to-video/a" if provider == "ltx" else "a")


async def test_without_a_key_nothing_is_sent(open_pair, provider):
    fake, adapter = await open_pair(provider, adapter={"key": "", "key_needed": True})
    with pytest.raises(CredentialsMissing):
        await adapter.submit(ORDER)
    with pytest.raises(CredentialsMissing):
        await adapter.poll("text-to-video/a" if provider == "ltx" else "a")
    assert fake.requests == []


async def test_a_wrong_key_is_told_as_such(open_pair, provider):
    _, adapter = await open_pair(provider, adapter={"key": "another"})
    with pytest.raises(CredentialsMissing) as caught:
        await adapter.submit(ORDER)
    assert caught.value.variant == "refused"


ASKED = [
    Fault(where="poll", what="status", status=503),
    Fault(where="poll", what="page", status=502),
    Fault(where="poll", what="reset"),
    Fault(where="poll", what="truncated"),
    Fault(where="poll", what="redirect"),
]


@pytest.mark.parametrize("fault", ASKED, ids=lambda fault: fault.what)
async def test_a_poll_that_goes_wrong_may_be_made_again(open_pair, provider, fault):
    fake, adapter = await open_pair(provider)
    accepted = await adapter.submit(ORDER)
    fake.script.add(fault)
    with pytest.raises(ProviderUnavailable):
        await adapter.poll(accepted.remote_id)
    assert len(fake.asked("poll")) == 1  # the library below would have asked again
    assert (await ready(adapter, accepted.remote_id)).phase == "ready"
    assert fake.leaked() == []


async def test_a_state_of_tomorrow_is_no_end(open_pair, provider):
    fake, adapter = await open_pair(provider)
    accepted = await adapter.submit(ORDER)
    fake.script.add(Fault(where="poll", what="state", kind="paused-for-lunch"))
    state = await adapter.poll(accepted.remote_id)
    assert (state.phase, state.raw) == ("rendering", "paused-for-lunch")


async def test_what_the_provider_forgot_is_gone(open_pair, provider):
    _fake, adapter = await open_pair(provider, faults=[Fault(where="poll", what="expire")])
    accepted = await adapter.submit(ORDER)
    assert (await adapter.poll(accepted.remote_id)).phase == "gone"


async def test_a_result_that_is_too_old_is_gone(open_pair, provider):
    _fake, adapter = await open_pair(provider, result_s=0.0)
    accepted = await adapter.submit(ORDER)
    await asyncio.sleep(0.01)
    assert (await adapter.poll(accepted.remote_id)).phase == "gone"


async def test_no_adapter_writes_a_key_a_prompt_or_an_address_to_the_log(open_pair, provider, caplog):
    caplog.set_level(logging.DEBUG)
    _fake, adapter = await open_pair(provider, key="canary-key-83fa", faults=UNKNOWN[:4])
    for _ in range(4):
        with pytest.raises(OutcomeUnknown):
            await adapter.submit(ORDER)
    state = await ready(adapter, (await adapter.submit(ORDER)).remote_id)
    await fetched(adapter, state)
    for secret in ("canary-key-83fa", ORDER.prompt, state.url):
        assert secret not in caplog.text


async def test_a_host_that_is_not_the_providers_is_told_no_key_even_by_a_slip_of_ours(open_pair):
    fake, adapter = await open_pair("ltx")
    with pytest.raises(HostNotAllowed):
        await adapter._wire.ask("GET", "/", at=fake.stranger)
    with pytest.raises(HostNotAllowed):
        async with adapter._wire.open(fake.stranger, {}, keyed=True, timeout=aiohttp.ClientTimeout(5)):
            pass
    assert fake.requests == []


@pytest.mark.needs("openssl")
async def test_a_certificate_that_nobody_vouches_for_ends_before_anything_is_sent(tmp_path):
    certificate = tmp_path / "cert.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    subprocess.run(
        [*made, "-addext", "subjectAltName=DNS:localhost", "-keyout", certificate, "-out", tmp_path / "c"],
        check=True, capture_output=True,
    )  # fmt: skip
    (tmp_path / "ca.pem").write_bytes((tmp_path / "c").read_bytes())
    certificate.write_bytes(certificate.read_bytes() + (tmp_path / "c").read_bytes())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    heard = []

    async def answer(reader, writer):
        heard.append(await reader.read(65536))
        writer.write(b'HTTP/1.1 202 X\r\nContent-Length: 12\r\n\r\n{"id":"j_1"}')
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    table = msgspec.structs.replace(load("ltx"), endpoint=f"https://localhost:{port}")

    async def key():
        return Secret("k")

    with pytest.raises(NotSent):
        await MAKERS["ltx"](table, Wire(table, key, SystemClock())).submit(ORDER)
    assert heard == []
    trusting = Wire(table, key, SystemClock(), Net(ca_file=str(tmp_path / "ca.pem")))
    assert (await MAKERS["ltx"](table, trusting).submit(ORDER)).remote_id == "text-to-video/j_1"
    [sent] = heard
    assert b"Authorization: Bearer k" in sent
    server.close()


async def test_a_submit_uses_no_connection_twice(open_pair, provider):
    fake, adapter = await open_pair(provider)
    for _ in range(3):
        await adapter.submit(ORDER)
    assert len(fake.jobs) == 3
    assert {one.headers.get("connection") for one in fake.asked("submit")} <= {"close", None}


async def test_an_endless_answer_is_cut_off():
    async def endless(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 202 X\r\n\r\n")
        try:
            while True:
                writer.write(b" " * 65536)
                await writer.drain()
        except OSError:
            writer.close()

    server = await asyncio.start_server(endless, "127.0.0.1", 0, family=socket.AF_INET)
    table = msgspec.structs.replace(load("ltx"), endpoint=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")

    async def key():
        return Secret("k")

    with pytest.raises(OutcomeUnknown):
        await MAKERS["ltx"](table, Wire(table, key, SystemClock())).submit(ORDER)
    server.close()


def test_no_way_to_try_again_is_imported():
    """The library's own repetitions are for idempotent methods on kept connections: there are none of these here."""
    code = "import sys, tendred.cloud.adapters.registry; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"tenacity", "backoff", "aiohttp_retry", "requests", "urllib3", "fal_client", "replicate", "openai"} & set(
        loaded
    ) == set()
