"""Model files as far as a header goes: real names and sizes, and no values. Sparse, so that gigabytes take a page.

Names and sizes are those of the published files; the middle of each layout is shortened or repeated to its real count.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec

Shapes = dict[str, list[int]]
INSIDE: Final = "model.diffusion_model."
_BYTES: Final = {"F16": 2, "BF16": 2, "F32": 4}


def header(
    shapes: Mapping[str, list[int]], metadata: Mapping[str, str] = MappingProxyType({}), dtype: str = "F16"
) -> bytes:
    """What stands before the values, its length included."""
    told: dict[str, object] = {"__metadata__": {"format": "pt", **metadata}}
    end = 0
    for key, shape in shapes.items():
        size = _BYTES[dtype]
        for side in shape:
            size *= side
        told[key] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = msgspec.json.encode(told)
    return struct.pack("<Q", len(text)) + text


def sparse(
    file: Path, shapes: Mapping[str, list[int]], metadata: Mapping[str, str] = MappingProxyType({}), dtype: str = "F16"
) -> Path:
    """Write a file whose values are all zero and take no room."""
    told = header(shapes, metadata, dtype)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as out:
        out.write(told)
        out.truncate(len(told) + values(shapes, dtype))
    return file


def folder(
    path: Path,
    unet: Mapping[str, list[int]],
    pipeline: str = "StableDiffusionXLPipeline",
    scheduler: str = "EulerDiscreteScheduler",
) -> Path:
    """A model folder in the diffusers layout that may be added, as far as the daemon looks: some kilobytes."""
    parts = {"unet": ["diffusers", "UNet2DConditionModel"], "tokenizer": ["transformers", "CLIPTokenizer"]}
    documents = {
        "model_index.json": {"_class_name": pipeline, **parts, "scheduler": ["diffusers", scheduler]},
        "unet/config.json": {"sample_size": 16},
        "scheduler/scheduler_config.json": {"_class_name": scheduler},
        "tokenizer/tokenizer_config.json": {},
    }
    for name, document in documents.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(msgspec.json.encode(document))
    sparse(path / "unet" / "diffusion_pytorch_model.safetensors", unet, dtype="F32")
    return path


def values(shapes: Mapping[str, list[int]], dtype: str = "F16") -> int:
    """How many bytes the values take."""
    return sum(_BYTES[dtype] * _count(shape) for shape in shapes.values())


def _count(shape: list[int]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count


def _unet(prefix: str, wide: int, inputs: int, blocks: tuple[int, ...], base: int = 320) -> Shapes:
    """An original UNet with its attention at the blocks named."""
    shapes: Shapes = {
        f"{prefix}input_blocks.0.0.weight": [base, inputs, 3, 3],
        f"{prefix}time_embed.0.weight": [4 * base, base],
    }
    for block in range(1, 12):
        shapes[f"{prefix}input_blocks.{block}.0.in_layers.2.weight"] = [base, base, 3, 3]
        for depth in range(10 if block in blocks else 0):
            for part in ("attn1.to_q", "attn1.to_k", "attn1.to_v", "attn1.to_out.0", "attn2.to_q", "ff.net.2", "proj"):
                shapes[f"{prefix}input_blocks.{block}.1.transformer_blocks.{depth}.{part}.weight"] = [base, base]
            for part in ("to_k", "to_v"):
                shapes[f"{prefix}input_blocks.{block}.1.transformer_blocks.{depth}.attn2.{part}.weight"] = [base, wide]
    shapes[f"{prefix}middle_block.0.in_layers.2.weight"] = [4 * base, 4 * base, 3, 3]
    shapes[f"{prefix}out.2.weight"] = [4, base, 3, 3]
    return shapes


def vae(latents: int = 4, prefix: str = "") -> Shapes:
    """An autoencoder of the KL kind."""
    shapes: Shapes = {
        f"{prefix}encoder.conv_in.weight": [128, 3, 3, 3],
        f"{prefix}decoder.conv_in.weight": [512, latents, 3, 3],
    }
    for block in range(4):
        for number in range(3):
            shapes[f"{prefix}decoder.up.{block}.block.{number}.conv1.weight"] = [128, 128, 3, 3]
    return shapes


def sd15(inputs: int = 4) -> Shapes:
    """Stable Diffusion 1.5, all of it in one file."""
    words = "cond_stage_model.transformer.text_model."
    return {
        **_unet(INSIDE, 768, inputs, (1, 2, 4, 5, 7, 8)),
        **vae(prefix="first_stage_model."),
        f"{words}embeddings.position_embedding.weight": [77, 768],
        **{f"{words}encoder.layers.{n}.self_attn.q_proj.weight": [768, 768] for n in range(12)},
    }


def sdxl(inputs: int = 4) -> Shapes:
    """Stable Diffusion XL, all of it in one file, with as many tensors as the real one."""
    one, two = "conditioner.embedders.0.transformer.text_model.", "conditioner.embedders.1.model."
    return {
        **_unet(INSIDE, 2048, inputs, (4, 5, 7, 8)),
        **vae(prefix="first_stage_model."),
        f"{one}embeddings.position_embedding.weight": [77, 768],
        f"{two}transformer.resblocks.9.mlp.c_proj.bias": [1280],
        **{f"{two}transformer.resblocks.{n}.part.{part}.weight": [1280, 1280] for n in range(32) for part in range(60)},
    }


def flux(inputs: int = 64, prefix: str = INSIDE, *, guided: bool = True) -> Shapes:
    """FLUX.1's transformer."""
    shapes: Shapes = {
        f"{prefix}img_in.weight": [3072, inputs], f"{prefix}double_blocks.0.img_attn.norm.key_norm.scale": [128],
    }  # fmt: skip
    shapes |= {f"{prefix}guidance_in.in_layer.bias": [3072]} if guided else {}
    return shapes | {f"{prefix}single_blocks.{n}.linear1.weight": [21504, 3072] for n in range(38)}


