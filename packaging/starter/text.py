"""The tokenizer and the two text encoders, taught to understand captions before they guide a picture.

    python packaging/starter/text.py [--work FOLDER] [--seconds 420]

Starts from the encoders of the starter that ships. Each learns to tell, from the last token of a caption, every attribute
that was said and that the others were not: synonyms, French, word order and words to leave alone are learnt here, where
a step costs a hundredth of what it costs together with the picture.
"""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path
from typing import Any, Final

import torch
from data import WORK
from drawing import Attributes, answers, choose, heads
from grammar import caption, corpus, nothing, some
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

LENGTH: Final = 64
"""Tokens of a prompt, both ends included."""
VOCABULARY: Final = 4000
SHIPPED: Final = Path(__file__).parents[2] / "tendred" / "models" / "starter"
_WIDTH: Final = 128


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
        rows = []
        for attributes in said:
            known = answers(attributes) if attributes else {}
            rows.append(
                [values.index(known[name]) if name in known else len(values) for name, values in self.answers.items()]
            )
        return torch.tensor(rows)

    def loss(self, pooled: Tensor, targets: Tensor) -> Tensor:
        parts = self.layer(pooled).split(self.sizes, -1)
        return torch.stack([functional.cross_entropy(part, targets[:, i]) for i, part in enumerate(parts)]).sum()

    def right(self, pooled: Tensor, targets: Tensor) -> Tensor:
        """`(batch, questions)`: which were answered rightly."""
        return torch.stack([p.argmax(-1) for p in self.layer(pooled).split(self.sizes, -1)], 1) == targets


def encode(words: CLIPTokenizer, texts: list[str], *, full: bool = True) -> Tensor:
    """Token ids, cut at `LENGTH`, padded to it or, where that makes no difference, to the longest."""
    padding = "max_length" if full else "longest"
    return words(texts, padding=padding, max_length=LENGTH, truncation=True, return_tensors="pt").input_ids


def teach(folder: Path, seconds: float) -> None:
    """Train both encoders for `seconds` and keep them in `folder`/text."""
    torch.manual_seed(0)
    rng = random.Random(0)
    words = tokenizer()
    reader, questions, second = Reader(words, SHIPPED), Questions(), Questions()
    parameters = [*reader.parameters(), *questions.parameters(), *second.parameters()]
    optimiser = torch.optim.AdamW(parameters, 1e-3, weight_decay=0.01, betas=(0.9, 0.98))
    started, step = time.monotonic(), 0
    while (spent := time.monotonic() - started) < seconds:
        for group in optimiser.param_groups:
            group["lr"] = 1e-3 * min(1, (step + 1) / 50) * max(0.02, 1 - spent / seconds)
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
            right = questions.right(two.text_embeds, targets).float().mean().item()
            print(f"text {step} {spent:.0f} s loss {loss.item():.3f} right {right:.4f}", flush=True)
    save(folder / "text", words, reader)


def _example(rng: random.Random) -> tuple[str, Attributes]:
    """A caption and what it says."""
    if rng.random() < 0.03:
        return nothing(rng), {}
    said = some(choose(rng), rng)
    return caption(said, rng), said


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
    parser.add_argument("--seconds", type=float, default=420)
    args = parser.parse_args()
    teach(args.work, args.seconds)
