import json
import os
import shutil

import pytest

from tendred.errors import ModelRefused
from tendred.models.catalog import STARTER_PATH
from tendred.models.folder import inspect, mark
from tendred.schema.weights import fingerprint, weights_sha256


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(STARTER_PATH, tmp_path / "model", copy_function=shutil.copyfile)


def refused(folder):
    with pytest.raises(ModelRefused) as caught:
        inspect(folder, "m")
    return caught.value.detail["reason"]


def test_the_starter():
    found = inspect(STARTER_PATH, "starter")
    assert found.family == "sdxl"
    assert (found.defaults.width, found.defaults.height) == (128, 128)
    assert (found.defaults.steps, found.defaults.guidance, found.defaults.scheduler) == (10, 4.0, "euler")
    assert found.defaults.multiple == 8
    assert found.licence is not None
    assert found.bytes > 30_000_000


def test_pickles_only_is_refused(folder):
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    assert refused(folder) == "pickle"


def test_code_is_refused(folder):
    (folder / "pipeline.py").write_text("print('hi')")
    assert refused(folder) == "remote_code"


def test_components_of_other_libraries_are_refused(folder):
    index = folder / "model_index.json"
    document = json.loads(index.read_text())
    document["unet"] = ["my_module", "MyUNet"]
    index.write_text(json.dumps(document))
    assert refused(folder) == "remote_code"


def test_a_broken_header_is_refused(folder):
    weights = folder / "vae" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert refused(folder) == "header"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"_class_name": 3}', '{"_class_name": "Thing"}', "{" * 1000])
def test_broken_indexes_are_refused(folder, text):
    (folder / "model_index.json").write_text(text)
    assert refused(folder) in {"header", "family"}


def test_hash_and_fingerprint_follow_the_files(folder):
    mark, digest = fingerprint(folder), weights_sha256(folder)
    assert weights_sha256(STARTER_PATH) == digest
    (folder / "tendred.json").write_text("{}")
    assert fingerprint(folder) != mark
    assert weights_sha256(folder) == digest
    (folder / "unet" / "config.json").write_text((folder / "unet" / "config.json").read_text() + " ")
    assert weights_sha256(folder) != digest


def change(folder, name, **changes):
    path = folder / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("name", ["unet", "image_encoder"])
def test_a_linked_folder_is_refused(folder, tmp_path, name):
    if (folder / name).exists():
        (folder / name).rename(tmp_path / "elsewhere")
    else:
        (tmp_path / "elsewhere").mkdir()
    (folder / name).symlink_to(tmp_path / "elsewhere")
    assert refused(folder) == "header"


def test_a_linked_file_is_judged_by_what_it_points_to(folder, tmp_path):
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    digest = weights_sha256(folder)
    weights.rename(tmp_path / "blob")
    weights.symlink_to(tmp_path / "blob")
    assert inspect(folder, "m").family == "sdxl"
    assert weights_sha256(folder) == digest
    before = fingerprint(folder)
    with (tmp_path / "blob").open("r+b") as blob:
        blob.seek(-4, os.SEEK_END)
        blob.write(b"abcd")
    assert weights_sha256(folder) != digest
    assert fingerprint(folder) != before


def test_a_change_shows_whatever_its_time_says(folder):
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    before, seen = fingerprint(folder), file.stat()
    with file.open("r+b") as data:
        data.seek(-4, os.SEEK_END)
        data.write(b"abcd")
    os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert fingerprint(folder) != before


@pytest.mark.parametrize("name", ["unet\nconfig.json", "caf\u00e9.json", "a;b"])
def test_odd_names_are_refused(folder, name):
    (folder / name).write_text("{}")
    assert refused(folder) == "header"


def test_what_is_no_file_is_refused_at_once(folder):
    os.mkfifo(folder / "unet" / "more.safetensors")
    assert refused(folder) == "header"
    (folder / "unet" / "more.safetensors").unlink()
    (folder / "vae" / "config.json").unlink()
    (folder / "vae" / "config.json").symlink_to("/dev/zero")
    assert refused(folder) == "header"


def test_a_link_to_nowhere_is_refused(folder):
    (folder / "x").symlink_to("/nonexistent")
    assert refused(folder) == "header"
    with pytest.raises(ModelRefused):
        mark(folder, "m")


def test_a_folder_without_an_index_is_not_walked(folder):
    (folder / "model_index.json").unlink()
    (folder / "x").symlink_to("/nonexistent")
    with pytest.raises(ModelRefused) as caught:
        mark(folder, "m")
    assert "model_index.json" in caught.value.detail["problem"]


def test_too_many_files_and_too_deep_ones_are_refused(folder):
    deep = folder.joinpath(*"abcdefghij")
    deep.mkdir(parents=True)
    (deep / "x.json").write_text("{}")
    assert refused(folder) == "header"
    shutil.rmtree(folder / "a")
    inspect(folder, "m")
    for number in range(5_000):
        (folder / f"{number}.txt").touch()
    assert refused(folder) == "header"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"image_encoder": ["diffusers", "StableDiffusionXLPipeline"]}, "pickle"),
        ({"image_encoder": ["diffusers", "AutoPipelineForText2Image"]}, "pickle"),
        ({"unet": []}, "header"),
        ({"unet": [{"a": 1}, "b"]}, "header"),
        ({"unet": ["diffusers"]}, "header"),
        ({"unet": ["diffusers", "UNet2DConditionModel", "x"]}, "header"),
        ({"unet": "os"}, "header"),
        ({"../../..": ["diffusers", "x"]}, "header"),
    ],
)
def test_odd_components_are_refused(folder, changes, reason):
    change(folder, "model_index.json", **changes)
    assert refused(folder) == reason


def test_a_checker_of_its_own_is_left_out_and_one_from_elsewhere_is_not(folder):
    pair = ["stable_diffusion", "StableDiffusionSafetyChecker"]
    change(folder, "model_index.json", safety_checker=pair, requires_safety_checker=True)
    inspect(folder, "m")
    change(folder, "model_index.json", safety_checker=["my_module", "StableDiffusionSafetyChecker"])
    assert refused(folder) == "remote_code"
    change(folder, "model_index.json", safety_checker=None, unet=pair)
    assert refused(folder) == "remote_code"


def test_weights_named_elsewhere_are_refused(folder):
    index = folder / "unet" / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "../../evil.safetensors"}}))
    assert refused(folder) == "header"
    index.write_text(json.dumps({"weight_map": {"a": "diffusion_pytorch_model.safetensors"}}))
    inspect(folder, "m")
    adapter = folder / "text_encoder" / "adapter_config.json"
    adapter.write_text("{}")
    assert refused(folder) == "header"
    adapter.unlink()
    change(folder, "text_encoder/config.json", transformers_weights="../../evil.safetensors")
    assert refused(folder) == "header"


def test_pickles_beside_safetensors_are_let_be(folder):
    digest = weights_sha256(folder)
    (folder / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"x")
    inspect(folder, "m")
    assert weights_sha256(folder) == digest


def test_a_tokenizers_words_count(folder):
    digest = weights_sha256(folder)
    (folder / "tokenizer" / "merges.txt").write_text("a b")
    assert weights_sha256(folder) != digest
