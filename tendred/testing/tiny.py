"""Tiny models and LoRAs with random weights, made offline: `python -m tendred.testing.tiny sdxl DIR [lora FILE]`.

`preview-4 DIR` puts a preview decoder for four latent channels into a model folder; `preview-4-24` one of that width.

Run it as a process of its own, so that the tests' own process stays free of torch. The pictures are noise; the
folders are complete and load like big ones. Tokenizers are copied from the embedded starter model; LoRAs are made
for it, by peft, and written by the pipeline itself.
"""

from __future__ import annotations

import importlib
import shutil
import sys
from pathlib import Path
from typing import Any, Final

from tendred.testing import tiny_families, tiny_parts

STARTER: Final = Path(__file__).parents[1] / "models" / "starter"
HIDDEN: Final = 32
TIME_DIM: Final = 8
SIZES: Final = 6
"""SDXL's UNet is told six numbers: original size, crop, target size."""


def build(family: str, folder: Path, seed: int = 0) -> Path:
    """Make a folder of the family (`sdxl`, `sd15`, or one of tiny_families). Same seed, same weights. Imports torch."""
    torch: Any = importlib.import_module("torch")
    diffusers: Any = importlib.import_module("diffusers")
    torch.manual_seed(seed)
    if family in tiny_families.NAMES:
        kind, made = tiny_families.parts(family, clip=_encoder, clip_tokenizer=_tokenizer)
        getattr(diffusers, kind)(**made).save_pretrained(folder, safe_serialization=True)
        return folder
    parts = {
        "vae": tiny_vae(diffusers),
        "scheduler": diffusers.EulerDiscreteScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="leading"
        ),
        "text_encoder": _encoder("CLIPTextModel"),
        "tokenizer": _tokenizer("tokenizer"),
        "unet": tiny_unet(diffusers, xl=family == "sdxl"),
    }
    if family == "sdxl":
        second = {"text_encoder_2": _encoder("CLIPTextModelWithProjection"), "tokenizer_2": _tokenizer("tokenizer_2")}
        pipe = diffusers.StableDiffusionXLPipeline(**parts, **second)
    else:
        pipe = diffusers.StableDiffusionPipeline(
            **parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False
        )
    pipe.save_pretrained(folder, safe_serialization=True)
    for name in ("tokenizer", "tokenizer_2")[: 2 if family == "sdxl" else 1]:
        # As they stand, not as this version of the library happens to rewrite them.
        shutil.copytree(STARTER / name, folder / name, dirs_exist_ok=True)
    return folder


def lora(file: Path, seed: int = 0, *, alpha: int | None = None, encoder: bool = False) -> Path:
    """Write a LoRA of rank 2 for the starter's attention and some convolutions (with `encoder`, also its first text encoder's).

    Same seed, same values, none of them zero. `alpha` goes into the file's metadata; null leaves metadata out.
    """
    torch: Any = importlib.import_module("torch")
    diffusers: Any = importlib.import_module("diffusers")
    peft: Any = importlib.import_module("peft")
    torch.manual_seed(seed)
    pipe: Any = diffusers.StableDiffusionXLPipeline.from_pretrained(STARTER, local_files_only=True)
    halves: dict[str, Any] = {}
    parts = {"unet": ["to_q", "to_k", "to_v", "to_out.0", "conv1"]} | (
        {"text_encoder": ["q_proj", "v_proj"]} if encoder else {}
    )
    for part, targets in parts.items():
        module = getattr(pipe, part)
        config = peft.LoraConfig(r=2, lora_alpha=alpha or 2, target_modules=targets, init_lora_weights="gaussian")
        module.add_adapter(config)
        for name, value in module.named_parameters():
            if "lora_" in name:
                value.data = torch.randn_like(value) * 0.2
        halves[f"{part}_lora_layers"] = {
            key: value.half() for key, value in peft.get_peft_model_state_dict(module).items()
        }
        if alpha is not None:
            halves[f"{part}_lora_adapter_metadata"] = module.peft_config["default"].to_dict()
    file.parent.mkdir(parents=True, exist_ok=True)
    pipe.save_lora_weights(file.parent, weight_name=file.name, **halves)
    return file


def preview(folder: Path, channels: int, width: int = 8, seed: int = 0) -> Path:
    """Make a preview decoder as `preview/` of a model folder whose latents have so many channels. Imports torch."""
    torch: Any = importlib.import_module("torch")
    diffusers: Any = importlib.import_module("diffusers")
    torch.manual_seed(seed)
    widths = (width,) * 4
    diffusers.AutoencoderTiny(
        latent_channels=channels, encoder_block_out_channels=widths, decoder_block_out_channels=widths,
        num_encoder_blocks=(1, 1, 1, 1), num_decoder_blocks=(1, 1, 1, 1),
    ).save_pretrained(folder / "preview")  # fmt: skip
    return folder


def _tokenizer(name: str) -> Any:
    transformers: Any = importlib.import_module("transformers")
    return transformers.CLIPTokenizer.from_pretrained(STARTER / name, local_files_only=True)


def _encoder(kind: str) -> Any:
    transformers: Any = importlib.import_module("transformers")
    tokenizer = _tokenizer("tokenizer")
    config = transformers.CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=HIDDEN,
        intermediate_size=HIDDEN * 2,
        projection_dim=HIDDEN,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=tokenizer.model_max_length,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return getattr(transformers, kind)(config).eval()


def tiny_unet(diffusers: Any, *, xl: bool, wide: int | None = None, pooled: int = HIDDEN) -> Any:
    """A UNet. `wide`: of the words that it attends to; `pooled`: of what all of them come to (SDXL)."""
    extra: dict[str, Any] = (
        {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": TIME_DIM,
            "projection_class_embeddings_input_dim": SIZES * TIME_DIM + pooled,
        }
        if xl
        else {}
    )
    return diffusers.UNet2DConditionModel(
        sample_size=16,
        in_channels=4,
        out_channels=4,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=wide or (HIDDEN * 2 if xl else HIDDEN),
        attention_head_dim=2,
        norm_num_groups=8,
        use_linear_projection=xl,
        **extra,
    )


def tiny_vae(diffusers: Any) -> Any:
    """An autoencoder: eight pixels a latent."""
    return diffusers.AutoencoderKL(
        block_out_channels=(8, 8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=128,
    )


if __name__ == "__main__":
    for name, place in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
        match name.split("-"):
            case ["lora", *wishes]:
                # Its name is its seed.
                lora(
                    Path(place),
                    sum(Path(place).stem.encode()),
                    alpha=8 if "alpha" in wishes else None,
                    encoder="encoder" in wishes,
                )
            case ["preview", channels, *width]:
                preview(Path(place), int(channels), *map(int, width))
            case ["controlnet" | "vae" as kind, family]:
                # Its folder lies beside the model's.
                getattr(tiny_parts, kind)(Path(place), Path(place).parent / family, sum(Path(place).name.encode()))
            case ["compact", scale]:
                tiny_parts.compact(Path(place), int(scale), sum(Path(place).stem.encode()))
            case _:
                build(name, Path(place))
