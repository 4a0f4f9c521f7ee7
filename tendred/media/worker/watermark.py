"""A mark in the pixels that nobody sees: this is tendred's, and of which installation. Nothing in it tells one file from another.

A tile of 128 x 128 pixels is laid over the whole picture, again and again: 32 x 32 soft cells, each a little lighter or
darker. A quarter of the cells are always the same and say where the tile lies (so a crop does no harm); the others
spell 24 bits, 16 of the installation and 8 that check them. Reading folds the picture onto one tile and correlates it
with what the cells must be. It is an additive, periodic spread-spectrum mark, as in Kalker et al., "A video watermarking
system for broadcast monitoring" (SPIE 3657, 1999).

It is no secret and no proof: who knows it can take it out, or put it into another picture. It says where to look.
The network that the reference recommends (RivaGAN) can't be read in flat drawings: packaging/bench/watermark.py.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

TILE: Final = 128
CELLS: Final = 32
BITS: Final = 24
LEAST_SIDE: Final = TILE
"""Smaller pictures hold no whole tile and get no mark."""
STRENGTH: Final = 2.0
"""Levels of 255 in a flat area; more where the picture itself is busy, up to MOST."""
MOST: Final = 6.0
ALREADY: Final = 0.3
"""So much of a tile's mark must be there for it to count as marked; of 1, and 0 in a picture of anybody's."""
FOUND: Final = 7.0
"""So many standard deviations must the place of the tile stand out: by chance, one picture in some millions."""
SCALES: Final = (1.0, 2.0, 0.5, 4 / 3, 1.5, 0.75)
"""What the picture may have been made smaller or larger by, the other way round."""
_READ_SIDE: Final = 1536
_WINDOW: Final = 17
_BAND: Final = 4 * TILE
_SOFT: Final = 2.0

Plane = NDArray[np.floating]


def embed(picture: Image.Image, installation: int) -> Image.Image:
    """The marked picture; `installation` is a number of 16 bits. Small ones come back as they are.

    So does every tile that carries this mark already: who paints into a still, and into what came of it, would see it by
    the fifth time.
    """
    if min(picture.size) < LEAST_SIDE:
        return picture
    source, pixels = np.asarray(picture), np.array(picture)
    height, width = pixels.shape[:2]
    laid = np.tile(_tile(_bits(installation)), (_BAND // TILE, -(-width // TILE)))[:, :width]
    for top in range(0, height, _BAND):  # a large picture as floats would not fit in this process
        end = min(top + _BAND, height)
        low = max(0, top - _WINDOW)
        luma = _luma(source[low : end + _WINDOW].astype(np.float32))
        mean, deviation = (plane[top - low : end - low] for plane in _local(luma))
        strength = np.clip(STRENGTH + deviation * np.float32(0.12), STRENGTH, MOST)
        mark: Plane = (laid[: end - top] * strength).astype(np.float32, copy=False)
        spread: Plane = (deviation + np.float32(_SOFT)).astype(np.float32, copy=False)
        # As in reading: edges of the picture itself are worth nothing, however strong they are.
        seen: Plane = np.clip((luma[top - low : end - low] - mean) / spread, -1, 1).astype(np.float32, copy=False)
        _spare(mark, seen, (mark / spread).astype(np.float32, copy=False))
        marked = np.rint(source[top:end] + mark[..., None])
        pixels[top:end] = np.clip(marked, 0, 255)
    return Image.fromarray(pixels)


def _spare(mark: Plane, seen: Plane, expected: Plane) -> None:
    """Take the mark away where the picture has it. Of white, which can't become lighter, half of it is seen."""
    for top in range(0, mark.shape[0], TILE):
        for left in range(0, mark.shape[1], TILE):
            here = (slice(top, top + TILE), slice(left, left + TILE))
            if (seen[here] * expected[here]).sum() > ALREADY * np.square(expected[here]).sum():
                mark[here] = 0


def read(picture: Image.Image) -> int | None:
    """The installation that a picture is marked with, None without a mark. Takes a tenth of a second, or one without."""
    picture = picture.convert("RGB")
    for scale in SCALES:
        # A part says as much as the whole, from a certain size on.
        most = round(_READ_SIDE / scale)
        seen = picture.crop((0, 0, min(picture.width, most), min(picture.height, most)))
        if scale != 1.0:
            width, height = (round(side * scale) for side in seen.size)
            seen = seen.resize((max(width, 1), max(height, 1)), Image.Resampling.BICUBIC)
        if min(seen.size) < LEAST_SIDE:
            continue
        if (found := _read(_luma(np.asarray(seen, np.float32)))) is not None:
            return found
    return None


