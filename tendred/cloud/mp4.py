"""Whether a file is a whole MP4: its boxes, one behind the other, reach exactly to its end. Reads headers only.

Layout: ISO/IEC 14496-12, 4.2. What is inside the boxes is looked at by the media process, which may die of it.
"""

from __future__ import annotations

from typing import BinaryIO, Final

BOXES: Final = 10_000
_HEAD: Final = 8
_LARGE: Final = 16


def boxes(file: BinaryIO) -> list[bytes] | None:
    """The types of the outer boxes in their order; None where the last one doesn't end with the file."""
    size = file.seek(0, 2)
    at, found = 0, list[bytes]()
    while at < size and len(found) < BOXES:
        file.seek(at)
        head = file.read(_LARGE)
        if len(head) < _HEAD:
            return None
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        least = _HEAD
        if length == 1:  # the length stands behind the type, in 64 bits
            length, least = int.from_bytes(head[8:16], "big"), _LARGE
        elif length == 0:  # it reaches to the end
            length = size - at
        if length < least:
            return None
        found.append(kind)
        at += length
    return found if at == size else None


def whole(file: BinaryIO) -> bool:
    """Whether it begins as an MP4 does, has its index and its data, and nothing is missing at its end."""
    found = boxes(file)
    return bool(found) and found[0] == b"ftyp" and b"moov" in found and b"mdat" in found
