"""What a hub says of a file's size, and what it sends."""

import pytest

from tendred.errors import ProviderRefused
from tendred.pull.worker import hub
from tendred.schema.pull import HubAccess, Look, RemoteFile


def test_an_index_that_never_ends_is_let_go(monkeypatch):
    taken = []

    def endless(_url, body, **_):
        while True:
            body.write(b"x" * 65536)
            taken.append(65536)
            assert sum(taken) <= hub.INDEX_BYTES

    monkeypatch.setattr(hub, "http_get", endless)
    order = Look(repo="maker/tiny", revision="main", hub=HubAccess(endpoint="https://hub.example", token=None))
    with pytest.raises(ProviderRefused) as caught:
        hub._read(order, "c" * 40, RemoteFile(name=hub.INDEX, bytes=10, sha256=None, blob_sha1=None))
    assert str(hub.INDEX_BYTES) in caught.value.detail["problem"]
    assert sum(taken) == hub.INDEX_BYTES
