"""A broker that lives, is killed and lives again, on one database and a clock of its own; everything follows from a seed.

Store transactions run inline and the providers are in memory, so nothing depends on threads or on the machine: a seed
that fails, fails again. `Life.check` are the promises that hold after every step; `finish` those that hold at the end.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from tendred.backend import Adapter
from tendred.boundary.judge import Boundary, Words
from tendred.boundary.seal import canonical
from tendred.cloud.broker import Broker
from tendred.cloud.clips import Clips
from tendred.cloud.desk import Opened
from tendred.cloud.office import Office
from tendred.cloud.vault import Vault
from tendred.errors import CapExceeded, Internal, OutcomeUnknown, TendredError, WrongState
from tendred.money import caps, ledger, quotes, report
from tendred.queue.machine import Finished
from tendred.queue.store import NewJob, Queue
from tendred.schema.clip import ENDED, Clip, Fetched
from tendred.schema.error import ErrorInfo, tell
from tendred.schema.event import Event
from tendred.schema.job import Origin
from tendred.schema.money import CapChanges, Quote, Refund
from tendred.schema.provider import ClipOrder
from tendred.schema.sealed import Reviewed
from tendred.schema.work import Advance
from tendred.store.database import Database, Tx
from tendred.tasks import Tasks
from tendred.testing.cloud import MemoryAdapter, Provider, Rendering
from tendred.testing.orders import KEY
from tendred.testing.times import Chance, OurTime, TrueTime

KEPT: Final = "CREATE TABLE IF NOT EXISTS kept (job_id TEXT PRIMARY KEY, sha256 TEXT NOT NULL)"
TOKEN: Final = "tok_test"
ENDED_JOBS: Final = frozenset({"succeeded", "failed", "cancelled"})


class Killed(BaseException):
    """kill -9."""


class Mortal(Tasks):
    """Coroutines of a life that may end: nobody writes a log line of it."""

    def _finished(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and isinstance(task.exception(), Killed):
            self._running.discard(task)
            return
        super()._finished(task)


class BareDesk:
    """See cloud.desk.Desk: the boundary's seal is real, the library is one table and a folder."""

    def __init__(
        self, database: Database, boundary: Boundary, queue: Queue, cut: Callable[[str], None], library: Path
    ) -> None:
        self._database, self._boundary, self._queue, self._cut = database, boundary, queue, cut
        self._library = library

    async def open(self, job_id: str, *, pictures: bool = True) -> Opened:
        del pictures
        row = await self._database.read(
            lambda connection: connection.execute(
                "SELECT sealed_request, conditioning, policy, mac FROM job WHERE id = ?", (job_id,)
            ).fetchone()
        )
        reviewed = Reviewed(request=row[0], conditioning=row[1], policy=row[2], mac=row[3])
        request, _ = self._boundary.open(reviewed)
        assert msgspec.json.decode(request)["job_id"] == job_id
        clip = msgspec.json.decode(request, type=Clip)
        fields = {
            name: getattr(clip, name) for name in ("prompt", "model", "width", "height", "seconds", "fps", "audio")
        }
        return Opened(order=ClipOrder(job_id=job_id, key=job_id, seed=None, first=None, last=None, **fields))

    async def uploaded(self, job_id: str) -> None:
        del job_id
        self._cut("uploaded")

    async def check(self, file: Fetched) -> None:
        del file
        self._cut("check")

    async def keep(self, job_id: str, file: Fetched | None, close: Callable[[Tx], object]) -> None:
        published = self._library / f"{job_id}.mp4"
        if file is not None:
            self._cut("publish")
            self._library.mkdir(exist_ok=True)
            Path(file.path).rename(published)
        self._cut("keep")
        sha256 = hashlib.sha256(published.read_bytes()).hexdigest()

        def work(tx: Tx) -> None:
            tx.run("INSERT INTO kept VALUES (?, ?)", job_id, sha256)
            close(tx)
            self._queue.apply_in(tx, job_id, Finished())

        await self._database.write(work)


