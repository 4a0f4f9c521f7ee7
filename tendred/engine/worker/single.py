"""Checkpoints in one file, as their first authors laid them out: SD 1.5 and SDXL, offline.

A file holds weights and nothing else. Sizes and words come from `data/`: the families' published configurations, and
the merges of CLIP's tokenizer (MIT, OpenAI), from which its vocabulary follows.
"""

from __future__ import annotations

import gzip
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import diffusers
import torch
from safetensors import safe_open
from transformers import CLIPTokenizer

from tendred.errors import ModelRefused

DATA: Final = Path(__file__).parent / "data"
_XL: Final = "conditioner.embedders."
_SD: Final = "cond_stage_model.transformer."
_UNET: Final = "model.diffusion_model.input_blocks.0.0.weight"
_WINDOW: Final = 77
_PAD: Final = {"tokenizer": "<|endoftext|>", "tokenizer_2": "!"}
_CLASSES: Final = {"sd15": "StableDiffusionPipeline", "sdxl": "StableDiffusionXLPipeline"}
_PRINTABLE: Final = (*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1))
"""Bytes that a tokenizer shows as themselves; the others are shown as letters from U+0100 on."""


def open_single(name: str, path: Path, dtype: torch.dtype, data: Path = DATA) -> Any:
    """A pipeline. Raises ModelRefused for a file of another family, or one without its text encoders or autoencoder."""
    with safe_open(path, framework="pt") as file:
        keys = frozenset(file.keys())
    family = family_of(keys)
    if family is None:
        problem = "it is no SD 1.5 or SDXL checkpoint with text encoders and autoencoder in it"
        raise ModelRefused(name=name, reason="family", problem=problem)
    kind: Any = getattr(diffusers, _CLASSES[family])
    config = data / family
    tokenizers = {
        part: tokenizer(part) for part in _PAD if (config / part.replace("tokenizer", "text_encoder")).is_dir()
    }
    pipe: Any = kind.from_single_file(
        str(path), config=str(config), local_files_only=True, use_safetensors=True, torch_dtype=dtype, **tokenizers
    )
    _check_arrived(name, path, pipe, keys)
    if "v_pred" in keys:
        # How such files say that their numbers mean velocities; `ztsnr` goes with a noise that reaches nothing.
        changes = {"prediction_type": "v_prediction"} | ({"rescale_betas_zero_snr": True} if "ztsnr" in keys else {})
        pipe.scheduler = type(pipe.scheduler).from_config({**pipe.scheduler.config, **changes})
    return pipe


def family_of(keys: frozenset[str]) -> str | None:
    """`sdxl`, `sd15`, or None."""
    if _UNET not in keys or not any(key.startswith("first_stage_model.") for key in keys):
        return None
    if f"{_XL}1.model.token_embedding.weight" in keys:
        return "sdxl"
    return "sd15" if any(key.startswith(_SD) for key in keys) else None


@lru_cache(maxsize=1)
def merges() -> tuple[tuple[str, str], ...]:
    """Which two pieces of a word become one, the most frequent first."""
    lines = gzip.decompress((DATA / "clip-merges.txt.gz").read_bytes()).decode("utf-8").splitlines()
    pairs = [line.split(" ") for line in lines]
    return tuple((first, second) for first, second in pairs)


def vocabulary() -> dict[str, int]:
    """CLIP's 49 408 pieces: every byte, every byte at the end of a word, what each merge gives, begin and end."""
    others = [byte for byte in range(256) if byte not in _PRINTABLE]
    letters = [chr(byte) for byte in _PRINTABLE] + [chr(256 + place) for place in range(len(others))]
    pieces = [*letters, *(f"{letter}</w>" for letter in letters), *(first + second for first, second in merges())]
    return {piece: number for number, piece in enumerate([*pieces, "<|startoftext|>", "<|endoftext|>"])}


def tokenizer(part: str) -> Any:
    """The tokenizer of a text encoder: they differ in what fills the window up."""
    pairs: Any = [*merges()]
    return CLIPTokenizer(vocab=vocabulary(), merges=pairs, pad_token=_PAD[part], model_max_length=_WINDOW)


def _check_arrived(name: str, path: Path, pipe: Any, keys: frozenset[str]) -> None:
    """The library leaves chance where it doesn't find a name, and says nothing. So what it must have read is compared."""
    prefix = f"{_XL}0.transformer." if any(key.startswith(_XL) for key in keys) else _SD
    with safe_open(path, framework="pt") as file:
        for own, value in pipe.text_encoder.named_parameters():
            key = next((key for key in (prefix + own, f"{prefix}text_model.{own}") if key in keys), None)
            if key is None or not torch.equal(file.get_tensor(key).to(value.dtype), value):
                raise ModelRefused(name=name, reason="header", problem=f"text_encoder.{own} was not read from it")
    for part in ("unet", "vae", "text_encoder", "text_encoder_2"):
        module = getattr(pipe, part, None)
        if module is not None and any(value.is_meta for value in (*module.parameters(), *module.buffers())):
            raise ModelRefused(name=name, reason="header", problem=f"some weights of its {part} are missing")
