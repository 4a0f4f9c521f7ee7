"""What travels in a file besides its pixels: how it was made, and that a machine made it.

| | text that other tools read | our JSON | IPTC mark |
|---|---|---|---|
| PNG | chunk `parameters` | chunk `tendred` | XMP |
| JPEG, WebP | EXIF UserComment | XMP `tendred:settings` | XMP |

The text is tEXt where it is Latin-1 and iTXt otherwise; UserComment is UNICODE, big-endian like its header.
XMP is iTXt `XML:com.adobe.xmp` in a PNG. The mark is the IPTC's Digital Source Type (cv.iptc.org/newscodes).
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any, Final
from xml.sax.saxutils import escape

from PIL.ExifTags import IFD, Base
from PIL.Image import Exif
from PIL.PngImagePlugin import PngInfo

SOURCE_TYPE: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
SEGMENT_BYTES: Final = 65_000
"""A JPEG segment holds 65 533 bytes with its own header; both EXIF and XMP must fit in one."""

_XMP: Final = """\
<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" \
xmlns:tendred="https://tendred.invalid/ns/1/">\
<Iptc4xmpExt:DigitalSourceType>{source}</Iptc4xmpExt:DigitalSourceType>{settings}\
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="r"?>"""


def settings_json(settings: Mapping[str, Any]) -> str:
    """Our JSON: ASCII, so that it needs no care about encodings anywhere."""
    return json.dumps(settings, ensure_ascii=True, sort_keys=True, separators=(",", ":"))


def xmp(settings: Mapping[str, Any] | None = None) -> bytes:
    """An XMP packet with the mark, and with our settings where given.

    Settings that would not fit in a JPEG segment are deflated and base64-coded, as `tendred:deflated`.
    """
    if settings is None:
        return _packet("")
    text = settings_json(settings)
    packet = _packet(f"<tendred:settings>{escape(text)}</tendred:settings>")
    if len(packet) > SEGMENT_BYTES:
        packed = base64.b64encode(zlib.compress(text.encode("ascii"), 9)).decode("ascii")
        packet = _packet(f"<tendred:deflated>{packed}</tendred:deflated>")
    return packet


def exif(parameters: str) -> bytes:
    """An EXIF block with the parameters text as its UserComment."""
    block = Exif()
    block.endian = ">"
    block[Base.Software] = "tendred"
    block.get_ifd(IFD.Exif)[Base.UserComment] = b"UNICODE\0" + parameters.encode("utf-16-be")
    return block.tobytes()


def png_chunks(settings: Mapping[str, Any], parameters: str) -> PngInfo:
    """The text chunks of a PNG."""
    info = PngInfo()
    # add_text turns to iTXt by itself where Latin-1 is not enough. NUL would end the text early.
    info.add_text("parameters", parameters.replace("\0", "\N{REPLACEMENT CHARACTER}"))
    info.add_text("tendred", settings_json(settings))
    info.add_itxt("XML:com.adobe.xmp", xmp().decode())
    return info


def _packet(settings: str) -> bytes:
    return _XMP.format(source=SOURCE_TYPE, settings=settings).encode()
