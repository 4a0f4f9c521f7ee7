import pytest

from tendred.schema.cache import Found, Orphan


def found(name, state="new", **more):
    fields = {
        "path": f"/far/{name}.safetensors", "name": name, "kind": "lora", "family": "sdxl", "detail": None,
        "bytes": 2_000_000, "licence": "CC0", "source": None, "tool": "comfyui", "state": state, "reason": None,
        "same_as": None,
    }  # fmt: skip
    return Found(**{**fields, **more})


@pytest.fixture
def cache(peer):
    cache = peer.studio.cache
    cache.found = [
        found("old", "refused", kind=None, reason="it is a pickle"), found("twin", "duplicate", same_as="/far/ink"),
        found("ink"), found("it's", kind="upscaler"),
    ]  # fmt: skip
    return cache


def test_a_scan_lists_what_is_new_first_and_adds_nothing(tendre, cache):
    ran = tendre("models", "scan")
    assert ran.code == 0
    head, *rows = ran.out.splitlines()
    assert head.split() == ["STATE", "NAME", "KIND", "SIZE", "LICENCE", "FILE"]
    assert [row.split()[0] for row in rows] == ["new", "new", "duplicate"]
    assert "2.0 MB" in rows[0]
    assert "2 new, 0 known already, 1 twice, 1 of no use here" in ran.err
    assert "tendre models add /far/ink.safetensors" in ran.err
    assert cache.scanned == [([], True, False)]
    assert cache.entries == {}


def test_what_can_not_be_used_is_shown_on_request(tendre, cache):
    assert "it is a pickle" in tendre("models", "scan", "--all").out


def test_folders_are_named_absolutely_and_alone_on_request(tendre, cache, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = tendre("models", "scan", "here", "--only", "--add", "--json")
    assert cache.scanned == [([str(tmp_path / "here")], False, True)]
    assert [one["name"] for one in ran.document["added"]] == ["ink", "it's"]


def test_nothing_at_all(tendre, peer):
    ran = tendre("models", "scan")
    assert (ran.code, ran.out) == (0, "")


def test_verify_names_the_file_that_differs_and_ends_with_1(tendre, peer):
    assert tendre("models", "verify").code == 0
    peer.studio.cache.damage("mine", "unet/a.safetensors")
    peer.studio.cache.orphans = [Orphan(path="/models/left.part", bytes=3000)]
    ran = tendre("models", "verify")
    assert ran.code == 1
    lines = [line.split() for line in ran.out.splitlines()]
    assert lines == [
        ["damaged", "model", "mine"], ["damaged", "unet/a.safetensors", "a" * 12, "->", "b" * 12],
        ["orphan", "/models/left.part", "3.0", "kB"],
    ]  # fmt: skip
    assert tendre("models", "verify", "--json").document["models"][0]["state"] == "damaged"
    assert tendre("models", "verify", "nosuch").code == 1
