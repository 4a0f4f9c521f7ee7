from __future__ import annotations

import base64

import msgspec
import pytest

from tendred.clock import SystemClock
from tendred.cloud.adapters.openai_videos import _cost
from tendred.errors import CredentialsMissing, OutcomeUnknown, TooLarge
from tendred.testing.adapters import CLIP, ORDER, fetched, ready
from tendred.testing.providers.faults import Fault

STILL = b"\x89PNG" + bytes(range(256))


@pytest.mark.parametrize("encoding", ["json", "multipart"])
async def test_it_is_asked_in_the_encoding_that_its_server_takes(open_pair, tmp_path, encoding):
    fake, adapter = await open_pair("openai-videos", adapter={"encoding": encoding})
    still = tmp_path / "still.png"
    still.write_bytes(STILL)
    first = await adapter.upload(still, "image/png")
    await adapter.submit(ORDER)
    await adapter.submit(msgspec.structs.replace(ORDER, first=first, seed=7, audio=False))
    plain, moved = fake.jobs.values()
    assert (plain.first, moved.first) == (None, STILL)
    assert (plain.wanted.audio, moved.wanted.audio, moved.wanted.seed) == (True, False, 7)
    assert fake.wrong == []


async def test_only_what_its_table_names_is_sent_beyond_the_standard(open_pair):
    fake, adapter = await open_pair("openai-videos", adapter={"extras": []})
    await adapter.submit(msgspec.structs.replace(ORDER, seed=7))
    [sent] = fake.asked("submit")
    assert set(sent.fields) == {"prompt", "model", "seconds", "size"}
    assert sent.fields["seconds"] == "6"


async def test_a_key_against_doubles_makes_one_job_of_two_submits(open_pair):
    lost = [Fault(where="submit", what="reset", accepted=True)]
    fake, adapter = await open_pair("openai-videos", faults=lost, adapter={"idempotency": True})
    assert adapter.features.idempotency
    with pytest.raises(OutcomeUnknown):
        await adapter.submit(ORDER)
    accepted = await adapter.submit(ORDER)
    assert list(fake.jobs) == [accepted.remote_id]


async def test_without_that_feature_no_such_header_is_sent(open_pair):
    fake, adapter = await open_pair("openai-videos")
    await adapter.submit(ORDER)
    assert "idempotency-key" not in fake.asked("submit")[0].headers


async def test_what_it_cost_is_told_where_the_server_says_so(open_pair):
    _, adapter = await open_pair("openai-videos", cost=True, adapter={"cost": True})
    assert (await ready(adapter, (await adapter.submit(ORDER)).remote_id)).cost_mcr == 18_000


@pytest.mark.parametrize(
    ("cost", "mcr"),
    [
        ({"currency": "USD", "amount": "0.18"}, 18_000),
        ({"currency": "USD", "amount": "0.0000001"}, 1),
        ({"currency": "USD", "amount": "0"}, 0),
        ({"currency": "EUR", "amount": "0.18"}, None),
        ({"currency": "USD", "amount": "-1"}, None),
        ({"currency": "USD", "amount": "NaN"}, None),
        ({"currency": "USD", "amount": "a lot"}, None),
        ({"currency": "USD"}, None),
        (None, None),
    ],
)
def test_a_cost_is_rounded_up_and_nothing_is_made_of_what_is_none(cost, mcr):
    assert _cost(cost) == mcr


@pytest.mark.parametrize(("way", "truth"), [("none", "still_billed"), ("ask", "asked"), ("delete", "asked")])
async def test_cancel_is_as_the_table_says(open_pair, way, truth):
    fake, adapter = await open_pair("openai-videos", render_s=30.0, adapter={"cancel": way})
    accepted = await adapter.submit(ORDER)
    assert await adapter.cancel(accepted.remote_id) == truth
    if way != "none":
        assert (await adapter.poll(accepted.remote_id)).kind == "cancelled"
        assert await adapter.cancel(accepted.remote_id) == "too_late"
    assert fake.wrong == []


async def test_its_list_is_searched_for_a_lost_submit(open_pair):
    fake, adapter = await open_pair("openai-videos", faults=[Fault(where="submit", what="reset", accepted=True)])
    with pytest.raises(OutcomeUnknown):
        await adapter.submit(ORDER)
    await adapter.submit(msgspec.structs.replace(ORDER, prompt="another"))
    now = SystemClock().now()
    assert [one.remote_id for one in await adapter.find(ORDER, now)] == [next(iter(fake.jobs))]
    assert await adapter.find(ORDER, now + 3600) == []


async def test_a_server_without_keys_is_asked_without_one(open_pair):
    fake, adapter = await open_pair("openai-videos", adapter={"key": ""})
    with pytest.raises(CredentialsMissing):  # this one wants a key
        await adapter.submit(ORDER)
    assert "authorization" not in fake.requests[0].headers


async def test_its_results_are_on_its_own_host_and_take_the_key(open_pair):
    fake, adapter = await open_pair("openai-videos", key="own-key")
    state = await ready(adapter, (await adapter.submit(ORDER)).remote_id)
    assert await fetched(adapter, state) == CLIP
    assert fake.requests[-1].headers["authorization"] == "Bearer own-key"
    fake.script.add(Fault(where="download", what="redirect"))
    assert await fetched(adapter, state) != CLIP
    assert fake.leaks == []


async def test_a_still_too_large_for_a_request_is_refused_by_size(open_pair, tmp_path):
    fake, adapter = await open_pair("openai-videos", adapter={"inline_bytes": 10})
    still = tmp_path / "still.png"
    still.write_bytes(STILL)
    with pytest.raises(TooLarge):
        await adapter.upload(still, "image/png")
    assert base64.b64encode(STILL) not in b"".join(one.data for one in fake.requests)
