"""An export target: a folder."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from tendred.api import Asset, Context, Receipt, hookimpl

requires_api = ">=1.0,<2"


@hookimpl
def export_media(asset: Asset, receipt: Receipt, context: Context) -> str:
    """Copy the file and its receipt to `path`. Done twice, it writes the same files again."""
    folder = Path(str(context.settings.get("path", "")))
    if not folder.is_absolute() or not folder.is_dir():
        raise NotADirectoryError(f"plugins.settings.{context.name}.path is no existing folder: {folder}")
    source = Path(asset.path)
    target = folder / source.name
    _copy(source, target)
    facts = {"receipt_id": receipt.id, "job_id": asset.job_id, "asset_id": asset.id, "sha256": asset.sha256}
    note = target.with_name(f"{target.name}.json")
    _replace(note, json.dumps({**facts, "settings": asset.settings}, indent=2).encode() + b"\n")
    return str(target)


def _copy(source: Path, target: Path) -> None:
    part = target.with_name(f".{target.name}.part")
    shutil.copyfile(source, part)
    os.replace(part, target)


def _replace(target: Path, data: bytes) -> None:
    part = target.with_name(f".{target.name}.part")
    part.write_bytes(data)
    os.replace(part, target)
