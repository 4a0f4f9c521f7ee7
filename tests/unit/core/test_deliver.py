import asyncio
import sys

import msgspec
import pytest

from tendred.clock import SystemRng
from tendred.config.schema import PluginsSection
from tendred.core.deliver import TRIES, WAITS_S, Deliveries
from tendred.core.telling import Teller
from tendred.hooks.manager import Plugins
from tendred.library.index import Index
from tendred.library.receipts import Receipts, chained
from tendred.schema.asset import Asset, EngineInfo, Made, ModelUse, Receipt, ReceiptVerdict
from tendred.schema.error import ErrorInfo
from tendred.schema.job import Origin
from tendred.tasks import Tasks
from tendred.testing.instant import InstantMedia
from tendred.testing.marks import signing

EXPORTS = """
from tendred.api import hookimpl
requires_api = ">=1.0"
seen, fail = [], []
@hookimpl
def export_media(asset, receipt, context):
    seen.append((asset.id, receipt.id))
    if fail:
        fail.pop()
        raise OSError("the editor is closed")
    return "there"
"""
ENGINE = EngineInfo(version="0", torch="t", diffusers="d", device="cpu", dtype="float32", threads=2, batch_size=1)
MODEL = ModelUse(name="starter", sha256="m")


def asset(root, number):
    return Asset(
        id=f"ast_{number}", kind="still", path=str(root / f"{number}.png"), url="", media_type="image/png", bytes=1,
        sha256="s", pixels_sha256="p", width=8, height=8, duration_s=None, fps=None, audio=None, created_at="",
        job_id="job_1", index=number, seed=1, settings={}, model=MODEL, loras=[], character=None, engine=ENGINE,
        parents=[], receipt_id="rcp_1", policy="1", tags=[], state="kept",
    )  # fmt: skip


def receipt():
    made = Made(
        asset_id="ast_0", file="0.png", sha256="s", pixels_sha256="p", media_type="image/png", width=8, height=8, seed=1
    )
    return chained(
        Receipt(
            receipt=1, id="rcp_1", job_id="job_1", origin=Origin(door="rpc"), asked={}, settings={},
            verdict=ReceiptVerdict(policy="1", anchor=None, removed=[]), made=[made], model=MODEL, loras=[],
            character=None, engine=ENGINE, cost=None, created_at="", started_at=None, finished_at="", body_sha256="",
            prev_sha256="",
        ),
        "0" * 64,
    )  # fmt: skip


class Room:
    """Deliveries over a database, to one real plugin."""

    def __init__(self, tmp_path, database, ids, clock, enabled=("editor",)):
        self.database, self.clock, self.root, self.tasks = database, clock, tmp_path, Tasks()
        self.plugins = Plugins(PluginsSection(enabled=list(enabled), timeout_s=5), tmp_path / "data", lambda _: None)
        self.plugins.load()
        self.index, self.receipts = Index(database, tmp_path), Receipts(database)
        self.deliveries = Deliveries(
            database=database, plugins=self.plugins, index=self.index, receipts=self.receipts, ids=ids, clock=clock,
            tell=Teller("en", SystemRng()), media=InstantMedia(signing()), plain=[], copies=tmp_path / "copies",
        )  # fmt: skip

    async def keep(self, count=1):
        """A job's assets, its receipt and the rows of their deliveries, as the end of a job writes them."""
        assets = [asset(self.root, number) for number in range(count)]

        def work(tx):
            for one in assets:
                (self.root / f"{one.index}.png").write_bytes(b"x")
                self.index.add_in(tx, one, "")
            self.receipts.add_in(tx, receipt())
            self.deliveries.add_in(tx, assets)
            self.deliveries.add_in(tx, assets)

        await self.database.write(work)

    def start(self):
        self.tasks.spawn("deliveries", self.deliveries.run())

    def advance(self, seconds):
        self.clock.advance(seconds)
        self.deliveries.wake()

    async def rows(self):
        sql = "SELECT asset_id, target, state, attempts, next_at, error FROM delivery ORDER BY asset_id"
        return await self.database.read(lambda connection: [tuple(row) for row in connection.execute(sql)])

    async def until(self, good):
        async with asyncio.timeout(15):
            while not good(rows := await self.rows()):
                await asyncio.sleep(0.005)
        return rows


