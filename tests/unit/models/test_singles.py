import pytest

from tendred.errors import ModelRefused
from tendred.models.singles import inspect_single, kind_of, said, spec_of
from tendred.testing import headers as made
from tendred.testing.headers import sparse


def refusal(function, *arguments):
    with pytest.raises(ModelRefused) as caught:
        function(*arguments)
    return caught.value.detail["reason"], caught.value.detail["problem"]


def test_a_file_of_its_kind(tmp_path):
    file = sparse(tmp_path / "up.safetensors", made.compact(4), {"modelspec.license": "BSD-3-Clause", "other": "x"})
    one = inspect_single("upscaler", file, "up")
    assert (one.family, one.detail, one.licence, one.spec) == (
        "compact",
        "x4",
        "BSD-3-Clause",
        {"license": "BSD-3-Clause"},
    )
    assert one.bytes == file.stat().st_size


def test_what_is_said_beside_counts_for_more(tmp_path):
    file = sparse(tmp_path / "up.safetensors", made.compact(), {"modelspec.license": "unknown"})
    file.with_suffix(".json").write_text('{"licence": "CC0", "family": "drawn"}')
    one = inspect_single("upscaler", file, "up")
    assert (one.family, one.licence) == ("drawn", "CC0")
    assert inspect_single("upscaler", file, "up", noted=False).licence == "unknown"


def test_another_kind_is_named(tmp_path):
    file = sparse(tmp_path / "v.safetensors", made.vae())
    assert kind_of(file, "v") == "vae"
    assert refusal(inspect_single, "upscaler", file, "v") == ("family", "it is an autoencoder, not an upscaler")
    assert "not an upscaler" in refusal(inspect_single, "upscaler", sparse(file, {"a": [3]}), "v")[1]


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ({"a": [3]}, "nothing that is known"),
        ({"model.layers.0.self_attn.q_proj.weight": [8, 8]}, "a language model"),
        (made.flux(), "from a folder only"),
    ],
)
def test_what_has_no_kind_here_says_why(tmp_path, shapes, words):
    reason, problem = refusal(kind_of, sparse(tmp_path / "x.safetensors", shapes), "x")
    assert reason == "family"
    assert words in problem


def test_a_control_lora_is_refused(tmp_path):
    file = sparse(tmp_path / "c.safetensors", {"lora_controlnet": [0]})
    assert "Control-LoRA" in refusal(inspect_single, "controlnet", file, "c")[1]


def test_what_a_file_says_is_cut_and_pictures_are_left_out():
    metadata = {f"modelspec.{number:03}": "x" for number in range(90)} | {
        "modelspec.0": "y" * 9000,
        "modelspec.thumbnail": "z",
    }
    spec = spec_of(metadata)
    assert len(spec) == 40
    assert len(spec["0"]) == 2000
    assert "thumbnail" not in spec


def test_what_goes_to_the_boundary():
    assert said({"modelspec.title": "Ink", "ss_output_name": "ink", "modelspec.author": "A", "ss_lr": "1"}) == [
        "Ink",
        "ink",
    ]
