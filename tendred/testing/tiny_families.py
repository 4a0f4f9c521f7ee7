"""Tiny folders of the families built on transformers, random like those of `tiny`, which makes them by name.

Their sizes are the smallest that the classes take; their tokenizers know bytes and the marks of a chat, nothing more.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

WIDE: Final = 32
LATENTS: Final = 4
_MARKS: Final = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<unk>", "<s>", "</s>", "<pad>")
_CHAT: Final = (
    "{% for one in messages %}<|im_start|>{{ one.role }}\n"
    "{% if one.content is string %}{{ one.content }}{% else %}{% for part in one.content %}{{ part.text }}{% endfor %}"
    "{% endif %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def parts(
    family: str, *, clip: Callable[[str], Any], clip_tokenizer: Callable[[str], Any]
) -> tuple[str, dict[str, Any]]:
    """The pipeline's class and its components. `clip` and `clip_tokenizer` make those of the older families."""
    diffusers: Any = importlib.import_module("diffusers")
    flow = {"scheduler": diffusers.FlowMatchEulerDiscreteScheduler()}
    return _FAMILIES[family](diffusers, flow, clip, clip_tokenizer)


def _sd35(diffusers: Any, flow: dict[str, Any], clip: Any, words: Any) -> tuple[str, dict[str, Any]]:
    # Its inpainting class insists on sixteen channels.
    transformer = diffusers.SD3Transformer2DModel(
        sample_size=16, patch_size=2, in_channels=16, out_channels=16, num_layers=1, attention_head_dim=8,
        num_attention_heads=4, caption_projection_dim=WIDE, joint_attention_dim=WIDE * 2, pooled_projection_dim=WIDE * 2,
        pos_embed_max_size=64,
    )  # fmt: skip
    encoders = {
        "text_encoder": clip("CLIPTextModelWithProjection"), "tokenizer": words("tokenizer"),
        "text_encoder_2": clip("CLIPTextModelWithProjection"), "tokenizer_2": words("tokenizer_2"),
        "text_encoder_3": _t5(WIDE * 2), "tokenizer_3": _t5_tokenizer(),
    }  # fmt: skip
    return "StableDiffusion3Pipeline", {
        **flow,
        **encoders,
        "transformer": transformer,
        "vae": _vae(diffusers, quant=False, latents=16),
    }


def _flux(diffusers: Any, flow: dict[str, Any], clip: Any, words: Any) -> tuple[str, dict[str, Any]]:
    transformer = diffusers.FluxTransformer2DModel(
        patch_size=1, in_channels=LATENTS * 4, num_layers=1, num_single_layers=1, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=WIDE, pooled_projection_dim=WIDE, axes_dims_rope=[4, 4, 8],
        guidance_embeds=True,
    )  # fmt: skip
    encoders = {
        "text_encoder": clip("CLIPTextModel"), "tokenizer": words("tokenizer"),
        "text_encoder_2": _t5(WIDE), "tokenizer_2": _t5_tokenizer(),
    }  # fmt: skip
    return "FluxPipeline", {**flow, **encoders, "transformer": transformer, "vae": _vae(diffusers, quant=False)}


def _chroma(diffusers: Any, flow: dict[str, Any], _clip: Any, _words: Any) -> tuple[str, dict[str, Any]]:
    transformer = diffusers.ChromaTransformer2DModel(
        patch_size=1, in_channels=LATENTS * 4, num_layers=1, num_single_layers=1, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=WIDE, axes_dims_rope=[4, 4, 8], approximator_hidden_dim=WIDE,
        approximator_layers=1, approximator_num_channels=16,
    )  # fmt: skip
    encoders = {"text_encoder": _t5(WIDE), "tokenizer": _t5_tokenizer()}
    return "ChromaPipeline", {**flow, **encoders, "transformer": transformer, "vae": _vae(diffusers, quant=False)}


def _flux2(diffusers: Any, flow: dict[str, Any], _clip: Any, _words: Any) -> tuple[str, dict[str, Any]]:
    # The layers that it reads are the 10th, 20th and 30th, whatever the sizes.
    encoder = _language("Mistral3", layers=31, wide=8, multimodal=True)
    transformer = diffusers.Flux2Transformer2DModel(
        patch_size=1, in_channels=LATENTS * 4, num_layers=1, num_single_layers=1, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=3 * 8, timestep_guidance_channels=256, axes_dims_rope=[4, 4, 4, 4],
    )  # fmt: skip
    return "Flux2Pipeline", {
        **flow, "text_encoder": encoder, "tokenizer": _pixtral(), "transformer": transformer, "vae": _flux2_vae(diffusers),
    }  # fmt: skip


def _klein(diffusers: Any, flow: dict[str, Any], _clip: Any, _words: Any) -> tuple[str, dict[str, Any]]:
    transformer = diffusers.Flux2Transformer2DModel(
        patch_size=1, in_channels=LATENTS * 4, num_layers=1, num_single_layers=1, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=3 * 8, timestep_guidance_channels=256, axes_dims_rope=[4, 4, 4, 4],
    )  # fmt: skip
    encoder = _language("Qwen3", layers=28, wide=8)
    return "Flux2KleinPipeline", {
        **flow, "text_encoder": encoder, "tokenizer": _qwen_tokenizer(), "transformer": transformer,
        "vae": _flux2_vae(diffusers), "is_distilled": False,
    }  # fmt: skip


