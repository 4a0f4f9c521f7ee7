"""Weighed words, and words beyond an encoder's window, for CLIP's encoders (SD 1.5 and SDXL). Nothing is parsed here.

Words that count alike and fit into the window go the pipeline's own way, as text: then this file has nothing to say.

- Long ones are encoded piece by piece, a window each, cut between words (behind a comma if one is near), and the pieces
  put one behind the other; a model's cross-attention takes any length. As AUTOMATIC1111's web UI does it
  (modules/sd_hijack_clip.py). The anchor goes first in every piece, which is why this is no library: none of them can.
- A weight moves a word's embedding away from, or towards, what stands at its place without any words:
  `nothing + (word - nothing) * weight`. As ComfyUI does it (comfy/sd1_clip.py, `encode_token_weights`): it leaves the
  other words alone, and has no mean to restore, which may be zero.

The text is encoded as one, as it was judged; where a weight begins within a word, the word's parts have their own.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import torch

from tendred.schema.sealed import Conditioning, Span

_ENCODERS: Final = frozenset({"CLIPTextModel", "CLIPTextModelWithProjection"})
_ENDS: Final = 2
"""Tokens that begin and end a window."""
_BACK: Final = 20
"""So many tokens before the end of a window a comma is looked for."""


@dataclass(frozen=True)
class _Piece:
    """What goes into one window, anchor and all, with the weight of each of its characters."""

    text: str
    weights: list[float]


def weighs(pipe: Any) -> bool:
    """Whether its encoders are CLIP's, and only those; SDXL's two share their vocabulary, and so their tokens."""
    encoders = [getattr(pipe, name, None) for name in ("text_encoder", "text_encoder_2", "text_encoder_3")]
    kinds = {type(encoder).__name__ for encoder in encoders if encoder is not None}
    tokenizers = _tokenizers(pipe)
    alike = len({one.vocab_size for one in tokenizers}) == 1 and all(
        getattr(one, "is_fast", False) for one in tokenizers
    )
    return bool(kinds) and kinds <= _ENCODERS and alike


def plain(conditioning: Conditioning) -> bool:
    """Whether all words count alike."""
    return all(span.weight == 1.0 for span in (*conditioning.prompt, *conditioning.negative))


def fits(pipe: Any, text: str) -> bool:
    """Whether a text fits into the window of every encoder."""
    return all(len(_offsets(one, text)) <= _room(one) for one in _tokenizers(pipe))


@torch.no_grad()
def embedded(pipe: Any, conditioning: Conditioning, clip_skip: int | None = None) -> dict[str, Any]:
    """The arguments that take the place of `prompt` and `negative_prompt`. Shapes: (1, windows * 77, width).

    `clip_skip`: so many of the encoders' last layers are left out, as diffusers counts them.
    """
    anchor = f"{conditioning.anchor}, " if conditioning.anchor else ""
    pieces = _pieces(pipe, conditioning.prompt, anchor)
    wishes = _pieces(pipe, conditioning.negative, "")
    windows = max(len(pieces), len(wishes))
    words, pooled = _encoded(pipe, pieces, anchor, windows, clip_skip)
    if not conditioning.negative and getattr(pipe.config, "force_zeros_for_empty_prompt", False):
        unwanted, unwanted_pooled = torch.zeros_like(words), None if pooled is None else torch.zeros_like(pooled)
    else:
        unwanted, unwanted_pooled = _encoded(pipe, wishes, "", windows, clip_skip)
    call = {"prompt_embeds": words, "negative_prompt_embeds": unwanted}
    if pooled is not None:
        call |= {"pooled_prompt_embeds": pooled, "negative_pooled_prompt_embeds": unwanted_pooled}
    return call


def _tokenizers(pipe: Any) -> list[Any]:
    found = [getattr(pipe, name, None) for name in ("tokenizer", "tokenizer_2")]
    return [one for one in found if one is not None]


def _room(tokenizer: Any) -> int:
    return int(tokenizer.model_max_length) - _ENDS


def _offsets(tokenizer: Any, text: str) -> list[tuple[int, int]]:
    """Where each token stands in the text."""
    told = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, truncation=False, verbose=False)
    return [(int(start), int(end)) for start, end in told["offset_mapping"]]


def _pieces(pipe: Any, spans: list[Span], anchor: str) -> list[_Piece]:
    """The words in windows. The tightest encoder's counts; they nearly always share their vocabulary."""
    text = "".join(span.text for span in spans)
    weights = [span.weight for span in spans for _ in span.text]
    tokenizer = max(_tokenizers(pipe), key=lambda one: len(_offsets(one, anchor + text)) - _room(one))
    room = _room(tokenizer) - len(_offsets(tokenizer, anchor))
    offsets = _offsets(tokenizer, text)
    pieces: list[_Piece] = []
    at = 0
    while at < len(offsets) or not pieces:
        end = _cut(text, offsets, at, room)
        start = offsets[at][0] if at < len(offsets) else 0
        stop = offsets[end - 1][1] if end > at else 0
        pieces.append(_Piece(anchor + text[start:stop], [1.0] * len(anchor) + weights[start:stop]))
        at = _gap(text, offsets, end)
    return pieces


