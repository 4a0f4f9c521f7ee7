"""What a file is, by what it says of itself and by what holds of that. Nothing is asked of the network.

`python -m tendred.media.worker.verify` reads one order (JSON, schema.marks.Verify) on stdin and answers on stdout, for
those who have no daemon.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any, BinaryIO, Final

import c2pa
import msgspec
from PIL import Image, JpegImagePlugin, PngImagePlugin, UnidentifiedImageError, WebPImagePlugin

from tendred.errors import TendredError
from tendred.media.worker import identity, watermark
from tendred.media.worker.confine import confine
from tendred.media.worker.credentials import SETTINGS
from tendred.media.worker.kinds import HEAD_BYTES, media_type_of
from tendred.schema.marks import Ancestor, Certificate, Verified, Verify
from tendred.schema.marks import Watermark as Mark

__all__ = ["JpegImagePlugin", "PngImagePlugin", "WebPImagePlugin", "verify"]  # the plug-ins register by being there

MOST_PIXELS: Final = 67_108_864
_FORMATS: Final = ("PNG", "JPEG", "WEBP")
_PEM_BYTES: Final = 8 * 1024 * 1024
_PIECE: Final = 1024 * 1024
_XMP_BYTES: Final = 16 * 1024 * 1024
_XMP: Final = re.compile(rb"DigitalSourceType[^<>]{0,3}[>=][\"']?\s*(https?://[\w./:-]{1,200})")
_SYNTHETIC: Final = re.compile(r"[/](trainedAlgorithmicMedia|compositeWithTrainedAlgorithmicMedia|compositeSynthetic|algorithmicMedia)$")  # fmt: skip
_HARMLESS: Final = frozenset({"signingCredential.untrusted"})
"""Says that nobody vouches for the signer, not that anything was changed."""
_HOLDS: Final = frozenset({"Valid", "Trusted"})


class _Part(msgspec.Struct, frozen=True):
    """Of the library's JSON, what is read here; the rest of it is left alone."""


class _Maker(_Part, frozen=True):
    name: str | None = None
    version: str | None = None

    def told(self) -> str | None:
        return " ".join(filter(None, (self.name, self.version))) or None


class _Signature(_Part, frozen=True):
    common_name: str | None = None
    issuer: str | None = None
    cert_serial_number: str | None = None
    alg: str | None = None
    time: str | None = None


class _Ingredient(_Part, frozen=True):
    relationship: str = ""
    active_manifest: str | None = None


class _Assertion(_Part, frozen=True):
    """`data` is whatever its maker put there: looked at only where its label says what it should be."""

    label: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Action(_Part, frozen=True):
    source_type: str | None = msgspec.field(default=None, name="digitalSourceType")


class _Actions(_Part, frozen=True):
    actions: list[_Action] = []


class _Manifest(_Part, frozen=True):
    claim_generator: str | None = None
    claim_generator_info: list[_Maker] | None = None
    signature_info: _Signature | None = None
    assertions: list[_Assertion] | None = None
    ingredients: list[_Ingredient] | None = None

    def maker(self) -> str | None:
        makers = self.claim_generator_info or [_Maker(self.claim_generator)]
        return makers[0].told()


class _Problem(_Part, frozen=True):
    code: str = ""


class _Results(_Part, frozen=True):
    failure: list[_Problem] | None = None


class _AllResults(_Part, frozen=True, rename="camel"):
    active_manifest: _Results | None = None


class _Report(_Part, frozen=True):
    validation_state: str = "Invalid"
    active_manifest: str | None = None
    manifests: dict[str, _Manifest] = {}
    validation_results: _AllResults | None = None
    validation_status: list[_Problem] | None = None

    def manifest(self, label: str | None) -> _Manifest | None:
        return None if label is None else self.manifests.get(label)


def verify(work: Verify) -> Verified:
    """Look at a file. Raises nothing for its contents: whatever they are, that is the answer. Raises OSError."""
    path = Path(work.path)
    with path.open("rb") as file:
        kind = media_type_of(file.read(HEAD_BYTES))
        size, sha256 = _hashed(file)
        found = Verified(file=path.name, media_type=kind, bytes=size, sha256=sha256, state="unreadable")
        if kind is None:
            return found
        found = _credentials(found, file, kind, work)
        if found.source_type is None:
            found = _replace(found, source_type=_xmp(file))
    if kind.startswith("image/") and (work.deep or found.state != "intact"):
        found = _replace(found, watermark=_watermark(path, work.folder), watermark_looked_for=True)
    return _replace(found, synthetic=_synthetic(found))


