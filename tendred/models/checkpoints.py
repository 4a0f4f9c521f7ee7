"""The families of models by the names and sizes of their tensors, in one file or as a part of a folder.

Names: the layouts that each model was first published in, as diffusers 0.42.1 tells them apart
(loaders/single_file_utils.py), and the names that diffusers gives to the parts of its folders.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from tendred.models.keys import Keys

INSIDE: Final = "model.diffusion_model."
"""What stands before the names of the denoiser where a file holds more than that."""

# The first one counts: later ones share names with earlier ones.
_MARKS: Final = (
    ("single_stream_modulation.lin.weight", "flux2"),
    ("distilled_guidance_layer.in_proj.bias", "chroma"),
    ("txt_in.individual_token_refiner.blocks.0.adaLN_modulation.1.bias", "hunyuan-video"),
    ("double_blocks.0.img_attn.norm.key_norm.scale", "flux"),
    ("joint_blocks.0.context_block.adaLN_modulation.1.bias", "sd35"),
    ("layers.0.adaLN_modulation.0.weight", "zimage"),
    ("cap_embedder.0.weight", "lumina2"),
    ("transformer_blocks.0.img_mod.1.weight", "qwen-image"),
    ("double_layers.0.attn.w1q.weight", "auraflow"),
    ("double_stream_blocks.0.block.adaLN_modulation.1.bias", "hidream"),
    ("head.modulation", "wan"),
    ("patchify_proj.weight", "ltx"),
    ("blocks.0.attn.qkv_x.weight", "mochi"),
    # Parts of folders, as diffusers names them.
    ("single_transformer_blocks.0.norm.linear.weight", "flux"),
    ("transformer_blocks.0.ff_context.net.0.proj.weight", "sd35"),
)
VIDEO: Final = frozenset({"hunyuan-video", "wan", "ltx", "mochi"})
_CROSS: Final = {768: "sd15", 1024: "sd2", 1280: "sdxl-refiner", 2048: "sdxl"}
_ATTENDS: Final = (
    "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight",
    "input_blocks.2.1.transformer_blocks.0.attn2.to_k.weight",
    "input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight",
)
_FOLDER_ATTENDS: Final = (
    "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight",
    "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight",
)
_ENCODERS: Final = ("cond_stage_model.", "conditioner.embedders.", "text_encoders.")
_AUTOENCODERS: Final = ("first_stage_model.", "vae.")
_INPUTS: Final = {9: "inpainting", 8: "edits by instruction", 384: "fill", 128: "depth or canny"}


class Checkpoint(NamedTuple):
    """A denoiser. `whole` says whether words and pixels can be had from the same file; `part`, that it is of a folder."""

    family: str
    detail: str
    whole: bool
    part: bool


def checkpoint(keys: Keys) -> Checkpoint | None:
    """What kind of model it is; None for what is none."""
    for mark, family in _MARKS:
        if mark in keys or INSIDE + mark in keys:
            return Checkpoint(family, _detail(keys, family), _whole(keys), part="transformer_blocks." in mark)
    prefix = INSIDE if f"{INSIDE}input_blocks.0.0.weight" in keys else ""
    if f"{prefix}input_blocks.0.0.weight" in keys and f"{prefix}middle_block.0.in_layers.2.weight" in keys:
        inputs = keys.side(f"{prefix}input_blocks.0.0.weight", 1)
        return Checkpoint(cross(keys, prefix), _INPUTS.get(inputs, ""), _whole(keys), part=False)
    if "conv_in.weight" in keys and "time_embedding.linear_1.weight" in keys:
        return Checkpoint(cross(keys, ""), _INPUTS.get(keys.side("conv_in.weight", 1), ""), whole=False, part=True)
    return None


def cross(keys: Keys, prefix: str) -> str:
    """The family of a UNet by how wide the words are that it attends to."""
    for name in (*_ATTENDS, *_FOLDER_ATTENDS):
        if wide := keys.side(prefix + name, -1):
            return _CROSS.get(wide, "other")
    return "other"


def _whole(keys: Keys) -> bool:
    return keys.starts(*_ENCODERS) and keys.starts(*_AUTOENCODERS)


def _detail(keys: Keys, family: str) -> str:
    prefix = INSIDE if any(INSIDE + mark in keys for mark, _ in _MARKS) else ""
    if family == "flux":
        entry = _INPUTS.get(keys.side(f"{prefix}img_in.weight", 1), "")
        guided = (
            f"{prefix}guidance_in.in_layer.bias" in keys or "time_text_embed.guidance_embedder.linear_1.bias" in keys
        )
        return entry or ("dev" if guided else "schnell")
    if family == "sd35":
        large = f"{prefix}joint_blocks.37.x_block.mlp.fc1.weight" in keys
        return "large" if large else "medium" if f"{prefix}joint_blocks.0.x_block.attn2.qkv.weight" in keys else "3.0"
    return ""
