from __future__ import annotations

import pytest

from tendred.testing.adapters import CLIP, adapter_for
from tendred.testing.providers.__main__ import PROVIDERS
from tendred.testing.providers.clips import canned


@pytest.fixture(params=list(PROVIDERS))
def provider(request):
    return request.param


@pytest.fixture
async def open_pair():
    """`fake, adapter = await open_pair("ltx", faults=[...])`; what the adapter is given stands in `adapter={...}`."""
    opened = []

    async def one_more(provider, *, adapter=None, clip=CLIP, **options):
        fake = PROVIDERS[provider](canned(clip), **options)
        await fake.start()
        opened.append(fake)
        return fake, adapter_for(fake, **(adapter or {}))

    yield one_more
    for fake in opened:
        await fake.stop()
