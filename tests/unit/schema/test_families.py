import pytest

from tendred.schema.families import ABILITIES, OTHER, task


def test_from_words_alone_the_models_own_class_draws():
    assert task(OTHER, image=True, mask=False, control=False) is None


@pytest.mark.parametrize(
    ("wish", "name"),
    [
        ({"image": True}, "StableDiffusionXLImg2ImgPipeline"),
        ({"image": True, "mask": True}, "StableDiffusionXLInpaintPipeline"),
        ({"control": True}, "StableDiffusionXLControlNetPipeline"),
        ({"control": True, "image": True}, "StableDiffusionXLControlNetImg2ImgPipeline"),
        ({"control": True, "image": True, "mask": True}, "StableDiffusionXLControlNetInpaintPipeline"),
    ],
)
def test_each_way_to_draw_has_its_class(wish, name):
    wish = {"image": False, "mask": False, "control": False, **wish}
    assert task(ABILITIES["StableDiffusionXLPipeline"], **wish) == name


def test_whoever_is_guided_says_by_what():
    assert all((can.control is None) == (can.controlnet is None) for can in ABILITIES.values())
    assert all(can.control is not None for can in ABILITIES.values() if can.control_image or can.control_inpaint)