def _read(luma: Plane) -> int | None:
    mean, deviation = _local(luma)
    # Edges of the picture itself are worth nothing here, however strong they are.
    residual = np.clip((luma - mean) / (deviation + np.float32(_SOFT)), -1, 1).astype(np.float32, copy=False)
    folded = _folded(residual)
    steady, spelled = _cells()
    place = np.fft.irfft2(np.fft.rfft2(folded) * np.conj(np.fft.rfft2(_smooth(steady))), (TILE, TILE))
    spread = float(place.std())
    if spread == 0 or (place.max() - place.mean()) / spread < FOUND:
        return None
    down, right = np.unravel_index(int(place.argmax()), place.shape)
    here = np.roll(folded, (-int(down), -int(right)), (0, 1))
    votes = [float((here * _smooth(np.where(spelled == bit, _signs(), 0))).sum()) for bit in range(BITS)]
    value = sum(1 << bit for bit, vote in enumerate(votes) if vote > 0)
    installation, check = value & 0xFFFF, value >> 16
    return installation if check == _crc(installation) else None


def _folded(residual: Plane) -> Plane:
    """The mean of all tiles: (TILE, TILE)."""
    height, width = residual.shape
    down, right = -(-height // TILE), -(-width // TILE)
    room = np.zeros((down * TILE, right * TILE), np.float32)
    there = np.zeros_like(room)
    room[:height, :width], there[:height, :width] = residual, 1
    shape = (down, TILE, right, TILE)
    return room.reshape(shape).sum((0, 2)) / np.maximum(there.reshape(shape).sum((0, 2)), 1)


def _luma(rgb: Plane) -> Plane:
    return rgb @ np.array([0.299, 0.587, 0.114], np.float32)


def _local(luma: Plane) -> tuple[Plane, Plane]:
    """Mean and standard deviation in a window around each pixel."""
    mean = _box(luma)
    return mean, np.sqrt(np.maximum(_box(luma * luma) - mean * mean, 0))


def _box(plane: Plane) -> Plane:
    half = _WINDOW // 2
    for axis in (0, 1):
        padded = np.pad(plane, [(half + 1, half) if at == axis else (0, 0) for at in (0, 1)], mode="edge")
        # Doubles: sums of squares over a long row leave a single's precision.
        sums = np.cumsum(padded, axis, dtype=np.float64)
        inside = sums[_WINDOW:] - sums[:-_WINDOW] if axis == 0 else sums[:, _WINDOW:] - sums[:, :-_WINDOW]
        plane = (inside / _WINDOW).astype(np.float32)
    return plane


@lru_cache(maxsize=4)
def _tile(bits: int) -> Plane:
    """The tile that spells these bits; its values are about -1 to 1."""
    steady, spelled = _cells()
    chosen = np.array([1.0 if bits >> bit & 1 else -1.0 for bit in range(BITS)], np.float32)
    cells = np.where(spelled >= 0, chosen[np.maximum(spelled, 0)] * _signs(), steady)
    return _smooth(cells)


def _smooth(cells: NDArray[np.floating]) -> Plane:
    """Cells as pixels, without hard edges, which JPEG would not keep."""
    wide = np.kron(cells.astype(np.float32), np.ones((TILE // CELLS, TILE // CELLS), np.float32))
    for axis in (0, 1):
        wide = (np.roll(wide, 1, axis) + 2 * wide + np.roll(wide, -1, axis)) / np.float32(4)
    return wide.astype(np.float32, copy=False)


@lru_cache(maxsize=1)
def _signs() -> Plane:
    raw = np.frombuffer(hashlib.shake_256(b"tendred watermark 1 signs").digest(CELLS * CELLS), np.uint8)
    return np.where(raw & 1, 1, -1).astype(np.float32).reshape(CELLS, CELLS)


@lru_cache(maxsize=1)
def _cells() -> tuple[Plane, NDArray[np.int64]]:
    """The steady cells (0 elsewhere), and for each cell the bit that it belongs to (-1: steady)."""
    count = CELLS * CELLS
    raw = np.frombuffer(hashlib.shake_256(b"tendred watermark 1 cells").digest(count * 8), "<u8")
    order = np.argsort(raw, kind="stable")
    belongs = np.full(count, -1, np.int64)
    belongs[order[count // 4 :]] = np.arange(count - count // 4) % BITS
    belongs = belongs.reshape(CELLS, CELLS)
    return np.where(belongs < 0, _signs(), 0).astype(np.float32), belongs


def _bits(installation: int) -> int:
    return installation | _crc(installation) << 16


def _crc(installation: int) -> int:
    """CRC-8 (polynomial 0x07, from 0xFF, so that no mark is all zeros) over the two bytes."""
    crc = 0xFF
    for byte in installation.to_bytes(2, "big"):
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x07) & 0xFF if crc & 0x80 else crc << 1
    return crc
