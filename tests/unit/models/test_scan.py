import os
import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from tendred.models.catalog import STARTER_PATH
from tendred.models.places import Spot
from tendred.models.scan import Known, duplicates, examine, known_folder
from tendred.models.walk import Candidate, Walk
from tendred.testing import headers as made
from tendred.testing.headers import header, sparse
from tendred.testing.hub_cache import cached
from tendred.testing.loras import write


def looked(root, **spot):
    return [examine(one) for one in Walk().run([Spot(root, "folder", **spot)]) if one is not None]


def one(path, **spot):
    return examine(Candidate(path, path.is_dir(), Spot(path.parent, "comfyui", **spot)))


def test_a_folder_that_can_be_used(tmp_path):
    folder = shutil.copytree(STARTER_PATH, tmp_path / "mine", copy_function=shutil.copyfile)
    found = one(folder)
    assert (found.kind, found.family, found.name, found.state, found.tool) == (
        "model",
        "sdxl",
        "mine",
        "new",
        "comfyui",
    )
    assert found.licence.startswith("Apache-2.0")
    assert found.bytes > 30_000_000


def test_a_folder_with_code_in_it_is_told_and_refused(tmp_path):
    folder = shutil.copytree(STARTER_PATH, tmp_path / "mine", copy_function=shutil.copyfile)
    (folder / "pipeline.py").write_text("print('hi')")
    found = one(folder)
    assert (found.kind, found.state) == ("model", "refused")
    assert "pipeline.py is code" in found.reason


def test_single_files_with_what_they_say_of_themselves(tmp_path):
    file = write(tmp_path / "ink.safetensors", metadata={"modelspec.license": "CC0", "modelspec.title": "Ink"})
    found = one(file, names={str(file): "Ink by name"})
    assert (found.kind, found.state, found.licence, found.name) == ("lora", "new", "CC0", "Ink by name")
    assert found.bytes == file.stat().st_size


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.ckpt", b"\x80\x04", "pickle"),
        ("a.safetensors", b"\x80\x04pickle", "a pickle under another name"),
        ("a.gguf", b"GGUF", "GGUF"),
        ("a.safetensors", (200 << 20).to_bytes(8, "little") + b"{}", "a header of 209715200 bytes"),
        ("a.safetensors", header({"a": [4]})[:-2], "a.safetensors"),
        ("a.safetensors", header({"strange": [4, 4, 4]}) + bytes(128), "nothing that is known"),
    ],
)
def test_what_can_not_be_used_is_named_with_the_reason(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    found = one(tmp_path / name)
    assert found.state == "refused"
    assert words in found.reason


def test_a_checkpoint_is_recognised(tmp_path):
    found = one(sparse(tmp_path / "dreamy.safetensors", made.sdxl()))
    assert (found.kind, found.family, found.state) == ("model", "sdxl", "new")
    found = one(sparse(tmp_path / "fluid.safetensors", made.flux()))
    assert (found.kind, found.family, found.state) == ("model", "flux", "refused")
    assert "from a folder only" in found.reason


def test_a_relative_of_a_lora_is_named(tmp_path):
    found = one(sparse(tmp_path / "x.safetensors", made.relative("lokr_w1", "lokr_w2")))
    assert (found.kind, found.detail, found.state) == ("lora", "LoKr", "refused")


def test_common_names_are_told_by_the_repository_or_the_folder(tmp_path):
    weights = header(made.vae()) + bytes(8)
    hub = cached(tmp_path / "hub", "org/nice-vae", {"diffusion_pytorch_model.safetensors": weights})
    [found] = looked(hub.parent)
    assert (found.name, found.source) == ("nice-vae", "org/nice-vae")
    lone = sparse(tmp_path / "plain" / "model.safetensors", made.vae())
    assert one(lone).name == "plain"


def test_a_link_out_of_the_cache_is_refused(tmp_path):
    hub = cached(tmp_path / "hub", "org/x", {"a.safetensors": b"x"})
    outside = write(tmp_path / "ink.safetensors")
    link = hub / "snapshots" / "r1" / "b.safetensors"
    link.symlink_to(outside)
    found = one(link)
    assert found.state == "refused"
    assert "out of the cache" in found.reason


def told(found, known=()):
    *_, last = duplicates(found, list(known))
    return {
        os.path.relpath(one.path, os.path.dirname(os.path.dirname(one.path))): (one.state, one.same_as) for one in last
    }


def test_what_is_there_twice_is_told(tmp_path):
    first = write(tmp_path / "a" / "ink.safetensors")
    copy = shutil.copy(first, tmp_path / "a" / "copy.safetensors")
    os.link(first, tmp_path / "a" / "hard.safetensors")
    other = write(tmp_path / "a" / "other.safetensors", seed=7)
    assert other.stat().st_size == first.stat().st_size
    assert told(looked(tmp_path / "a")) == {
        "a/copy.safetensors": ("new", None), "a/hard.safetensors": ("duplicate", str(copy)),
        "a/ink.safetensors": ("duplicate", str(copy)), "a/other.safetensors": ("new", None),
    }  # fmt: skip
    known = [Known("ink", first, first.stat().st_size)]
    assert told(looked(tmp_path / "a"), known)["a/copy.safetensors"] == ("known", "ink")


def changed(path, at):
    """One byte is another one."""
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))


def test_what_differs_in_one_byte_is_not_the_same(tmp_path):
    """Between the samples, too: a finetune of one layer is no copy."""
    keys = {f"lora_unet_{layer}.lora_down.weight": [4, 50_000] for layer in "abc"}
    first = write(tmp_path / "a" / "ink.safetensors", keys)
    copy = Path(shutil.copy(first, tmp_path / "a" / "copy.safetensors"))
    found = [replace(one(path), state="new", bytes=path.stat().st_size) for path in (first, copy)]
    known = [Known("ink", first, first.stat().st_size)]
    assert told(found[1:], known) == {"a/copy.safetensors": ("known", "ink")}
    changed(copy, copy.stat().st_size // 4)
    assert told(found[1:], known) == {"a/copy.safetensors": ("new", None)}
    folder = shutil.copytree(STARTER_PATH, tmp_path / "b" / "mine", copy_function=shutil.copyfile)
    [mine] = looked(folder)
    starter = known_folder("starter", STARTER_PATH, mine.bytes)
    changed(folder / "vae" / "diffusion_pytorch_model.safetensors", 200_000)
    assert told([mine], [starter]) == {"b/mine": ("new", None)}


def test_a_folder_that_is_known_already(tmp_path):
    folder = shutil.copytree(STARTER_PATH, tmp_path / "a" / "mine", copy_function=shutil.copyfile)
    found = looked(folder)
    known = known_folder("starter", STARTER_PATH, found[0].bytes)
    assert told(found, [known]) == {"a/mine": ("known", "starter")}
    assert known_folder("x", tmp_path / "nowhere", 1) is None
