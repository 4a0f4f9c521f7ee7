import hashlib
import os

import pytest

from tendred.boundary.seal import vouch
from tendred.errors import StillNotOurs
from tendred.library import own
from tendred.library.index import Index
from tendred.library.own import OwnStills, copied
from tendred.library.receipts import GENESIS, Receipts, chained
from tendred.schema.asset import EngineInfo, Made, ModelUse, Receipt, ReceiptVerdict
from tendred.schema.job import Origin
from tendred.testing.records import kept

BYTES = b"a picture of ours"
KEY = b"k" * 32
AT = "2026-01-01T00:00:00.000Z"
ENGINE = EngineInfo(version="0", torch="t", diffusers="d", device="cpu", dtype="float32", threads=1, batch_size=1)


def receipt(asset, **changes):
    made = Made(
        asset_id=asset.id, file="own.png", sha256=asset.sha256, pixels_sha256=asset.pixels_sha256,
        media_type=asset.media_type, width=asset.width, height=asset.height, seed=0,
    )  # fmt: skip
    fields = {
        "receipt": 1, "id": asset.receipt_id, "job_id": asset.job_id, "origin": Origin(door="rpc"), "asked": {},
        "settings": {}, "verdict": ReceiptVerdict(policy="1", anchor="adult", removed=[]), "made": [made],
        "model": ModelUse(name="starter", sha256="m"), "loras": [], "character": None, "engine": ENGINE, "cost": None,
        "created_at": AT, "started_at": None, "finished_at": AT, "body_sha256": "", "prev_sha256": "",
    }  # fmt: skip
    return chained(Receipt(**{**fields, **changes}), GENESIS)


@pytest.fixture
def library(database, tmp_path):
    """`await library(receipted=True, **changes)`: an asset with its file; `find` looks it up as a source."""

    class Library:
        index, receipts = Index(database, tmp_path), Receipts(database)
        own = OwnStills(database, index, lambda *fields: vouch(KEY, *fields))
        elsewhere = OwnStills(database, index, lambda *fields: vouch(b"another installation's key", *fields))
        file = tmp_path / "own.png"

        async def __call__(self, *, receipted=True, made=None, own=own, **changes):
            self.file.write_bytes(BYTES)
            settings = {"prompt": "a woman in red"}
            asset = kept("ast_01J00000000000000000000000", self.file, AT, body=BYTES, settings=settings, **changes)
            await database.write(lambda tx: self.index.add_in(tx, asset, "words"))
            if receipted:
                one = receipt(asset) if made is None else receipt(asset, made=made)

                def work(tx):
                    self.receipts.add_in(tx, one)
                    own.add_in(tx, one)

                await database.write(work)
            return asset

        async def find(self, asset_id):
            return await self.own.find(asset_id, "image.asset_id")

        async def refused(self, asset_id):
            with pytest.raises(StillNotOurs) as caught:
                await self.find(asset_id)
            assert caught.value.path == "image.asset_id"
            assert caught.value.detail["asset_id"] == asset_id
            return caught.value.variant

    return Library()


async def test_an_untouched_still_is_ours(library):
    asset = await library(width=12, height=8)
    found = await library.find(asset.id)
    assert (found.asset_id, found.path, found.sha256) == (asset.id, asset.path, hashlib.sha256(BYTES).hexdigest())
    assert (found.width, found.height, found.words, found.anchor) == (12, 8, "a woman in red", "adult")


async def test_the_cells_of_a_grid_hash_it_once_and_a_change_shows_all_the_same(library):
    asset = await library()
    before = own._hashed.cache_info()
    for _ in range(5):
        await library.find(asset.id)
    after = own._hashed.cache_info()
    assert (after.misses - before.misses, after.hits - before.hits) == (1, 4)
    library.file.write_bytes(BYTES[::-1])
    assert await library.refused(asset.id) == "changed"


async def test_what_nobody_made_here_is_not(library):
    await library()
    for name in ("ast_nope", "", "/etc/passwd", "../own.png"):
        assert await library.refused(name) == ""


async def test_one_changed_byte_is_enough(library):
    asset = await library()
    library.file.write_bytes(BYTES[:-1] + b"!")
    assert await library.refused(asset.id) == "changed"


