"""What a .safetensors file is, by its header alone: kind, family, and why it can't be used where it can't."""

from __future__ import annotations

from typing import Final

from tendred.models import adapters
from tendred.models.checkpoints import VIDEO, Checkpoint, checkpoint, cross
from tendred.models.header import Header
from tendred.models.keys import Keys
from tendred.models.upscalers import upscaler
from tendred.schema.base import Record
from tendred.schema.model import ModelKind

SINGLE_FILES: Final = frozenset({"sd15", "sdxl"})
"""Families that the engine loads from one file. The others are recognised, and wanted as a folder."""

_EMBEDDED: Final = {768: "sd15", 1024: "sd2"}
_WORDS: Final = 256
"""So many rows an embedding may have; a vocabulary has thousands."""
_LATENTS: Final = {4: "sd15|sdxl", 16: "flux|sd35|zimage|chroma", 32: "flux2"}
_TENSORS_OF_AN_EMBEDDING: Final = 4
_ELSEWHERE: Final = (
    (("image_proj.", "ip_adapter."), "an IP-Adapter"),
    (("adapter.body.", "body.0.in_conv", "body.0.resnets."), "a T2I adapter"),
    (("text_model.encoder.", "transformer.text_model.", "encoder.block.0.layer.", "shared.weight"), "a text encoder"),
    (("model.layers.0.self_attn.", "model.embed_tokens.", "model.language_model."), "a language model"),
    (("vision_model.", "visual."), "an image encoder"),
    (("down_blocks.0.motion_modules.",), "a motion module"),
)


class Seen(Record, frozen=True):
    """What a header says. `kind` is null for parts that stand for nothing here; `refusal` is in words."""

    kind: ModelKind | None
    family: str
    detail: str | None = None
    refusal: str | None = None


def recognise(header: Header, single_files: frozenset[str] = SINGLE_FILES) -> Seen | None:
    """Kind and family of a file; None for tensors that no model known here has."""
    keys = Keys(header.tensors)
    if (name := adapters.algorithm(keys)) is not None:
        return Seen(kind="lora", family=adapters.family(keys), detail=name, refusal=adapters.relative(name))
    if found := _embedding(keys) or _controlnet(keys):
        return found
    if (model := checkpoint(keys)) is not None:
        return _model(model, single_files)
    if found := _vae(keys):
        return found
    if (enlarges := upscaler(keys)) is not None:
        detail = f"x{enlarges.scale}" if enlarges.scale else None
        return Seen(kind="upscaler", family=enlarges.architecture, detail=detail)
    for prefixes, name in _ELSEWHERE:
        if keys.starts(*prefixes):
            return Seen(kind=None, family="", detail=name, refusal=f"it is {name}, which is no use by itself")
    return None


def _model(model: Checkpoint, single_files: frozenset[str]) -> Seen:
    refusal = None
    if model.family in VIDEO:
        refusal = f"it is a model for clips ({model.family}); only stills are made on this machine"
    elif model.part:
        refusal = f"it is the {model.family} part of a folder; add the folder that holds model_index.json"
    elif model.family not in single_files:
        refusal = f"it is recognised as {model.family}, but this version loads that family from a folder only"
    elif model.detail:
        refusal = f"it is {model.family} for {model.detail}; only the plain one is read from a single file"
    elif not model.whole:
        refusal = f"it holds the denoiser of {model.family} only, without text encoders and autoencoder"
    return Seen(kind="model", family=model.family, detail=model.detail or None, refusal=refusal)


def _embedding(keys: Keys) -> Seen | None:
    """Words taught as vectors: few tensors, all of them short and flat."""
    if not 0 < len(keys) <= _TENSORS_OF_AN_EMBEDDING:
        return None
    shapes = [keys.shape(key) for key in keys]
    if any(len(shape) not in {1, 2} or (len(shape) == len("nw") and shape[0] > _WORDS) for shape in shapes):
        return None
    if "clip_l" in keys and "clip_g" in keys:
        return Seen(kind="embedding", family="sdxl")
    widths = {shape[-1] for shape in shapes}
    if widths == {1280} or not widths <= {768, 1024, 1280, 2048, 4096}:
        return None
    named = "emb_params" in keys or "clip_l" in keys or len(keys) == 1
    return Seen(kind="embedding", family=_EMBEDDED.get(max(widths), "other")) if named else None


def _controlnet(keys: Keys) -> Seen | None:
    if "lora_controlnet" in keys:
        return Seen(
            kind="controlnet", family="other", detail="Control-LoRA", refusal="it is a Control-LoRA, not read here"
        )
    if keys.starts("control_model."):
        return Seen(kind="controlnet", family=cross(keys, "control_model."))
    if "controlnet_cond_embedding.conv_in.weight" in keys:
        return Seen(kind="controlnet", family=cross(keys, ""))
    if "controlnet_x_embedder.weight" in keys:
        return Seen(kind="controlnet", family="flux")
    if "controlnet_blocks.0.weight" in keys and keys.starts("pos_embed_input."):
        return Seen(kind="controlnet", family="sd35")
    if keys.starts("control_all_x_embedder.", "control_layers."):
        return Seen(kind="controlnet", family="zimage")
    return None


def _vae(keys: Keys) -> Seen | None:
    for prefix in ("", "first_stage_model.", "vae."):
        if f"{prefix}encoder.conv_in.weight" in keys or f"{prefix}decoder.conv_in.weight" in keys:
            latents = keys.side(f"{prefix}decoder.conv_in.weight", 1)
            return Seen(kind="vae", family=_LATENTS.get(latents, "other"))
    if "decoder.middle.0.residual.0.gamma" in keys:
        return Seen(kind="vae", family="qwen-image|wan")
    if keys.starts("decoder.layers.") or ("taesd_decoder.1.weight" in keys):
        latents = keys.side("decoder.layers.0.weight", 1) or keys.side("taesd_decoder.1.weight", 1)
        return Seen(kind="vae", family=_LATENTS.get(latents, "other"), detail="for previews (TAESD)")
    return None
