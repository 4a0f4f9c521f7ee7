"""A clip's road up to the money: final words, judged and sealed, priced, confirmed, taken."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final, Protocol

from msgspec.structs import asdict, replace

from tendred.backend import Adapter
from tendred.boundary.seal import canonical
from tendred.clock import Clock, Ids, Rng, rfc3339
from tendred.core.characters import Played
from tendred.core.clipjudge import ClipJudge, sent
from tendred.core.consent import GOOD_S, Consent
from tendred.core.shot_rows import ShotRows
from tendred.core.sources import Finder
from tendred.core.submit import asked_hash
from tendred.core.wording import Writer, weighed
from tendred.errors import NotFound, QuoteUsed, UnsupportedParameter
from tendred.money import quotes
from tendred.money.caps import OWNER
from tendred.money.prices import Price, Prices, credits_of
from tendred.queue.store import NewJob
from tendred.schema.clip import Clip, ClipRequest, Evidence, Outcome
from tendred.schema.job import Job, Origin, Submitted
from tendred.schema.money import Confirmation, Quote
from tendred.schema.provider import Features
from tendred.schema.sealed import OwnStill
from tendred.schema.source import SourceUse
from tendred.schema.still import StillRequest
from tendred.store.database import Database
from tendred.tasks import offload

SEED_BITS: Final = 32


class Counter(Protocol):
    """Where quotes are taken; see cloud.office.Office."""

    async def render(self, quote_id: str, token_id: str) -> Job:
        """Reserve the money and make the job, in one transaction."""
        ...

    async def stand(self, quote: Quote, new: NewJob, ends_at: float, door: str) -> Job:
        """Make an offer and take it under a standing cap, in one transaction."""
        ...

    async def made(self, key: str, key_hash: bytes) -> Job | None:
        """The clip that an idempotency key made before."""
        ...

    async def cancel(self, job_id: str) -> Job:
        """Cancel a clip, in any state."""
        ...

    async def evidence(self, job_id: str) -> Evidence:
        """All that is known of a clip."""
        ...

    async def resolve(self, job_id: str, outcome: Outcome, remote_id: str | None, mcr: int | None) -> Job:
        """A person says what happened."""
        ...


class Check(Protocol):
    """Whether a provider offers what is asked for; see cloud.offer.check. Raises NotOffered by field."""

    def __call__(
        self, features: Features, model: str, *, prompt: str, width: int, height: int, seconds: int, fps: str,
        audio: bool = True, seed: int | None = None, first: bool = False, last: bool = False,
        refine: bool = False,
    ) -> object: ...  # fmt: skip


class Quoting:
    """Quotes and their confirmation. `adapter(provider)` raises CloudOff, NotFound."""

    def __init__(
        self,
        *,
        database: Database,
        adapter: Callable[[str], Adapter],
        check: Check,
        writer: Writer,
        finder: Finder,
        judge: ClipJudge,
        shots: ShotRows,
        prices: Prices,
        consent: Consent,
        counter: Counter,
        clock: Clock,
        ids: Ids,
        rng: Rng,
    ) -> None:
        self._database = database
        self._adapter = adapter
        self._check = check
        self._writer = writer
        self._finder = finder
        self._judge = judge
        self._shots = shots
        self._prices = prices
        self._consent = consent
        self._counter = counter
        self._clock = clock
        self._ids = ids
        self._rng = rng

    # -- the offer -----------------------------------------------------------------------------------------

    async def quote(self, request: ClipRequest, asked: dict[str, Any], origin: Origin, token_id: str) -> Quote:
        """What a clip costs, and the offer to make it. Nothing is sent and nothing reserved.

        Raises CloudOff, SlowDown, NotFound, NotOffered, StillNotOurs, BoundaryRefused, PricesMissing, PricesStale, TooLarge,
        UnsupportedParameter, InvalidParams.
        """
        quote, new = await self._drafted(request, asked, origin, token_id)
        ends_at = self._clock.now() + quotes.GOOD_S
        await self._database.write(lambda tx: quotes.add_in(tx, quote, token_id, new, ends_at))
        return quote

    async def stand(
        self, request: ClipRequest, asked: dict[str, Any], key: str, origin: Origin, door: str
    ) -> Submitted:
        """A clip that nobody confirms: offered and taken at once, under the cap that a person set for this `door`.

        Raises what `quote` does, CapExceeded, OutcomeUnknown, QueueFull, IdempotencyConflict, QuoteUsed.
        """
        key_hash = asked_hash(asked)
        if (known := await self._counter.made(key, key_hash)) is not None:
            return Submitted(job=known, deduplicated=True)
        # The job may be forgotten by then, by history or on request; the quote that it was made from never is.
        once = f"quo_{hashlib.sha256(key.encode()).hexdigest()[:26]}"
        if (job_id := await self.job_of(once)) is not None:
            raise QuoteUsed(quote_id=once, job_id=job_id)
        quote, new = await self._drafted(request, asked, origin, OWNER)
        quote, new = replace(quote, id=once), replace(new, key=key, key_hash=key_hash)
        job = await self._counter.stand(quote, new, self._clock.now() + quotes.GOOD_S, door)
        return Submitted(job=job, deduplicated=False)

    async def _drafted(
        self, request: ClipRequest, asked: dict[str, Any], origin: Origin, token_id: str
    ) -> tuple[Quote, NewJob]:
        """The offer, and the sealed job that it leads to."""
        features = self._adapter(request.provider).features
        self._judge.admit(origin)
        wanted = StillRequest(prompt=request.prompt, character=request.character, seed=request.seed)
        played = await self._writer.write(wanted, self._rng.below(1 << SEED_BITS))
        first = None if request.first is None else await self._finder.own(request.first, "first")
        last = None if request.last is None else await self._finder.own(request.last, "last")
        clip = _final(request, played, first, last)
        if request.shot_id is not None:
            await self._shots.get(request.shot_id)
        await self._refinable(request)
        self._offered(features, clip, clip.prompt)
        conditioning, removed = await self._judge.allowed(clip, first, last, origin, played)
        self._offered(features, clip, sent(conditioning))
        price = await offload(
            self._prices.price, clip.provider, clip.model, (clip.width, clip.height), clip.seconds,
            accept_stale=request.accept_stale,
        )  # fmt: skip
        job_id = self._ids.new("job")
        new = NewJob(
            id=job_id,
            kind="clip",
            lane=clip.lane,
            request=asdict(clip),
            asked=asked,
            origin=origin,
            reviewed=self._judge.sealed(job_id, clip, conditioning),
            removed=removed,
            retry_of=None,
            key=None,
            key_hash=b"",
        )
        return self._priced(clip, price, job_id, token_id), new

    async def _refinable(self, request: ClipRequest) -> None:
        """Raises NotFound for a clip that this provider never rendered for us."""
        if request.refine_of is None:
            return
        known = await self._counter.evidence(request.refine_of)
        if known.provider != request.provider or known.remote_id is None:
            raise NotFound(path="refine_of", noun="clip", name=request.refine_of, near=[])

    def _offered(self, features: Features, clip: Clip, prompt: str) -> None:
        self._check(
            features, clip.model, prompt=prompt, width=clip.width, height=clip.height, seconds=clip.seconds,
            fps=clip.fps, audio=clip.audio, seed=clip.seed, first=clip.first is not None, last=clip.last is not None,
            refine=clip.refine_of is not None,
        )  # fmt: skip

    def _priced(self, clip: Clip, price: Price, job_id: str, token_id: str) -> Quote:
        return Quote(
            id=self._ids.new("quo"),
            job_id=job_id,
            provider=clip.provider,
            model=clip.model,
            width=clip.width,
            height=clip.height,
            seconds=clip.seconds,
            fps=clip.fps,
            rate_mcr=price.rate_mcr,
            total_mcr=price.total_mcr,
            credits=credits_of(price.total_mcr),
            table_date=price.table_date,
            table_source=price.table_source,
            stale=price.stale,
            failed=price.refunds.failed,
            filtered=price.refunds.filtered,
            expires_at=rfc3339(self._clock.now() + quotes.GOOD_S),
            digest=quotes.digest(canonical(clip), token_id, price.total_mcr, price.table_date),
        )

    # -- taking it -----------------------------------------------------------------------------------------

    async def confirm(self, quote_id: str, token_id: str) -> Confirmation:
        """A code to type in again, for the terminal that asks. Raises NotFound, QuoteMismatch, QuoteUsed, QuoteExpired."""
        quote = await self._quote(quote_id, token_id)
        code = self._consent.ask(quote_id, quote.digest, token_id)
        return Confirmation(
            quote_id=quote_id, code=code, total_mcr=quote.total_mcr, expires_at=rfc3339(self._clock.now() + GOOD_S)
        )

    async def render(self, quote_id: str, confirm: str | None, token_id: str) -> Job:
        """Take an offer that a person confirmed.

        Raises ConsentRequired, CapExceeded, CloudOff, NotFound, QuoteMismatch, QuoteUsed, QuoteExpired,
        OutcomeUnknown, QueueFull.
        """
        quote = await self._quote(quote_id, token_id)
        self._adapter(quote.provider)
        self._consent.take(quote_id, quote.digest, token_id, confirm)
        return await self._counter.render(quote_id, token_id)

    async def job_of(self, quote_id: str) -> str | None:
        """The job that a quote was used for, if it was."""
        return await self._database.read(lambda connection: quotes.used_by(connection, quote_id))

    async def _quote(self, quote_id: str, token_id: str) -> Quote:
        return await self._database.write(lambda tx: quotes.get_in(tx, quote_id, token_id).quote)

    async def cancel(self, job_id: str) -> Job:
        """Cancel a clip."""
        return await self._counter.cancel(job_id)

    async def evidence(self, job_id: str) -> Evidence:
        """All that is known of a clip."""
        return await self._counter.evidence(job_id)

    async def resolve(self, job_id: str, outcome: Outcome, remote_id: str | None, mcr: int | None) -> Job:
        """A person says what happened to a clip."""
        return await self._counter.resolve(job_id, outcome, remote_id, mcr)


def _final(request: ClipRequest, played: Played, first: OwnStill | None, last: OwnStill | None) -> Clip:
    prompt, _ = weighed(played.request)
    if not prompt.plain:
        raise UnsupportedParameter("weights", path="prompt", model=request.model)

    def use(still: OwnStill | None) -> SourceUse | None:
        return None if still is None else SourceUse(asset_id=still.asset_id, sha256=still.sha256, strength=1.0)

    return Clip(
        prompt=prompt.text,
        provider=request.provider,
        model=request.model,
        width=request.width,
        height=request.height,
        seconds=request.seconds,
        fps=request.fps,
        audio=request.audio,
        seed=request.seed,
        first=use(first),
        last=use(last),
        character=played.character,
        lane=request.lane,
        tags=list(dict.fromkeys(request.tags)),
        shot_id=request.shot_id,
        refine_of=request.refine_of,
    )
