"""What kind of file it is, by its first bytes. A name says nothing."""

from __future__ import annotations

from typing import Final

HEAD_BYTES: Final = 64


def media_type_of(head: bytes) -> str | None:
    """`image/png`, `image/jpeg`, `image/webp`, `video/mp4`, or None."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return "video/mp4" if head[4:8] == b"ftyp" else None
