"""What the boundary says of a clip, and the seal on what it allowed."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import asdict

from tendred.boundary.judge import Boundary, Words
from tendred.boundary.seal import canonical
from tendred.core.characters import Played
from tendred.core.judging import judged
from tendred.core.refusals import Refusals
from tendred.core.trail import back
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

    async def allowed(
        self, clip: Clip, first: OwnStill | None, last: OwnStill | None, origin: Origin, played: Played | None = None
    ) -> tuple[Conditioning, list[str]]:
        """What a provider may be told, and which wishes were left out; speech and sound are words like others.

        What its stills were asked for with is judged beside the new words: it may put the adult anchor in. Raises
        BoundaryRefused, having noted it; the span it tells is one of the prompt as received, for which `played` is needed.
        """
        named = {"first": first and first.words, "last": last and last.words, "file name": origin.file}
        named["character"] = clip.character and clip.character.name
        names = [*clip.tags, *(words for words in named.values() if words)]
        words = Words(prompt=clip.prompt, names=names, kind="clip", character=clip.character is not None)
        verdict, conditioning = await judged(self._boundary, words, self._language())
        if verdict.verdict == "refuse" or conditioning is None:
            await self._refusals.note(verdict, clip.prompt, origin)
            span = verdict.span if played is None else back(played.earlier, back(played.edits, verdict.span))
            raise BoundaryRefused(
                path="prompt" if verdict.span else None,
                rule=verdict.rule,
                reason=verdict.reason,
                span=span,
                policy=verdict.policy,
            )
        return conditioning, verdict.removed

    def sealed(self, job_id: str, clip: Clip, conditioning: Conditioning) -> Reviewed:
        """The final request under seal, bound to its job."""
        return self._boundary.approve(canonical({**asdict(clip), "job_id": job_id}), conditioning)


def spoken(conditioning: Conditioning) -> str:
    """What a provider is sent: the anchor first, as everywhere. Weights are refused before."""
    words = "".join(span.text for span in conditioning.prompt)
    return f"{conditioning.anchor}, {words}" if conditioning.anchor else words
