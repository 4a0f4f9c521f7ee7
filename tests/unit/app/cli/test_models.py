from msgspec.structs import replace

from tendred.schema.cache import Advice, Budget, Budgets


def test_a_model_is_shown_with_the_form_of_what_it_takes(tendre, peer, tmp_path):
    tendre("models", "add", tmp_path, "--name", "mine")
    ran = tendre("models", "show", "mine")
    assert ran.code == 0
    lines = [line.split() for line in ran.out.splitlines() if line]
    assert ["kind", "model", "sdxl"] in lines
    assert ["lacks", "negative_prompt"] in lines
    assert ["steps", "integer", "20", "1", "-", "200"] in lines
    assert tendre("models", "show", "mine", "--json").document["takes"][0]["maximum"] == 200
    assert tendre("models", "show", "mien").code == 1


def test_the_last_use_and_the_kind_stand_in_the_table(tendre, peer, tmp_path):
    tendre("models", "add", tmp_path / "ink.safetensors")
    entries = peer.studio.cache.entries
    entries["ink"] = replace(entries["ink"], last_used_at="2026-01-02T03:04:05.678Z", licence="CC0")
    head, row = tendre("models").out.splitlines()
    assert head.split() == ["NAME", "KIND", "FAMILY", "SIZE", "LICENCE", "LAST", "USED", "STATE"]
    assert row.split() == ["ink", "lora", "sdxl", "0", "B", "CC0", "2026-01-02", "03:04:05Z", "ready"]


def test_over_the_budget_it_says_what_could_go(tendre, peer):
    advice = [Advice(name="old", kind="lora", bytes=2_000_000, last_used_at=None)]
    room = Budget(limit_bytes=1_000_000, used_bytes=3_000_000, advice=advice)
    peer.studio.cache.room = Budgets(models=room, pictures=replace(room, used_bytes=10))
    err = tendre("models").err
    assert "3.0 MB" in err
    assert "lora old  2.0 MB" in err
    found = {row["name"]: row for row in tendre("doctor", "--json").document["checks"]}
    assert (found["models room"]["state"], found["pictures room"]["state"]) == ("warn", "ok")
    assert "old" in found["models room"]["next"]


def test_the_doctor_names_models_that_can_not_be_used(tendre, peer, tmp_path):
    tendre("models", "add", tmp_path, "--name", "mine")
    assert {row["name"]: row["state"] for row in tendre("doctor", "--json").document["checks"]}["models"] == "ok"
    entries = peer.studio.cache.entries
    entries["mine"] = replace(entries["mine"], state="missing", reason="it is gone from where it was")
    [row] = [row for row in tendre("doctor", "--json").document["checks"] if row["name"] == "models"]
    assert row["state"] == "warn"
    assert "mine (it is gone from where it was)" in row["message"]


def test_what_is_needed_is_refused_unless_forced(tendre, peer, tmp_path):
    tendre("models", "add", tmp_path, "--name", "mine")
    peer.studio.cache.needed = {"mine"}
    ran = tendre("models", "remove", "mine")
    assert ran.code == 1
    assert "a waiting job" in ran.err
    assert tendre("models", "remove", "mine", "--json").document["error"]["kind"] == "model_in_use"
    assert tendre("models", "remove", "mine", "--force", "--json").document["name"] == "mine"


def test_files_are_deleted_where_that_was_said(tendre, peer, tmp_path):
    for name, option in (("one", []), ("two", ["--delete-files"])):
        tendre("models", "add", tmp_path, "--name", name)
        assert ("its files" in tendre("models", "remove", name, *option).out) is True
        tendre("models", "add", tmp_path, "--name", name)
        assert tendre("models", "remove", name, *option, "--json").document["files_deleted"] is bool(option)