def _zimage(diffusers: Any, flow: dict[str, Any], _clip: Any, _words: Any) -> tuple[str, dict[str, Any]]:
    torch: Any = importlib.import_module("torch")
    transformer = diffusers.ZImageTransformer2DModel(
        all_patch_size=(2,), all_f_patch_size=(1,), in_channels=LATENTS, dim=WIDE, n_layers=1, n_refiner_layers=1,
        n_heads=2, n_kv_heads=2, norm_eps=1e-5, qk_norm=True, cap_feat_dim=16, rope_theta=256.0, t_scale=1000.0,
        axes_dims=[8, 4, 4], axes_lens=[1024, 64, 64],
    )  # fmt: skip
    with torch.no_grad():
        # Allocated and never filled: whatever was in memory would be drawn.
        transformer.x_pad_token.fill_(1.0)
        transformer.cap_pad_token.fill_(1.0)
    encoder = _language("Qwen3", layers=2, wide=16, bare=True)
    return "ZImagePipeline", {
        **flow, "text_encoder": encoder, "tokenizer": _qwen_tokenizer(), "transformer": transformer,
        "vae": _vae(diffusers, quant=True),
    }  # fmt: skip


def _qwen(diffusers: Any, flow: dict[str, Any], _clip: Any, _words: Any) -> tuple[str, dict[str, Any]]:
    transformer = diffusers.QwenImageTransformer2DModel(
        patch_size=2, in_channels=LATENTS * 4, out_channels=LATENTS, num_layers=1, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=16, guidance_embeds=False, axes_dims_rope=(8, 4, 4),
    )  # fmt: skip
    vae = diffusers.AutoencoderKLQwenImage(
        base_dim=8, z_dim=LATENTS, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True],
        latents_mean=[0.0] * LATENTS, latents_std=[1.0] * LATENTS,
    )  # fmt: skip
    encoder = _language("Qwen2_5_VL", layers=2, wide=16, multimodal=True)
    return "QwenImagePipeline", {
        **flow, "text_encoder": encoder, "tokenizer": _qwen_tokenizer(), "transformer": transformer, "vae": vae,
    }  # fmt: skip


_FAMILIES: Final[Mapping[str, Callable[[Any, dict[str, Any], Any, Any], tuple[str, dict[str, Any]]]]] = MappingProxyType({
    "sd35": _sd35, "flux": _flux, "flux2": _flux2, "klein": _klein, "zimage": _zimage, "qwen-image": _qwen,
    "chroma": _chroma,
})  # fmt: skip
NAMES: Final = tuple(_FAMILIES)


def _vae(diffusers: Any, *, quant: bool, latents: int = LATENTS) -> Any:
    return diffusers.AutoencoderKL(
        block_out_channels=(8, 8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=latents,
        norm_num_groups=4,
        sample_size=128,
        use_quant_conv=quant,
        use_post_quant_conv=quant,
        scaling_factor=1.5,
        shift_factor=0.06,
    )


def _flux2_vae(diffusers: Any) -> Any:
    return diffusers.AutoencoderKLFlux2(
        block_out_channels=(8, 8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=LATENTS,
        norm_num_groups=4,
        sample_size=128,
    )


def _t5(wide: int) -> Any:
    transformers: Any = importlib.import_module("transformers")
    config = transformers.T5Config(
        vocab_size=512,
        d_model=wide,
        d_kv=8,
        d_ff=wide,
        num_layers=1,
        num_heads=2,
        is_encoder_decoder=False,
        use_cache=False,
    )
    return transformers.T5EncoderModel(config).eval()


def _t5_tokenizer() -> Any:
    transformers: Any = importlib.import_module("transformers")
    letters = [chr(code) for code in range(33, 127)]
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *((letter, -3.0) for letter in letters)]
    return transformers.T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=512)


def _language(name: str, *, layers: int, wide: int, bare: bool = False, multimodal: bool = False) -> Any:
    """A language model: `bare` without its head, `multimodal` with eyes that see nothing here."""
    transformers: Any = importlib.import_module("transformers")
    text: dict[str, Any] = {
        "vocab_size": 512, "hidden_size": wide, "intermediate_size": wide, "num_hidden_layers": layers,
        "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 2048,
    }  # fmt: skip
    if name == "Qwen3":
        config = transformers.Qwen3Config(**text)
        return (transformers.Qwen3Model if bare else transformers.Qwen3ForCausalLM)(config).eval()
    assert multimodal
    if name == "Mistral3":
        seen = {"model_type": "pixtral", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
                "intermediate_size": 16, "image_size": 32, "patch_size": 16}  # fmt: skip
        config = transformers.Mistral3Config(text_config={"model_type": "mistral", **text}, vision_config=seen)
        return transformers.Mistral3ForConditionalGeneration(config).eval()
    text["rope_scaling"] = {"mrope_section": [1, 1, 2], "rope_type": "default", "type": "default"}
    seen = {"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": wide}
    config = transformers.Qwen2_5_VLConfig(text_config=text, vision_config=seen)
    return transformers.Qwen2_5_VLForConditionalGeneration(config).eval()


def _vocabulary() -> dict[str, int]:
    tokenizers: Any = importlib.import_module("tokenizers")
    letters = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    return {piece: number for number, piece in enumerate([*letters, *_MARKS])}


def _qwen_tokenizer() -> Any:
    transformers: Any = importlib.import_module("transformers")
    return transformers.Qwen2Tokenizer(
        vocab=_vocabulary(), merges=[], pad_token="<|endoftext|>", chat_template=_CHAT, model_max_length=2048
    )


def _pixtral() -> Any:
    """A tokenizer where the real folder holds a processor, which is asked for nothing but words here."""
    tokenizers: Any = importlib.import_module("tokenizers")
    transformers: Any = importlib.import_module("transformers")
    made = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=_vocabulary(), merges=[], unk_token="<unk>"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", eos_token="</s>", bos_token="<s>", unk_token="<unk>",
        chat_template=_CHAT, padding_side="left",
    )  # fmt: skip
