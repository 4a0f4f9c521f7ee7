"""How clips are put together: the switch, quotes, the broker and the books."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tendred.backend import Adapter, ClipMedia, Secrets
from tendred.cloud import offer
from tendred.cloud.broker import Broker
from tendred.cloud.clips import Clips
from tendred.cloud.desk import Opened, Picture
from tendred.cloud.office import Office
from tendred.cloud.vault import Vault
from tendred.core.clipdesk import ClipDesk
from tendred.core.clipjudge import ClipJudge
from tendred.core.clips import Quoting
from tendred.core.cloud import Cloud
from tendred.core.consent import Consent
from tendred.core.credentials import Credentials
from tendred.core.keep import Keeper
from tendred.core.pauses import Pauses
from tendred.core.progress import Watch
from tendred.core.refusals import Refusals
from tendred.core.settings import Settings
from tendred.core.shot_rows import ShotRows
from tendred.core.sources import Finder
from tendred.core.spend import Spend
from tendred.core.tokens import TokenRoom
from tendred.core.wording import Writer
from tendred.money.prices import Prices
from tendred.queue.store import Queue
from tendred.schema.asset import Receipt
from tendred.schema.job import Job
from tendred.schema.provider import ClipOrder

if TYPE_CHECKING:
    from tendred.app.assembly import Ground  # which puts these rooms among the others

GOES_ON: Final = frozenset({None, "engine_unstable"})
"""Reasons why the queue stands still that are no affair of clips."""


@dataclass(frozen=True)
class Outside:
    """What the daemon brings for clips: the ways to providers, the preferred first, and where their keys are.

    `media` looks into what comes from them, and makes the pictures that go there.
    """

    adapters: Mapping[str, Adapter]
    secrets: Secrets
    media: ClipMedia


@dataclass(frozen=True)
class CloudRooms:
    """What came of it."""

    credentials: Credentials
    cloud: Cloud
    quoting: Quoting
    spend: Spend
    tokens: TokenRoom
    broker: Broker
    judge: ClipJudge


def cloud_rooms(
    ground: Ground,
    outside: Outside,
    *,
    queue: Queue,
    settings: Settings,
    writer: Writer,
    finder: Finder,
    refusals: Refusals,
    keeper: Keeper,
    shots: ShotRows,
    pauses: Pauses,
    watch: Watch,
    closed: Callable[[Job, Receipt | None], None],
) -> CloudRooms:
    """Build them. Nothing runs yet, and nothing is connected to."""
    database, machine, tell = ground.database, ground.machine, ground.tell
    clock, rng, ids = machine.clock, machine.rng, ground.ids
    prices = Prices(ground.paths.config / "prices", clock)
    judge = ClipJudge(ground.boundary, refusals, lambda: tell.language)
    clips = Clips(database, queue)

    async def kept(job_id: str, receipt: Receipt | None) -> None:
        closed(await queue.get(job_id), receipt)

    def stopped(provider: str) -> None:
        broker.off(provider)  # it is made below, of this switch

    credentials = Credentials(outside.secrets, outside.adapters.keys, tell)
    cloud = Cloud(
        adapters=outside.adapters,
        credentials=credentials,
        settings=settings,
        prices=prices,
        stopped=stopped,
        woken=lambda: broker.wake(),  # noqa: PLW0108 - it is made below, of this switch
    )
    desk = ClipDesk(
        database=database, queue=queue, boundary=ground.boundary, judge=judge, finder=finder, keeper=keeper,
        files=ground.files, clock=clock, opened=_opened, clips=outside.media, closed=kept,
    )  # fmt: skip
    broker = Broker(
        clips=clips, desk=desk, vault=Vault(ground.paths.clips), adapter=cloud.adapter, refunds=cloud.refunds,
        held=lambda: pauses.reason not in GOES_ON, clock=clock, rng=rng, tasks=ground.tasks, tell=tell,
        advance=watch.advance, closed=watch.forget,
    )  # fmt: skip
    quoting = Quoting(
        database=database, adapter=cloud.adapter, check=offer.check, writer=writer, finder=finder, judge=judge,
        shots=shots, prices=prices, consent=Consent(clock, rng), counter=Office(database=database, queue=queue, clips=clips, broker=broker),
        clock=clock, ids=ids, rng=rng,
    )  # fmt: skip
    spend, tokens = Spend(database, clock), TokenRoom(database, ids, rng)
    return CloudRooms(credentials, cloud, quoting, spend, tokens, broker, judge)


def _opened(order: ClipOrder, first: tuple[str, str] | None, last: tuple[str, str] | None) -> Opened:
    def picture(told: tuple[str, str] | None) -> Picture | None:
        return None if told is None else Picture(path=told[0], media_type=told[1])

    return Opened(order=order, first=picture(first), last=picture(last))
