"""The one who draws: holds one model at a time and turns torch's troubles into words."""

from __future__ import annotations

import os
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from tendred import __version__
from tendred.engine.worker.company import Company, alike, companies
from tendred.engine.worker.loop import Enlarging, Errand, Job, Stretching, in_short
from tendred.errors import Cancelled, EngineMissing, Internal, OutOfMemory, TendredError
from tendred.schema.asset import EngineInfo
from tendred.schema.frames import Hello, Ready


class Artist:
    """See loop.Draws. torch and diffusers are imported by `open` (4 to 10 s), so that beats go out before."""

    def __init__(self) -> None:
        self._device = "cpu"
        self._ready = Ready()
        self._resident: Any = None

    def open(self, hello: Hello) -> Ready:
        try:
            import diffusers
            import torch

            # The heavy part of the first order's imports, done while nobody waits for a picture yet.
            from tendred.engine.worker import adapters, device, draw, enlarge, load, memory, words
        except (ImportError, OSError, RuntimeError) as problem:
            traceback.print_exc()
            raise EngineMissing(problem=in_short(problem)) from problem
        del adapters, draw, enlarge, load, memory, words
        self._device = device.pick(hello.device)
        self._ready = Ready(
            device=self._device,
            torch=str(torch.__version__),
            diffusers=str(diffusers.__version__),
            threads=device.settle(hello.threads),
            hardware=device.hardware(self._device),
            libraries=device.libraries(),
            dtypes=device.number_formats(self._device),
        )
        return self._ready

    def draw(self, job: Job) -> None:
        with self._troubles(job):
            for company in companies(job):
                try:
                    self._draw(company)
                except Cancelled:
                    raise
                except Exception as problem:
                    if len(company.seats) == 1 or self._lost(problem):
                        raise
                    self._let_go(problem)
                    for seat in company.seats:
                        self._draw(Company([seat], company.call, company.calls))

    def together(self, jobs: list[Job]) -> list[Job]:
        company = Company([(job, index) for job in jobs for index in job.order.indices])
        if not alike(jobs):
            raise Internal(problem="these orders have too little in common")
        with self._troubles(jobs[0]):
            self._draw(company)
        return company.jobs

    def _draw(self, company: Company) -> None:
        """One call of the pipeline. Nothing is reported before all of its pictures are there."""
        from tendred.engine.worker.draw import draw

        company.check()
        resident = self._model(company)
        self._dress(company.jobs[0], resident)
        info = self._info(resident.dtype, len(company.seats))
        for job, index, picture in draw(company, resident):
            job.drawn(index, picture, info)

    def enlarge(self, job: Enlarging) -> None:
        from tendred.engine.worker.enlarge import enlarge

        with self._troubles(job):
            for index in job.order.indices:
                job.drawn(index, enlarge(job, self._device, index), self._info("float32"))

    def stretch(self, job: Stretching) -> None:
        from tendred.engine.worker.enlarge import stretch

        with self._troubles(job):
            stretch(job, self._device)

    @contextmanager
    def _troubles(self, job: Errand) -> Generator[None]:
        """Torch's troubles, as ours."""
        from tendred.engine.worker import memory

        try:
            yield
        except TendredError:
            raise
        except Exception as problem:
            if self._lost(problem):
                # Sticky: nothing in this process will draw again. A new process will.
                traceback.print_exc()
                os._exit(1)
            if not memory.ran_out(problem):
                raise
            raise self._too_much(job, problem) from None

    @staticmethod
    def _lost(problem: BaseException) -> bool:
        from tendred.engine.worker import memory

        return memory.device_lost(problem)

    def unload(self, model: str) -> bool:
        if self._resident is None or self._resident.name != model:
            return False
        self._drop()
        return True

    def _model(self, company: Company) -> Any:
        """The order's model, loaded if it isn't; the one before goes first, so that both never share the memory."""
        from tendred.engine.worker.load import load

        job = company.jobs[0]
        order = job.order
        wanted = (order.model, order.model_path, job.model_sha256)
        if self._resident is not None and self._resident.key == wanted:
            return self._resident
        if self._resident is not None:
            gone = self._resident.name
            self._drop()
            job.gone(gone)
        company.check()
        company.phase("loading", 0, None)
        self._resident = load(*wanted, self._device)
        job.loaded(self._resident.bytes, self._device)
        return self._resident

    def _dress(self, job: Job, resident: Any) -> None:
        """Put the order's LoRAs on the model, or take those of the order before off."""
        from tendred.engine.worker.adapters import wear

        if job.loras and not resident.worn:
            job.phase("loading", 0, None)
        try:
            wear(resident, job.loras)
        except TendredError:
            raise
        except BaseException:
            # Nobody knows what is on it now: it goes, and comes back as it was.
            self._drop()
            job.gone(job.order.model)
            raise

    def _drop(self) -> None:
        from tendred.engine.worker import device

        self._resident = None
        device.tidy(self._device)

    def _too_much(self, job: Errand, problem: BaseException) -> OutOfMemory:
        """What to say of it. While the traceback lives, so do the tensors it refers to: it is let go first."""
        from tendred.engine.worker import device, memory

        wanted = memory.wanted_bytes(problem)
        self._let_go(problem)
        free = device.free_bytes(self._device)
        fits = memory.would_fit(*job.size, wanted, free) if self._resident else None
        if fits is None:
            return OutOfMemory("model", needed_bytes=wanted, free_bytes=free, would_fit="", model=job.order.model)
        return OutOfMemory(needed_bytes=wanted, free_bytes=free, would_fit=fits)

    def _let_go(self, problem: BaseException) -> None:
        from tendred.engine.worker import device

        problem.__traceback__ = None
        device.tidy(self._device)

    def _info(self, dtype: str, batch_size: int = 1) -> EngineInfo:
        return EngineInfo(
            version=__version__,
            torch=self._ready.torch,
            diffusers=self._ready.diffusers,
            device=self._device,
            dtype=dtype,
            threads=self._ready.threads,
            batch_size=batch_size,
            hardware=self._ready.hardware,
            libraries=self._ready.libraries,
        )