def unseen(job_id: str, advance: Advance) -> None:
    """Nobody looks on."""
    del job_id, advance


async def at_once(function: Callable[..., Any], /, *args: Any) -> Any:
    """See cloud.vault.Runs: no thread, no chance."""
    return function(*args)


class Life:
    """One database, some providers, and our side of it, which may die at any cut."""

    def __init__(
        self, home: Path, boundary: Boundary, template: Path | None = None, clips: type[Clips] = Clips
    ) -> None:
        self.home = home
        self.boundary = boundary
        self.truth = TrueTime()
        self.clock = OurTime(self.truth)
        self.providers: dict[str, Provider] = {}
        self.cuts: list[str] = []
        self.kill_at: int | None = None
        self.dead = False
        self.by_user: set[str] = set()
        self.deaths = 0
        self._clips_type = clips
        if template is not None:
            shutil.copyfile(template, home / "tendred.db")

    # -- living and dying ----------------------------------------------------------------------------------

    def cut(self, where: str) -> None:
        """A place where we may be killed. Once dead, nothing of that life has an effect any more."""
        self.cuts.append(where)
        if self.dead or (self.kill_at is not None and len(self.cuts) >= self.kill_at):
            self.dead = True
            raise Killed(where)

    async def begin(self) -> None:
        """Start, or start again."""
        self.dead, self.kill_at = False, None
        self.tasks = Mortal()
        self.database = Database(
            self.home / "tendred.db", clock=self.clock, committed=lambda _: self.cut("commit"), boot_id="boot_1",
            publish=self.heard, inline=True,
        )  # fmt: skip
        self.database.open()
        await self.database.write(lambda tx: tx.run(KEPT).rowcount)
        queue = Queue(self.database, limit=1000)
        self.clips = self._clips_type(self.database, queue)
        desk = BareDesk(self.database, self.boundary, queue, self.cut, self.home / "library")
        adapters = self.adapters()
        self.broker = Broker(
            clips=self.clips, desk=desk, vault=Vault(self.home / "clips", at_once), adapter=adapters.__getitem__,
            refunds=self.refunds,
            held=lambda: False, clock=self.clock, rng=Chance("broker"), tasks=self.tasks, tell=said,
            advance=unseen, closed=lambda _: None,
        )  # fmt: skip
        self.office = Office(database=self.database, queue=queue, clips=self.clips, broker=self.broker)
        await self.broker.recover()
        self.tasks.spawn("broker", self.broker.run())

    def adapters(self) -> Mapping[str, Adapter]:
        """Our ways to the providers, new ones in each life."""
        return {name: MemoryAdapter(provider) for name, provider in self.providers.items()}

    def refunds(self, name: str) -> tuple[Refund, Refund]:
        """A provider's terms for jobs that fail, and for filtered ones."""
        return ("billed", "unknown") if self.providers[name].bills_failed else ("unknown", "unknown")

    def takes(self) -> Iterable[tuple[str, int]]:
        """How often each order was really accepted."""
        return [one for provider in self.providers.values() for one in provider.takes().items()]

    def heard(self, event: Event) -> None:
        """Somebody listens to events; here nobody does."""

    async def end(self) -> None:
        """Whatever of this life still runs, runs no more."""
        self.dead = True
        await self.tasks.stop()
        self.database.close()
        self.clock.sleepers.clear()

    async def rebirth(self) -> None:
        """Died: live again."""
        self.deaths += 1
        await self.end()
        await self.begin()

    async def quiet(self) -> None:
        """Until nothing can go on without time passing."""
        ready: Any = asyncio.get_running_loop()
        for _ in range(100_000):
            await asyncio.sleep(0)
            if self.dead:
                return
            # CPython's own loop: nothing else is ready when we come back to an empty line.
            if not ready._ready:  # noqa: SLF001
                return
        raise AssertionError("it never comes to rest")

    async def step(self) -> None:
        """Let everything happen that happens now; then let time pass until something else does."""
        await self.quiet()
        if self.dead:
            await self.rebirth()
            await self.quiet()
        await self.check()
        self.clock.step()

    async def lived(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """Do something as a person would: dying meanwhile, and being refused, are part of it."""
        try:
            return await work()
        except Killed:
            await self.rebirth()
        except (CapExceeded, OutcomeUnknown, WrongState) as problem:
            return problem

    # -- what people do ------------------------------------------------------------------------------------

    async def caps(self, **mcr: int) -> None:
        """Set caps."""
        changes = msgspec.convert({**mcr, "tokens": {TOKEN: 1 << 40}}, CapChanges)
        await self.database.write(lambda tx: caps.set_in(tx, changes))

    async def order(self, number: int, provider: str, total_mcr: int) -> str | Exception | None:
        """Quote and render one clip; its job's id, or what refused it, or None where we died of it."""
        job_id, quote_id = f"job_{number:026d}", f"quo_{number:026d}"
        new, quote = self.quoted(job_id, quote_id, provider, total_mcr)

        def offer(tx: Tx) -> None:
            quotes.add_in(tx, quote, TOKEN, new, tx.now + quotes.GOOD_S)

        async def work() -> str:
            await self.database.write(offer)
            return (await self.office.render(quote_id, TOKEN)).id

        return await self.lived(work)

    def quoted(self, job_id: str, quote_id: str, provider: str, total_mcr: int) -> tuple[NewJob, Quote]:
        """A clip, judged and sealed, with its offer."""
        clip = Clip(
            prompt=f"rain on a tin roof, {job_id}", provider=provider, model="ltx-2-3-fast", width=1920, height=1080,
            seconds=6, fps="24", audio=True, seed=None, first=None, last=None, character=None, lane="normal", tags=[],
        )  # fmt: skip
        verdict, conditioning = self.boundary.judge(Words(prompt=clip.prompt, kind="clip"))
        assert verdict.verdict == "allow"
        assert conditioning is not None
        asked: dict[str, Any] = msgspec.to_builtins(clip)
        reviewed = self.boundary.approve(canonical({**asked, "job_id": job_id}), conditioning)
        new = NewJob(
            id=job_id, kind="clip", lane="normal", request=asked, asked={}, origin=Origin(door="rpc"),
            reviewed=reviewed, removed=[], retry_of=None, key=None, key_hash=b"",
        )  # fmt: skip
        quote = Quote(
            id=quote_id, job_id=job_id, provider=provider, model=clip.model, width=1920, height=1080, seconds=6,
            fps="24", rate_mcr=total_mcr // 6, total_mcr=total_mcr, credits="", table_date="2026-11-01",
            table_source="", stale=False, failed="unknown", filtered="unknown", expires_at="", digest=quote_id,
        )  # fmt: skip
        return new, quote

    async def resolve(self, job_id: str) -> None:
        """A person looks at the provider's console, and says what stands there."""
        row = await self.clips.get(job_id)
        there = self.providers[row.provider]
        if row.remote_id is not None:
            await self._unstick(job_id, there.jobs[row.remote_id])
            return
        known = await self.clips.taken(row.provider)
        mine = [job for job in there.jobs.values() if job.order.key == job_id and job.remote_id not in known]
        self.by_user.add(job_id)
        if not mine:
            await self.lived(lambda: self.office.resolve(job_id, "not_charged", None, None))
        elif mine[0].remote_id in there.forgotten:
            await self.lived(lambda: self.office.resolve(job_id, "charged", None, mine[0].cost_mcr))
        else:
            await self.lived(lambda: self.office.resolve(job_id, "found", mine[0].remote_id, None))

    async def _unstick(self, job_id: str, job: Rendering) -> None:
        """A person has the provider see to a job that doesn't end, and then waits for it again."""
        self.by_user.add(job_id)
        job.ends = "ready"
        await self.lived(lambda: self.office.resolve(job_id, "found", job.remote_id, None))

    # -- the promises --------------------------------------------------------------------------------------

    async def rows(self, sql: str, *values: Any) -> list[Any]:
        """What stands in the database."""
        return await self.database.read(lambda connection: connection.execute(sql, values).fetchall())

    async def check(self) -> None:
        """What holds after every step."""
        doubles = {key: count for key, count in self.takes() if count > 1}
        assert doubles == {}, f"submitted twice: {doubles}"
        both = "SELECT credit AS account, mcr FROM ledger UNION ALL SELECT debit, -mcr FROM ledger"
        accounts = await self.rows(f"SELECT account, sum(mcr) AS mcr FROM ({both}) GROUP BY account")
        assert sum(row["mcr"] for row in accounts) == 0
        assert all(row["mcr"] >= 0 for row in accounts if row["account"] in {"held", "unsure", "spent"})
        assert await self.database.read(ledger.broken_in) is None
        for row in await self.rows("SELECT name, mcr FROM cap WHERE name = 'day'"):
            for (used,) in await self.rows(
                "SELECT sum(mcr * ((credit IN ('held', 'unsure', 'spent')) - (debit IN ('held', 'unsure', 'spent')))) "
                "FROM ledger WHERE kind <> 'excess' AND job_id IS NOT NULL GROUP BY day"
            ):
                assert used <= row["mcr"], f"the cap of a day is exceeded: {used}"
        for row in await self.rows("SELECT clip.*, job.state FROM clip JOIN job ON job.id = clip.job_id"):
            await self._check_clip(row)
        for row in await self.rows("SELECT job_id, event, detail FROM clip_step WHERE was = 'unknown'"):
            by_list = row["event"] == "Found" and msgspec.json.decode(row["detail"])["by"] == "provider"
            assert by_list or row["job_id"] in self.by_user, f"{row['job_id']} was resolved by itself"

    async def _check_clip(self, row: Any) -> None:
        held = await self.database.read(lambda connection: ledger.balance_in(connection, row["job_id"], "held"))
        if row["phase"] in ENDED:
            assert held == 0, f"{row['job_id']} is at its end and still holds {held}"
            assert row["state"] in ENDED_JOBS, (row["state"], row["phase"])
        else:
            assert held == row["quoted_mcr"]
            expected = {"reserved": {"queued"}, "unknown": {"unknown"}}.get(row["phase"], {"running", "cancelling"})
            assert row["state"] in expected, (row["state"], row["phase"])

    async def finish(self) -> None:
        """Everything works again, a person answers what is asked: every clip comes to its end, and none is lost."""
        for provider in self.providers.values():
            provider.fault = lambda _: ""
        for _ in range(2000):
            await self.step()
            for row in await self.rows("SELECT job_id FROM clip WHERE phase = 'unknown' ORDER BY job_id"):
                await self.resolve(row["job_id"])
            if all(row.phase in ENDED for row in await self.clips.open()) and not self.dead:
                break
        assert await self.clips.open() == []
        kept = {row["job_id"]: row["sha256"] for row in await self.rows("SELECT job_id, sha256 FROM kept")}
        for row in await self.rows("SELECT job_id, phase, sha256 FROM clip"):
            assert (row["job_id"] in kept) == (row["phase"] == "settled")
            if row["job_id"] in kept:
                assert kept[row["job_id"]] == row["sha256"]

    async def books(self) -> None:
        """Every settlement says on whose word; a balance that is typed in closes the books to zero."""
        for row in await self.rows("SELECT kind, basis FROM ledger WHERE kind IN ('settle', 'excess', 'clear')"):
            assert row["basis"] in {"provider", "table", "user"}
        for name, provider in self.providers.items():
            said = provider.balance_mcr
            await self.database.write(lambda tx, name=name, said=said: report.reconcile_in(tx, name, said, 0))
            again = await self.database.write(lambda tx, name=name, said=said: report.reconcile_in(tx, name, said, 0))
            assert again.difference_mcr == 0
            assert again.expected_mcr == said


def said(problem: BaseException) -> ErrorInfo:
    """Any failure, in words."""
    if isinstance(problem, Killed):
        raise problem
    return tell(problem if isinstance(problem, TendredError) else Internal(), "ref")


def boundary() -> Boundary:
    """A real one, with the key that tests share."""
    return Boundary(KEY, year=lambda: 2026)