def _credentials(found: Verified, file: BinaryIO, kind: str, work: Verify) -> Verified:
    try:
        told = _told(file, kind, _pem(Path(work.folder) / identity.ROOTS) if work.folder else "")
        if told is None:
            return _replace(found, state="unsigned")
        signer = "ours" if told.validation_state == "Trusted" else "unknown"
        if told.validation_state == "Valid" and (trust := _pem(Path(work.trust)) if work.trust else ""):
            again = _told(file, kind, trust)
            signer = "known" if again and again.validation_state == "Trusted" else signer
    except (c2pa.C2paError, msgspec.ValidationError) as problem:
        # Something is there that calls itself credentials, and can't even be read.
        return _replace(found, state="changed", problems=[_code(problem)])
    if told.validation_state not in _HOLDS:
        return _replace(_described(found, told), state="changed", problems=_failures(told))
    return _replace(_described(found, told), state="intact", signer=signer)


def _told(file: BinaryIO, kind: str, anchors: str) -> _Report | None:
    """What the library reads, None where there are no credentials. Trusted: by these anchors, and no others."""
    file.seek(0)
    settings = SETTINGS | {"verify": SETTINGS["verify"] | {"verify_trust": True}, "trust": {"trust_anchors": anchors}}
    if not anchors:
        del settings["trust"]
    with c2pa.Context(c2pa.Settings.from_json(json.dumps(settings))) as context:
        reader = c2pa.Reader.try_create(kind, file, context=context)
        if reader is None:
            return None
        with reader:
            if not reader.is_embedded():
                return None  # an address of credentials elsewhere: nothing is asked there
            return msgspec.json.decode(reader.json(), type=_Report)


def _described(found: Verified, told: _Report) -> Verified:
    manifest = told.manifest(told.active_manifest) or _Manifest()
    signed = manifest.signature_info or _Signature()
    return _replace(
        found,
        certificate=Certificate(
            name=signed.common_name, issuer=signed.issuer, serial=signed.cert_serial_number, algorithm=signed.alg
        ),
        signed_at=signed.time,
        made_with=manifest.maker(),
        source_type=_source_type(manifest),
        origins=[_origin(one, told) for one in manifest.ingredients or []],
    )


def _origin(ingredient: _Ingredient, told: _Report) -> Ancestor:
    manifest = told.manifest(ingredient.active_manifest)
    made_with = None if manifest is None else manifest.maker()
    return Ancestor(relation=ingredient.relationship, made_with=made_with, credentials=manifest is not None)


def _source_type(manifest: _Manifest) -> str | None:
    """That of the newest action that names one."""
    for assertion in manifest.assertions or []:
        if assertion.label.startswith("c2pa.actions"):
            try:
                done = msgspec.json.decode(assertion.data, type=_Actions).actions
            except msgspec.ValidationError:
                continue  # called actions, and none
            if told := next((one.source_type for one in reversed(done) if one.source_type), None):
                return told
    return None


def _failures(told: _Report) -> list[str]:
    results = told.validation_results and told.validation_results.active_manifest
    problems = (results and results.failure) or told.validation_status or []
    return sorted({one.code for one in problems} - _HARMLESS)[:16]


def _code(problem: Exception) -> str:
    return type(problem).__name__.strip("_").removeprefix("C2pa").lower() or "unreadable"


def _xmp(file: BinaryIO) -> str | None:
    """The IPTC mark in an XMP packet, wherever the format keeps it: at the head, or (our clips) at the end."""
    file.seek(0)
    head = file.read(_XMP_BYTES)
    size = file.seek(0, 2)
    file.seek(max(len(head), size - _PIECE))
    match = _XMP.search(head) or _XMP.search(file.read())
    return match[1].decode("ascii") if match else None


def _synthetic(found: Verified) -> bool | None:
    if found.watermark is not None:
        return True
    return None if found.source_type is None else bool(_SYNTHETIC.search(found.source_type))


def _watermark(path: Path, folder: str) -> Mark | None:
    try:
        with Image.open(path, formats=_FORMATS) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                return None
            number = watermark.read(picture)
    except (OSError, ValueError, UnidentifiedImageError, Image.DecompressionBombError):
        return None
    if number is None:
        return None
    try:
        own = identity.number((Path(folder) / identity.CHAIN).read_bytes()) if folder else None
    except (OSError, TendredError):
        own = None
    return Mark(installation=f"{number:04x}", ours=None if own is None else own == number)


def _hashed(file: BinaryIO) -> tuple[int, str]:
    file.seek(0)
    digest, size = hashlib.sha256(), 0
    while piece := file.read(_PIECE):
        digest.update(piece)
        size += len(piece)
    return size, digest.hexdigest()


def _pem(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_PEM_BYTES).decode("ascii", "ignore")
    except OSError:
        return ""


def _replace(found: Verified, **changes: Any) -> Verified:
    return msgspec.structs.replace(found, **changes)


def main() -> int:
    """One order in, one answer out."""
    confine()
    work = msgspec.json.decode(sys.stdin.buffer.read(), type=Verify)
    try:
        sys.stdout.buffer.write(msgspec.json.encode(verify(work)))
    except OSError as problem:
        sys.stderr.write(problem.strerror or str(problem))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
