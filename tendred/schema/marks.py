"""What a file says of itself: who signed it, that a machine made it, what it came from; and what becomes of that."""

from __future__ import annotations

from typing import Final, Literal

from tendred.schema.base import Record

PRODUCT: Final = "tendred"


class Signing(Record, frozen=True):
    """What files are signed with: the folder of this installation's own key, or a certificate that the user brought.

    `certificate` is a PEM chain, its leaf first, `key` its private key (PEM, without a password); both or none.
    """

    folder: str
    certificate: str = ""
    key: str = ""


class SigningTrouble(Record, frozen=True):
    """Why nothing can be signed with it: the words of `signer_broken`, and what they are filled with."""

    variant: str
    detail: dict[str, str]


Relation = Literal["parentOf", "inputTo", "componentOf"]
"""As in C2PA: changed itself; looked at while it was made; a part of it."""


class Parent(Record, frozen=True):
    """A file that another came from. Its own credentials are kept in those of the new one."""

    path: str
    sha256: str
    relation: Relation


class Sign(Record, frozen=True):
    """A finished clip, to be marked and signed as `target`.

    `provided`: somebody else made the file; what it says of itself is kept, as that of the first ingredient. A still of ours
    (`parents` is itself alone) is copied without the settings that travel in it.
    """

    source: str
    target: str
    media_type: str
    parents: list[Parent] = []
    provided: bool = False


class OutputCheck(Record, frozen=True):
    """What looked at a picture before anybody else could."""

    name: str
    version: str


Checked = OutputCheck | Literal["none"]


class Certificate(Record, frozen=True):
    """Whose signature it is, as the certificate has it. Anybody may write anything there: see `Verified.signer`."""

    name: str | None
    issuer: str | None
    serial: str | None
    algorithm: str | None


class Ancestor(Record, frozen=True):
    """Something a file came from, as its credentials tell it."""

    relation: str
    made_with: str | None
    credentials: bool


class Watermark(Record, frozen=True):
    """The mark in the pixels: of which installation, and whether that is this one (null where there is none yet)."""

    installation: str
    ours: bool | None


class Verified(Record, frozen=True):
    """What can be said of a file.

    `state`: `intact` (signed, and unchanged since), `changed` (its credentials don't hold), `unsigned`, `unreadable` (no
    file of a kind that can be read). `signer`: `ours` (this installation), `known` (on the given trust list), `unknown` (the
    signature is valid; who made it is anybody's word). `synthetic`: whether it says that a machine made it.
    """

    file: str
    media_type: str | None
    bytes: int
    sha256: str
    state: Literal["intact", "changed", "unsigned", "unreadable"]
    signer: Literal["ours", "known", "unknown"] | None = None
    certificate: Certificate | None = None
    signed_at: str | None = None
    made_with: str | None = None
    source_type: str | None = None
    synthetic: bool | None = None
    origins: list[Ancestor] = []
    watermark: Watermark | None = None
    watermark_looked_for: bool = False
    problems: list[str] = []


class Verify(Record, frozen=True):
    """A file to be looked at. `trust`: a PEM file of certificates that count as known.

    `deep` looks for the mark in the pixels even where the credentials hold; else that is done only where they don't.
    """

    path: str
    folder: str = ""
    trust: str = ""
    deep: bool = False
