"""THE SPINE: the life of one job, from the claim to its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Final

from tendred.backend import Backend
from tendred.core.finals import Finals
from tendred.core.keep import Keeper, Run
from tendred.core.opening import Opener
from tendred.core.party import Party
from tendred.core.pauses import Pauses
from tendred.core.previews import Previews
from tendred.core.progress import Watch
from tendred.errors import Cancelled, DiskFull, EngineDied, FolderUnwritable, ShuttingDown
from tendred.queue.machine import EngineDied as EngineEnded
from tendred.queue.machine import Failed, Finished, Happening, Interrupted, PutBack, Stopped
from tendred.queue.store import Claim, Queue
from tendred.schema.asset import Asset, Receipt
from tendred.schema.error import ErrorInfo
from tendred.schema.job import Job
from tendred.schema.still import Still, common
from tendred.schema.upscale import ClipUpscale, Upscale
from tendred.schema.work import Advance, LoraFile, Output, Preview, WorkOrder

FAULTS: Final = 3
"""So often is the end of a job tried that fails for a reason of our own."""
_log = logging.getLogger(__name__)


class Runner:
    """Takes jobs one after another, as `claim` hands them out. `closed(job, receipt)` is told of every end.

    `sheet` gets those that are sheets.
    """

    def __init__(
        self,
        *,
        claim: Callable[[], Awaitable[Claim | None]],
        queue: Queue,
        opener: Opener,
        backend: Backend,
        keeper: Keeper,
        watch: Watch,
        previews: Previews,
        pauses: Pauses,
        tell: Callable[[BaseException], ErrorInfo],
        closed: Callable[[Job, Receipt | None], None],
        sheet: Callable[[Claim], None],
        finals: Finals,
    ) -> None:
        self._claim = claim
        self._queue = queue
        self._opener = opener
        self._backend = backend
        self._keeper = keeper
        self._watch = watch
        self._previews = previews
        self._pauses = pauses
        self._tell = tell
        self._closed = closed
        self._sheet = sheet
        self._finals = finals
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._running: set[str] = set()
        self._put_back = False
        self._ending = False
        self._unwanted: set[str] = set()

    # -- from outside --------------------------------------------------------------------------------------

    def wake(self) -> None:
        """There may be something to do."""
        self._wake.set()

    async def recover(self) -> None:
        """At start: what an earlier daemon left running waits again, or is parked if that happened too often."""
        for job_id in await self._queue.unfinished():
            error = self._tell(EngineDied(problem="the daemon ended while it worked on the job"))
            await self._queue.apply(job_id, Interrupted(error))

    async def cancel(self, job_id: str) -> None:
        """Stop a running job, whichever station of the road it is at."""
        self._unwanted.add(job_id)
        await self._backend.cancel(job_id)
        await self._finals.cancel(job_id)

    async def interrupt(self) -> None:
        """Put the running job, if there is one, back into the queue, uncounted; and those drawn in one go with it."""
        if self._idle.is_set():
            return
        self._put_back = True  # for these jobs: `_one` takes it back at their end
        for job_id in tuple(self._running):
            await self._backend.cancel(job_id)
            await self._finals.cancel(job_id)
        await self._idle.wait()

    async def finish(self, grace_s: float) -> None:
        """At the end: take nothing more, give the running job `grace_s`, then put it back."""
        self._ending = True
        try:
            await asyncio.wait_for(self._idle.wait(), grace_s)
        except TimeoutError:
            await self.interrupt()

    async def idle(self) -> None:
        """Return once nothing runs."""
        await self._idle.wait()

    # -- the road ------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work for as long as the daemon lives."""
        while True:
            self._wake.clear()
            while await self._one():
                pass
            await self._pauses.wait(self._wake)

    async def _one(self) -> bool:
        """Take and run a job, with those that are drawn in one go with it.

        Busy from before the claim, so that a pause or a cancel never falls in between.
        """
        self._idle.clear()
        try:
            claimed = await self._next()
            if claimed is not None:
                claims = [claimed, *claimed.beside]
                self._running = {one.job.id for one in claims}
                party = Party(self._backend, list(self._running), self._wanted)
                await asyncio.gather(*(self.run_job(one, party) for one in claims))
            return claimed is not None
        finally:
            self._running = set()
            self._put_back = False
            self._idle.set()

    def _wanted(self, job_id: str) -> bool:
        return not self._put_back and job_id not in self._unwanted

    async def _next(self) -> Claim | None:
        if self._ending or await self._pauses.hold():
            return None
        try:
            if claimed := await self._claim():
                return claimed
            await self._pauses.passed()
        except (DiskFull, FolderUnwritable) as problem:
            await self._pauses.begin(problem)
        except Exception as problem:  # noqa: BLE001 - a database that is locked for a while must not end the runner
            self._tell(problem)
            await self._pauses.retry()
            self._wake.set()
        return None

    async def run_job(self, claimed: Claim, party: Party) -> None:
        """One job from the claim to its end. Whatever goes wrong with it, it ends in a state and a row."""
        if claimed.job.kind == "sheet":
            self._sheet(claimed)  # it needs no engine; see core.sheets
            return
        run: Run | None = None
        try:
            run = await self._opener.opened(claimed)
            await self._make(run, party)
            happening: Happening = Finished(party.share(run.id))
        except Cancelled:
            happening = PutBack() if self._put_back else Stopped()
        except (DiskFull, FolderUnwritable) as problem:
            await self._pauses.begin(problem)
            happening = PutBack()
        except ShuttingDown:
            happening = PutBack()
        except EngineDied as problem:
            happening = EngineEnded(self._tell(problem))
        except Exception as problem:  # noqa: BLE001 - the job's end must be written whatever it died of
            happening = Failed(self._tell(problem))
        party.without(claimed.job.id)
        await self._close(claimed, run, happening)

    async def _make(self, run: Run, party: Party) -> None:
        if isinstance(run.still, ClipUpscale):
            await self._finals.make(run, run.still, self._wanted)
            return
        indices = await self._keeper.missing(run)
        if not indices:
            return
        staging = await self._keeper.stage(run.id)
        order = WorkOrder(
            job_id=run.id,
            reviewed=run.claim.reviewed,
            model=run.model.name,
            model_path=run.model.path,
            loras=[LoraFile(name=lora.name, path=lora.path) for lora in run.loras],
            indices=indices,
            staging=str(staging),
            keep_alive_s=run.still.keep_alive_s,
            previews=self._previews.wanted,
            kind="upscale" if isinstance(run.still, Upscale) else "still",
            parts=run.sources.files(),
            # Tried once more it goes picture by picture: the engine may have died of too many.
            together=isinstance(run.still, Still) and common(run.still) is not None and run.claim.job.attempts == 1,
        )
        watched = order.previews
        async with aclosing(await party.draw(order)) as reports:
            async for report in reports:
                match report:
                    case Advance():
                        await self._keeper.prewarm()
                        self._watch.advance(run.id, report)
                        if self._previews.wanted != watched:
                            watched = not watched
                            await self._backend.previews(run.id, wanted=watched)
                    case Preview():
                        self._previews.show(run.id, report)
                    case Output():
                        await self._kept(run, report, staging)

    async def _kept(self, run: Run, output: Output, staging: Path) -> Asset:
        self._watch.advance(run.id, Advance(phase="saving", done=output.index, total=run.still.count))
        return await self._keeper.keep(run, output, staging)

    async def _close(self, claimed: Claim, run: Run | None, happening: Happening) -> None:
        """Write the end down, however long the disk stays full: until then the job counts as running."""
        # Before its end is told: no preview comes after that.
        self._previews.forget(claimed.job.id)
        terminal = isinstance(happening, Finished | Stopped | Failed)
        if isinstance(happening, Finished):
            # Its files are written. Before the end is told, so that nobody reads of a success in a queue at a standstill.
            await self._pauses.passed()
        faults = 0
        while True:
            try:
                if run is not None and terminal:
                    job, receipt = await self._keeper.close(run, happening)
                else:
                    job, receipt = await self._queue.apply(claimed.job.id, happening), None
                break
            except (DiskFull, FolderUnwritable) as problem:
                await self._pauses.begin(problem)
                await self._pauses.retry()
            except Exception as problem:  # noqa: BLE001 - a fault of ours must not leave the job running for ever
                happening, run = Failed(self._tell(problem)), None
                faults += 1
                if faults > FAULTS:
                    return  # the next start finds it running, and takes it from there
                await self._pauses.retry()
        self._unwanted.discard(job.id)
        self._watch.forget(job.id)
        if not terminal:
            await self._keeper.discard(job.id)
        _log.info("job %s: %s", job.id, job.state)
        self._closed(job, receipt)
