from __future__ import annotations

import msgspec
import pytest

from tendred.errors import ProviderUnavailable, SlowDown
from tendred.testing.adapters import ORDER, ready
from tendred.testing.providers.faults import Fault


async def test_a_first_frame_is_uploaded_with_the_headers_it_wants_and_without_the_key(open_pair, tmp_path):
    fake, adapter = await open_pair("ltx")
    still = tmp_path / "still.png"
    still.write_bytes(b"\x89PNG")
    uri = await adapter.upload(still, "image/png")
    assert uri.startswith("ltx://uploads/")
    [put] = fake.asked("put")
    assert put.headers["x-goog-content-length-range"] == "0,104857600"
    assert "authorization" not in put.headers
    accepted = await adapter.submit(msgspec.structs.replace(ORDER, first=uri))
    assert accepted.remote_id.startswith("image-to-video/job_")
    assert accepted.request_id is not None
    assert fake.wrong == []


async def test_an_upload_that_fails_can_be_made_again(open_pair, tmp_path):
    _fake, adapter = await open_pair(
        "ltx", faults=[Fault(where="upload", what="status"), Fault(where="put", what="page")]
    )
    still = tmp_path / "still.png"
    still.write_bytes(b"\x89PNG")
    for _ in range(2):
        with pytest.raises(ProviderUnavailable):
            await adapter.upload(still, "image/png")
    assert (await adapter.upload(still, "image/png")).startswith("ltx://")


async def test_an_id_as_the_console_shows_it_is_found_under_either_endpoint(open_pair):
    fake, adapter = await open_pair("ltx")
    await adapter.submit(ORDER)
    await adapter.submit(msgspec.structs.replace(ORDER, first="data:image/png;base64,iVBORw=="))
    for job in list(fake.jobs):
        assert (await ready(adapter, job)).phase == "ready"
    assert (await adapter.poll("job_nope")).phase == "gone"


@pytest.mark.parametrize(
    "remote_id", ["", "../v1/upload", "text-to-video/", "text-to-video/a/b", "retake/a", "a?b", "a b"]
)
async def test_what_is_no_id_is_not_asked_for(open_pair, remote_id):
    fake, adapter = await open_pair("ltx")
    with pytest.raises(ProviderUnavailable):
        await adapter.poll(remote_id)
    assert fake.requests == []


@pytest.mark.parametrize(
    ("kind", "ours"),
    [
        ("content_filtered_error", "provider_filtered"),
        ("insufficient_funds_error", "insufficient_funds"),
        ("api_error", "provider_refused"),
        ("of_tomorrow", "provider_refused"),
    ],
)
async def test_a_job_that_fails_later_says_why(open_pair, kind, ours):
    _, adapter = await open_pair("ltx", faults=[Fault(where="poll", what="fail", kind=kind)])
    state = await adapter.poll((await adapter.submit(ORDER)).remote_id)
    assert (state.phase, state.kind, bool(state.problem)) == ("failed", ours, True)


async def test_more_at_once_than_the_account_may_is_a_matter_of_patience(open_pair):
    fake, adapter = await open_pair("ltx", concurrency=2, render_s=5.0)
    for _ in range(2):
        await adapter.submit(ORDER)
    with pytest.raises(SlowDown):
        await adapter.submit(ORDER)
    assert len(fake.jobs) == 2


async def test_there_is_no_cancel_and_no_list_and_nobody_is_asked_for_one(open_pair):
    fake, adapter = await open_pair("ltx")
    accepted = await adapter.submit(ORDER)
    before = len(fake.requests)
    assert await adapter.cancel(accepted.remote_id) == "still_billed"
    assert await adapter.find(ORDER, 0.0) is None
    assert len(fake.requests) == before
    assert (adapter.features.cancel, adapter.features.listing, adapter.features.idempotency) == (False, False, False)
