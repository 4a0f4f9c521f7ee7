"""What kind of adapter a file is: a plain LoRA, or one of its relatives that only share the ending of the file.

Names of tensors: github.com/KohakuBlueleaf/LyCORIS and huggingface/peft, each method's own module.
"""

from __future__ import annotations

from typing import Final

from tendred.models.keys import Keys

# A relative may hold plain halves besides (DoRA does), so these are looked for first.
_RELATIVES: Final = (
    ((".dora_scale", ".lora_magnitude_vector", ".lora_magnitude_vector.weight"), "DoRA"),
    ((".hada_w1_a", ".hada_w2_a", ".hada_w1_b"), "LoHa"),
    ((".lokr_w1", ".lokr_w2", ".lokr_w1_a", ".lokr_w2_a"), "LoKr"),
    ((".oft_blocks", ".oft_diag", ".oft_R.weight"), "OFT"),
    ((".a1.weight", ".b1.weight"), "GLoRA"),
    ((".on_input",), "IA3"),
    ((".diff", ".diff_b"), "difference of whole layers"),
)
_HALVES: Final = (
    ".lora_A.weight", ".lora_B.weight", ".lora_down.weight", ".lora_up.weight", ".lora.down.weight", ".lora.up.weight",
    "_lora.down.weight", "_lora.up.weight", ".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight",
)  # fmt: skip
_ANY: Final = (*_HALVES, *(ending for endings, _ in _RELATIVES for ending in endings))
PLAIN: Final = "LoRA"
# In this order: a name may hold several.
_FAMILIES: Final = (
    (("single_blocks", "double_blocks", "single_transformer_blocks"), "flux"),
    (("lora_te2_", "text_encoder_2."), "sdxl"),
    (("img_mlp", "add_q_proj"), "qwen-image"),
    (("joint_blocks", "ff_context"), "sd35"),
    (("layers.0.attention.", "layers_0_attention_"), "zimage"),
)


def algorithm(keys: Keys) -> str | None:
    """What it is called; None for what is no adapter."""
    if not keys.ends(*_ANY):
        return None
    return next((name for endings, name in _RELATIVES if keys.ends(*endings)), PLAIN)


def relative(name: str | None) -> str | None:
    """Why an adapter of this algorithm isn't used, in words; None for a plain LoRA, and for what is no adapter."""
    if name in {None, PLAIN}:
        return None
    return f"it is a {name}, and only plain LoRAs are put on a model here"


def family(keys: Keys) -> str:
    """A family that the names alone tell; empty where they don't."""
    return next((name for words, name in _FAMILIES if keys.hold(*words)), "")
