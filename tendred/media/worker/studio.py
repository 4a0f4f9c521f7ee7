"""The child's rooms together: what it was told at its start, and what it is asked for."""

from __future__ import annotations

from collections.abc import Callable

from tendred.media.worker import clipmarks, encode, shrink, strip, verify
from tendred.media.worker.checks import Checker
from tendred.media.worker.credentials import Signatory
from tendred.schema.footage import ClipMade, ClipWork
from tendred.schema.frames import Hello
from tendred.schema.marks import Sign, Verified, Verify
from tendred.schema.work import Encode, Encoded, Shrink, Shrunk


class Studio:
    """One for the child's whole life."""

    def __init__(self, hello: Hello) -> None:
        self._signatory = Signatory(hello.signing)
        self._check = Checker.named(hello.output_check)

    def encode(self, work: Encode, quality: int) -> Encoded:
        return encode.encode(work, quality, self._signatory, self._check)

    def shrink(self, work: Shrink) -> Shrunk:
        return shrink.shrink(work, self._check)

    def sign(self, work: Sign) -> Encoded:
        room = strip if work.media_type.startswith("image/") else clipmarks
        return room.sign(work, self._signatory)

    def verify(self, work: Verify) -> Verified:
        return verify.verify(work)

    def clip(self, work: ClipWork, steps: Callable[[int, int], None]) -> ClipMade:
        from tendred.media.worker import clips  # PyAV comes in here

        return clips.clip(work, steps)
