import io
import os
import sys
from typing import Any, NamedTuple

import msgspec
import pytest

from tendred.app.cli import main
from tendred.testing.rpc_peer import RpcPeer


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        [line] = self.out.splitlines()
        return msgspec.json.decode(line)


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def tendre(home, capsys, monkeypatch):
    """Run the command line as in a script: no terminal, English, everything under `home`."""
    for name in list(os.environ):
        if name.startswith(("TENDRED_", "LC_")) or name == "LANG":
            monkeypatch.delenv(name)

    def run(*argv, stdin=""):
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        code = main(["--home", str(home), *map(str, argv)])
        told = capsys.readouterr()
        return Ran(int(code), told.out, told.err)

    return run


@pytest.fixture
def peer(home):
    peer = RpcPeer(home)
    yield peer
    peer.close()
