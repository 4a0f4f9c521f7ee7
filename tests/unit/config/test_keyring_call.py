from tendred.config.keyring_call import SERVICE, TRUSTED, best, do


class Ring:
    """A keyring in memory. `doubles`: entries of one name that stand behind it; `deaf`: it changes nothing."""

    def __init__(self, doubles=0, deaf=False):
        self.kept, self.doubles, self.deaf = {}, doubles, deaf

    def get_password(self, service, name):
        assert service == SERVICE
        return self.kept.get(name)

    def set_password(self, service, name, key):
        if not self.deaf:
            self.kept[name] = key

    def delete_password(self, service, name):
        if self.deaf:
            return
        if self.doubles:
            self.doubles -= 1
        else:
            del self.kept[name]


def order(what, key=""):
    return {"do": what, "provider": "ltx", "key": key}


def test_a_key_is_kept_found_and_removed():
    ring = Ring()
    assert do(ring, order("get"))["found"] is False
    assert do(ring, order("set", "k"))["failed"] == ""
    assert do(ring, order("get"))["key"] == "k"
    assert do(ring, order("remove")) == {"failed": "", "problem": "", "key": None, "found": True}
    assert do(ring, order("remove"))["found"] is False
    assert ring.kept == {}


def test_entries_of_the_same_name_go_too():
    ring = Ring(doubles=5)
    do(ring, order("set", "k"))
    assert do(ring, order("remove"))["failed"] == ""
    assert ring.kept == {}


def test_one_that_only_says_so_is_not_believed():
    ring = Ring(deaf=True)
    assert do(ring, order("set", "k"))["failed"] == "broken"
    ring.kept["ltx"] = "k"
    assert do(ring, order("remove"))["failed"] == "broken"


def test_without_a_desktop_there_is_none_and_it_says_why(monkeypatch):
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    backend, why = best()
    assert backend is None
    assert "SecretService" in why


def test_only_keyrings_of_systems_and_desktops_are_trusted():
    assert {module.rpartition(".")[2] for module, _ in TRUSTED} == {
        "SecretService",
        "libsecret",
        "kwallet",
        "macOS",
        "Windows",
    }
