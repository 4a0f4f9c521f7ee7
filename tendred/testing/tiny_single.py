"""Tiny SD 1.5 and SDXL checkpoints in one file, laid out as their first authors did, beside the same weights as a folder.

Layout: github.com/CompVis/stable-diffusion (`ldm/modules/diffusionmodules`), github.com/Stability-AI/generative-models for
SDXL, github.com/mlfoundations/open_clip for its second text encoder.
"""

from __future__ import annotations

import importlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from tendred.testing.tiny import tiny_unet, tiny_vae

WORDS: Final = 49_408
WIDE: Final = 32
SECOND: Final = 48
"""The two text encoders of a file are told apart by their widths alone."""
_RESNET: Final = MappingProxyType({
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
    "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
})  # fmt: skip
_OUTER: Final = MappingProxyType({
    "conv_in": "input_blocks.0.0", "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2", "conv_norm_out": "out.0",
    "conv_out": "out.2",
})  # fmt: skip
_OPEN_CLIP: Final = MappingProxyType({
    "layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
})  # fmt: skip


def write(file: Path, folder: Path, configs: Path, family: str, seed: int = 0) -> None:
    """The file; the same weights as a diffusers folder; and the folder without its weights in `configs/<family>`."""
    torch: Any = importlib.import_module("torch")
    diffusers: Any = importlib.import_module("diffusers")
    safetensors: Any = importlib.import_module("safetensors.torch")
    single: Any = importlib.import_module("tendred.engine.worker.single")
    torch.manual_seed(seed)
    xl = family == "sdxl"
    parts: dict[str, Any] = {
        "vae": tiny_vae(diffusers), "text_encoder": _clip("CLIPTextModel", WIDE), "tokenizer": single.tokenizer("tokenizer"),
        "unet": tiny_unet(diffusers, xl=xl, wide=WIDE + SECOND if xl else WIDE, pooled=SECOND),
        "scheduler": diffusers.EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear"),
    }  # fmt: skip
    if xl:
        parts["text_encoder_2"] = _clip("CLIPTextModelWithProjection", SECOND)
        parts["tokenizer_2"] = single.tokenizer("tokenizer_2")
        pipe = diffusers.StableDiffusionXLPipeline(**parts)
    else:
        none = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
        pipe = diffusers.StableDiffusionPipeline(**parts, **none)
    pipe.save_pretrained(folder, safe_serialization=True)
    state = {f"model.diffusion_model.{_unet(key, pipe.unet)}": value for key, value in pipe.unet.state_dict().items()}
    state |= {f"first_stage_model.{key}": value for key, value in _vae(pipe.vae)}
    prefix = "conditioner.embedders.0.transformer." if xl else "cond_stage_model.transformer."
    for key, value in pipe.text_encoder.state_dict().items():
        state[f"{prefix}text_model.{key.removeprefix('text_model.')}"] = value
    if xl:
        state |= {f"conditioner.embedders.1.model.{key}": value for key, value in _open_clip(pipe.text_encoder_2)}
    safetensors.save_file({key: value.clone().contiguous() for key, value in state.items()}, file)
    _configs(folder, configs / family)


def _configs(folder: Path, to: Path) -> None:
    for source in [folder / "model_index.json", *folder.glob("*/config.json"), *folder.glob("scheduler/*.json")]:
        target = to / source.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    assert json.loads((to / "model_index.json").read_text())


def _clip(kind: str, wide: int) -> Any:
    transformers: Any = importlib.import_module("transformers")
    config = transformers.CLIPTextConfig(
        vocab_size=WORDS, hidden_size=wide, intermediate_size=wide * 2, projection_dim=wide, num_hidden_layers=2,
        num_attention_heads=2, bos_token_id=0, eos_token_id=2, pad_token_id=1,
    )  # fmt: skip
    return getattr(transformers, kind)(config).eval()


def _replaced(key: str, names: Mapping[str, str]) -> str:
    for old, new in names.items():
        if key == old or key.startswith(f"{old}."):
            return new + key.removeprefix(old)
    return key


