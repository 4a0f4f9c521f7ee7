def test_loras_are_added_listed_shown_and_removed(tendre, peer, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    added = tendre("loras", "add", "ink.safetensors", "--json").document
    assert (added["name"], added["kind"], added["path"]) == ("ink", "lora", str(tmp_path / "ink.safetensors"))
    tendre("models", "add", tmp_path, "--name", "mine")
    assert [line.split()[:2] for line in tendre("loras").out.splitlines()[1:]] == [["ink", "lora"]]
    assert "says title" in tendre("loras", "show", "ink").out
    assert tendre("loras", "show", "mine").code == 1
    assert tendre("loras", "remove", "ink").code == 0
    assert tendre("loras", "--json").document["models"] == []


def test_added_is_said_in_words(tendre, peer, tmp_path):
    assert tendre("loras", "add", tmp_path / "ink.safetensors", "--name", "inky").out == "Added inky (lora, sdxl).\n"
