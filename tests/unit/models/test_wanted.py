import hashlib
import json

import pytest
from msgspec.structs import replace

from tendred.errors import InvalidParams, ModelRefused
from tendred.models.wanted import plan
from tendred.schema.pull import Listed, RemoteFile
from tendred.testing.hub import model

REPO = "maker/tiny"
UNET = "unet/diffusion_pytorch_model"


def listing(files):
    remote = [
        RemoteFile(name=name, bytes=len(data), sha256=None, blob_sha1=hashlib.sha1(data).hexdigest())
        for name, data in files.items()
    ]
    index = files.get("model_index.json")
    text = None if index is None else index.decode()
    return Listed(commit="c" * 40, files=remote, index=text, licence=None, gated=False)


def targets(files, variant=None):
    return {file.target: file.source.name for file in plan(listing(files), variant, REPO).files}


def without(files, *parts):
    return {name: data for name, data in files.items() if not any(part in name for part in parts)}


def test_what_a_loader_reads_and_the_licence_and_nothing_else():
    wanted = {name for name, data in model().items() if data != b"not wanted" and "fp16" not in name}
    assert targets(model()) == {name: name for name in wanted}


def test_a_checker_that_nobody_loads_is_not_fetched():
    files = model()
    index = json.loads(files["model_index.json"])
    index["safety_checker"] = ["stable_diffusion", "StableDiffusionSafetyChecker"]
    files |= {"model_index.json": json.dumps(index).encode(), "safety_checker/model.safetensors": b"x"}
    assert targets(files) == targets(model())


def test_a_variant_takes_the_plain_name_where_there_is_one():
    found = targets(model(), "fp16")
    assert found[f"{UNET}.safetensors"] == f"{UNET}.fp16.safetensors"
    assert found["vae/diffusion_pytorch_model.safetensors"] == "vae/diffusion_pytorch_model.safetensors"
    with pytest.raises(InvalidParams) as caught:
        targets(model(), "bf16")
    assert caught.value.path == "variant"


def test_a_component_that_has_one_variant_only_comes_as_that():
    files = without(model(), f"{UNET}.safetensors", f"{UNET}.bin")
    assert targets(files)[f"{UNET}.safetensors"] == f"{UNET}.fp16.safetensors"
    with pytest.raises(ModelRefused):
        targets(without(files, "fp16"))  # what is left is for training


@pytest.mark.parametrize(("kind", "mark"), [(None, ""), ("fp16", ".fp16")])
def test_shards_come_with_the_index_that_names_them(kind, mark):
    shards = {f"{UNET}{mark}-0000{n}-of-00002.safetensors": b"x" for n in (1, 2)}
    index = f"{UNET}.safetensors.index{mark}.json"
    files = {**without(model(), UNET), **shards, index: b"{}", f"{UNET}.bin.index.json": b"{}"}
    found = targets(files, kind)
    assert found[f"{UNET}.safetensors.index.json"] == index
    assert set(shards) < set(found)
    assert not any(".bin" in name for name in found.values())
    with pytest.raises(ModelRefused):
        targets(without(files, ".safetensors.index"), kind)


def test_a_whole_file_goes_before_shards():
    shards = {f"{UNET}-00001-of-00001.safetensors": b"x", f"{UNET}.safetensors.index.json": b"{}"}
    found = targets({**model(), **shards})
    assert set(shards) & set(found) == set()


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (without(model(), "model_index"), "header"),
        ({**model(), "model_index.json": b"{"}, "header"),
        ({**model(), "model_index.json": b'{"_class_name": "Unet"}'}, "family"),
        ({**model(), "model_index.json": b'{"_class_name": "XPipeline"}'}, "header"),
        ({**model(), "model_index.json": b'{"_class_name": "XPipeline", "unet": ["mine", "Unet"]}'}, "remote_code"),
        ({**model(), "model_index.json": b'{"_class_name": "XPipeline", "../x": ["diffusers", "U"]}'}, "header"),
        (without(model(), f"{UNET}.safetensors", f"{UNET}.fp16", "non_ema"), "pickle"),
        (without(model(), "vae/diffusion"), "header"),
        ({**model(), "model_index.json": b"[" * 100_000}, "header"),
    ],
)
def test_what_could_not_be_loaded_is_refused_by_its_listing(files, reason):
    with pytest.raises(ModelRefused) as caught:
        plan(listing(files), None, REPO)
    assert (caught.value.variant, caught.value.detail["reason"]) == ("hub", reason)


@pytest.mark.parametrize(
    "name",
    ["unet/../../x.json", "/etc/x.json", "unet//x.json", "unet/.x.json", "unet/a b.json", "unet\\x.json", "C:x.json",
     "unet/x.json\0", "unet/é.json", "unet/" + "x" * 300 + ".json", "tendred.json", "unet/x.py", "vae/x.so"],
)  # fmt: skip
def test_odd_names_are_never_fetched(name):
    assert name not in targets({**model(), name: b"{}"}).values()


def test_a_configuration_that_is_too_large_is_none():
    listed = listing(model())
    files = [replace(file, bytes=10**9) if file.name == "unet/config.json" else file for file in listed.files]
    assert "unet/config.json" not in {it.target for it in plan(replace(listed, files=files), None, REPO).files}


def test_nothing_is_fetched_that_could_not_be_checked():
    listed = listing(model())
    files = [replace(file, blob_sha1=None) if file.name == "vae/config.json" else file for file in listed.files]
    with pytest.raises(ModelRefused) as caught:
        plan(replace(listed, files=files), None, REPO)
    assert "vae/config.json" in caught.value.detail["problem"]


def test_sizes_are_known_before_the_first_byte():
    settled = plan(listing(model()), None, REPO)
    assert settled.bytes == sum(file.source.bytes for file in settled.files) > 200_000
    assert settled.commit == "c" * 40
    assert json.loads(model()["model_index.json"])["unet"][0] == "diffusers"
