"""What the process does all day: open a sealed order, have it drawn, say how it went. No torch in here."""

from __future__ import annotations

import os
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn, Protocol

import msgspec

from tendred.boundary.seal import SealBroken, open_seal
from tendred.engine.worker.pipes import Pipes
from tendred.errors import Cancelled, Internal, TendredError
from tendred.schema.asset import EngineInfo
from tendred.schema.frames import (
    Done,
    Drawn,
    Failed,
    Glimpse,
    Hello,
    ModelGone,
    ModelLoaded,
    Phased,
    Ready,
    Run,
    Stopped,
)
from tendred.schema.job import Phase
from tendred.schema.sealed import Conditioning
from tendred.schema.source import ArrangedUse
from tendred.schema.still import Still, numbered
from tendred.schema.upscale import ClipUpscale, Upscale
from tendred.schema.work import Finding, WorkOrder

PROBLEM_CHARACTERS: Final = 300
_REQUESTS: Final[dict[str, type[Still | Upscale | ClipUpscale]]] = {
    "still": Still, "upscale": Upscale, "frames": ClipUpscale,
}  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """A drawn picture: raw RGB in a file of staging."""

    path: Path
    width: int
    height: int
    pixels_sha256: str
    findings: list[Finding]


@dataclass(frozen=True)
class Lora:
    """A LoRA of a sound order: which file, with which bytes, how strongly."""

    name: str
    path: str
    sha256: str
    weight: float


@dataclass(frozen=True)
class Part:
    """Something else that a sound order needs: which file or folder, with which bytes."""

    path: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Errand:
    """An order whose seal was sound, and the way to report on it. `model_sha256`: the weights it was judged with.

    `parts` by role (see schema.work.PartFile).
    """

    order: WorkOrder
    model_sha256: str
    parts: dict[str, Part]
    pipes: Pipes
    seed: int
    size: tuple[int, int]

    def seed_of(self, index: int) -> int:
        """The seed of one output."""
        return self.seed + index

    def check(self) -> None:
        """Raise Cancelled if the daemon wants it no more."""
        if self.pipes.stopped(self.order.job_id):
            raise Cancelled

    def phase(self, phase: Phase, done: int, total: int | None) -> None:
        self.pipes.send(Phased(job_id=self.order.job_id, phase=phase, done=done, total=total))

    def loaded(self, size_bytes: int, device: str) -> None:
        self.pipes.send(ModelLoaded(model=self.order.model, bytes=size_bytes, device=device))

    def gone(self, model: str) -> None:
        self.pipes.send(ModelGone(model=model))

    def glimpse(self, index: int, done: int, total: int, size: tuple[int, int], rgb: bytes) -> None:
        """Show a preview: raw RGB of `size` (width, height)."""
        width, height = size
        self.pipes.send(
            Glimpse(job_id=self.order.job_id, index=index, done=done, total=total, width=width, height=height, rgb=rgb)
        )

    def target(self, index: int) -> Path:
        """Where the raw picture goes."""
        return Path(self.order.staging) / f"{self.order.job_id}-{index}.rgb"

    def drawn(self, index: int, picture: Picture, engine: EngineInfo) -> None:
        self.pipes.send(
            Drawn(
                job_id=self.order.job_id,
                index=index,
                path=str(picture.path),
                width=picture.width,
                height=picture.height,
                seed=self.seed_of(index),
                pixels_sha256=picture.pixels_sha256,
                engine=engine,
                findings=picture.findings,
            )
        )


@dataclass(frozen=True, kw_only=True)
class Job(Errand):
    """A still to draw."""

    still: Still
    loras: list[Lora]
    conditioning: Conditioning

    def seed_of(self, index: int) -> int:
        return numbered(self.still, index).seed


@dataclass(frozen=True, kw_only=True)
class Enlarging(Errand):
    """A still to make larger."""

    upscale: Upscale


@dataclass(frozen=True, kw_only=True)
class Stretching(Errand):
    """A clip's pictures to make larger, as they come."""

    clip: ClipUpscale
    there: Path
    back: Path


class _Judged(msgspec.Struct):
    """What a sealed request says beside the still."""

    model_sha256: str
    loras_sha256: list[str] = []


class Draws(Protocol):
    """Who does the drawing: torch's artist, or a stand-in."""

    def open(self, hello: Hello) -> Ready:
        """Get ready; may take seconds. Raises EngineMissing."""
        ...

    def draw(self, job: Job) -> None:
        """Draw and report every index of the order. Raises TendredError; Cancelled when told to stop."""
        ...

    def together(self, jobs: list[Job]) -> list[Job]:
        """Draw and report several in one go; those whose pictures were reported. Cancelled when all were told to stop.

        Raises anything before anything is reported; then each is drawn by itself.
        """
        ...

    def enlarge(self, job: Enlarging) -> None:
        """Make the order's picture larger and report it. Raises TendredError; Cancelled when told to stop."""
        ...

    def stretch(self, job: Stretching) -> None:
        """Make one picture after another larger until no more come. Raises as `enlarge`."""
        ...

    def unload(self, model: str) -> bool:
        """Let a model go; whether it was there."""
        ...


