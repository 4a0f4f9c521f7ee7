"""C2PA credentials: what a file is signed with, last of all. No prompt, no name, no path, no thumbnail goes in.

`python -m tendred.media.worker.credentials` reads one `Signing` (JSON) on stdin, signs a picture of one pixel with it, and
answers with what was wrong, or null.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import sys
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Final

import c2pa
import msgspec

from tendred import __version__
from tendred.errors import SignerBroken
from tendred.media.worker.identity import Identity, load
from tendred.media.worker.kinds import HEAD_BYTES, media_type_of
from tendred.schema.marks import PRODUCT, Parent, Relation, Signing, SigningTrouble

MOST_PARENTS: Final = 16
"""Ingredients in one manifest, about 13 kB each; the receipt has all of them."""
TRAINED: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
SETTINGS: Final[dict[str, Any]] = {
    "builder": {"thumbnail": {"enabled": False}},
    # Nothing is asked of the network, whatever address a file brings along.
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_after_sign": False},
}
_BYTES: Final = 512 * 1024 * 1024
_PIXEL: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)
"""A PNG."""


class Signatory:
    """Signs with what it was given; the key is read at the first file, and checked then."""

    def __init__(self, signing: Signing | None) -> None:
        self._signing = signing
        self._identity: Identity | None = None
        self._context: c2pa.Context | None = None

    @property
    def identity(self) -> Identity:
        """Raises SignerBroken."""
        if self._signing is None:
            raise SignerBroken(problem="nobody said what to sign with")
        if self._identity is None:
            self._identity = load(self._signing)
        return self._identity

    def sign(self, data: bytes, media_type: str, parents: Sequence[Parent]) -> bytes:
        """The same file with its credentials. Raises SignerBroken."""
        out = BytesIO()
        self.sign_stream(BytesIO(data), out, media_type, parents)
        return out.getvalue()

    def sign_stream(
        self,
        source: BinaryIO,
        target: BinaryIO,
        media_type: str,
        parents: Sequence[Parent],
        provider: Path | None = None,
    ) -> None:
        """As `sign`. `provider`: the file as it came; what it says of itself is kept. Raises SignerBroken."""
        identity = self.identity
        sources = _sources(parents, provider)
        changed = any(relation == "parentOf" for relation, _, _ in sources)
        try:
            self._context = self._context or c2pa.Context(c2pa.Settings.from_json(json.dumps(SETTINGS)))
            with (
                c2pa.Builder(_manifest(media_type, changed=changed), self._context) as builder,
                c2pa.Signer.from_callback(
                    identity.sign, c2pa.C2paSigningAlg[identity.algorithm.upper()], identity.chain
                ) as signer,
            ):
                if changed:
                    builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
                else:
                    kind = c2pa.C2paDigitalSourceType.TRAINED_ALGORITHMIC_MEDIA
                    builder.set_intent(c2pa.C2paBuilderIntent.CREATE, kind)
                for number, (relation, kind, stream) in enumerate(sources, 1):
                    described = {"title": f"source {number}", "relationship": relation}
                    builder.add_ingredient(json.dumps(described), kind, stream)
                builder.sign(signer, media_type, source, target)
        except c2pa.C2paError as problem:
            raise SignerBroken("signing", problem=str(problem)) from problem
        finally:
            for _, _, stream in sources:
                stream.close()


def _manifest(media_type: str, *, changed: bool) -> str:
    """The library writes by itself how it began (`c2pa.created`, or `c2pa.opened` for what was changed)."""
    agent = {"name": PRODUCT, "version": __version__}
    edited = {"action": "c2pa.edited", "digitalSourceType": TRAINED, "softwareAgent": agent}
    assertions = [{"label": "c2pa.actions.v2", "data": {"actions": [edited]}}] if changed else []
    return json.dumps({"claim_generator_info": [agent], "format": media_type, "assertions": assertions})


def _sources(parents: Sequence[Parent], provider: Path | None) -> list[tuple[Relation, str, BinaryIO]]:
    """What it came from, each with its media type: the one that was changed first, of which there is one at most."""
    found: list[tuple[Relation, BinaryIO]] = [] if provider is None else [("parentOf", provider.open("rb"))]
    for parent in sorted(parents, key=lambda parent: parent.relation != "parentOf")[:MOST_PARENTS]:
        if (data := _read(parent)) is not None:
            taken = parent.relation == "parentOf" and bool(found)
            found.append(("inputTo" if taken else parent.relation, BytesIO(data)))
    sources: list[tuple[Relation, str, BinaryIO]] = []
    for relation, stream in found:
        kind = media_type_of(stream.read(HEAD_BYTES))
        stream.seek(0)
        if kind is None:
            stream.close()
        else:
            sources.append((relation, kind, stream))
    return sources


def _read(parent: Parent) -> bytes | None:
    """Its bytes, if they are those that were drawn from. Gone or exchanged meanwhile: the receipt still names it."""
    try:
        with open(os.open(parent.path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb") as file:
            data = file.read(_BYTES)
    except OSError:
        return None
    return data if hashlib.sha256(data).hexdigest() == parent.sha256 else None


def main() -> int:
    """Whether anything can be signed: C2PA asks more of a certificate than that its key fits."""
    trouble: SigningTrouble | None = None
    try:
        Signatory(msgspec.json.decode(sys.stdin.buffer.read(), type=Signing)).sign(_PIXEL, "image/png", [])
    except SignerBroken as error:
        trouble = SigningTrouble(error.variant, {name: str(value) for name, value in error.detail.items()})
    sys.stdout.buffer.write(msgspec.json.encode(trouble))
    return 0


if __name__ == "__main__":
    sys.exit(main())
