"""The tokenizer and the two text encoders, taught to understand captions before they guide a picture.

    python packaging/starter/text.py [--work FOLDER] [--seconds 1200]

Starts from the encoders in `FOLDER/text`, or from those of the starter that ships. Each learns to tell, from the last
token of a caption, every attribute that was said and that the others were not: synonyms, French, word order and words to
leave alone are learnt here, where a step costs a hundredth of what it costs together with the picture.
"""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path
from typing import Any, Final

import torch
from data import WORK
from drawing import Attributes, choose, heads, places
from grammar import caption, corpus, nothing, some
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

LENGTH: Final = 64
"""Tokens of a prompt, both ends included."""
VOCABULARY: Final = 4000
SHIPPED: Final = Path(__file__).parents[2] / "tendred" / "models" / "starter"
_WIDTH: Final = 128
_RATE: Final = 1e-3


def tokenizer() -> CLIPTokenizer:
    """A CLIP tokenizer whose whole words are the captions' words; any other word falls into pieces it also knows."""
    rng = random.Random(5)
    captions = [caption(choose(rng), rng) for _ in range(20_000)]
    start = CLIPTokenizer.from_pretrained(SHIPPED / "tokenizer")
    made = start.train_new_from_iterator(captions + corpus(8_000, 6), VOCABULARY, show_progress=False)
    made.model_max_length = LENGTH
    return made


class Reader(nn.Module):
    """Both encoders, used as the SDXL pipeline uses them."""

    def __init__(self, words: CLIPTokenizer, start: Path | None) -> None:
        super().__init__()
        ends = {
            "bos_token_id": words.bos_token_id,
            "eos_token_id": words.eos_token_id,
            "pad_token_id": words.pad_token_id,
        }
        shape: dict[str, Any] = {
            "vocab_size": len(words), "hidden_size": _WIDTH, "intermediate_size": 3 * _WIDTH, "num_attention_heads": 4,
            "max_position_embeddings": LENGTH, "hidden_act": "gelu", **ends,
        }  # fmt: skip
        self.one = CLIPTextModel(CLIPTextConfig(num_hidden_layers=2, **shape))
        self.two = CLIPTextModelWithProjection(CLIPTextConfig(num_hidden_layers=3, projection_dim=_WIDTH, **shape))
        if start is not None:
            old = CLIPTokenizer.from_pretrained(start / "tokenizer")
            _inherit(self.one, CLIPTextModel.from_pretrained(start / "text_encoder"), words, old)
            _inherit(self.two, CLIPTextModelWithProjection.from_pretrained(start / "text_encoder_2"), words, old)

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """`(batch, tokens)` to `(batch, tokens, 256)` and the pooled `(batch, 128)`."""
        one = self.one(ids, output_hidden_states=True)
        two = self.two(ids, output_hidden_states=True)
        return torch.cat([one.hidden_states[-2], two.hidden_states[-2]], -1), two.text_embeds


