import pytest

from tendred.errors import ModelRefused
from tendred.models.takes import lacks, parameters
from tendred.models.whole import inspect_whole, is_whole, mark_whole
from tendred.testing import headers as made
from tendred.testing.headers import sparse


@pytest.mark.parametrize(("family", "side", "scheduler"), [("sd15", 512, "pndm"), ("sdxl", 1024, "euler")])
def test_a_checkpoint_is_what_a_folder_of_its_family_is(tmp_path, family, side, scheduler):
    metadata = {"modelspec.title": "Dreamy", "modelspec.license": "CreativeML Open RAIL-M"}
    file = sparse(tmp_path / "dreamy.safetensors", getattr(made, family)(), metadata)
    assert is_whole(file)
    seen = inspect_whole(file, "dreamy")
    assert (seen.family, seen.defaults.width, seen.defaults.scheduler) == (family, side, scheduler)
    assert (seen.bytes, seen.licence, seen.clip_layers) == (file.stat().st_size, "CreativeML Open RAIL-M", 12)
    assert "Dreamy" in seen.words
    takes = {one.name for one in parameters(seen)}
    assert {"negative_prompt", "guidance", "clip_skip", "image", "mask", "control", "vae"} <= takes
    assert lacks(seen) == []


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        (made.flux(), "from a folder only"),
        (made.sdxl(inputs=9), "only the plain one"),
        ({key: shape for key, shape in made.sd15().items() if key.startswith(made.INSIDE)}, "without text encoders"),
        (made.vae(), "it is no model"),
        ({"a": [3]}, "it is no model"),
    ],
)
def test_what_is_not_one_says_why(tmp_path, shapes, words):
    with pytest.raises(ModelRefused) as caught:
        inspect_whole(sparse(tmp_path / "x.safetensors", shapes), "x")
    assert caught.value.detail["reason"] == "family"
    assert words in caught.value.detail["problem"]


def test_what_is_no_model_or_cant_be_read_is_none(tmp_path):
    assert not is_whole(sparse(tmp_path / "v.safetensors", made.vae()))
    (tmp_path / "old.ckpt").write_bytes(b"PK" + bytes(100))
    assert not is_whole(tmp_path / "old.ckpt")
    assert not is_whole(tmp_path / "nowhere.safetensors")


def test_a_file_that_changes_is_another(tmp_path):
    file = sparse(tmp_path / "x.safetensors", made.sd15())
    before = mark_whole(file, "x")
    assert mark_whole(file, "x") == before
    sparse(file, made.sd15(), {"modelspec.title": "other"})
    assert mark_whole(file, "x") != before
    file.unlink()
    with pytest.raises(ModelRefused):
        mark_whole(file, "x")
