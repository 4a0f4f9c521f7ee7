"""Whether a still is one of ours: no other picture may be a source, whatever door it knocks at.

What makes it ours is a row for exactly these bytes, written in the transaction that wrote the receipt and sealed with
the boundary's key: a receipt of another installation, or of another file, vouches for nothing here.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import sqlite3
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from tendred.errors import NotFound, StillNotOurs
from tendred.library.index import Index
from tendred.schema.asset import Asset, Receipt
from tendred.schema.sealed import OwnClip, OwnStill
from tendred.schema.stroke import StrokesUse
from tendred.schema.weights import file_fingerprint, file_sha256, open_regular
from tendred.store.database import Database, Tx
from tendred.tasks import offload

INSERT: Final = "INSERT OR REPLACE INTO own VALUES (?, ?, ?, ?)"
FIND: Final = "SELECT o.sha256, o.mac, r.body_sha256, json_extract(CAST(r.doc AS TEXT), '$.verdict.anchor') AS anchor FROM own o JOIN receipt r ON r.id = o.receipt_id WHERE o.asset_id = ?"
UPGRADED: Final = "SELECT 1 FROM setting WHERE name = 'own_to_seal'"
UNSEALED: Final = (
    "SELECT o.asset_id, o.sha256, r.body_sha256 FROM own o JOIN receipt r ON r.id = o.receipt_id WHERE o.mac = x''"
)
SEAL: Final = "UPDATE own SET mac = ? WHERE asset_id = ?"
DONE: Final = "DELETE FROM setting WHERE name = 'own_to_seal'"
_PIECE: Final = 1024 * 1024

Vouch = Callable[[str, str, str], bytes]
"""MAC over asset id, hash of the file, hash of the receipt's body; see boundary.seal."""


class OwnStills:
    """Who is ours. Only this makes an OwnStill."""

    def __init__(self, database: Database, index: Index, vouch: Vouch) -> None:
        self._database = database
        self._index = index
        self._vouch = vouch

    def add_in(self, tx: Tx, receipt: Receipt) -> None:
        """What a receipt names is ours, from the transaction on that writes the receipt."""
        for made in receipt.made:
            mac = self._vouch(made.asset_id, made.sha256, receipt.body_sha256)
            tx.run(INSERT, made.asset_id, receipt.id, made.sha256, mac)

    async def adopt(self) -> None:
        """At the first start after an upgrade: seal what was made before there were seals. Never again."""

        def work(tx: Tx) -> None:
            for row in tx.run(UNSEALED).fetchall():
                mac = self._vouch(row["asset_id"], row["sha256"], row["body_sha256"])
                tx.run(SEAL, mac, row["asset_id"])
            tx.run(DONE)

        if await self._database.read(lambda connection: connection.execute(UPGRADED).fetchone()) is not None:
            await self._database.write(work)

    async def find(self, asset_id: str, path: str | None = None) -> OwnStill:
        """The still, if it is sealed as ours and its file is the one that was sealed.

        What is drawn from must be these very bytes: whoever reads the file compares them with `sha256` once more, in
        the read that it uses. Raises StillNotOurs, with `path` for the field that asks for it. Slow as the disk: the file
        is hashed, unless it was just before and stands there unchanged (the cells of a grid).
        """
        asset, sealed = await self._untouched(asset_id, path, "still")
        return OwnStill(
            asset_id=asset.id,
            path=asset.path,
            sha256=sealed["sha256"],
            width=asset.width,
            height=asset.height,
            words=_words(asset.settings),
            anchor=sealed["anchor"],
            painted=msgspec.convert(asset.settings.get("painted", []), list[StrokesUse]),
        )

    async def clip(self, asset_id: str, path: str | None = None) -> OwnClip:
        """The clip, under the same conditions. Raises StillNotOurs."""
        asset, sealed = await self._untouched(asset_id, path, "clip")
        return OwnClip(asset_id=asset.id, path=asset.path, sha256=sealed["sha256"])

    async def vouched(self, asset: Asset) -> bool:
        """Whether an asset's row tells the hash that is sealed as ours. Its file isn't looked at."""
        try:
            return (await self._sealed(asset, None))["sha256"] == asset.sha256
        except StillNotOurs:
            return False

    async def _untouched(
        self, asset_id: str, path: str | None, kind: Literal["still", "clip"]
    ) -> tuple[Asset, sqlite3.Row]:
        try:
            asset = await self._index.get(asset_id)
        except NotFound:
            raise StillNotOurs(path=path, asset_id=asset_id) from None
        if asset.kind != kind:
            raise StillNotOurs("kind", path=path, asset_id=asset_id, kind=asset.kind)
        if asset.state != "kept":
            raise StillNotOurs("gone", path=path, asset_id=asset_id, state=asset.state)
        sealed = await self._sealed(asset, path)
        try:
            found = await offload(_hash, Path(asset.path))
        except (OSError, ValueError):
            raise StillNotOurs("gone", path=path, asset_id=asset_id, state="missing") from None
        if found != sealed["sha256"]:
            raise StillNotOurs("changed", path=path, asset_id=asset_id)
        return asset, sealed

    async def _sealed(self, asset: Asset, path: str | None) -> sqlite3.Row:
        """The hash that its row vouches for (never the one that the asset itself tells), and its receipt's anchor."""

        def work(connection: sqlite3.Connection) -> sqlite3.Row | None:
            return connection.execute(FIND, (asset.id,)).fetchone()

        row = await self._database.read(work)
        if row is None:
            raise StillNotOurs("unfinished", path=path, asset_id=asset.id)
        expected = self._vouch(asset.id, row["sha256"], row["body_sha256"])
        if not hmac.compare_digest(expected, row["mac"]):
            raise StillNotOurs("foreign", path=path, asset_id=asset.id)
        return row


def copied(still: OwnStill, target: Path) -> Path:
    """A copy of exactly the bytes that were judged, for whoever hands a file to somebody else by its path.

    `target` must be new, in a folder of our own: nobody can swap it between the check and the use. Raises
    StillNotOurs where the file is another by now (nothing is left then), OSError. Blocking.
    """
    digest = hashlib.sha256()
    try:
        with open_regular(Path(still.path)) as source:
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as out:
                while piece := source.read(_PIECE):
                    digest.update(piece)
                    out.write(piece)
    except (FileNotFoundError, ValueError) as problem:
        target.unlink(missing_ok=True)
        raise StillNotOurs("gone", asset_id=still.asset_id, state="missing") from problem
    if digest.hexdigest() != still.sha256:
        target.unlink()
        raise StillNotOurs("changed", asset_id=still.asset_id)
    return target


def _hash(file: Path) -> str:
    return _hashed(file, file_fingerprint(file))


@lru_cache(maxsize=64)
def _hashed(file: Path, mark: str) -> str:
    del mark  # another one is another file
    return file_sha256(file)


def _words(settings: dict[str, Any]) -> str:
    words = settings.get("prompt")
    return words if isinstance(words, str) else ""
