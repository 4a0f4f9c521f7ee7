"""Pictures from outside, in every disguise we know: none is taken for a still of ours, and every still of ours is.

The short run tries each disguise on a few stills; the heavy one makes it 1 000 pictures and 1 000 stills.
"""

import os
import shutil
import sqlite3
import tempfile
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import aiohttp
import pytest
from PIL import Image, PngImagePlugin

from tendred.core.studio import Search
from tendred.engine.worker.loop import Part
from tendred.engine.worker.pictures import picture
from tendred.errors import StillNotOurs
from tendred.library.own import copied
from tendred.media.worker.credentials import Signatory
from tendred.schema.marks import Signing
from tendred.schema.source import Source

SIDE = 64


def photograph(number):
    """A picture that wasn't made here."""
    return Image.effect_noise((SIDE, SIDE), 20 + number % 80).convert("RGB")


def saved(image, form="PNG", **options):
    file = BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def opened(data):
    with Image.open(BytesIO(data)) as image:
        image.load()
        return image


def marks(own):
    """Every text and every profile of a still of ours, to be put into another file."""
    info = PngImagePlugin.PngInfo()
    for name, value in opened(own).info.items():
        if isinstance(value, str):
            info.add_itxt(name, value)
    return info


DISGUISES = {
    "another picture under its name": lambda own, number: saved(photograph(number)),
    "re-encoded": lambda own, number: saved(opened(own).convert("RGB"), compress_level=1 + number % 9),
    "re-encoded as another format": lambda own, number: saved(opened(own).convert("RGB"), "JPEG", quality=60 + number % 40),
    "re-encoded with all its marks": lambda own, number: saved(opened(own).convert("RGB"), pnginfo=marks(own)),
    "cropped": lambda own, number: saved(opened(own).convert("RGB").crop((1, 1, SIDE - number % 7, SIDE))),
    "a screenshot": lambda own, number: saved(opened(own).convert("RGBA").resize((SIDE + 2, SIDE + 2), Image.Resampling.BICUBIC)),
    "another picture with our marks": lambda own, number: saved(photograph(number), pnginfo=marks(own)),
    "another picture before our file": lambda own, number: saved(photograph(number)) + own,
    "another picture behind our file": lambda own, number: own + saved(photograph(number)),
    "one byte": lambda own, number: own[: number % len(own)] + bytes([own[number % len(own)] ^ 1]) + own[number % len(own) + 1 :],
    "cut off": lambda own, number: own[: -1 - number % 9],
    "credentials that are words": lambda own, number: saved(photograph(number), pnginfo=forged(number)),
    "valid credentials by tendred elsewhere": lambda own, number: elsewhere().sign(saved(photograph(number)), "image/png", []),
    "ours, signed again elsewhere": lambda own, number: elsewhere().sign(own, "image/png", []),
}  # fmt: skip
"""What stands in the place of a still's file, made from its bytes."""


def forged(number):
    """A chunk of the name that content credentials have in PNG, and words that claim to be ours."""
    info = PngImagePlugin.PngInfo()
    info.add(b"caBX", b"\0\0\0\x20jumb tendred made this %d" % number)
    info.add_itxt("tendred", '{"tendred": 1, "asset_id": "ast_1"}')
    return info


@lru_cache(maxsize=1)
def elsewhere():
    """Signs as this very program does, under the same names, with the key of another installation."""
    with tempfile.TemporaryDirectory() as folder:
        signatory = Signatory(Signing(folder=f"{folder}/signing"))
        assert signatory.identity  # read once: the folder may go
    return signatory


