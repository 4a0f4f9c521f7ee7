"""What of a request is judged: its words, and everything else in it that says what will be seen."""

from __future__ import annotations

from typing import Final, Literal

from tendred.boundary.judge import Boundary, Words
from tendred.core.loras import path_of
from tendred.core.sources import NOTHING, Sources
from tendred.core.wording import weighed
from tendred.models.shelf import Lora
from tendred.schema.character import CharacterUse
from tendred.schema.sealed import Conditioning, Verdict
from tendred.schema.still import Still, StillRequest
from tendred.tasks import offload

QUICK_CHARS: Final = 600
QUICK_SPANS: Final = 8


def names_of(
    said: Still | StillRequest,
    loras: list[Lora],
    file: str | None,
    model_words: str = "",
    sources: Sources = NOTHING,
) -> dict[str, str]:
    """What is judged besides the prompts, by where it stands in a request. The files of models and LoRAs speak too."""
    names = {path_of(number): lora.name for number, lora in enumerate(said.loras)}
    names |= {f"loras[{number}]": lora.adapter.words for number, lora in enumerate(loras) if lora.adapter.words}
    names |= {f"tags[{number}]": tag for number, tag in enumerate(said.tags)} | sources.names()
    model = "\n".join(part for part in (said.model, model_words) if part)
    named = {"character": who_of(said), "file name": file, "model": model or None}
    return names | {path: name for path, name in named.items() if name is not None}


def who_of(said: Still | StillRequest) -> str | None:
    """The name of the character in use."""
    return said.character.name if isinstance(said.character, CharacterUse) else said.character


def words_of(
    said: Still | StillRequest,
    loras: list[Lora],
    *,
    model_words: str = "",
    file: str | None = None,
    sources: Sources = NOTHING,
    kind: Literal["still", "clip"] = "still",
) -> Words:
    """Everything of a request that says what will be seen, with the LoRAs behind the names in it. Raises InvalidParams."""
    prompt, negative = weighed(said)
    return Words(
        prompt=prompt.text,
        negative_prompt=negative.text,
        spans=prompt.spans,
        negative_spans=negative.spans,
        names=list(names_of(said, loras, file, model_words, sources).values()),
        kind=kind,
        character=who_of(said),
        # Whom a person painted, no word tells; and who is in a picture that it comes from stays in frame.
        person=(isinstance(said, Still) and bool(said.painted)) or any(still.anchor for still in sources.stills),
    )


async def judged(boundary: Boundary, words: Words, lang: str) -> tuple[Verdict, Conditioning | None]:
    """The boundary's answer. Long texts are judged in a thread: built to be slow, they take a tenth of a second."""
    letters = sum(map(len, (words.prompt, words.negative_prompt, *words.names)))
    if letters <= QUICK_CHARS and len(words.spans) + len(words.negative_spans) <= QUICK_SPANS:
        return boundary.judge(words, lang=lang)
    return await offload(boundary.judge, words, lang=lang)
