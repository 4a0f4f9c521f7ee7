import json

import pytest

from tendred.errors import ModelRefused
from tendred.models.parts import inspect_folder
from tendred.testing.loras import write

VAE = {"decoder.conv_in.weight": [4, 4, 3, 3]}
NET = {"controlnet_cond_embedding.conv_in.weight": [4, 3, 3, 3]}


def folder(path, kind="ControlNetModel", keys=NET):
    path.mkdir(parents=True, exist_ok=True)
    (path / "config.json").write_text(json.dumps({"_class_name": kind}))
    write(path / "diffusion_pytorch_model.safetensors", keys)
    return path


def refused(kind, path):
    with pytest.raises(ModelRefused) as caught:
        inspect_folder(kind, path, "mine")
    assert (caught.value.variant, caught.value.detail["name"]) in {("part", "mine"), ("lora", "mine"), ("", "mine")}
    return caught.value.detail["reason"]


def test_folders_of_both_kinds(tmp_path):
    found = inspect_folder("controlnet", folder(tmp_path / "lines"), "lines")
    assert found.family == "ControlNetModel"
    assert found.bytes > 0
    autoencoder = folder(tmp_path / "crisp", "AutoencoderKL", VAE)
    assert inspect_folder("vae", autoencoder, "crisp").family == "AutoencoderKL"


def test_one_kind_is_not_taken_for_the_other(tmp_path):
    assert refused("vae", folder(tmp_path / "lines")) == "family"


def test_code_pickles_and_broken_files_are_refused(tmp_path):
    coded = folder(tmp_path / "coded")
    (coded / "net.py").write_text("print('hi')")
    assert refused("controlnet", coded) == "remote_code"
    pickled = folder(tmp_path / "pickled")
    (pickled / "diffusion_pytorch_model.safetensors").rename(pickled / "diffusion_pytorch_model.bin")
    assert refused("controlnet", pickled) == "pickle"
    empty = folder(tmp_path / "empty")
    (empty / "diffusion_pytorch_model.safetensors").unlink()
    assert refused("controlnet", empty) == "header"
    broken = folder(tmp_path / "broken")
    (broken / "diffusion_pytorch_model.safetensors").write_bytes(b"\xff" * 100)
    assert refused("controlnet", broken) == "header"
    for text in ("", "[]", '{"_class_name": 3}'):
        odd = folder(tmp_path / "odd")
        (odd / "config.json").write_text(text)
        assert refused("controlnet", odd) in {"header", "family"}