def _cut(text: str, offsets: list[tuple[int, int]], at: int, room: int) -> int:
    """The token behind a piece that begins at token `at`: behind a comma, else between words, else where it is full."""
    full = at + max(1, room)
    if full >= len(offsets):
        return len(offsets)
    for end in range(full, max(at + 1, full - _BACK), -1):
        if text[offsets[end - 1][0] : offsets[end - 1][1]].strip() == ",":
            return end
    for end in range(full, at, -1):
        if offsets[end - 1][1] < offsets[end][0]:
            return end
    return full


def _gap(text: str, offsets: list[tuple[int, int]], at: int) -> int:
    """The first token from `at` on that begins a word: the end of a cut one would read as a word that nobody judged."""
    while 0 < at < len(offsets) and offsets[at - 1][1] == offsets[at][0] and text[offsets[at][0] - 1].isalnum():
        at += 1
    return at


@contextmanager
def layers_named(pipe: Any) -> Generator[None]:
    """For a picture's time, CLIP's last norm where diffusers 0.42 looks for it when layers are skipped.

    transformers 5.23 has no `text_model` any more, and LoRAs are read by that: so it must be gone again afterwards.
    """
    encoder = getattr(pipe, "text_encoder", None)
    if not hasattr(encoder, "final_layer_norm") or hasattr(encoder, "text_model"):
        yield
        return
    # Past nn.Module, for which it would be a part of itself.
    own = vars(encoder)
    own["text_model"] = encoder
    try:
        yield
    finally:
        del own["text_model"]


def _encoded(pipe: Any, pieces: list[_Piece], empty: str, windows: int, clip_skip: int | None) -> tuple[Any, Any]:
    """The windows one behind the other (at least so many), and the pooled words of the first, if the model has any."""
    nothing, _ = _encode(pipe, empty, clip_skip)
    words: list[Any] = []
    first: Any = None
    for number, piece in enumerate(pieces):
        encoded, pooled = _encode(pipe, piece.text, clip_skip)
        first = pooled if number == 0 else first
        words.append(_weighed(pipe, piece, encoded, nothing))
    words += [nothing] * (windows - len(pieces))
    return torch.cat(words, dim=1), first


def _encode(pipe: Any, text: str, clip_skip: int | None) -> tuple[Any, Any]:
    """The pipeline's own way for one window, whatever layer it takes."""
    told = pipe.encode_prompt(
        prompt=text,
        device=pipe._execution_device,  # noqa: SLF001 - where its own call encodes
        num_images_per_prompt=1,
        do_classifier_free_guidance=False,
        clip_skip=clip_skip,
    )
    return told[0], told[2] if len(told) > _ENDS else None


def _weighed(pipe: Any, piece: _Piece, encoded: Any, nothing: Any) -> Any:
    if all(weight == 1.0 for weight in piece.weights):
        return encoded
    scale = torch.ones(encoded.shape[1], dtype=torch.float32)
    for place, (start, _) in enumerate(_offsets(_tokenizers(pipe)[0], piece.text)[: encoded.shape[1] - _ENDS], 1):
        scale[place] = piece.weights[start]
    scale = scale.to(encoded.device)[None, :, None]
    # In full precision: half of it would lose what a small weight leaves.
    return (nothing.float() + (encoded.float() - nothing.float()) * scale).to(encoded.dtype)
