"""Erasing words on request: what a picture was asked for with leaves the library, the receipts and the queue's history.

The receipt's place in the chain stays, and with it the picture stays ours: the chain is over hashes of bodies.
What is left says what was made, with what and when. The picture itself isn't touched (another byte, and it would not be
ours): its name and the settings that travel in it still say it, as do backups made before.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import msgspec

from tendred.core.shot_rows import ShotRows
from tendred.library.files import Files
from tendred.library.index import Index
from tendred.library.receipts import Receipts, file_bytes
from tendred.queue.prune import forget
from tendred.schema.asset import Asset, Receipt
from tendred.schema.base import Record
from tendred.store.database import Database, Tx
from tendred.tasks import offload

_NUMBER: Final = re.compile(r"-\d{3}$")
_RECEIPT_BYTES: Final = 16 * 1024 * 1024


class Eraser:
    """Takes words out of everything that was written down of one job."""

    def __init__(self, *, database: Database, index: Index, receipts: Receipts, files: Files, shots: ShotRows) -> None:
        self._database = database
        self._index = index
        self._receipts = receipts
        self._files = files
        self._shots = shots

    async def erase(self, asset_id: str) -> Asset:
        """Erase what an asset, and those of the same job, were asked for with. Twice is fine.

        Raises NotFound (also while its job hasn't ended: there is no receipt yet), DiskFull, FolderUnwritable.
        """
        asset = await self._index.get(asset_id)
        receipt = await self._receipts.get(asset.receipt_id)

        def work(tx: Tx) -> tuple[Receipt, Asset]:
            # Pages that become free are overwritten, not only forgotten.
            tx.run("PRAGMA secure_delete=ON")
            try:
                left = receipt if receipt.erased else self._receipts.erase_in(tx, receipt)
                self._shots.erase_in(tx, receipt.job_id)
                forget(tx, receipt.job_id)
                for one in self._index.erase_in(tx, receipt.job_id):
                    tx.emit("asset.kept" if one.state == "kept" else "asset.removed", {"asset": one}, one.job_id)
            finally:
                tx.run("PRAGMA secure_delete=OFF")
            return left, self._index.get_in(tx.connection, asset_id)

        left, erased = await self._database.write(work)
        await offload(self._rewrite, Path(asset.path), left)
        return erased

    def _rewrite(self, picture: Path, left: Receipt) -> None:
        """The receipt's file beside the picture, if it is there: its name is the picture's, without a number."""
        for stem in (picture.stem, _NUMBER.sub("", picture.stem)):
            file = picture.with_name(f"{stem}.receipt.json")
            if _id(file) == left.id:
                staged = self._files.stage(left.job_id) / "receipt.json"
                self._files.write(str(file.relative_to(self._files.root)), file_bytes(left), staged)
                self._files.discard(left.job_id)
                return


class _Named(Record, frozen=True):
    """Of a receipt, what is read here."""

    id: str


def _id(file: Path) -> str | None:
    try:
        with file.open("rb") as source:
            return msgspec.json.decode(source.read(_RECEIPT_BYTES), type=_Named).id
    except (OSError, msgspec.DecodeError):
        return None
