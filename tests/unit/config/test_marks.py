from pathlib import Path

from tendred.config.marks import looked_at, signing_of
from tendred.config.paths import resolve
from tendred.config.schema import MarksSection, PathsSection

PATHS = resolve(PathsSection(), {"TENDRED_HOME": "/home/somebody/it"})


def test_the_installations_own_key_is_the_default():
    signing = signing_of(MarksSection(), PATHS)
    assert (signing.folder, signing.certificate, signing.key) == ("/home/somebody/it/state/signing", "", "")


def test_places_of_ones_own_are_absolute(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    section = MarksSection(certificate="~/chain.pem", key="/keys/key.pem", trust="~/trust.pem")
    signing = signing_of(section, PATHS)
    assert (signing.certificate, signing.key) == ("/home/somebody/chain.pem", "/keys/key.pem")
    order = looked_at(section, PATHS, Path("/pictures/one.png"), deep=True)
    assert (order.path, order.trust, order.deep) == ("/pictures/one.png", "/home/somebody/trust.pem", True)
    assert order.folder == signing.folder