def sd3(blocks: int, prefix: str = INSIDE, *, dual: bool = False) -> Shapes:
    """Stable Diffusion 3 and 3.5."""
    shapes: Shapes = {f"{prefix}joint_blocks.{n}.x_block.mlp.fc1.weight": [9728, 2432] for n in range(blocks)}
    shapes |= {f"{prefix}joint_blocks.0.x_block.attn2.qkv.weight": [4608, 1536]} if dual else {}
    return shapes | {
        f"{prefix}joint_blocks.0.context_block.adaLN_modulation.1.bias": [9216],
        f"{prefix}pos_embed": [1, 36864, 1536],
    }


def lora_kohya(wide: int = 2048, layers: int = 240) -> Shapes:
    """A LoRA as kohya's scripts write it, for SDXL or (768) for 1.5."""
    shapes: Shapes = {}
    for number in range(layers):
        name = f"lora_unet_down_blocks_1_attentions_{number}_transformer_blocks_0_attn2_to_k"
        shapes |= {f"{name}.alpha": [], f"{name}.lora_down.weight": [16, wide], f"{name}.lora_up.weight": [640, 16]}
    return shapes


def relative(*endings: str) -> Shapes:
    """An adapter of another kind than a LoRA."""
    return {f"lora_unet_down_blocks_0_attentions_0_proj_in.{ending}": [16, 320] for ending in endings}


def controlnet(wide: int = 768) -> Shapes:
    """A ControlNet of the first layout."""
    return {"control_model.input_hint_block.0.weight": [16, 3, 3, 3], **_unet("control_model.", wide, 4, (1, 4))}


def compact(scale: int = 2, layers: int = 8, features: int = 64) -> Shapes:
    """A Compact upscaler."""
    shapes: Shapes = {"body.0.weight": [features, 3, 3, 3], "body.0.bias": [features], "body.1.weight": [features]}
    for number in range(layers):
        shapes |= {
            f"body.{2 * number + 2}.weight": [features, features, 3, 3],
            f"body.{2 * number + 3}.weight": [features],
        }
    return shapes | {f"body.{2 * layers + 2}.weight": [3 * scale * scale, features, 3, 3]}


def esrgan(ups: int = 2, inputs: int = 3) -> Shapes:
    """ESRGAN in its newer names."""
    shapes: Shapes = {"conv_first.weight": [64, inputs, 3, 3], "body.0.rdb1.conv1.weight": [32, 64, 3, 3]}
    return shapes | {f"conv_up{number}.weight": [64, 64, 3, 3] for number in range(1, ups + 1)}


def esrgan_old(ups: int = 2) -> Shapes:
    """ESRGAN in its older names."""
    shapes: Shapes = {"model.0.weight": [64, 3, 3, 3], "model.1.sub.0.RDB1.conv1.0.weight": [32, 64, 3, 3]}
    return shapes | {f"model.{3 + 3 * number}.weight": [64, 64, 3, 3] for number in range(ups + 2)}


REAL: Final[dict[str, Callable[[], Shapes]]] = {
    "sdxl": sdxl, "sd15": sd15, "flux": flux, "sd35": lambda: sd3(38), "lora": lora_kohya, "vae": vae,
    "controlnet": controlnet, "compact": compact, "esrgan": esrgan, "embedding": lambda: {"emb_params": [8, 768]},
}  # fmt: skip
"""One of each kind, for figures."""
