"""spend.*: what was spent, under which caps, and the books behind it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from tendred.errors import NotFound, WrongState
from tendred.rpc.methods.common import Here, Methods
from tendred.schema.base import Asked, Cursor, Id, Limit, Name
from tendred.schema.clip import Outcome
from tendred.schema.job import Job
from tendred.schema.money import Amount, CapChanges, Caps, LedgerPage, Reconciled, SpendReport

Day = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$", description="A day in UTC, such as 2026-11-22.")]


class ReportParams(Asked, frozen=True):
    """How to group, and between which days, both included."""

    by: Literal["day", "provider", "shot"] = "day"
    after: Day = "0000-00-00"
    before: Day = "9999-99-99"


class LedgerParams(Asked, frozen=True):
    """Which movements."""

    job_id: Id | None = None
    limit: Limit = 50
    cursor: Cursor | None = None


class CapParams(Asked, frozen=True):
    """Caps to change; nothing changes what is left out."""

    changes: CapChanges = CapChanges()


class ResolveParams(Asked, frozen=True):
    """What a person saw at the provider: the job is there (`remote_id` names it), it was billed, or it was not."""

    job_id: Id
    outcome: Outcome
    remote_id: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    charged_mcr: Annotated[Amount, Meta(description="With charged: how much; null is what was quoted.")] | None = None


class ReconcileParams(Asked, frozen=True):
    """The balance that a provider's console shows, and what was paid in there since the last time."""

    provider: Name
    balance_mcr: Annotated[int, Meta(ge=-(2**53) + 1, le=2**53 - 1)]
    topped_up_mcr: Amount = 0


async def report(call: Here, params: ReportParams) -> SpendReport:
    return await call.door.studio.spend.report(params.by, params.after, params.before)


async def ledger(call: Here, params: LedgerParams) -> LedgerPage:
    return await call.door.studio.spend.ledger(params.job_id, params.limit, params.cursor)


async def caps(call: Here, params: CapParams) -> Caps:
    studio = call.door.studio
    return await studio.spend.caps(params.changes, call.door.scopes, studio.hotfolders)


async def resolve(call: Here, params: ResolveParams) -> Job:
    return await call.door.studio.clips.resolve(params.job_id, params.outcome, params.remote_id, params.charged_mcr)


async def reconcile(call: Here, params: ReconcileParams) -> Reconciled:
    return await call.door.studio.spend.reconcile(params.provider, params.balance_mcr, params.topped_up_mcr)


def register(methods: Methods) -> None:
    add = methods.add
    add(
        "spend.report",
        ReportParams,
        report,
        result=SpendReport,
        scope="read",
        summary="What was spent, held and perhaps billed, by day (UTC), provider or shot.",
    )
    add("spend.ledger", LedgerParams, ledger, result=LedgerPage, scope="read", summary="Every movement, newest first.")
    add(
        "spend.caps",
        CapParams,
        caps,
        result=Caps,
        scope="read",
        summary="Every cap and what is used of it; to change one takes the scope spend.",
    )
    add(
        "spend.resolve",
        ResolveParams,
        resolve,
        result=Job,
        scope="spend",
        summary="Say what happened to a clip whose outcome or bill nobody knows.",
        errors=(NotFound, WrongState),
    )
    add(
        "spend.reconcile",
        ReconcileParams,
        reconcile,
        result=Reconciled,
        scope="spend",
        summary="Type a provider's balance in; the difference is booked openly.",
    )