def serve(pipes: Pipes, artist: Draws) -> NoReturn:
    """Take orders for ever. The process ends when the daemon does (see Pipes)."""
    hello = pipes.take()
    if not isinstance(hello, Hello):
        os._exit(1)
    try:
        pipes.send(artist.open(hello))
    except TendredError as error:
        pipes.send(failed("", error))
        os._exit(0)
    while True:
        frame = pipes.take()
        if isinstance(frame, Run):
            orders = [frame.order, *frame.beside]
            for order in _in_one_go(pipes, artist, hello.key, orders) if frame.beside else orders:
                pipes.send(_answer(pipes, artist, hello.key, order))
        elif not isinstance(frame, Hello) and artist.unload(frame.model):
            pipes.send(ModelGone(model=frame.model))


def failed(job_id: str, error: TendredError) -> Failed:
    """An error as a frame."""
    detail: dict[str, str | int | None] = {
        name: value for name, value in error.detail.items() if isinstance(value, str | int)
    }
    return Failed(job_id=job_id, kind=error.kind, variant=error.variant, path=error.path, detail=detail)


def in_short(problem: BaseException) -> str:
    """An exception in a line."""
    words = " ".join(str(problem).split()) or type(problem).__name__
    return words if len(words) <= PROBLEM_CHARACTERS else words[: PROBLEM_CHARACTERS - 1] + "…"


def _in_one_go(pipes: Pipes, artist: Draws, key: bytes, orders: list[WorkOrder]) -> list[WorkOrder]:
    """Have them drawn in one go and answer. Those that are left go by themselves: each then says what is wrong with it."""
    try:
        jobs = [_open(key, order, pipes) for order in orders]
        drawn = artist.together([job for job in jobs if isinstance(job, Job)])
    except Cancelled:
        return []
    except Exception:  # noqa: BLE001  whoever it is that can't be drawn, the others may
        traceback.print_exc()
        return orders
    for job in drawn:
        pipes.send(Done(job_id=job.order.job_id))
    return []


def _answer(pipes: Pipes, artist: Draws, key: bytes, order: WorkOrder) -> Done | Stopped | Failed:
    try:
        job = _open(key, order, pipes)
        match job:
            case Job():
                artist.draw(job)
            case Enlarging():
                artist.enlarge(job)
            case Stretching():
                artist.stretch(job)
    except Cancelled:
        return Stopped(job_id=order.job_id)
    except TendredError as error:
        return failed(order.job_id, error)
    except Exception as problem:  # noqa: BLE001  one job's trouble, told as such; the process lives on
        traceback.print_exc()
        return failed(order.job_id, Internal(problem=in_short(problem)))
    return Done(job_id=order.job_id)


def _open(key: bytes, order: WorkOrder, pipes: Pipes) -> Job | Enlarging | Stretching:
    """The request as it was judged. An order that says anything else than its seal is refused too."""
    try:
        request, conditioning = open_seal(key, order.reviewed)
        judged = msgspec.json.decode(request, type=_Judged)
        asked = msgspec.json.decode(request, type=_REQUESTS[order.kind])
    except (SealBroken, msgspec.DecodeError, ValueError) as problem:
        raise Internal(problem="seal") from problem
    if asked.model != order.model or not all(0 <= index < asked.count for index in order.indices):
        raise Internal(problem="seal")
    common: dict[str, Any] = {
        "order": order, "model_sha256": judged.model_sha256, "pipes": pipes, "seed": asked.seed,
        "size": (asked.width, asked.height),
    }  # fmt: skip
    if isinstance(asked, ClipUpscale):
        ways = {file.role: Path(file.path) for file in order.parts}
        if sorted(ways) != ["back", "there"]:
            raise Internal(problem="seal")
        return Stretching(clip=asked, parts={}, **ways, **common)
    common["parts"] = _parts(order, asked)
    if isinstance(asked, Upscale):
        return Enlarging(upscale=asked, **common)
    return Job(still=asked, loras=_loras(order, asked, judged.loras_sha256), conditioning=conditioning, **common)


def _loras(order: WorkOrder, still: Still, judged: list[str]) -> list[Lora]:
    named = [use.name for use in still.loras]
    if named != [file.name for file in order.loras] or len(named) != len(judged):
        raise Internal(problem="seal")
    return [
        Lora(use.name, file.path, sha256, use.weight)
        for use, file, sha256 in zip(still.loras, order.loras, judged, strict=True)
    ]


def _parts(order: WorkOrder, asked: Still | Upscale) -> dict[str, Part]:
    used: dict[str, ArrangedUse] = {} if asked.image is None else {"image": asked.image}
    sealed: dict[str, str] = {}
    if isinstance(asked, Still):
        sealed |= {} if asked.vae is None else {"vae": asked.vae.sha256}
        for number, use in enumerate(asked.control):
            used[f"control[{number}]"] = use
            sealed[f"controlnet[{number}]"] = use.model_sha256
    sealed |= {role: use.sha256 for role, use in used.items()}
    sealed |= {f"{role}.strokes": use.strokes for role, use in used.items() if use.strokes is not None}
    if sorted(file.role for file in order.parts) != sorted(sealed):
        raise Internal(problem="seal")
    return {file.role: Part(file.path, sealed[file.role]) for file in order.parts}
