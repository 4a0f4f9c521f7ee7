from __future__ import annotations

import asyncio
import json

import msgspec
import pytest

from tendred.clock import SystemClock
from tendred.cloud.adapters.fal import Fal
from tendred.cloud.adapters.table import load
from tendred.cloud.adapters.wire import Wire
from tendred.config.secret import Secret
from tendred.errors import InsufficientFunds, OutcomeUnknown, ProviderUnavailable
from tendred.testing.adapters import ORDER, ready
from tendred.testing.providers.faults import Fault


async def test_its_addresses_are_kept_as_one_path_and_a_bare_id_will_do(open_pair):
    fake, adapter = await open_pair("fal")
    accepted = await adapter.submit(ORDER)
    [job] = fake.jobs
    assert accepted.remote_id == f"fal-ai/ltx-2.3/requests/{job}"
    assert accepted.request_id == job
    assert (await ready(adapter, job)).phase == "ready"


async def test_nothing_that_was_asked_is_stored_there_and_the_clip_has_an_end(open_pair):
    fake, adapter = await open_pair("fal")
    await adapter.submit(ORDER)
    [sent] = fake.asked("submit")
    assert sent.headers["x-fal-store-io"] == "0"
    assert json.loads(sent.headers["x-fal-object-lifecycle-preference"])["expiration_duration_seconds"] > 0


@pytest.mark.parametrize("size", [1_000, 3_000_000])
async def test_a_small_still_travels_inside_the_request_and_a_large_one_with_an_end(open_pair, tmp_path, size):
    fake, adapter = await open_pair("fal")
    still = tmp_path / "still.png"
    still.write_bytes(b"\x89PNG" + bytes(size))
    uri = await adapter.upload(still, "image/png")
    puts = fake.asked("put")
    assert [uri.startswith("data:"), len(puts)] == ([True, 0] if size < 2_000_000 else [False, 1])
    for put in puts:
        assert json.loads(put.headers["x-fal-object-lifecycle"])["expiration_duration_seconds"] == 3600
        assert put.headers["authorization"] == "CDN cdn-token"
    assert (fake.wrong, fake.leaked()) == ([], [])


@pytest.mark.parametrize(
    ("kind", "ours"), [("content_policy_violation", "provider_filtered"), ("internal_error", "provider_refused")]
)
async def test_completed_is_not_succeeded(open_pair, kind, ours):
    _, adapter = await open_pair("fal", faults=[Fault(where="poll", what="fail", kind=kind)])
    state = await adapter.poll((await adapter.submit(ORDER)).remote_id)
    assert (state.phase, state.kind) == ("failed", ours)


async def test_a_result_behind_a_sick_edge_is_asked_for_again(open_pair):
    _, adapter = await open_pair("fal", faults=[Fault(where="result", what="page", status=502)])
    remote_id = (await adapter.submit(ORDER)).remote_id
    with pytest.raises(ProviderUnavailable):
        await ready(adapter, remote_id)
    assert (await ready(adapter, remote_id)).phase == "ready"


async def test_cancel_tells_the_truth(open_pair):
    fake, adapter = await open_pair("fal", render_s=30.0)
    waiting = (await adapter.submit(ORDER)).remote_id
    assert await adapter.cancel(waiting) == "cancelled"
    rendering = (await adapter.submit(ORDER)).remote_id
    list(fake.jobs.values())[1].made_at -= 15
    assert await adapter.cancel(rendering) == "asked"
    list(fake.jobs.values())[1].made_at -= 30
    await asyncio.sleep(0)
    assert await adapter.cancel(rendering) == "too_late"
    assert await adapter.cancel("fal-ai/ltx-2.3/requests/nope") == "too_late"


@pytest.mark.parametrize("status", [402, 403])
async def test_a_locked_account_is_one_without_balance(open_pair, status):
    _, adapter = await open_pair("fal", faults=[Fault(where="submit", what="status", status=status)])
    with pytest.raises(InsufficientFunds):
        await adapter.submit(ORDER)


GOOD = {
    "request_id": "r1",
    "response_url": "{home}/fal-ai/ltx-2.3/requests/r1",
    "status_url": "{home}/fal-ai/ltx-2.3/requests/r1/status",
    "cancel_url": "{home}/fal-ai/ltx-2.3/requests/r1/cancel",
}


@pytest.mark.parametrize(
    "change",
    [
        {"response_url": "http://127.0.0.1:1/fal-ai/ltx-2.3/requests/r1"},
        {"status_url": "{home}/elsewhere"},
        {"cancel_url": None},
        {"request_id": "../r1"},
        {"response_url": "{home}/fal-ai/../secret/requests/r1"},
    ],
)
async def test_addresses_that_are_not_its_own_leave_the_outcome_unknown(change):
    home = ""

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        told = {name: value and value.format(home=home) for name, value in {**GOOD, **change}.items()}
        body = json.dumps(told).encode()
        writer.write(b"HTTP/1.1 200 X\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    home = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    table = msgspec.structs.replace(load("fal"), endpoint=home)

    async def key():
        return Secret("k")

    adapter = Fal(table, Wire(table, key, SystemClock()))
    with pytest.raises(OutcomeUnknown):
        await adapter.submit(ORDER)
    change.clear()
    assert (await adapter.submit(ORDER)).remote_id == "fal-ai/ltx-2.3/requests/r1"
    server.close()
