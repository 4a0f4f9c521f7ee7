import hashlib

import pytest

from tendred.models.hashes import Known
from tendred.models.verify import SLICE, Reading, compared, gone, orphans, worst
from tendred.testing.hub_cache import cached

A, B = "a" * 64, "b" * 64


def test_a_file_is_read_in_slices_to_its_hash(tmp_path):
    data = bytes(SLICE) + b"end"
    (tmp_path / "x").write_bytes(data)
    reading = Reading(tmp_path / "x")
    assert [reading.step(), reading.step(), reading.step()] == [SLICE, 3, 0]
    reading.close()
    assert reading.sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("known", "state", "expected"),
    [
        (None, "new", None),
        (Known("mark", A), "ok", A),
        (Known("older", A), "ok", A),
        (Known("older", B), "changed", B),
        (Known("mark", B), "damaged", B),
    ],
)
def test_other_bytes_at_the_same_size_and_time_are_damage(tmp_path, known, state, expected):
    found = compared("x", tmp_path / "x", "mark", A, known)
    assert (found.state, found.expected, found.sha256) == (state, expected, A)


def test_the_hubs_cache_says_itself_what_a_blob_should_be(tmp_path):
    repository = cached(tmp_path, "org/x", {"a.safetensors": b"weights"})
    link = repository / "snapshots" / "r1" / "a.safetensors"
    right = hashlib.sha256(b"weights").hexdigest()
    assert compared("a", link, "mark", right, None).state == "ok"
    assert compared("a", link, "mark", A, Known("mark", A)).state == "damaged"


def test_files_that_are_gone_and_the_worst_of_all(tmp_path):
    missing = gone(tmp_path, [str(tmp_path), str(tmp_path / "unet" / "a"), str(tmp_path / "b")], [tmp_path / "b"])
    assert [(check.file, check.state) for check in missing] == [("unet/a", "missing")]
    changed = compared("x", tmp_path, "mark", A, Known("older", B))
    damaged = compared("x", tmp_path, "mark", A, Known("mark", B))
    new = compared("x", tmp_path, "mark", A, None)
    assert [worst(checks) for checks in ([], [new], [new, changed], [changed, *missing], [*missing, damaged])] == [
        "ok", "ok", "changed", "missing", "damaged",
    ]  # fmt: skip


def test_orphans_are_what_nobody_owns(tmp_path):
    owned, model = tmp_path / "loras" / "ink.safetensors", tmp_path / "pulled"
    for path in (
        owned,
        owned.with_suffix(".json"),
        model / "unet" / "x",
        tmp_path / "loras" / "left.part",
        tmp_path / ".x",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
    assert orphans(tmp_path, {owned}, [model]) == [(str(tmp_path / "loras" / "left.part"), 5)]
    assert orphans(tmp_path / "nowhere", set(), []) == []
