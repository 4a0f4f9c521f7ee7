import hashlib

import pytest

from tendred.errors import StillNotOurs
from tendred.library import own
from tendred.library.index import Index
from tendred.library.own import own_still
from tendred.library.receipts import GENESIS, Receipts, chained
from tendred.schema.asset import EngineInfo, Made, ModelUse, Receipt, ReceiptVerdict
from tendred.schema.job import Origin
from tendred.testing.records import kept

BYTES = b"a picture of ours"
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
        file = tmp_path / "own.png"

        async def __call__(self, *, receipted=True, made=None, **changes):
            self.file.write_bytes(BYTES)
            settings = {"prompt": "a woman in red"}
            asset = kept("ast_01J00000000000000000000000", self.file, AT, body=BYTES, settings=settings, **changes)
            await database.write(lambda tx: self.index.add_in(tx, asset, "words"))
            if receipted:
                one = receipt(asset) if made is None else receipt(asset, made=made)
                await database.write(lambda tx: self.receipts.add_in(tx, one))
            return asset

        async def find(self, asset_id):
            return await own_still(self.index, self.receipts, asset_id, "image.asset_id")

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
