"""What a hub says of a file's size, and what it sends."""

import pytest

from tendred.errors import ProviderRefused
from tendred.pull.worker import hub


def test_an_index_that_never_ends_is_let_go():
    body, taken = hub._Bounded("hub.example"), 0
    with pytest.raises(ProviderRefused) as caught:
        while taken <= hub.INDEX_BYTES:
            body.write(b"x" * 65536)
            taken += 65536
    assert str(hub.INDEX_BYTES) in caught.value.detail["problem"]
    assert taken == hub.INDEX_BYTES
