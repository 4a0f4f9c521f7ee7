"""A provider on a loop of its own, which outlives every daemon, and how a daemon is led to it."""

from __future__ import annotations

import asyncio
import threading

from tendred.app.owner import read_owner
from tendred.testing.providers.clips import canned
from tendred.testing.providers.ltx import FakeLtx

KEY = "test-key-0123456789abcdef"


class There:
    """The provider. `options` are those of FakeLtx."""

    def __init__(self, film, **options):
        self.fake = FakeLtx(canned(film), **{"key": KEY, "render_s": 0.1, **options})
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self):
        self._thread.start()
        self._run(self.fake.start())
        return self

    def __exit__(self, *_):
        self._run(self.fake.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work):
        asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def prepare(self, home):
        """A home whose provider this is."""
        (home / "config" / "providers").mkdir(parents=True)
        (home / "config" / "providers" / "ltx.toml").write_text(
            f'table_date = 2026-11-23\nsource = "a fake"\nendpoint = "{self.fake.api}"\nstorage = "{self.fake.api}"\n'
            "poll_s = 0.1\n"
        )


def key_file(home):
    """The option that names a file with the key."""
    (home / "ltx.key").write_text(KEY)
    (home / "ltx.key").chmod(0o600)
    return f'cloud.key_files={{ltx = "{home / "ltx.key"}"}}'


def owned(daemon, limit_s=240):
    """A client that may spend; None where the daemon ended before it listened."""
    client = daemon.client(limit_s)
    token = None if client is None else read_owner(daemon.paths.owner_token)
    return None if client is None or token is None else client.bearing(token.reveal())
