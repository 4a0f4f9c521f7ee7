import os

from tendred.models.places import Spot
from tendred.models.walk import DEPTH, ENTRIES, Walk
from tendred.testing.hub_cache import cached


def walked(*roots, walk=None):
    walk = walk or Walk()
    found = walk.run([Spot(root, "folder") for root in roots])
    return [(one.path, one.is_folder) for one in found if one is not None]


def put(path, size=8192):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    return path


def test_files_of_weights_and_model_folders_are_found_once(tmp_path):
    one = put(tmp_path / "a" / "x.safetensors")
    pickle = put(tmp_path / "b" / "y.ckpt")
    inside = put(tmp_path / "model" / "unet" / "z.safetensors")
    (tmp_path / "model" / "model_index.json").write_text("{}")
    for name in ("notes.txt", ".hidden.safetensors", "small.bin", "m-00001-of-00002.safetensors"):
        put(tmp_path / name, 100)
    assert walked(tmp_path, tmp_path / "a") == [(one, False), (pickle, False), (inside.parents[1], True)]


def test_folders_of_other_things_are_passed_by(tmp_path):
    for name in ("venv", "node_modules", ".git", "output"):
        put(tmp_path / name / "x.safetensors")
    assert walked(tmp_path) == []


def test_links_are_followed_and_circles_end(tmp_path):
    real = put(tmp_path / "real" / "x.safetensors")
    (tmp_path / "comfy").mkdir()
    (tmp_path / "comfy" / "loras").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "again").symlink_to(tmp_path / "comfy")
    (tmp_path / "comfy" / "nowhere").symlink_to(tmp_path / "gone")
    assert walked(tmp_path / "comfy") == [(tmp_path / "comfy" / "loras" / real.name, False)]


def test_of_a_hub_cache_the_present_snapshot_counts(tmp_path):
    repository = cached(tmp_path, "org/lora", {"pytorch_lora_weights.safetensors": b"x" * 8192})
    put(repository / "snapshots" / "old" / "pytorch_lora_weights.safetensors")
    assert walked(tmp_path) == [(repository / "snapshots" / "r1" / "pytorch_lora_weights.safetensors", False)]


def test_a_file_may_be_named_itself(tmp_path):
    file = put(tmp_path / "x.safetensors")
    assert walked(file) == [(file, False)]


def test_what_can_not_be_looked_into_is_passed_by(tmp_path):
    assert walked(tmp_path / "nowhere") == []
    assert walked(tmp_path / "a\0b") == walked(tmp_path / "\ud800") == []


def test_names_that_can_not_be_told_are_passed_by(tmp_path):
    put(tmp_path / "a\nb" / "x.safetensors")
    os.close(os.open(os.fsencode(tmp_path) + b"/\xff.safetensors", os.O_CREAT | os.O_WRONLY))
    assert walked(tmp_path) == []


def test_depth_and_number_are_bounded(tmp_path):
    put(tmp_path.joinpath(*"d" * DEPTH) / "x.safetensors")
    put(tmp_path.joinpath(*"d" * (DEPTH + 1)) / "y.safetensors")
    assert [path.name for path, _ in walked(tmp_path)] == ["x.safetensors"]
    walk = Walk()
    walk.entries = ENTRIES - 1
    assert walked(tmp_path, walk=walk) == []
    assert not walk.whole


def test_it_says_something_on_the_way(tmp_path):
    for number in range(450):
        os.symlink("gone", tmp_path / f"{number}.txt")
    assert [*Walk().run([Spot(tmp_path, "folder")])] == [None, None]
