"""Stills of ours as the engine gets them: the very bytes that were judged, fitted to the size that is made; and masks."""

from __future__ import annotations

import hashlib
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from tendred.engine.worker.brush import painted
from tendred.engine.worker.loop import Job, Part
from tendred.errors import StillNotOurs
from tendred.schema.source import ArrangedUse, Mask
from tendred.schema.weights import open_regular

_FORMATS: Final = ("PNG", "JPEG", "WEBP")


_TURNS: Final = {
    90: Image.Transpose.ROTATE_270,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}
"""Pillow turns against the clock."""


def source(job: Job, role: str, use: ArrangedUse) -> Any:
    """A still of ours as it was asked for, in the size that is made. Raises StillNotOurs."""
    still = arranged(picture(job.parts[role], use.asset_id, f"{role}.asset_id"), use)
    still = fitted(still, *job.size)
    if use.strokes is None:
        return still
    return painted(still, _bytes(job.parts[f"{role}.strokes"], use.asset_id, f"{role}.strokes"))


def _bytes(part: Part, asset_id: str, path: str) -> bytes:
    """What is used is what was hashed: it is read once. Raises StillNotOurs unless it is what was judged."""
    try:
        with open_regular(Path(part.path)) as file:
            data = file.read()
    except (OSError, ValueError) as problem:
        raise StillNotOurs("gone", path=path, asset_id=asset_id, state="missing") from problem
    if hashlib.sha256(data).hexdigest() != part.sha256:
        raise StillNotOurs("changed", path=path, asset_id=asset_id)
    return data


def picture(part: Part, asset_id: str, path: str) -> Any:
    """A still as an RGB picture. Raises StillNotOurs unless its bytes are those that were judged."""
    data = _bytes(part, asset_id, path)
    # What is decoded is what was hashed: our own media process made it, and nobody else.
    with Image.open(BytesIO(data), formats=_FORMATS) as opened:
        return opened.convert("RGB")


def arranged(still: Any, use: ArrangedUse) -> Any:
    """Cropped, then mirrored, then turned clockwise."""
    if use.crop is not None:
        box = use.crop
        still = still.crop((box.x, box.y, box.x + box.width, box.y + box.height))
    if use.mirror:
        still = still.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return still.transpose(_TURNS[use.turn]) if use.turn else still


def fitted(still: Any, width: int, height: int) -> Any:
    """It fills the size, without being stretched: what is too much is cut off on both sides alike."""
    if still.size == (width, height):
        return still
    return ImageOps.fit(still, (width, height), method=Image.Resampling.LANCZOS)


def bits(mask: Mask, width: int, height: int) -> Any:
    """The mask as `(height, width)` of 0 and 255: 255 is made anew."""
    if mask.runs:
        kinds = np.arange(len(mask.runs)) % 2 * 255
        return np.repeat(kinds.astype("uint8"), mask.runs).reshape(height, width)
    made = np.zeros((height, width), "uint8")
    for rect in mask.rects:
        made[rect.y : rect.y + rect.height, rect.x : rect.x + rect.width] = 255
    return made


def laid_over(pixels: Any, still: Any, mask: Any, feather: int) -> Any:
    """`(height, width, 3)` in 0..1: where the mask is 0, the still itself to the last bit.

    The model draws the whole picture anew, through its autoencoder: what was not asked for would change too.
    """
    soft = Image.fromarray(mask)
    if feather:
        soft = soft.filter(ImageFilter.GaussianBlur(feather / 2))
    share = np.asarray(soft, "float32")[..., None] / 255
    return pixels * share + np.asarray(still, "float32") / 255 * (1 - share)
