from __future__ import annotations

import pytest

from tendred.core.ways import LEAST_WORDS, MOST_WORDS, check_upscale, guidance, master, spoken, ways
from tendred.errors import NotOffered
from tendred.schema.footage import FINAL_SIDES
from tendred.schema.provider import ProviderModel, Size


def model(*sizes):
    return ProviderModel(
        name="m", sizes=list(sizes), seed=False, first_frame=True, last_frame=True, audio=True, prompt_chars=None,
        replaced_by=None,
    )  # fmt: skip


def size(width, height, *lengths, fps="24"):
    return Size(width=width, height=height, seconds={fps: list(lengths)})


LONG = model(size(1920, 1080, 6, 10, 20), size(3840, 2160, 6, 10))


def open_ways(known=LONG, *, width=1920, height=1080, seconds=6, fps="24", refines=False, lang="en"):
    found = ways(
        known, "p", width=width, height=height, seconds=seconds, fps=fps, refines=refines, lang=lang
    )  # fmt: skip
    assert [one.way for one in found] == ["refine", "upscale", "new_take"]
    assert all((one.reason is None) == one.open for one in found)
    assert [one.same for one in found] == [True, True, False]
    return {one.way for one in found if one.open}, {one.way: one.reason for one in found}


def test_a_draft_that_is_too_long_for_4k_can_only_be_upscaled():
    assert open_ways(seconds=10)[0] == {"upscale", "new_take"}
    open_, why = open_ways(seconds=20)
    assert open_ == {"upscale"}
    assert "20 s" in why["new_take"]


def test_a_rate_that_4k_has_not_and_a_model_without_4k():
    assert open_ways(fps="50")[0] == {"upscale"}
    assert open_ways(model(size(1920, 1080, 6)))[0] == {"upscale"}


def test_sizes_that_are_neither_a_half_nor_a_third_of_4k():
    known = model(size(2560, 1440, 6), size(3840, 2160, 6))
    open_, why = open_ways(known, width=2560, height=1440)
    assert open_ == {"new_take"}
    assert "2560 x 1440" in why["upscale"]
    assert "agrandissement" in open_ways(known, width=2560, height=1440, lang="fr")[1]["upscale"]


def test_latents_that_were_kept_open_the_best_way():
    assert "refine" in open_ways(refines=True)[0]
    assert "refine" not in open_ways()[0]


@pytest.mark.parametrize(("width", "height"), FINAL_SIDES)
def test_every_size_that_is_let_in_leads_to_4k_exactly(width, height):
    check_upscale(width, height)
    factor = FINAL_SIDES[width, height]
    assert (width * factor, height * factor) == master(width, height)
    for other in ((width + 8, height), (width, height + 8)):
        with pytest.raises(NotOffered):
            check_upscale(*other)


def test_a_prompt_is_held_against_what_models_were_taught_with():
    assert guidance("word " * (LEAST_WORDS - 1)).advice == "short"
    assert guidance("word " * LEAST_WORDS).advice == "fits"
    assert guidance("word " * MOST_WORDS).advice == "fits"
    assert guidance("word " * (MOST_WORDS + 1)).advice == "long"


def test_what_somebody_says_stands_in_quotes_of_any_kind():
    said = 'She says "good evening", he \u00ab bonsoir \u00bb, they \u201cgo\n now\u201d and \u201egenau\u201c.'
    assert spoken(said) == ["good evening", "bonsoir", "go now", "genau"]
    assert spoken("nothing is said") == []
