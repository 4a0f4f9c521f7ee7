from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tendred.cloud.vault import NoClip, Vault
from tendred.errors import FolderUnwritable, ProviderUnavailable, TooLarge
from tendred.schema.provider import ClipOrder
from tendred.testing.clock import ManualClock
from tendred.testing.cloud import PIECE, MemoryAdapter, Provider, features

ORDER = ClipOrder(
    job_id="job_1", key="job_1", model="m", prompt="p", width=1920, height=1080, seconds=6, fps="24", audio=True,
    seed=None, first=None, last=None,
)  # fmt: skip


class There:
    def __init__(self):
        self.clock = ManualClock()
        self.provider = Provider(features(), self.clock, lambda _: 0)
        self.job = self.provider.take(ORDER)
        self.adapter = MemoryAdapter(self.provider)
        self.clock.advance(100)

    async def fetch(self, vault, fault=""):
        self.provider.fault = lambda call: fault if call == "download" else ""
        state = await self.adapter.poll(self.job.remote_id)
        offset, etag = await vault.at("job_1")
        async with self.adapter.download(state, offset, etag) as download:
            return download.offset, await vault.take("job_1", "memory", download)


@pytest.fixture
def there():
    return There()


async def test_a_download_that_breaks_off_is_gone_on_with(tmp_path, there):
    vault = Vault(tmp_path / "clips")
    with pytest.raises(ProviderUnavailable):
        await there.fetch(vault, "cut")
    assert (await vault.at("job_1"))[0] == PIECE
    offset, fetched = await there.fetch(Vault(tmp_path / "clips"))
    assert offset == PIECE
    assert fetched.sha256 == hashlib.sha256(there.job.data).hexdigest()
    assert (Path(fetched.path).read_bytes(), fetched.bytes) == (there.job.data, len(there.job.data))


async def test_a_result_that_changed_meanwhile_begins_anew(tmp_path, there):
    vault = Vault(tmp_path)
    with pytest.raises(ProviderUnavailable):
        await there.fetch(vault, "cut")
    there.job.version += 1
    offset, fetched = await there.fetch(vault)
    assert offset == 0
    assert Path(fetched.path).read_bytes() == there.job.data


@pytest.mark.parametrize(("fault", "error"), [("spoiled", NoClip), ("long", ProviderUnavailable)])
async def test_what_is_not_the_result_is_told(tmp_path, there, fault, error):
    with pytest.raises(error):
        await there.fetch(Vault(tmp_path), fault)


async def test_what_a_crash_left_of_those_that_ended_is_swept(tmp_path):
    for name in ("job_1.part", "job_1.etag", "job_2.part", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    await Vault(tmp_path).sweep({"job_1"})
    assert sorted(file.name for file in tmp_path.iterdir()) == ["job_1.etag", "job_1.part", "notes.txt"]
    await Vault(tmp_path / "none").sweep(set())


async def test_there_is_a_limit(tmp_path, there):
    with pytest.raises(TooLarge):
        await there.fetch(Vault(tmp_path, most_bytes=1000))


async def test_a_folder_that_cannot_be_written_is_told_and_loses_nothing(tmp_path, there):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FolderUnwritable):
        await there.fetch(Vault(tmp_path / "file" / "clips"))


async def test_what_was_verified_is_known_again_and_what_was_changed_is_not(tmp_path, there):
    vault = Vault(tmp_path)
    _, fetched = await there.fetch(vault)
    assert await vault.kept("job_1", fetched.sha256) == fetched
    assert await vault.kept("job_1", "0" * 64) is None
    Path(fetched.path).write_bytes(b"x")
    assert await vault.kept("job_1", fetched.sha256) is None
    await vault.drop("job_1")
    assert list(tmp_path.iterdir()) == []
    assert await vault.at("job_1") == (0, None)


async def test_what_was_published_before_a_crash_is_not_here_any_more(tmp_path, there):
    vault = Vault(tmp_path)
    _, fetched = await there.fetch(vault)
    Path(fetched.path).rename(tmp_path / "published.mp4")
    assert await vault.kept("job_1", fetched.sha256) is None
