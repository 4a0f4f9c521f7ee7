"""The seal: what was judged is what is drawn. Children load this module and nothing else of the room."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, Final

import msgspec

from tendred.schema.sealed import Conditioning, Reviewed

# Each names a purpose, so that one kind of MAC can never be taken for another.
_REVIEWED: Final = b"tendred.reviewed.1"
_OWN: Final = b"tendred.own.1"
_CONDITIONING: Final = msgspec.json.Decoder(Conditioning)


class SealBroken(Exception):  # noqa: N818  (says what happened, as the classes of errors.py do)
    """The seal doesn't fit the request: it was changed, or sealed under another key."""


def canonical(obj: Any) -> bytes:
    """The one JSON form of a record: keys sorted, no white space. Raises TypeError on what JSON can't say."""
    return msgspec.json.encode(obj, order="sorted")


def seal(key: bytes, request: bytes, conditioning: bytes, policy: str) -> Reviewed:
    """Seal canonical bytes. Only the boundary calls this, after an `allow`. Raises ValueError on an empty key."""
    mac = _mac(key, _REVIEWED, request, conditioning, policy.encode())
    return Reviewed(request=request, conditioning=conditioning, policy=policy, mac=mac)


def open_seal(key: bytes, reviewed: Reviewed) -> tuple[bytes, Conditioning]:
    """The canonical request and its conditioning. Raises SealBroken, ValueError on an empty key."""
    try:
        expected = _mac(key, _REVIEWED, reviewed.request, reviewed.conditioning, reviewed.policy.encode())
    except UnicodeEncodeError as error:
        raise SealBroken from error
    if not hmac.compare_digest(expected, reviewed.mac):
        raise SealBroken
    try:
        return reviewed.request, _CONDITIONING.decode(reviewed.conditioning)
    except msgspec.DecodeError as error:
        raise SealBroken from error


def vouch(key: bytes, asset_id: str, sha256: str, receipt_sha256: str) -> bytes:
    """Say that this file was made and passed here: its asset, its bytes, the body of its receipt. Raises ValueError."""
    return _mac(key, _OWN, asset_id.encode(), sha256.encode(), receipt_sha256.encode())


def _mac(key: bytes, purpose: bytes, *fields: bytes) -> bytes:
    if not key:
        # HMAC accepts an empty key; anybody could make such a seal.
        raise ValueError("a seal needs a key")
    mac = hmac.new(key, purpose, hashlib.sha256)
    for field in fields:
        # The length before each field keeps bytes from moving between neighbours.
        mac.update(len(field).to_bytes(8, "big"))
        mac.update(field)
    return mac.digest()
