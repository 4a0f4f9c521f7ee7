"""What the families of models can do besides drawing from words: the pipeline classes of each, by its own class.

Names are those of diffusers 0.42; a test compares them with the installed library. The daemon refuses by this table,
and the engine builds from it. Stands here because a child may import no other room of ours.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final, Literal

from tendred.schema.base import Record


class Abilities(Record, frozen=True):
    """Class names for image to image, inpainting and guidance (from nothing, from an image, from image and mask).

    `guidance`: which parameter of the call is meant by it. `negative`: whether it takes words for what not to show.
    """

    image: str | None = None
    inpaint: str | None = None
    control: str | None = None
    control_image: str | None = None
    control_inpaint: str | None = None
    controlnet: str | None = None
    negative: bool = True
    clip_skip: bool = False
    guidance: Literal["guidance_scale", "true_cfg_scale"] = "guidance_scale"


OTHER: Final = Abilities()
"""A family that nothing is known of: whatever its call takes, from words alone."""
ABILITIES: Final = MappingProxyType({
    "StableDiffusionPipeline": Abilities(
        image="StableDiffusionImg2ImgPipeline",
        inpaint="StableDiffusionInpaintPipeline",
        control="StableDiffusionControlNetPipeline",
        control_image="StableDiffusionControlNetImg2ImgPipeline",
        control_inpaint="StableDiffusionControlNetInpaintPipeline",
        controlnet="ControlNetModel",
        clip_skip=True,
    ),
    "StableDiffusionXLPipeline": Abilities(
        image="StableDiffusionXLImg2ImgPipeline",
        inpaint="StableDiffusionXLInpaintPipeline",
        control="StableDiffusionXLControlNetPipeline",
        control_image="StableDiffusionXLControlNetImg2ImgPipeline",
        control_inpaint="StableDiffusionXLControlNetInpaintPipeline",
        controlnet="ControlNetModel",
        clip_skip=True,
    ),
    "StableDiffusion3Pipeline": Abilities(
        image="StableDiffusion3Img2ImgPipeline",
        inpaint="StableDiffusion3InpaintPipeline",
        control="StableDiffusion3ControlNetPipeline",
        controlnet="SD3ControlNetModel",
        clip_skip=True,
    ),
    "FluxPipeline": Abilities(
        image="FluxImg2ImgPipeline",
        inpaint="FluxInpaintPipeline",
        control="FluxControlNetPipeline",
        control_image="FluxControlNetImg2ImgPipeline",
        control_inpaint="FluxControlNetInpaintPipeline",
        controlnet="FluxControlNetModel",
        # Its words for what not to show need a second, unguided pass that its weights were not made for.
        negative=False,
    ),
    "Flux2Pipeline": Abilities(negative=False),
    "Flux2KleinPipeline": Abilities(inpaint="Flux2KleinInpaintPipeline", negative=False),
    "ZImagePipeline": Abilities(image="ZImageImg2ImgPipeline", inpaint="ZImageInpaintPipeline"),
    "QwenImagePipeline": Abilities(
        image="QwenImageImg2ImgPipeline",
        inpaint="QwenImageInpaintPipeline",
        control="QwenImageControlNetPipeline",
        controlnet="QwenImageControlNetModel",
        # Its `guidance_scale` counts for distilled versions only.
        guidance="true_cfg_scale",
    ),
    # Its inpainting class asks its transformer for a setting that it doesn't have (diffusers 0.42.1).
    "ChromaPipeline": Abilities(image="ChromaImg2ImgPipeline"),
})  # fmt: skip


def task(abilities: Abilities, *, image: bool, mask: bool, control: bool) -> str | None:
    """The class that does it; None where the family has none. Without any of the three, its own class does."""
    if control:
        return abilities.control_inpaint if mask else abilities.control_image if image else abilities.control
    return abilities.inpaint if mask else abilities.image