async def test_a_link_to_another_picture_is_another_picture(library, tmp_path):
    asset = await library()
    other = tmp_path / "photograph.png"
    other.write_bytes(b"from outside")
    library.file.unlink()
    library.file.symlink_to(other)
    assert await library.refused(asset.id) == "changed"


async def test_one_that_is_gone_says_so(library):
    asset = await library()
    library.file.unlink()
    assert await library.refused(asset.id) == "gone"
    library.file.write_bytes(BYTES)
    await library.index.set_state(asset.id, "removed", "asset.removed")
    assert await library.refused(asset.id) == "gone"
    await library.index.set_state(asset.id, "kept", "asset.kept")
    assert await library.find(asset.id)


async def test_without_its_receipt_nobody_vouches_for_it(library):
    assert await library.refused((await library(receipted=False)).id) == "unfinished"


async def test_a_receipt_for_another_picture_does_not_count(library):
    assert await library.refused((await library(made=[])).id) == "unfinished"


async def test_a_clip_is_no_still(library):
    assert await library.refused((await library(kind="clip")).id) == "kind"


async def test_a_receipt_of_another_installation_vouches_for_nothing(library):
    assert await library.refused((await library(own=library.elsewhere)).id) == "foreign"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE own SET mac = x''",
        "UPDATE own SET mac = zeroblob(32)",
        "UPDATE receipt SET body_sha256 = 'another'",
    ],
)
async def test_a_row_that_was_changed_vouches_for_nothing(library, database, change):
    asset = await library()
    # Who writes the database can take its own guards away too.
    await database.write(lambda tx: tx.run("DROP TRIGGER receipt_fixed"))
    await database.write(lambda tx: tx.run(change))
    assert await library.refused(asset.id) == "foreign"


async def test_the_hash_of_another_file_cannot_be_written_in(library, database, tmp_path):
    asset = await library()
    library.file.write_bytes(b"from outside")
    other = hashlib.sha256(b"from outside").hexdigest()
    sql = "UPDATE asset SET doc = CAST(replace(CAST(doc AS TEXT), ?, ?) AS BLOB)"
    await database.write(lambda tx: tx.run(sql, asset.sha256, other))
    assert (await library.index.get(asset.id)).sha256 == other
    assert await library.refused(asset.id) == "changed"
    await database.write(lambda tx: tx.run("UPDATE own SET sha256 = ?", other))
    assert await library.refused(asset.id) == "foreign"


async def test_what_was_made_before_there_were_seals_is_sealed_once(library, database):
    asset = await library()
    await database.write(lambda tx: tx.run("UPDATE own SET mac = x''"))
    await library.own.adopt()
    assert await library.refused(asset.id) == "foreign"
    await database.write(lambda tx: tx.run("INSERT INTO setting VALUES ('own_to_seal', 'true')"))
    await library.own.adopt()
    assert await library.find(asset.id)
    # Never again: a row that comes later without a seal stays without.
    await database.write(lambda tx: tx.run("UPDATE own SET mac = x''"))
    await library.own.adopt()
    assert await library.refused(asset.id) == "foreign"


async def test_a_copy_is_of_what_was_judged_and_of_nothing_else(library, tmp_path):
    asset = await library()
    found = await library.find(asset.id)
    copy = copied(found, tmp_path / "copy")
    assert (copy.read_bytes(), copy.stat().st_mode & 0o777) == (BYTES, 0o600)
    with pytest.raises(FileExistsError):
        copied(found, copy)
    other = tmp_path / "photograph.png"
    other.write_bytes(b"from outside")
    library.file.unlink()
    library.file.symlink_to(other)
    with pytest.raises(StillNotOurs) as caught:
        copied(found, tmp_path / "second")
    assert caught.value.variant == "changed"
    library.file.unlink()
    with pytest.raises(StillNotOurs) as caught:
        copied(found, tmp_path / "third")
    assert caught.value.variant == "gone"
    library.file.write_bytes(BYTES)
    assert sorted(os.listdir(tmp_path)).count("second") == sorted(os.listdir(tmp_path)).count("third") == 0