def _unet(key: str, unet: Any) -> str:
    """Where the first authors put a tensor of diffusers' UNet."""
    layers = unet.config.layers_per_block
    if found := re.fullmatch(r"down_blocks\.(\d+)\.(resnets|attentions|downsamplers)\.(\d+)\.(.+)", key):
        block, part, number, rest = int(found[1]), found[2], int(found[3]), found[4]
        at = 1 + block * (layers + 1) + (layers if part == "downsamplers" else number)
        if part == "downsamplers":
            return f"input_blocks.{at}.0.op.{rest.removeprefix('conv.')}"
        return f"input_blocks.{at}.{_inner(part, rest)}"
    if found := re.fullmatch(r"up_blocks\.(\d+)\.(resnets|attentions|upsamplers)\.(\d+)\.(.+)", key):
        block, part, number, rest = int(found[1]), found[2], int(found[3]), found[4]
        at = block * (layers + 1) + (layers if part == "upsamplers" else number)
        if part == "upsamplers":
            after = 2 if "CrossAttn" in unet.config.up_block_types[block] else 1
            return f"output_blocks.{at}.{after}.{rest}"
        return f"output_blocks.{at}.{_inner(part, rest)}"
    if found := re.fullmatch(r"mid_block\.(resnets|attentions)\.(\d+)\.(.+)", key):
        part, number, rest = found[1], int(found[2]), found[3]
        place = 1 if part == "attentions" else 2 * number
        return f"middle_block.{place}.{_inner(part, rest).partition('.')[2]}"
    return _replaced(key, _OUTER)


def _inner(part: str, rest: str) -> str:
    return f"1.{rest}" if part == "attentions" else f"0.{_replaced(rest, _RESNET)}"


def _vae(vae: Any) -> Iterator[tuple[str, Any]]:
    blocks = len(vae.config.block_out_channels)
    attention = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
    for key, value in vae.state_dict().items():
        name, kept = key.replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out"), value
        name = re.sub(r"down_blocks\.(\d+)\.resnets\.(\d+)", r"down.\1.block.\2", name)
        name = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0", r"down.\1.downsample", name)
        name = re.sub(r"up_blocks\.(\d+)\.resnets\.(\d+)", lambda m: f"up.{blocks - 1 - int(m[1])}.block.{m[2]}", name)
        name = re.sub(r"up_blocks\.(\d+)\.upsamplers\.0", lambda m: f"up.{blocks - 1 - int(m[1])}.upsample", name)
        name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
        if found := re.fullmatch(r"(.+)\.mid_block\.attentions\.0\.(.+)", name):
            name = f"{found[1]}.mid.attn_1.{_replaced(found[2], attention)}"
            kept = value[..., None, None] if value.ndim == 2 else value  # noqa: PLR2004 # theirs are convolutions of 1 x 1
        yield name, kept


def _open_clip(encoder: Any) -> Iterator[tuple[str, Any]]:
    torch: Any = importlib.import_module("torch")
    state = {key.removeprefix("text_model."): value for key, value in encoder.state_dict().items()}
    yield "token_embedding.weight", state["embeddings.token_embedding.weight"]
    yield "positional_embedding", state["embeddings.position_embedding.weight"]
    yield "text_projection", state["text_projection.weight"].T
    for ending in ("weight", "bias"):
        yield f"ln_final.{ending}", state[f"final_layer_norm.{ending}"]
    for number in range(encoder.config.num_hidden_layers):
        layer = f"encoder.layers.{number}."
        for ending in ("weight", "bias"):
            three = [state[f"{layer}self_attn.{one}_proj.{ending}"] for one in "qkv"]
            yield f"transformer.resblocks.{number}.attn.in_proj_{ending}", torch.cat(three)
            for own, theirs in _OPEN_CLIP.items():
                yield f"transformer.resblocks.{number}.{theirs}.{ending}", state[f"{layer}{own}.{ending}"]
