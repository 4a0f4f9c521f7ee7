"""What a LoRA file changes, and whether a model has that: told by the headers of both, without torch.

Loaders don't tell: one that was made for another family loads without a word and does nothing. So each of its
layers must have its place in the very model it is asked for, of the right size.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from tendred.models import adapters
from tendred.models.header import Header, Tensor, read_header
from tendred.models.keys import Keys
from tendred.models.singles import About, Single, open_header, read_about, refused, said, spec_of

UNET: Final = "unet"
"""The family of a LoRA for some model with a UNet, where nothing says which."""
WORDS: Final = 8192
"""So many characters of what a file says of itself are judged; the most frequent tags come first."""
TAGS: Final = 500

# `module.lora_A.weight` is peft's, `lora_unet_module.lora_down.weight` kohya's, the others are of older diffusers.
_LAYERS: Final = (
    re.compile(r"(?P<module>.+)\.lora_(?P<half>A|B|down|up)\.weight"),
    re.compile(r"(?P<module>.+)(?:_lora|\.lora|\.lora_linear_layer)\.(?P<half>down|up)\.weight"),
)
_PREFIXES: Final = {
    "unet.": "unet", "lora_unet_": "unet", "transformer.": "transformer", "text_encoder_2.": "text_encoder_2",
    "lora_te2_": "text_encoder_2", "text_encoder.": "text_encoder", "lora_te1_": "text_encoder",
    "lora_te_": "text_encoder",
}  # fmt: skip
_ORIGINAL: Final = re.compile(r"(?:input_blocks|middle_block|output_blocks|double_blocks|single_blocks)_")
"""Layers by the names that the model's first authors gave them; only the engine's library translates those."""
_CROSS: Final = {768: "sd15", 2048: "sdxl"}
_ARCHITECTURES: Final = {
    "stable-diffusion-xl": "sdxl", "sdxl": "sdxl", "stable-diffusion-v1": "sd15", "sd_v1": "sd15", "flux": "flux",
    "stable-diffusion-v3": "sd35", "sd3": "sd35",
}  # fmt: skip
_CONFIG: Final = "lora_adapter_metadata"
_HARMLESS: Final = frozenset({
    "r", "lora_alpha", "lora_dropout", "use_rslora", "task_type", "inference_mode", "base_model_name_or_path",
    "revision", "peft_version", "megatron_core", "qalora_group_size", "fan_in_fan_out", "auto_mapping",
})  # fmt: skip
_PATTERN: Final = re.compile(r"[\w.^$-]{1,256}", re.ASCII)


Layers = dict[str, dict[str, list[int]]]
"""Of each part of a model, its layers (as kohya writes them) with their shapes."""


class Adapter(Single, frozen=True, kw_only=True):
    """A LoRA file that may be loaded.

    `words`: what it says of itself, for the boundary. `parts`: for each part of a model that it changes, the layers
    there (dots as underscores) with how many values go in and come out.
    """

    words: str
    parts: dict[str, dict[str, tuple[int, int]]]


def inspect(file: Path, name: str, *, noted: bool = True) -> Adapter:
    """Look through a LoRA file, and (`noted`) what is said of it beside. Blocking. Raises ModelRefused with its reason."""
    return told(file, name, open_header(file, name), read_about(file, name) if noted else About())


def told(file: Path, name: str, header: Header, about: About = About()) -> Adapter:  # noqa: B008 - it is frozen
    """As `inspect`, of a header that was read. Raises ModelRefused."""
    if (problem := adapters.relative(adapters.algorithm(Keys(header.tensors)))) is not None:
        raise refused(name, "family", problem)
    _check_config(header.metadata, name)
    parts = _parts(header.tensors, name)
    return Adapter(
        family=_family(parts, header, about),
        bytes=file.stat().st_size,
        about=about,
        spec=spec_of(header.metadata),
        words=_words(header.metadata, about),
        parts=parts,
    )


def misfit(adapter: Adapter, model: Path, name: str, known: Layers | None = None) -> str | None:
    """What of it has no place in a model folder, in words; None if all of it has. Blocking (headers only).

    In a whole file layers have other names: there the family counts, and what the engine finds once it is on. `known`
    keeps what was read of the model, for the next LoRA of the same request.
    """
    if model.is_file():
        return None
    known = {} if known is None else known
    for part, layers in adapter.parts.items():
        if part not in known:
            known[part] = _layers(model / part, name)
        own = known[part]
        if not own:
            return f"it changes a {part}, and the model has none"
        for layer, (wide, high) in layers.items():
            if _ORIGINAL.match(layer):
                continue
            shape = own.get(layer)
            if shape is None:
                return f"it changes {part}.{layer}, and the model has no such layer"
            if shape[:2] != [high, wide]:
                sizes = " x ".join(str(side) for side in reversed(shape[:2]))
                return f"{part}.{layer} is {sizes} in the model, and {wide} x {high} in the LoRA"
    return None


def _layers(folder: Path, name: str) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for file in sorted(folder.glob("*.safetensors")):
        tensors = read_header(file, name).tensors
        found |= {_plain(key.removesuffix(".weight")): tensor.shape for key, tensor in tensors.items()}
    return found


def _parts(tensors: dict[str, Tensor], name: str) -> dict[str, dict[str, tuple[int, int]]]:
    """Every layer with both of its halves."""
    halves: dict[tuple[str, str], dict[str, list[int]]] = {}
    for key, tensor in tensors.items():
        if key.endswith(".alpha"):
            continue
        found = _LAYERS[0].fullmatch(key) or _LAYERS[1].fullmatch(key)
        if found is None:
            raise refused(name, "family", f"{key[:80]} is no part of a LoRA that can be used here")
        prefix = next((prefix for prefix in _PREFIXES if key.startswith(prefix)), None)
        if prefix is None:
            raise refused(name, "family", f"{key[:80]} names no part of a model")
        place = _PREFIXES[prefix], _plain(found["module"].removeprefix(prefix))
        half = "down" if found["half"] in {"A", "down"} else "up"
        if half in halves.setdefault(place, {}):
            raise refused(name, "header", f"{place[1][:80]} is there twice")
        halves[place][half] = tensor.shape
    parts: dict[str, dict[str, tuple[int, int]]] = {}
    for (part, layer), shapes in halves.items():
        down, up = shapes.get("down", []), shapes.get("up", [])
        if min(len(down), len(up)) < len(("out", "in")) or down[0] != up[1] or down[0] < 1:
            raise refused(name, "header", f"{layer[:80]} has no two halves of one rank")
        parts.setdefault(part, {})[layer] = (down[1], up[0])
    if not parts:
        raise refused(name, "header", "it holds no layers")
    return parts


def _plain(module: str) -> str:
    """A layer's name as kohya writes it, for all of them."""
    # The text encoders lost a level of their names in transformers 5.6; diffusers takes files of before.
    return module.replace(".processor.", ".").removeprefix("text_model.").replace(".", "_").removeprefix("text_model_")