@pytest.fixture
def plugin(tmp_path):
    (tmp_path / "plug_editor.py").write_text(EXPORTS)
    info = tmp_path / "plug_editor-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plug-editor\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[tendred]\neditor = plug_editor\n")
    sys.path.insert(0, str(tmp_path))
    import plug_editor

    yield plug_editor
    sys.path.remove(str(tmp_path))
    sys.modules.pop("plug_editor")


@pytest.fixture
async def room(tmp_path, database, ids, clock, plugin):
    room = Room(tmp_path, database, ids, clock)
    yield room
    await room.tasks.stop()


async def test_each_asset_goes_to_each_target_once(room, plugin):
    await room.keep(3)
    room.start()
    rows = await room.until(lambda rows: all(row[2] == "done" for row in rows))
    assert [(row[0], row[1], row[3]) for row in rows] == [(f"ast_{n}", "editor", 1) for n in range(3)]
    assert sorted(plugin.seen) == [(f"ast_{n}", "rcp_1") for n in range(3)]


async def test_rows_written_later_are_worked_through_when_it_is_woken(room, plugin):
    room.start()
    await room.keep()
    room.deliveries.wake()
    await room.until(lambda rows: rows and rows[0][2] == "done")


async def test_a_target_that_fails_is_asked_again_further_and_further_apart(room, plugin, clock):
    plugin.fail.extend([1] * 2)
    await room.keep()
    room.start()
    for attempts, wait in enumerate(WAITS_S[:2], 1):
        [row] = await room.until(lambda rows, n=attempts: rows[0][3] == n)
        assert (row[2], row[4]) == ("waiting", clock.now() + wait)
        room.advance(wait - 0.1)
        await asyncio.sleep(0.05)
        assert len(plugin.seen) == attempts
        room.advance(0.1)
    [row] = await room.until(lambda rows: rows[0][2] == "done")
    assert (row[3], row[5]) == (3, None)


async def test_after_five_tries_it_is_left_with_its_reason(room, plugin):
    plugin.fail.extend([1] * 10)
    await room.keep()
    room.start()
    for attempts in range(1, TRIES):
        await room.until(lambda rows, n=attempts: rows[0][3] == n)
        room.advance(3600)
    [row] = await room.until(lambda rows: rows[0][2] == "failed")
    assert (row[3], len(plugin.seen)) == (TRIES, TRIES)
    assert msgspec.json.decode(row[5], type=ErrorInfo).kind == "internal"
    room.advance(86400)
    await asyncio.sleep(0.05)
    assert len(plugin.seen) == TRIES


async def test_one_that_fails_does_not_hold_up_the_others(room, plugin):
    plugin.fail.append(1)
    await room.keep(3)
    room.start()
    rows = await room.until(lambda rows: sum(row[2] == "done" for row in rows) == 2)
    assert [row[3] for row in rows] == [1, 1, 1]


async def test_a_plugin_that_is_switched_off_is_waited_for_like_any_failure(
    tmp_path, database, ids, clock, plugin, room
):
    await room.keep()
    without = Room(tmp_path, database, ids, clock, enabled=())
    without.start()
    [row] = await room.until(lambda rows: rows[0][3] == 1)
    assert row[2] == "waiting"
    await without.tasks.stop()
    clock.advance(WAITS_S[0])
    room.start()
    await room.until(lambda rows: rows[0][2] == "done")
    assert plugin.seen == [("ast_0", "rcp_1")]


async def test_what_was_waiting_at_the_end_goes_on_after_a_start(tmp_path, database, ids, clock, plugin, room):
    await room.keep()
    assert [row[2] for row in await room.rows()] == ["waiting"]
    later = Room(tmp_path, database, ids, clock)
    later.start()
    await room.until(lambda rows: rows[0][2] == "done")
    await later.tasks.stop()
