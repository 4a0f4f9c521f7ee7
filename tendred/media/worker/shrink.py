"""A raw picture as a small file, for looks at what is being drawn."""

from __future__ import annotations

from io import BytesIO
from typing import Final

from PIL import Image, JpegImagePlugin

from tendred.media.worker import marking
from tendred.media.worker.checks import Checker
from tendred.schema.work import Shrink, Shrunk

__all__ = ["JpegImagePlugin", "shrink"]  # the plug-in registers by being there

_QUALITY: Final = 75


def shrink(work: Shrink, check: Checker) -> Shrunk:
    """JPEG, with the IPTC mark; or PPM (netpbm's P6), whose pixels anybody can read. Raises ValueError, OutputWithheld."""
    picture = Image.frombytes("RGB", (work.width, work.height), work.rgb)
    check.look(picture)
    if max(picture.size) > work.side:
        share = work.side / max(picture.size)
        picture = picture.resize(
            (max(1, round(work.width * share)), max(1, round(work.height * share))), Image.Resampling.BOX
        )
    width, height = picture.size
    if work.form == "ppm":
        data, media_type = b"P6\n%d %d\n255\n" % picture.size + picture.tobytes(), "image/x-portable-pixmap"
    else:
        out = BytesIO()
        picture.save(out, "JPEG", quality=_QUALITY, xmp=marking.xmp())
        data, media_type = out.getvalue(), "image/jpeg"
    return Shrunk(data=data, media_type=media_type, width=width, height=height)