class Library:
    """A daemon with stills of ours, as many as were asked for."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.own = daemon.studio._p.submitter._finder
        self.stills = []

    async def fill(self, count):
        while len(self.stills) < count:
            many = min(64, count - len(self.stills))
            job = await self.daemon.still("hills", count=many, width=SIDE, height=SIDE, steps=1, timeout_s=300)
            assert job.state == "succeeded", job.error
            self.stills += [await self.daemon.studio.asset(asset_id) for asset_id in job.asset_ids]

    async def refused(self, asset_id):
        with pytest.raises(StillNotOurs) as caught:
            await self.own.own(asset_id, "image.asset_id")
        return caught.value.variant

    async def disguised(self, asset, data):
        path = Path(asset.path)
        own = path.read_bytes()
        assert data != own
        path.write_bytes(data)
        try:
            return await self.refused(asset.id)
        finally:
            path.write_bytes(own)


@pytest.fixture
async def library(make_daemon):
    daemon = await make_daemon("queue.limit=10000")
    return Library(daemon)


SHORT, LONG = 3, 1_000
COUNTS = [SHORT, pytest.param(LONG, marks=[pytest.mark.heavy, pytest.mark.timeout(1800)])]


@pytest.mark.parametrize("count", COUNTS)
async def test_no_disguise_is_taken_for_a_still_of_ours(library, count):
    await library.fill(count)
    for number, asset in enumerate(library.stills):
        own = Path(asset.path).read_bytes()
        tried = DISGUISES if count == SHORT else [[*DISGUISES][number % len(DISGUISES)]]
        for name in tried:
            assert await library.disguised(asset, DISGUISES[name](own, number)) == "changed", name
    # And every one of ours is, afterwards as before.
    found = [await library.own.own(asset.id, "image.asset_id") for asset in library.stills]
    assert [one.sha256 for one in found] == [asset.sha256 for asset in library.stills]
    assert len({one.asset_id for one in found}) == count


@pytest.mark.parametrize("count", [2, pytest.param(100, marks=[pytest.mark.heavy, pytest.mark.timeout(600)])])
async def test_another_files_receipt_vouches_for_one_file_alone(library, count):
    await library.fill(count + 1)
    for number in range(count):
        mine, other = library.stills[number], library.stills[number + 1]
        assert await library.disguised(mine, Path(other.path).read_bytes()) == "changed"
    database = library.daemon.studio._p.database
    sql = "UPDATE own SET (receipt_id, sha256, mac) = (SELECT receipt_id, sha256, mac FROM own WHERE asset_id = ?) WHERE asset_id = ?"
    for number in range(count):
        mine, other = library.stills[number], library.stills[number + 1]
        await database.write(lambda tx, pair=(other.id, mine.id): tx.run(sql, *pair))
        assert await library.refused(mine.id) == "foreign"


@pytest.mark.parametrize("count", [2, pytest.param(100, marks=[pytest.mark.heavy, pytest.mark.timeout(600)])])
async def test_the_receipts_of_another_installation_vouch_for_nothing(library, make_daemon, tmp_path, count):
    """Its files, its rows, all of them: everything but its key."""
    await library.fill(1)
    elsewhere = Library(await make_daemon("queue.limit=10000", home=tmp_path / "elsewhere"))
    await elsewhere.fill(count)
    await elsewhere.daemon.stop()
    for asset in elsewhere.stills:
        target = library.daemon.home / "pictures" / Path(asset.path).relative_to(elsewhere.daemon.home / "pictures")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(asset.path, target)
    # Not in a transaction of the daemon's: SQLite attaches nothing inside one.
    connection = sqlite3.connect(library.daemon.home / "data" / "tendred.db")
    connection.execute("ATTACH ? AS other", (str(elsewhere.daemon.home / "data" / "tendred.db"),))
    for table, columns in (
        ("asset", "id, job_id, idx, kind, state, created_at, model, character, path, words, indexed, doc"),
        ("receipt", "id, job_id, doc, body_sha256, prev_sha256"),
        ("own", "asset_id, receipt_id, sha256, mac"),
    ):
        connection.execute(f"INSERT INTO {table}({columns}) SELECT {columns} FROM other.{table}")
    connection.commit()
    connection.close()
    for asset in elsewhere.stills:
        assert (await library.daemon.studio.asset(asset.id)).state == "kept"
        assert await library.refused(asset.id) == "foreign"
    assert await library.own.own(library.stills[0].id, "")


@pytest.mark.parametrize("count", [2, pytest.param(100, marks=[pytest.mark.heavy, pytest.mark.timeout(600)])])
async def test_a_link_that_is_swapped_after_the_check_is_noticed_by_whoever_reads(library, tmp_path, count):
    await library.fill(count)
    outside = tmp_path / "outside.png"
    photograph(1).save(outside)
    for number, asset in enumerate(library.stills):
        path = Path(asset.path)
        hidden = path.with_suffix(".own")
        path.rename(hidden)
        path.symlink_to(hidden)
        found = await library.own.own(asset.id, "image.asset_id")  # a link to our very bytes is fine
        path.unlink()
        path.symlink_to(outside)
        with pytest.raises(StillNotOurs) as caught:
            picture(Part(found.path, found.sha256), asset.id, "image.asset_id")
        assert caught.value.variant == "changed"
        with pytest.raises(StillNotOurs):
            copied(found, tmp_path / f"copy{number}")
        path.unlink()
        os.rename(hidden, path)
        assert picture(Part(found.path, found.sha256), asset.id, "image.asset_id").size == (SIDE, SIDE)


async def test_swapped_between_the_request_and_the_drawing_nothing_is_drawn(library, tmp_path):
    await library.fill(1)
    [asset] = library.stills
    daemon, path = library.daemon, Path(asset.path)
    own = path.read_bytes()
    photograph(1).save(tmp_path / "outside.png")
    await daemon.studio.pause(mode="drain", unload=False)
    jobs = [await daemon.submit("hills", image=Source(asset_id=asset.id)) for _ in range(2)]
    path.unlink()
    path.symlink_to(tmp_path / "outside.png")
    await daemon.studio.resume()
    for job in jobs:
        done = await daemon.studio.wait(job.id, 20)
        assert (done.state, done.error.kind, done.asset_ids) == ("failed", "still_not_ours", [])
    path.unlink()
    path.write_bytes(own)
    assert (await daemon.still("hills", image=Source(asset_id=asset.id))).state == "succeeded"


async def test_no_disguise_gets_in_by_the_door(library):
    """Over HTTP, as a source and to be made larger. The untouched one gets in everywhere."""
    await library.fill(1)
    [asset] = library.stills
    path, url = Path(asset.path), f"{library.daemon.url}/rpc"
    own, image = path.read_bytes(), {"asset_id": asset.id}
    ways = {
        "images.generate": {"prompt": "hills", "image": image},
        "images.upscale": image,
        "images.variations": {**image, "count": 1},
        "library.sheet": {"asset_ids": [asset.id]},
    }
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {library.daemon.token}"}) as session:

        async def ask(method):
            document = {"jsonrpc": "2.0", "id": 1, "method": method, "params": ways[method]}
            async with session.post(url, json=document) as answer:
                return await answer.json()

        for name, disguise in DISGUISES.items():
            path.write_bytes(disguise(own, 1))
            for method in ("images.generate", "images.upscale"):
                error = (await ask(method))["error"]
                assert (error["code"], error["data"]["kind"]) == (1003, "still_not_ours"), name
        path.write_bytes(own)
        assert len((await library.daemon.studio.jobs(state=None, kind=None, limit=50, cursor=None)).jobs) == 1
        for method in ways:
            job = await library.daemon.studio.wait((await ask(method))["result"]["job"]["id"], 20)
            assert job.state == "succeeded", (method, job.error)


async def test_no_other_name_leads_to_a_picture(library, tmp_path):
    """Paths, addresses, names of files that lie in the library without a row, ids of what is no still."""
    await library.fill(1)
    [asset] = library.stills
    stray = Path(asset.path).with_name("stray.png")
    shutil.copyfile(asset.path, stray)
    shutil.copyfile(Path(asset.path), tmp_path / "own.png")
    outside = [
        str(stray), stray.name, asset.path, f"file://{asset.path}", asset.url, "http://127.0.0.1/x.png", "data:image/png;base64,AAAA",
        asset.sha256, asset.pixels_sha256, asset.job_id, asset.receipt_id, asset.id[:-1], asset.id + " ", asset.id.lower(), "ast_", "",
        "../" + asset.id, "%", "*", "ast_0000000000000000000000000\0",
    ]  # fmt: skip
    for name in outside:
        assert await library.refused(name) == "", name
        with pytest.raises(StillNotOurs):
            await library.daemon.submit("hills", image=Source(asset_id=name))
    assert [one.id for one in (await library.daemon.studio.search(Search())).assets] == [asset.id]
