"""Shots: takes are drafted, one of them is locked, and finished in 4K. What costs anything is only priced here.

A take's row is written with its quote. Whoever pays for the quote (`clips.render`) needs to know nothing of shots: the
next look at the shot finds the job that the quote was used for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import to_builtins
from msgspec.structs import replace

from tendred.backend import ClipMedia
from tendred.clock import Clock, Ids, rfc3339
from tendred.core.clips import Quoting
from tendred.core.finals import Finals
from tendred.core.looks import Looks
from tendred.core.script import Reader
from tendred.core.shot_rows import ShotRow, ShotRows, TakeRow
from tendred.core.shot_view import ShotView, gathered, titled
from tendred.core.ways import check_new_take, check_refine, check_upscale, master
from tendred.errors import ConsentRequired, InvalidParams, NotOffered, WrongState
from tendred.schema.clip import ClipRequest
from tendred.schema.footage import Footage
from tendred.schema.job import TERMINAL, Origin
from tendred.schema.money import Quote
from tendred.schema.shot import (
    Compared,
    Drafted,
    DraftRequest,
    Finished,
    FinishRequest,
    Locked,
    NewShot,
    Shot,
    ShotPage,
    TakeLabel,
    Takes,
    Way,
)
from tendred.schema.source import SourceUse

NAME_CHARS: Final = 40
Asker = tuple[Origin, str]
"""Where a wish for a quote comes from, and the token that it is for."""
_HEIGHTS: Final = {"720p": (1280, 720), "1080p": (1920, 1080)}


class Shots:
    """See schema.shot."""

    def __init__(
        self,
        *,
        rows: ShotRows,
        view: ShotView,
        quoting: Quoting,
        finals: Finals,
        looks: Looks,
        clips: ClipMedia,
        reader: Reader,
        ids: Ids,
        clock: Clock,
        language: Callable[[], str],
        wake: Callable[[], None],
    ) -> None:
        self._rows = rows
        self._view = view
        self._quoting = quoting
        self._finals = finals
        self._looks = looks
        self._clips = clips
        self._reader = reader
        self._ids = ids
        self._clock = clock
        self._language = language
        self._wake = wake

    # -- shots ---------------------------------------------------------------------------------------------

    async def create(self, new: NewShot, origin: Origin) -> Shot:
        """Write down what somebody is after. Raises BoundaryRefused, StillNotOurs, NotFound, InvalidParams."""
        script = await self._reader.read(new, origin)
        uses = [SourceUse(asset_id=still.asset_id, sha256=still.sha256, strength=0.0) for still in script.stills]
        row = ShotRow(
            id=self._ids.new("shot"), name=new.name or _named(script.prompt), prompt=script.prompt,
            first=uses[0] if uses else None, last=uses[1] if len(uses) > 1 else None, character=script.character,
            tags=list(dict.fromkeys(new.tags)), policy=script.policy, created_at=rfc3339(self._clock.now()),
        )  # fmt: skip
        await self._rows.put(row, "shot.created")
        return await self._view.shot(row)

    async def show(self, shot_id: str) -> Shot:
        """One shot. Raises NotFound."""
        return await self._view.shot(await self._found(shot_id))

    async def list(self, limit: int, cursor: str | None) -> ShotPage:
        """A page of shots, newest first."""
        rows = await self._rows.page(limit + 1, cursor)
        following = rows[limit - 1].id if len(rows) > limit else None
        return ShotPage(shots=[await self._view.shot(row) for row in rows[:limit]], next=following)

    async def takes(self, shot_id: str) -> Takes:
        """Every take of a shot, with its pictures. Raises NotFound."""
        await self._found(shot_id)
        return Takes(shot_id=shot_id, takes=await gathered(await self._rows.takes(shot_id), self._view))

    async def compare(self, left: str, right: str) -> Compared:
        """Two takes beside each other. Raises NotFound, WrongState, ClipUnreadable, EngineMissing."""
        rows = [await self._rows.take(take_id) for take_id in (left, right)]
        assets = [await self._view.asset(row.job_id or "") for row in rows]
        for row, asset in zip(rows, assets, strict=True):
            if asset is None or asset.state != "kept":
                raise WrongState("take", path="take_id", name=row.id, state=(await self._view.take(row)).state)
        one, other = (asset for asset in assets if asset is not None)
        return await self._looks.compare(one, other, (titled(rows[0]), titled(rows[1])))

    # -- takes ---------------------------------------------------------------------------------------------

    async def draft(self, request: DraftRequest, origin: Origin, token_id: str) -> Drafted:
        """Price another take. Raises NotFound, and what `Quoting.quote` does."""
        row = await self._found(request.shot_id)
        ask = self._ask(row, request)
        quote = await self._priced(row, ask, "draft", None, (origin, token_id))
        return Drafted(shot=await self._view.shot(row), quote=quote, ways=self._view.ways(ask))

    async def lock(self, take_id: str) -> Shot:
        """Freeze a take. Raises NotFound, WrongState, and NotOffered by name for what no final can be made of."""
        take = await self._rows.take(take_id)
        row = await self._found(take.shot_id)
        if row.final_job is not None and (row.locked is None or row.locked.take_id != take_id):
            raise WrongState("finished", path="take_id", name=row.id, state="finished")
        asset = await self._view.asset(take.job_id or "")
        if asset is None or asset.state != "kept":
            raise WrongState("take", path="take_id", name=take_id, state=(await self._view.take(take)).state)
        clip = await self._clips.probe(asset.path)
        latents = self._view.refines(take.ask.provider)
        self._check_finishable(clip, refines=latents)
        ask = take.ask
        locked = Locked(
            take_id=take.id, n=take.n or 0, asset_id=asset.id, sha256=clip.sha256, job_id=take.job_id or "",
            prompt=ask.prompt, first=row.first, last=row.last, character=asset.character, provider=ask.provider,
            model=ask.model, seed=asset.seed, seconds=ask.seconds, audio=clip.sound is not None, clip=clip,
            latents=latents, locked_at=rfc3339(self._clock.now()), ways=self._view.ways(ask),
        )  # fmt: skip
        if row.locked is None or row.locked.take_id != take_id:
            row = replace(row, locked=locked)
            await self._rows.put(row, "shot.locked")
        return await self._view.shot(row)

    async def finish(self, request: FinishRequest, origin: Origin, token_id: str) -> Finished:
        """Make the 4K final. Raises WrongState, NotOffered, ConsentRequired, and what queue and `Quoting.quote` raise."""
        row = await self._found(request.shot_id)
        locked = row.locked
        if locked is None:
            raise WrongState("unlocked", path="shot_id", name=row.id, state="open")
        way: Way = request.way or ("refine" if self._refines(locked) else "upscale")
        if way == "new_take":
            return await self._new_take(row, locked, request, (origin, token_id))
        if (running := await self._running(row)) is not None:
            return await self._told(row, row.final_way or way, running)
        if way == "refine":
            return await self._refine(row, locked, request, (origin, token_id))
        check_upscale(locked.clip.width, locked.clip.height)
        job = await self._finals.submit(
            row.id, locked, upscaler=request.upscaler, tags=row.tags, lane=request.lane, origin=origin
        )
        row = await self._final(row, "upscale", job.id)
        self._wake()
        return await self._told(row, "upscale", job.id)

    # -- the parts -----------------------------------------------------------------------------------------

    async def _found(self, shot_id: str) -> ShotRow:
        """A shot, with everything that was paid for known to it."""
        row = await self._rows.get(shot_id)
        for take in await self._rows.unused(shot_id):
            job_id = await self._quoting.job_of(take.quote_id)
            if job_id is None:
                continue
            if take.label is not None:
                await self._rows.rendered(take, job_id)
            elif job_id != row.final_job and await self._running(row) is None:
                # Whatever final there was went wrong. Two that did must not take each other's place at every look.
                asked = replace(row, final_way="refine", final_job=job_id)
                if row.final_job is None or await self._running(asked) is not None:
                    row = await self._final(row, "refine", job_id)
        return row

    def _ask(self, row: ShotRow, request: DraftRequest) -> ClipRequest:
        """What is to be quoted: what is left open gets a value, and nothing is checked. Raises CloudOff."""
        provider, model = self._view.chosen(request.provider, request.model)
        width, height = _HEIGHTS[request.size]
        if request.orientation == "portrait":
            width, height = height, width
        return ClipRequest(
            prompt=row.prompt, provider=provider, model=model, width=width, height=height, seconds=request.seconds,
            fps=request.fps, audio=request.audio, seed=request.seed,
            first=None if row.first is None else row.first.asset_id,
            last=None if row.last is None else row.last.asset_id,
            character=None if row.character is None else row.character.name, tags=row.tags,
            accept_stale=request.accept_stale, shot_id=row.id,
        )  # fmt: skip

    async def _priced(
        self, row: ShotRow, ask: ClipRequest, label: TakeLabel | None, of: str | None, asker: Asker
    ) -> Quote:
        """A quote, and the row that says what it is for. Raises what `Quoting.quote` does."""
        origin, token_id = asker
        if not ask.prompt.strip():  # they were erased
            raise InvalidParams("empty_prompt", path="prompt")
        quote = await self._quoting.quote(ask, to_builtins(ask), origin, token_id)
        take = TakeRow(
            id=self._ids.new("take"), shot_id=row.id, quote_id=quote.id, label=label, of=of, ask=ask,
            created_at=rfc3339(self._clock.now()),
        )  # fmt: skip
        await self._rows.price(take)
        return quote

    def _refines(self, locked: Locked) -> bool:
        return locked.latents and self._view.refines(locked.provider)

    @staticmethod
    def _check_finishable(clip: Footage, *, refines: bool) -> None:
        """Raises NotOffered: without saved latents only pictures that become 4K by x2 or x3 can be finished."""
        if refines:
            return
        check_upscale(clip.width, clip.height)
        if clip.rotation or not clip.square:
            raise NotOffered("turned", near=[])

    async def _running(self, row: ShotRow) -> str | None:
        """The final's job, if there is one that didn't go wrong."""
        final = (await self._view.shot(row)).final
        if final is None or (final.state in TERMINAL and final.asset_id is None):
            return None
        return final.job_id

    async def _new_take(self, row: ShotRow, locked: Locked, request: FinishRequest, asker: Asker) -> Finished:
        """The same words and stills at 4K. Another take: the locked one stays locked, and has no final by this."""
        if not request.consent:
            raise ConsentRequired("new_take", path="consent")
        before = (await self._rows.take(locked.take_id)).ask
        model = self._view.known(before.provider, before.model)
        check_new_take(model, before.width, before.height, before.seconds, before.fps)
        width, height = master(before.width, before.height)
        ask = replace(
            before, width=width, height=height, seed=None, lane=request.lane, accept_stale=request.accept_stale
        )
        quote = await self._priced(row, ask, "new_take", locked.take_id, asker)
        return replace(await self._told(row, "new_take", None), quote=quote)

    async def _refine(self, row: ShotRow, locked: Locked, request: FinishRequest, asker: Asker) -> Finished:
        """From the take's own latents. The provider's feature: nobody else can."""
        before = (await self._rows.take(locked.take_id)).ask
        model = self._view.known(before.provider, before.model)
        check_refine(model, before.provider, refines=self._refines(locked))
        width, height = master(before.width, before.height)
        ask = replace(
            before, width=width, height=height, refine_of=locked.job_id, lane=request.lane,
            accept_stale=request.accept_stale,
        )  # fmt: skip
        quote = await self._priced(row, ask, None, locked.take_id, asker)
        return replace(await self._told(row, "refine", None), quote=quote)

    async def _final(self, row: ShotRow, way: Way, job_id: str) -> ShotRow:
        row = replace(row, final_way=way, final_job=job_id)
        await self._rows.put(row, "shot.finishing")
        return row

    async def _told(self, row: ShotRow, way: Way, job_id: str | None) -> Finished:
        said = _SAID[way][self._language() == "fr"]
        return Finished(shot=await self._view.shot(row), way=way, said=said, job_id=job_id, quote=None)


_SAID: Final[dict[Way, tuple[str, str]]] = {
    "refine": (
        "A final of the locked take, refined from its own latents: the same motion and sound.",
        "Un final de la prise verrouillée, affiné à partir de ses propres latents : même mouvement, même son.",
    ),
    "upscale": (
        "A final of the locked take, enlarged picture by picture; its sound is copied bit for bit.",
        "Un final de la prise verrouillée, agrandi image par image ; le son est copié bit à bit.",
    ),
    "new_take": (
        "Another take at 4K, not a final of the locked one: motion and sound will differ.",
        "Une autre prise en 4K, pas un final de la prise verrouillée : mouvement et son seront différents.",
    ),
}
"""What somebody is about to get, in both languages."""


def _named(prompt: str) -> str:
    """The first words of a prompt."""
    line = " ".join(prompt.split())
    return line if len(line) <= NAME_CHARS else line[: NAME_CHARS - 1].rsplit(" ", 1)[0] + "…"