class Questions(nn.Module):
    """A linear answer to every question (`drawing.heads`), and to whether it was spoken of at all."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = heads()
        self.sizes = [len(values) + 1 for values in self.answers.values()]
        self.layer = nn.Linear(_WIDTH, sum(self.sizes))

    def targets(self, said: list[Attributes]) -> Tensor:
        """`(batch, questions)`; the last answer of each is "not said"."""
        unsaid = [size - 1 for size in self.sizes]
        return torch.tensor([
            [last if p is None else p for p, last in zip(places(attributes), unsaid, strict=True)] for attributes in said
        ])  # fmt: skip

    def loss(self, pooled: Tensor, targets: Tensor) -> Tensor:
        parts = self.layer(pooled).split(self.sizes, -1)
        return torch.stack([functional.cross_entropy(part, targets[:, i]) for i, part in enumerate(parts)]).sum()

    def right(self, pooled: Tensor, targets: Tensor) -> dict[str, list[bool]]:
        """By question, for each caption that speaks of it, whether it was understood.

        What a caption leaves out is not counted: two questions in three are left out, so they would hide the rest.
        """
        found: dict[str, list[bool]] = {}
        for i, (name, scores) in enumerate(zip(self.answers, self.layer(pooled).split(self.sizes, -1), strict=True)):
            said = targets[:, i] != len(self.answers[name])
            found[name] = (scores.argmax(-1) == targets[:, i])[said].tolist()
        return found


def encode(words: CLIPTokenizer, texts: list[str], *, full: bool = True) -> Tensor:
    """Token ids, cut at `LENGTH`, padded to it or, where that makes no difference, to the longest."""
    padding = "max_length" if full else "longest"
    return words(texts, padding=padding, max_length=LENGTH, truncation=True, return_tensors="pt").input_ids


def teach(folder: Path, seconds: float) -> None:
    """Train both encoders for `seconds` and keep them in `folder`/text."""
    torch.manual_seed(0)
    rng = random.Random(0)
    if (folder / "text").exists():
        words, reader = load(folder / "text")
    else:
        words = tokenizer()
        reader = Reader(words, SHIPPED)
    questions, second = Questions(), Questions()
    asked = [*questions.parameters(), *second.parameters()]
    parameters = [*reader.parameters(), *asked]
    groups = [{"params": list(reader.parameters()), "share": 1.0}, {"params": asked, "share": 3.0}]
    optimiser = torch.optim.AdamW(groups, _RATE, weight_decay=0.01, betas=(0.9, 0.98))
    started, step = time.monotonic(), 0
    while (spent := time.monotonic() - started) < seconds:
        rate = _RATE * min(1, (step + 1) / 100) * max(0.02, 1 - spent / seconds)
        for group in optimiser.param_groups:
            group["lr"] = rate * group["share"]
        texts, said = zip(*(_example(rng) for _ in range(96)), strict=True)
        ids, targets = encode(words, list(texts), full=False), questions.targets(list(said))
        one = reader.one(ids)
        two = reader.two(ids)
        loss = questions.loss(two.text_embeds, targets) + 0.5 * second.loss(one.pooler_output, targets)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        step += 1
        if step % 100 == 0:
            print(f"text {step} {spent:.0f} s loss {loss.item():.3f}", flush=True)
    save(folder / "text", words, reader)
    _report(words, reader, questions)


def _example(rng: random.Random) -> tuple[str, Attributes]:
    """A caption and what it says. Every second is a landscape: six colours in one sentence are the hardest to tell apart."""
    if rng.random() < 0.03:
        return nothing(rng), {}
    said = some(choose(rng, subject="landscape" if rng.random() < 0.5 else None), rng)
    return caption(said, rng), said


@torch.no_grad()
def _report(words: CLIPTokenizer, reader: Reader, questions: Questions) -> None:
    """How much is understood of captions with combinations never trained on."""
    rng = random.Random(9)
    said = [some(choose(rng, examination=True), rng) for _ in range(1000)]
    ids = encode(words, [caption(attributes, rng) for attributes in said], full=False)
    for name, marks in questions.right(reader.two(ids).text_embeds, questions.targets(said)).items():
        print(f"{name:24} {sum(marks) / max(1, len(marks)):.1%}")


def save(folder: Path, words: CLIPTokenizer, reader: Reader) -> None:
    for name in ("tokenizer", "tokenizer_2"):
        words.save_pretrained(folder / name)
    reader.one.save_pretrained(folder / "text_encoder")
    reader.two.save_pretrained(folder / "text_encoder_2")


def load(folder: Path) -> tuple[CLIPTokenizer, Reader]:
    """What `save` kept."""
    words = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    reader = Reader(words, None)
    reader.one = CLIPTextModel.from_pretrained(folder / "text_encoder")
    reader.two = CLIPTextModelWithProjection.from_pretrained(folder / "text_encoder_2")
    return words, reader


def _inherit(new: nn.Module, old: nn.Module, words: CLIPTokenizer, before: CLIPTokenizer) -> None:
    """Take over every weight; the embedding of a token both vocabularies know, and of every place both have."""
    theirs = old.state_dict()
    vocabulary = before.get_vocab()
    with torch.no_grad():
        for name, weight in new.state_dict().items():
            if name.endswith("token_embedding.weight"):
                for token, place in words.get_vocab().items():
                    if token in vocabulary:
                        weight[place] = theirs[name][vocabulary[token]]
            elif name.endswith("position_embedding.weight"):
                weight[: len(theirs[name])] = theirs[name]
            else:
                weight.copy_(theirs[name])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Teach the starter's text encoders.")
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--seconds", type=float, default=1200)
    args = parser.parse_args()
    teach(args.work, args.seconds)
