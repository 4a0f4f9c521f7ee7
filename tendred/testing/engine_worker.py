"""A stand-in for the engine process: the same frames and the same seal, no torch, and troubles on demand.

`python -m tendred.testing.engine_worker`. It draws at once what depends on seed, words and LoRAs alone. The JSON file that
TENDRED_TEST_SCRIPT names tells how it behaves (`Script`); the file is read anew for every order.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Final

import msgspec

from tendred import __version__
from tendred.engine.worker.company import Company, alike, companies
from tendred.engine.worker.loop import Enlarging, Errand, Job, Picture, Stretching, serve
from tendred.engine.worker.pipes import Pipes
from tendred.errors import (
    EngineMissing,
    Internal,
    ModelMissing,
    ModelRefused,
    OutOfMemory,
    StillNotOurs,
    UnsupportedParameter,
)
from tendred.library.files import typed
from tendred.schema.asset import EngineInfo
from tendred.schema.base import Asked
from tendred.schema.frames import LENGTH, Hello, Ready
from tendred.schema.still import SCHEDULERS, numbered
from tendred.schema.weights import any_sha256, file_sha256
from tendred.schema.work import Finding

SCRIPT: Final = "TENDRED_TEST_SCRIPT"
INFO: Final = EngineInfo(
    version=__version__, torch="fake", diffusers="fake", device="cpu", dtype="float32", threads=1, batch_size=1,
    hardware="fake", libraries={"numpy": "fake"},
)  # fmt: skip
MODEL_BYTES: Final = 1_000_000


class Script(Asked, frozen=True, kw_only=True):
    """How the stand-in behaves. A step is 1 for the first one of an order; null means never."""

    step_s: float = 0.0
    """Seconds a step takes."""
    steps: int | None = None
    """Steps of a picture; null does those that were asked for."""
    start_s: float = 0.0
    """Seconds until it is ready."""
    never_ready: bool = False
    missing: str | None = None
    """It has no torch, and says so in these words."""
    die_at_start: bool = False
    die_at_step: int | None = None
    exit_status: int | None = None
    """It ends with this status; null kills itself with SIGKILL."""
    die_times: int | None = None
    """It dies this often, over all processes of this script (counted in `<script>.deaths`); null: each time."""
    hang_at_step: int | None = None
    """It stops working and beating."""
    oom: bool = False
    alone: bool = False
    """It has no memory for pictures of several orders in one go."""
    die_together: bool = False
    """It dies of pictures of several orders in one go, at the first step."""
    flood_at_step: int | None = None
    """It writes text into the pipe for ever."""
    half_frame_at_step: int | None = None
    """It sends half a frame and ends."""
    chatter_at_step: int | None = None
    """It sends ten thousand progress frames at once."""
    ignore_cancel: bool = False
    wrong_path: bool = False
    """It names a file of its own choice as the picture."""
    early_done: bool = False
    """It says that all is done, and sent nothing."""
    torch: str = "fake"
    """The version of torch that it has; another one draws something else."""
    glimpses: bool = True
    """It shows a preview after each step while somebody looks on."""
    bad_glimpse: bool = False
    """It shows one that can't be."""
    findings: tuple[Finding, ...] = ()


def load_script() -> Script:
    """The script of this process; the default one where none is named."""
    path = os.environ.get(SCRIPT)
    return msgspec.json.decode(Path(path).read_bytes(), type=Script) if path else Script()