def _family(parts: dict[str, dict[str, tuple[int, int]]], header: Header, about: About) -> str:
    """The family its keys and sizes tell, or else what is said of it."""
    unet = parts.get("unet", {})
    if any(layer.startswith(("double_blocks_", "single_blocks_")) for layer in unet):
        return "flux"
    if any(layer.startswith("single_transformer_blocks_") for layer in parts.get("transformer", {})):
        return "flux"
    if "text_encoder_2" in parts and "transformer" not in parts:
        return "sdxl"
    cross = next((wide for layer, (wide, _) in unet.items() if layer.endswith("attn2_to_k")), 0)
    if cross in _CROSS:
        return _CROSS[cross]
    claim = header.metadata.get("modelspec.architecture") or header.metadata.get("ss_base_model_version") or ""
    told = next((family for start, family in _ARCHITECTURES.items() if claim.lower().startswith(start)), None)
    return about.family or told or (UNET if "unet" in parts else "other")


def _check_config(metadata: dict[str, str], name: str) -> None:
    """Refuse a configuration for peft that would do more than add two small matrices: some change the base itself."""
    if _CONFIG not in metadata:
        return
    try:
        config = msgspec.json.decode(metadata[_CONFIG], type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as problem:
        raise refused(name, "metadata", f"{_CONFIG}: {problem}") from problem
    for key, value in config.items():
        field = key.rpartition(".")[2]
        if not _is_plain(field, value):
            raise refused(name, "metadata", f"it asks for {field[:40]} = {str(value)[:40]}")


def _is_plain(field: str, value: object) -> bool:
    if field in _HARMLESS:
        return value is None or isinstance(value, str | bool | int | float)
    if field == "target_modules":
        return isinstance(value, list) and all(_is_pattern(one) for one in cast("list[object]", value))
    if field in {"rank_pattern", "alpha_pattern"}:
        return isinstance(value, dict) and all(_is_pattern(one) for one in cast("dict[object, object]", value))
    if field == "init_lora_weights":
        return value in (True, False, "gaussian")
    return not value or (field, value) in (("bias", "none"), ("peft_type", "LORA"))


def _is_pattern(value: object) -> bool:
    return isinstance(value, str) and _PATTERN.fullmatch(value) is not None


def _words(metadata: dict[str, str], about: About) -> str:
    """What the file says it shows, a line for each."""
    lines = (
        [text for text in (about.name, about.trigger) if text]
        + said(metadata)
        + _tags(metadata.get("ss_tag_frequency", "{}"))
    )
    return "\n".join(dict.fromkeys(lines))[:WORDS]


def _tags(text: str) -> list[str]:
    """Folders and words that it was trained with, the most frequent first. What can't be read is judged as it stands."""
    try:
        folders = msgspec.json.decode(text, type=dict[str, dict[str, float]])
    except (msgspec.DecodeError, RecursionError):
        return [text]
    counts: dict[str, float] = {}
    for tags in folders.values():
        for tag, count in tags.items():
            counts[tag] = counts.get(tag, 0) + count
    return [*folders, *sorted(counts, key=lambda tag: -counts[tag])[:TAGS]]
