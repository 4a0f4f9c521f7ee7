"""Frames between the daemon and its children: 4 bytes of length, big-endian, then one tagged msgpack record.

The two functions stand here, beside the records, because a child may import no other room of ours.
"""

from __future__ import annotations

import struct
from typing import BinaryIO, Final

import msgspec

from tendred.schema.asset import EngineInfo
from tendred.schema.base import Record
from tendred.schema.footage import ClipMade, ClipWork
from tendred.schema.job import Phase
from tendred.schema.marks import Sign, Signing, Verified, Verify
from tendred.schema.pull import Fetch, FetchDone, Fetched, Listed, Look, PullFailed
from tendred.schema.work import Encode, Encoded, Finding, Shrink, Shrunk, WorkOrder

FRAME_BYTES: Final = 64 * 1024 * 1024
LENGTH: Final = struct.Struct(">I")


# Daemon to child.
class Hello(Record, frozen=True, tag="hello"):
    """The first frame. `key` is this child's own session key for seals (empty for media).

    Media: what it signs with, and the name of the output check that it loads (empty: none).
    """

    key: bytes = b""
    threads: int = 0
    device: str = "auto"
    signing: Signing | None = None
    output_check: str = ""


class Run(Record, frozen=True, tag="run"):
    """Engine: make the outputs of this order, and of those beside it in one go if that can be done.

    Whatever is said of an order is said by its own job id, the end too.
    """

    order: WorkOrder
    beside: list[WorkOrder] = []


class Cancel(Record, frozen=True, tag="cancel"):
    """Engine: stop this job at the next step."""

    job_id: str


class Unload(Record, frozen=True, tag="unload"):
    """Engine: let this model go."""

    model: str


class Previews(Record, frozen=True, tag="previews"):
    """Engine: from now on somebody looks on at this job, or nobody does any more."""

    job_id: str
    wanted: bool


class EncodeRequest(Record, frozen=True, tag="encode"):
    """Media: make a file. `call` comes back in the answer; `quality` counts for JPEG and WebP."""

    call: int
    work: Encode
    quality: int = 92


class ShrinkRequest(Record, frozen=True, tag="shrink"):
    """Media: make a small file of a raw picture."""

    call: int
    work: Shrink


class ClipRequest(Record, frozen=True, tag="clip"):
    """Media: look into a clip, or make something of one."""

    call: int
    work: ClipWork


class Leave(Record, frozen=True, tag="leave"):
    """Media: nobody wants this call's clip any more."""

    call: int


class SignRequest(Record, frozen=True, tag="sign"):
    """Media: mark and sign a finished file."""

    call: int
    work: Sign


class VerifyRequest(Record, frozen=True, tag="verify"):
    """Media: say what a file is."""

    call: int
    work: Verify


# Child to daemon.
class Ready(Record, frozen=True, tag="ready"):
    """The child listens. Empty where it has no such part; see asset.Identity."""

    device: str = ""
    torch: str = ""
    diffusers: str = ""
    threads: int = 0
    hardware: str = ""
    libraries: dict[str, str] = {}
    dtypes: dict[str, str] = {}


class Beat(Record, frozen=True, tag="beat"):
    """The child lives; sent every second from its own thread."""


class Phased(Record, frozen=True, tag="phase"):
    """How far a job is. `total` null where it can't be told."""

    job_id: str
    phase: Phase
    done: int
    total: int | None


class ModelLoaded(Record, frozen=True, tag="loaded"):
    """A model came into memory; `bytes` counts its weights."""

    model: str
    bytes: int
    device: str


class ModelGone(Record, frozen=True, tag="gone"):
    """A model left memory."""

    model: str


class Drawn(Record, frozen=True, tag="drawn"):
    """One picture stands in staging (see `work.Output`)."""

    job_id: str
    index: int
    path: str
    width: int
    height: int
    seed: int
    pixels_sha256: str
    engine: EngineInfo
    findings: list[Finding] = []


class Glimpse(Record, frozen=True, tag="glimpse"):
    """A preview (see `work.Preview`)."""

    job_id: str
    index: int
    done: int
    total: int
    width: int
    height: int
    rgb: bytes


class Done(Record, frozen=True, tag="done"):
    """Every output of the job was sent."""

    job_id: str


class Stopped(Record, frozen=True, tag="stopped"):
    """The job was cancelled and nothing of it runs any more."""

    job_id: str


class Failed(Record, frozen=True, tag="failed"):
    """It went wrong in a way the child survives. `kind`, `variant` and `detail` rebuild the error."""

    job_id: str
    kind: str
    variant: str = ""
    path: str | None = None
    detail: dict[str, str | int | None] = {}


class EncodeDone(Record, frozen=True, tag="encoded"):
    """Media: the file stands at its target."""

    call: int
    made: Encoded


class ShrinkDone(Record, frozen=True, tag="shrunk"):
    """Media: the small file itself."""

    call: int
    made: Shrunk


class ClipStep(Record, frozen=True, tag="clip_step"):
    """Media: `done` of `total` pictures of a clip."""

    call: int
    done: int
    total: int


class ClipDone(Record, frozen=True, tag="clip_done"):
    """Media: what was found or made."""

    call: int
    made: ClipMade


class VerifyDone(Record, frozen=True, tag="verified"):
    """Media: what the file is."""

    call: int
    made: Verified


class EncodeFailed(Record, frozen=True, tag="encode_failed"):
    """Media: no file, and why (an error kind). `folder` is the one that could not be written to, if that was it.

    `variant` and `detail` are those of the error.
    """

    call: int
    kind: str
    problem: str
    folder: str = ""
    variant: str = ""
    detail: dict[str, str] = {}


MediaRequest = EncodeRequest | ShrinkRequest | SignRequest | VerifyRequest | ClipRequest
MediaAnswer = EncodeDone | ShrinkDone | VerifyDone | ClipDone | EncodeFailed
Down = Hello | Run | Cancel | Unload | Previews | MediaRequest | Leave | Look | Fetch
Up = (
    Ready | Beat | Phased | ModelLoaded | ModelGone | Glimpse | Drawn | Done | Stopped | Failed | MediaAnswer
    | ClipStep     | Listed | Fetched | FetchDone | PullFailed
)  # fmt: skip

_DOWN: Final = msgspec.msgpack.Decoder(Down)
_UP: Final = msgspec.msgpack.Decoder(Up)


def pack(record: Down | Up) -> bytes:
    """A frame, ready to be written."""
    body = msgspec.msgpack.encode(record)
    if len(body) > FRAME_BYTES:
        raise ValueError(f"a frame of {len(body)} bytes is over {FRAME_BYTES}")
    return LENGTH.pack(len(body)) + body


def unpack_up(body: bytes) -> Up:
    """A child's frame, read by the daemon; raises msgspec.DecodeError on anything else."""
    return _UP.decode(body)


def read_down(pipe: BinaryIO) -> Down | None:
    """A daemon's frame, read by a child (blocking); None when the daemon is gone."""
    head = pipe.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (size,) = LENGTH.unpack(head)
    body = pipe.read(size) if size <= FRAME_BYTES else b""
    return _DOWN.decode(body) if len(body) == size else None
