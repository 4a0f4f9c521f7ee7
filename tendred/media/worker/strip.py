"""A copy of a still without the settings that travel in it, for export: pixels, marks and credentials stay.

The picture's data is taken as it is, byte for byte. Text goes, the bare IPTC mark takes the place of our XMP, and the copy
is signed anew as an edit of the still, whose own credentials it keeps.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tendred.errors import Internal
from tendred.media.worker import marking
from tendred.media.worker.credentials import Signatory
from tendred.media.worker.encode import write
from tendred.schema.marks import Sign
from tendred.schema.work import Encoded

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_PNG_GO: Final = frozenset({b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME", b"caBX"})
_JPEG_GO: Final = frozenset({0xE1, 0xEB, 0xFE})
"""EXIF and XMP, credentials, comments."""
_SCAN: Final = 0xDA
_XMP_HEAD: Final = b"http://ns.adobe.com/xap/1.0/\0"
_WEBP_GO: Final = frozenset({b"EXIF", b"XMP ", b"C2PA"})
_HAS_EXIF: Final = 0x08
_HAS_XMP: Final = 0x04


def sign(work: Sign, signatory: Signatory) -> Encoded:
    """Make `work.target` of `work.source`. Raises SignerBroken, DiskFull, FolderUnwritable, Internal."""
    try:
        data = Path(work.source).read_bytes()
        plain = stripped(data, work.media_type)
    except (OSError, struct.error, IndexError) as problem:
        raise Internal(problem=f"{Path(work.source).name} can't be read: {problem}") from problem
    if [parent.sha256 for parent in work.parents] != [hashlib.sha256(data).hexdigest()]:
        raise Internal(problem=f"{Path(work.source).name} is another file by now")
    signed = signatory.sign(plain, work.media_type, work.parents)
    write(Path(work.target), signed)
    return Encoded(
        path=work.target, media_type=work.media_type, bytes=len(signed), sha256=hashlib.sha256(signed).hexdigest()
    )


def stripped(data: bytes, media_type: str) -> bytes:
    """The same picture with the IPTC mark and no other words in it."""
    match media_type:
        case "image/png":
            return b"".join(_png(data))
        case "image/jpeg":
            return b"".join(_jpeg(data))
        case "image/webp":
            body = b"".join(_webp(data))
            return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body
        case _:
            raise Internal(problem=f"{media_type} holds no settings that could be left out")


def _png(data: bytes) -> Iterator[bytes]:
    yield _PNG
    at = len(_PNG)
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        kind, end = data[at + 4 : at + 8], at + 12 + size
        if kind not in _PNG_GO:
            yield data[at:end]
        if kind == b"IHDR":
            text = b"iTXt" + b"XML:com.adobe.xmp\0\0\0\0\0" + marking.xmp()
            yield struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
        at = end


def _jpeg(data: bytes) -> Iterator[bytes]:
    yield data[:2]
    packet = _XMP_HEAD + marking.xmp()
    at, said = 2, False
    while data[at + 1] != _SCAN:
        (size,) = struct.unpack_from(">H", data, at + 2)
        segment = data[at : at + 2 + size]
        if data[at + 1] != 0xE0 and not said:  # noqa: PLR2004 - JFIF's own comes first
            yield b"\xff\xe1" + struct.pack(">H", len(packet) + 2) + packet
            said = True
        if data[at + 1] not in _JPEG_GO:
            yield segment
        at += len(segment)
    yield data[at:]


def _webp(data: bytes) -> Iterator[bytes]:
    at = 12
    while at + 8 <= len(data):
        kind, (size,) = data[at : at + 4], struct.unpack_from("<I", data, at + 4)
        chunk = data[at : at + 8 + size + size % 2]
        if kind == b"VP8X":
            chunk = chunk[:8] + bytes([chunk[8] & ~_HAS_EXIF | _HAS_XMP]) + chunk[9:]
        if kind not in _WEBP_GO:
            yield chunk
        at += len(chunk)
    packet = marking.xmp()
    yield b"XMP " + struct.pack("<I", len(packet)) + packet + b"\0" * (len(packet) % 2)
