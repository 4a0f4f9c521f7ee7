from __future__ import annotations

import hashlib

import msgspec
import pytest

from tendred.clock import SystemRng
from tendred.errors import CredentialsMissing, ProviderUnavailable, ResultExpired
from tendred.testing.adapters import CLIP, ORDER, fetched, ready
from tendred.testing.providers.faults import Fault

CUTS = 50


async def fetch_whole(adapter, state):
    """As the broker does it: on from where it broke off, as long as the entity tag stays."""
    data, etag, tries = b"", None, 0
    while True:
        tries += 1
        try:
            async with adapter.download(state, len(data), etag) as download:
                data, etag = data[: download.offset], download.etag
                async for piece in download.pieces():
                    data += piece
                return data, tries
        except ProviderUnavailable:
            assert tries < 200


async def finished(open_pair, provider, **options):
    fake, adapter = await open_pair(provider, **options)
    state = await ready(adapter, (await adapter.submit(ORDER)).remote_id)
    [job] = fake.jobs.values()
    return fake, adapter, state, job.file


async def test_cut_at_fifty_places_it_is_whole_and_hardly_anything_comes_twice(open_pair, provider):
    fake, adapter, state, file = await finished(open_pair, provider)
    rng = SystemRng()
    places = sorted({rng.below(len(CLIP)) for _ in range(CUTS)})
    fake.script.add(*(Fault(where="download", what="cut", at=at) for at in places))
    data, tries = await fetch_whole(adapter, state)
    assert hashlib.sha256(data).digest() == hashlib.sha256(CLIP).digest(), places
    assert tries > len(places) / 2, places
    assert file.sent_bytes() <= len(CLIP) * 1.05, places


async def test_another_file_under_the_same_address_is_fetched_from_its_beginning(open_pair, provider):
    fake, adapter, state, file = await finished(open_pair, provider)
    cut = Fault(where="download", what="cut", at=50_000)
    fake.script.add(cut, Fault(where="download", what="changed", nth=2))
    data, _ = await fetch_whole(adapter, state)
    assert data == file.data != CLIP


async def test_a_server_without_ranges_sends_all_of_it_again(open_pair, provider):
    fake, adapter, state, _ = await finished(open_pair, provider)
    fake.script.add(Fault(where="download", what="cut", at=50_000), Fault(where="download", what="no_ranges", nth=2))
    assert (await fetch_whole(adapter, state))[0] == CLIP


async def test_without_an_entity_tag_nothing_is_gone_on_with(open_pair, provider):
    _, adapter, state, _ = await finished(open_pair, provider)
    async with adapter.download(state, 500, None) as download:
        assert download.offset == 0


async def test_what_is_there_already_is_not_sent_again(open_pair, provider):
    _fake, adapter, state, file = await finished(open_pair, provider)
    async with adapter.download(state, 0, None) as download:
        etag = download.etag
    before = file.sent_bytes()
    async with adapter.download(state, len(CLIP), etag) as download:
        assert (download.offset, download.total) == (len(CLIP), len(CLIP))
        assert [piece async for piece in download.pieces()] == []
    assert file.sent_bytes() == before
    async with adapter.download(state, len(CLIP) + 5, etag) as download:  # more than there is: ours is another file
        assert download.offset == 0


@pytest.mark.parametrize("what", ["cut", "wrong_length"])
async def test_an_early_end_is_noticed(open_pair, provider, what):
    fake, adapter, state, _ = await finished(open_pair, provider)
    fake.script.add(Fault(where="download", what=what))
    with pytest.raises(ProviderUnavailable):
        await fetched(adapter, state)
    assert await fetched(adapter, state) == CLIP


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_an_address_that_has_run_out_says_so(open_pair, provider, status):
    fake, adapter, state, _ = await finished(open_pair, provider)
    fake.script.add(Fault(where="download", what="status", status=status))
    keyed = provider == "openai-videos" and status == 403
    with pytest.raises(CredentialsMissing if keyed else ResultExpired):
        await fetched(adapter, state)


@pytest.mark.parametrize(
    ("what", "status"), [("status", 503), ("status", 429), ("page", 200), ("page", 502), ("reset", 0)]
)
async def test_another_answer_than_the_file_is_no_file(open_pair, provider, what, status):
    fake, adapter, state, _ = await finished(open_pair, provider)
    fake.script.add(Fault(where="download", what=what, status=status))
    with pytest.raises(ProviderUnavailable):
        await fetched(adapter, state)


async def test_a_redirect_is_followed_without_the_key(open_pair, provider):
    fake, adapter, state, _ = await finished(open_pair, provider)
    fake.script.add(Fault(where="download", what="redirect"))
    async with adapter.download(state, 0, None) as download:
        assert download.total is not None
    assert [one.on for one in fake.requests][-1] == "stranger"
    assert "authorization" not in fake.requests[-1].headers
    assert fake.leaks == []


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/x.mp4", "file:///etc/passwd", "ftp://x/y", "http://user:pass@127.0.0.1/x", ""]
)
async def test_addresses_that_nobody_should_fetch_are_not_fetched(open_pair, provider, url):
    _, adapter, state, _ = await finished(open_pair, provider)
    with pytest.raises(ProviderUnavailable):
        await fetched(adapter, msgspec.structs.replace(state, url=url))


async def test_a_state_without_an_address_has_no_result(open_pair, provider):
    _, adapter, state, _ = await finished(open_pair, provider)
    with pytest.raises(ResultExpired):
        await fetched(adapter, msgspec.structs.replace(state, url=None))
