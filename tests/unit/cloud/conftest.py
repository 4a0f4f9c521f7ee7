from __future__ import annotations

import struct

import pytest

from tendred.testing.adapters import adapter_for
from tendred.testing.providers.__main__ import PROVIDERS
from tendred.testing.providers.clips import canned

CLIP = struct.pack(">I4s4s", 16, b"ftyp", b"isom") + bytes(4) + bytes(range(256)) * 400
"""Not a clip, but as long as a small one: these tests are about the wire."""


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
