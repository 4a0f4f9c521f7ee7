from tendred.errors import KeyringUnavailable


def test_a_key_is_read_from_stdin_and_never_shown(tendre, peer):
    ran = tendre("cloud", "login", "ltx", stdin="canary-key\n")
    assert (ran.code, ran.out.strip()) == (0, "The key for ltx is kept.")
    told = tendre("cloud")
    assert [line.split() for line in told.out.splitlines() if line.startswith("ltx")] == [
        ["ltx", "off", "there", "2026-10-07", "unknown", "unknown", "keyring"]
    ]
    assert "nothing leaves this machine" in told.out
    document = tendre("cloud", "status", "--json").document
    assert {one["name"]: one["key"]["present"] for one in document["providers"]}["ltx"] is True
    assert "canary" not in ran.out + ran.err + told.out + str(document)
    assert tendre("cloud", "logout", "ltx").out.strip() == "The key for ltx is removed."
    assert tendre("cloud", "logout", "ltx", "--json").document == {"provider": "ltx", "removed": False}
    assert tendre("cloud", "logout", "ltx", "--lang", "fr").out.strip() == "Il n'y avait pas de clé pour ltx."


def test_no_key_and_no_provider_are_told(tendre, peer):
    assert tendre("cloud", "login", "ltx", stdin="").code == 2
    assert tendre("cloud", "login", "ltx", "canary-key").code == 2  # never an argument
    ran = tendre("cloud", "login", "lxt", stdin="k")
    assert (ran.code, "ltx" in ran.err) == (1, True)


def test_a_keyring_that_is_locked_is_told(tendre, peer):
    peer.studio.secrets.failing = KeyringUnavailable("locked", problem="x")
    ran = tendre("cloud", "login", "ltx", stdin="k")
    assert (ran.code, "locked" in ran.err) == (1, True)
    told = tendre("cloud", "status")
    assert "unknown" in told.out
    assert [line for line in told.out.splitlines() if "locked" in line] == []  # a sentence is no cell
    assert told.err.count("locked") == 1  # and once is enough for all of them


def test_who_switches_it_on_is_told_what_leaves_and_what_is_billed(tendre, peer):
    assert tendre("cloud", "enable", "ltx").code == 6
    on = tendre("cloud", "enable", "ltx", "--job", "40", "--day", "100", "--month", "200")
    assert (on.code, "Cloud is on." in on.out) == (0, True)
    assert tendre("cloud", "status").out == on.out
    assert len(on.out.splitlines()) > len(tendre("cloud", "disable").out.splitlines())
    assert tendre("cloud", "status", "--json").document["enabled"] is False
