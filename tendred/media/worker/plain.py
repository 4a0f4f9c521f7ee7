"""A still of ours as it goes to a provider: its pixels in the clip's size, and nothing else that travels in a file."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any, Final

from PIL import Image, JpegImagePlugin, PngImagePlugin, UnidentifiedImageError, WebPImagePlugin

from tendred.errors import StillNotOurs
from tendred.media.worker.look import shown
from tendred.media.worker.sheet import read
from tendred.schema.footage import Plain, Shown

__all__ = ["JpegImagePlugin", "PngImagePlugin", "WebPImagePlugin", "plain"]  # the plug-ins register by being there

_FORMATS: Final = ("PNG", "JPEG", "WEBP")
_MEDIA_TYPES: Final = {"png": "image/png", "jpeg": "image/jpeg"}
_QUALITY: Final = 95


def plain(work: Plain) -> Shown:
    """The middle of it in the shape that is wanted, scaled. Raises StillNotOurs for another file, DiskFull, FolderUnwritable."""
    try:
        data = read(work.source, work.sha256)
        with Image.open(BytesIO(data), formats=_FORMATS) as still:
            # A new picture: what stood beside the pixels (text, EXIF, XMP, a profile) stays behind.
            picture = Image.frombytes("RGB", still.size, still.convert("RGB").tobytes())
    except (OSError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as problem:
        raise StillNotOurs("changed", asset_id=Path(work.source).stem) from problem
    picture = picture.resize((work.width, work.height), Image.Resampling.LANCZOS, _middle(picture.size, work))
    options: dict[str, Any] = {} if work.format == "png" else {"quality": _QUALITY, "subsampling": 0}
    return shown(picture, Path(work.target), work.format.upper(), _MEDIA_TYPES[work.format], **options)


def _middle(size: tuple[int, int], work: Plain) -> tuple[float, float, float, float]:
    """The largest box of the wanted shape around the middle: providers don't say how they would cut."""
    width, height = size
    share = min(width / work.width, height / work.height)
    wide, high = work.width * share, work.height * share
    return (width - wide) / 2, (height - high) / 2, (width + wide) / 2, (height + high) / 2
