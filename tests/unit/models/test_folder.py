import json
import shutil

import pytest

from tendred.errors import ModelRefused
from tendred.models.catalog import STARTER_PATH
from tendred.models.folder import fingerprint, inspect, weights_sha256


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
    assert (found.defaults.steps, found.defaults.guidance, found.defaults.scheduler) == (20, 4.0, "euler")
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
