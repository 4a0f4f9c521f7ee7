"""What the boundary says of a clip, and the seal on what it allowed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import asdict

from tendred.boundary.judge import Boundary, Words
from tendred.boundary.seal import canonical
from tendred.core.characters import Played
from tendred.core.judging import judged
from tendred.core.refusals import Refusals
from tendred.core.ways import spoken
from tendred.errors import BoundaryRefused
from tendred.schema.clip import Clip
from tendred.schema.job import Origin
from tendred.schema.sealed import Conditioning, OwnStill, Reviewed


class ClipJudge:
    """Judges clips, and seals them."""

    def __init__(self, boundary: Boundary, refusals: Refusals, language: Callable[[], str]) -> None:
        self._boundary = boundary
        self._refusals = refusals
        self._language = language

    def admit(self, origin: Origin) -> None:
        """Raises SlowDown for a client that was refused too often in a row."""
        self._refusals.admit(origin)

    async def allowed(
        self, clip: Clip, first: OwnStill | None, last: OwnStill | None, origin: Origin, played: Played | None = None
    ) -> tuple[Conditioning, list[str]]:
        """What a provider may be told, and which wishes were left out; speech and sound are words like others.

        What its stills were asked for with is judged beside the new words: it may put the adult anchor in. Raises
        BoundaryRefused, having noted it; the span it tells is one of the prompt as received, for which `played` is needed.
        """
        stills = [still for still in (first, last) if still is not None]
        names = [*clip.tags, origin.file, clip.character and clip.character.name]
        return await self.said(
            clip.prompt, names, stills, origin, character=clip.character and clip.character.name, played=played,
            refined=clip.refine_of is not None,
        )  # fmt: skip

    async def said(
        self,
        prompt: str,
        names: Sequence[str | None],
        stills: Sequence[OwnStill],
        origin: Origin,
        *,
        character: str | None,
        played: Played | None = None,
        refined: bool = False,
    ) -> tuple[Conditioning, list[str]]:
        """As `allowed`, before there is a clip: the prompt, and beside it what is said in it, as whoever hears it does."""
        beside = [*(name for name in (*names, *(still.words for still in stills)) if name), *spoken(prompt)]
        # Whom a still shows stays in frame, however the words go on; whom somebody painted there, no word tells; nor
        # who is in a clip that is made finer.
        somebody = refined or any(still.anchor is not None or still.painted for still in stills)
        words = Words(prompt=prompt, names=beside, kind="clip", character=character, person=somebody)
        verdict, conditioning = await judged(self._boundary, words, self._language())
        if verdict.verdict == "refuse" or conditioning is None:
            await self._refusals.note(verdict, prompt, origin)
            span = verdict.span if played is None else played.received(verdict.span)
            raise BoundaryRefused(
                path="prompt" if verdict.span else None,
                rule=verdict.rule,
                reason=verdict.reason,
                span=span,
                policy=verdict.policy,
                passes=verdict.passes,
            )
        return conditioning, verdict.removed

    @property
    def policy(self) -> str:
        """What it judges by."""
        return self._boundary.policy

    def sealed(self, job_id: str, clip: Clip, conditioning: Conditioning) -> Reviewed:
        """The final request under seal, bound to its job."""
        return self._boundary.approve(canonical({**asdict(clip), "job_id": job_id}), conditioning)


def sent(conditioning: Conditioning) -> str:
    """What a provider is sent: the anchor first, as everywhere. Weights are refused before."""
    words = "".join(span.text for span in conditioning.prompt)
    return f"{conditioning.anchor}, {words}" if conditioning.anchor else words