class StandIn:
    """See engine.worker.loop.Draws."""

    def __init__(self, pipes: Pipes) -> None:
        self._pipes = pipes
        self._model: str | None = None
        self._script = load_script()

    def open(self, hello: Hello) -> Ready:
        del hello
        script = self._script
        if script.missing is not None:
            raise EngineMissing(problem=script.missing)
        if script.die_at_start:
            self._die()
        if script.never_ready:
            _wait(None)
        _wait(script.start_s)
        return Ready(
            device="cpu", torch=script.torch, diffusers="fake", threads=1, hardware="fake", libraries={"numpy": "fake"},
            dtypes={"unet": "float32", "transformer": "float32"},
        )  # fmt: skip

    def draw(self, job: Job) -> None:
        self._begin(job)
        if self._script.early_done:
            return
        steps = self._script.steps or job.still.steps
        for company in companies(job):
            self._call(company, steps)

    def together(self, jobs: list[Job]) -> list[Job]:
        company = Company([(job, index) for job in jobs for index in job.order.indices])
        if not alike(jobs):
            raise Internal(problem="too little in common")
        for job in jobs:
            self._begin(job)
        if self._script.alone:
            raise OutOfMemory(needed_bytes=8 * 2**30, free_bytes=2**30, would_fit="768 x 768")
        self._call(company, self._script.steps or jobs[0].still.steps)
        return company.jobs

    def _call(self, company: Company, steps: int) -> None:
        """What one call of a pipeline is: its steps are those of all of its pictures."""
        together = len(company.seats)
        for step in range(company.call * steps + 1, (company.call + 1) * steps + 1):
            self._step(company, step, steps * company.calls)
            for job, index in company.seats if self._script.glimpses and self._pipes.watched else []:
                # One grey for each step, so that a test can tell them apart.
                rgb = bytes([step % 256]) * (4 * 2 * 3)
                job.glimpse(index, step, steps * company.calls, (5 if self._script.bad_glimpse else 4, 2), rgb)
        company.phase("decoding", company.call, company.calls)
        for job, index in company.seats:
            if company.wants(job):
                info = msgspec.structs.replace(INFO, torch=self._script.torch, batch_size=together)
                job.drawn(index, self._picture(job, index, together), info)

    def _begin(self, job: Job) -> None:
        self._script = load_script()
        if job.still.scheduler not in SCHEDULERS:
            raise UnsupportedParameter(path="scheduler", model=job.order.model)
        self._load(job)
        _check_parts(job)
        for lora in job.loras:
            if file_sha256(Path(lora.path)) != lora.sha256:
                raise ModelRefused("lora", path="loras", name=lora.name, reason="header", problem="it changed")
        if self._script.oom:
            raise OutOfMemory(needed_bytes=8 * 2**30, free_bytes=2**30, would_fit="768 x 768")

    def enlarge(self, job: Enlarging) -> None:
        self._script = load_script()
        _check_parts(job)
        for index in job.order.indices:
            self._step(job, 1, 1)
            pattern = f"{job.parts['image'].sha256}|{job.upscale.factor}|{job.model_sha256}"
            job.drawn(index, _striped(job, index, pattern, []), INFO)

    def stretch(self, job: Stretching) -> None:
        """Every pixel becomes a square of its own colour, upside down in light: no resampler would do that."""
        self._script = load_script()
        asked, size = job.clip, job.clip.width // job.clip.factor
        turned = bytes(255 - value for value in range(256))
        with open(job.there, "rb") as there, open(job.back, "wb") as back:
            for number in range(asked.frames):
                raw = there.read(size * (asked.height // asked.factor) * 3).translate(turned)
                self._step(job, number + 1, asked.frames)
                for at in range(0, len(raw), size * 3):
                    row = raw[at : at + size * 3]
                    spread = bytearray(len(row) * asked.factor)
                    for colour in range(3):
                        for copy in range(asked.factor):
                            spread[colour + 3 * copy :: 3 * asked.factor] = row[colour::3]
                    back.write(bytes(spread) * asked.factor)
                back.flush()

    def unload(self, model: str) -> bool:
        there, self._model = self._model == model, None
        return there

    def _load(self, job: Job) -> None:
        order = job.order
        if not Path(order.model_path).exists():
            raise ModelMissing("gone", name=order.model, folder=order.model_path)
        if self._model == order.model:
            return
        if self._model is not None:
            job.gone(self._model)
        job.phase("loading", 0, None)
        self._model = order.model
        job.loaded(MODEL_BYTES, "cpu")

    def _step(self, job: Enlarging | Stretching | Company, step: int, total: int) -> None:
        script = self._script
        if not script.ignore_cancel:
            job.check()
        _wait(script.step_s)
        if step == script.die_at_step or (script.die_together and isinstance(job, Company) and job.several):
            self._die()
        if step == script.hang_at_step:
            self._pipes.rest()
            _wait(None)
        if step == script.half_frame_at_step:
            self._pipes.send_raw(LENGTH.pack(1000) + b"\x81")
            os._exit(0)
        while step == script.flood_at_step:
            self._pipes.send_raw(b"Loading pipeline components...\n" * 1000)
        for _ in range(10_000 if step == script.chatter_at_step else 0):
            job.phase("sampling", step, total)
        job.phase("sampling", step, total)

    def _picture(self, job: Job, index: int, together: int) -> Picture:
        """Its last bits depend on how many others were drawn in one go with it, as torch's do."""
        still = numbered(job.still, index)
        words = "".join(span.text for span in job.conditioning.prompt)
        worn = "".join(f"|{lora.sha256}*{lora.weight}" for lora in job.loras)
        worn += "".join(f"|{step.seed}@{step.strength}" for step in still.variations if step.strength)
        worn += f"|{self._script.torch}" + (f"|of {together}" if together > 1 else "")
        worn += "".join(f"|{role}={job.parts[role].sha256}" for role in sorted(job.parts))
        drawn = _striped(job, index, f"{still.seed}|{words}{worn}", list(self._script.findings))
        return dataclasses.replace(drawn, path=Path("/etc/passwd")) if self._script.wrong_path else drawn

    def _die(self) -> None:
        """Die, if the script's count isn't used up; the count is on disk before."""
        counter = Path(os.environ[SCRIPT] + ".deaths")
        deaths = len(counter.read_bytes()) if counter.exists() else 0
        if self._script.die_times is not None and deaths >= self._script.die_times:
            return
        with counter.open("ab") as file:
            file.write(b".")
        if self._script.exit_status is not None:
            os._exit(self._script.exit_status)
        if sys.platform == "win32":
            os._exit(137)
        os.kill(os.getpid(), signal.SIGKILL)


def _striped(job: Errand, index: int, pattern: str, findings: list[Finding]) -> Picture:
    """A picture of the order's size whose rows are all the same, and say what it was made from."""
    width, height = job.size
    data = hashlib.shake_256(pattern.encode()).digest(width * 3) * height
    path = job.target(index)
    with typed(path.parent):
        path.write_bytes(data)
        path.chmod(0o600)
    return Picture(path, width, height, hashlib.sha256(data).hexdigest(), findings)


def _check_parts(job: Errand) -> None:
    for role, part in job.parts.items():
        if any_sha256(Path(part.path)) == part.sha256:
            continue
        if role.startswith(("image", "control[")):
            raise StillNotOurs("changed", path=role, asset_id="?")
        raise ModelRefused("part", path=role, name=role, reason="header", problem="it changed")


def _wait(seconds: float | None) -> None:
    """Wait without a clock of ours: a child has none. None waits for ever."""
    if seconds is None or seconds > 0:
        threading.Event().wait(seconds)


def main() -> None:
    pipes = Pipes.take_over()
    pipes.start()
    serve(pipes, StandIn(pipes))


if __name__ == "__main__":
    main()
