"""Deliveries: assets on their way to export targets. Own rows, own retries; a job never fails because of one."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from tendred.backend import Media
from tendred.clock import Clock, Ids
from tendred.errors import NotFound, TendredError
from tendred.hooks.manager import Plugins
from tendred.library.index import Index
from tendred.library.receipts import Receipts
from tendred.schema.asset import Asset, Receipt
from tendred.schema.error import ErrorInfo
from tendred.schema.marks import Parent, Sign
from tendred.store.database import Database, Tx
from tendred.tasks import offload

TRIES: Final = 5
WAITS_S: Final = (5, 30, 300, 1800)
RETRY_S: Final = 5.0
INSERT: Final = "INSERT OR IGNORE INTO delivery VALUES (?, ?, ?, 'waiting', 0, ?, NULL)"
DUE: Final = (
    "SELECT id, asset_id, target, attempts FROM delivery WHERE state = 'waiting' AND next_at <= ? ORDER BY id LIMIT 1"
)
NEXT: Final = "SELECT min(next_at) FROM delivery WHERE state = 'waiting'"
CLOSE: Final = "UPDATE delivery SET state = ?, attempts = attempts + 1, next_at = ?, error = ? WHERE id = ?"
_log = logging.getLogger(__name__)


class Deliveries:
    """Works through the rows, one at a time."""

    def __init__(
        self,
        *,
        database: Database,
        plugins: Plugins,
        index: Index,
        receipts: Receipts,
        ids: Ids,
        clock: Clock,
        tell: Callable[[BaseException], ErrorInfo],
        media: Media,
        plain: Sequence[str],
        copies: Path,
    ) -> None:
        """`plain`: targets that get no settings along; `copies`: a folder for what is made for them."""
        self._database = database
        self._plugins = plugins
        self._index = index
        self._receipts = receipts
        self._ids = ids
        self._clock = clock
        self._tell = tell
        self._media = media
        self._plain = frozenset(plain)
        self._copies = copies
        self._wake = asyncio.Event()

    def add_in(self, tx: Tx, assets: list[Asset]) -> None:
        """One row per asset and exporting plugin, in the transaction that closes the job."""
        for target in self._plugins.having("export_media"):
            for asset in assets:
                tx.run(INSERT, self._ids.new("dlv"), asset.id, target, tx.now)

    def wake(self) -> None:
        """There may be new rows."""
        self._wake.set()

    async def run(self) -> None:
        """Deliver for as long as the daemon lives."""
        while True:
            self._wake.clear()
            try:
                while await self._one():
                    pass
            except TendredError as problem:
                # The outcome could not be written down; a target may be asked twice, and is told so in its contract.
                _log.warning("deliveries wait: %s", problem)
                await self._clock.sleep(RETRY_S)
                continue
            due = await self._database.read(lambda connection: connection.execute(NEXT).fetchone()[0])
            wait = None if due is None else max(0.05, due - self._clock.now())
            try:
                await asyncio.wait_for(self._wake.wait(), wait)
            except TimeoutError:
                continue

    async def _one(self) -> bool:
        now: float = self._clock.now()
        row = await self._database.read(lambda connection: connection.execute(DUE, (now,)).fetchone())
        if row is None:
            return False
        try:
            if row["target"] not in self._plugins.having("export_media"):
                # Waits for the plugin like for any other failure.
                raise NotFound(noun="plugin", name=row["target"], near=[])  # noqa: TRY301 - one record for all
            asset = await self._index.get(row["asset_id"])
            receipt = await self._receipts.get(asset.receipt_id)
            if row["target"] in self._plain:
                asset, receipt = await self._stripped(row["id"], asset, receipt)
            where = await self._plugins.export_media(row["target"], asset, receipt)
            _log.info("delivered %s to %s: %s", asset.id, row["target"], where)
            state, later, error = "done", now, None
        except Exception as problem:  # noqa: BLE001 - foreign code may raise anything
            attempts = int(row["attempts"]) + 1
            state = "failed" if attempts >= TRIES else "waiting"
            later = now + float(WAITS_S[min(attempts, len(WAITS_S)) - 1])
            error = msgspec.json.encode(self._tell(problem))
        await self._database.write(lambda tx: tx.run(CLOSE, state, later, error, row["id"]))
        if row["target"] in self._plain:
            await offload(shutil.rmtree, self._copies / row["id"], ignore_errors=True)
        return True

    def _copied(self, delivery: str, asset: Asset) -> str:
        folder = self._copies / delivery
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return shutil.copyfile(asset.path, str(folder / f"{asset.id}{Path(asset.path).suffix}"))

    async def _stripped(self, delivery: str, asset: Asset, receipt: Receipt) -> tuple[Asset, Receipt]:
        """Without the words and settings, and a copy of the file that has none either, marked and signed like any other."""
        receipt = replace(
            receipt, asked={}, settings={}, verdict=replace(receipt.verdict, removed=[]),
            origin=replace(receipt.origin, file=None), made=[replace(made, file="") for made in receipt.made],
        )  # fmt: skip
        if not asset.media_type.startswith("image/"):
            # A clip's file holds no words of ours; its name does.
            copy = await offload(self._copied, delivery, asset)
            return replace(asset, path=copy, settings={}, tags=[]), receipt
        folder = self._copies / delivery
        await offload(folder.mkdir, mode=0o700, parents=True, exist_ok=True)
        made = await self._media.sign(
            Sign(
                source=asset.path,
                target=str(folder / f"{asset.id}{Path(asset.path).suffix}"),
                media_type=asset.media_type,
                parents=[Parent(path=asset.path, sha256=asset.sha256, relation="parentOf")],
            )
        )
        return replace(asset, path=made.path, bytes=made.bytes, sha256=made.sha256, settings={}, tags=[]), receipt
