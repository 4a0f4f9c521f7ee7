"""C2PA credentials: every format, what they tell, and what they don't."""

from __future__ import annotations

import hashlib
from io import BytesIO

import pytest
from PIL import Image

from tendred.errors import SignerBroken
from tendred.media.worker.credentials import TRAINED, Signatory
from tendred.media.worker.verify import verify
from tendred.schema.marks import Ancestor, Parent, Signing, Verify
from tendred.testing.marks import signatory, signing


def picture(form="png", colour="red"):
    out = BytesIO()
    Image.new("RGB", (40, 30), colour).save(out, form)
    return out.getvalue()


def looked_at(file, **changes):
    return verify(Verify(path=str(file), folder=signing().folder, **changes))


def signed(folder, form="png", parents=(), colour="red"):
    file = folder / f"{colour}.{form}"
    file.write_bytes(signatory().sign(picture(form, colour), f"image/{form}", parents))
    return file


def parent(file, relation="inputTo"):
    return Parent(path=str(file), sha256=hashlib.sha256(file.read_bytes()).hexdigest(), relation=relation)


@pytest.mark.parametrize("form", ["png", "jpeg", "webp"])
def test_every_format_is_signed_and_known_again(tmp_path, form):
    found = looked_at(signed(tmp_path, form))
    assert (found.state, found.signer, found.problems) == ("intact", "ours", [])
    assert (found.media_type, found.source_type, found.synthetic) == (f"image/{form}", TRAINED, True)
    assert found.made_with.startswith("tendred ")


def test_no_thumbnail_and_little_else_is_added(tmp_path):
    assert signed(tmp_path).stat().st_size - len(picture()) < 16_000


@pytest.mark.parametrize("relation", ["inputTo", "parentOf", "componentOf"])
def test_what_it_came_from_is_told_with_its_own_credentials(tmp_path, relation):
    first = signed(tmp_path)
    found = looked_at(signed(tmp_path, parents=[parent(first, relation)], colour="blue"))
    assert (found.state, found.synthetic) == ("intact", True)
    assert found.origins == [Ancestor(relation=relation, made_with=found.made_with, credentials=True)]


def test_there_is_one_parent_at_most(tmp_path):
    files = [signed(tmp_path, colour=colour) for colour in ("red", "green")]
    found = looked_at(signed(tmp_path, parents=[parent(file, "parentOf") for file in files], colour="blue"))
    assert (found.state, [one.relation for one in found.origins]) == ("intact", ["parentOf", "inputTo"])


@pytest.mark.parametrize("trouble", ["gone", "exchanged", "link"])
def test_a_parent_that_is_not_there_any_more_is_left_to_the_receipt(tmp_path, trouble):
    file = signed(tmp_path)
    one = parent(file, "parentOf")
    if trouble == "exchanged":
        file.write_bytes(picture(colour="green"))
    else:
        file.rename(tmp_path / "moved.png")
    if trouble == "link":
        file.symlink_to(tmp_path / "moved.png")
    found = looked_at(signed(tmp_path, parents=[one], colour="blue"))
    assert (found.state, found.origins) == ("intact", [])


def test_credentials_tell_nothing_private(tmp_path, monkeypatch):
    monkeypatch.setenv("USER", "canary-user")
    folder = tmp_path / "canary-folder"
    folder.mkdir()
    first = signed(folder, colour="green")
    data = signed(folder, parents=[parent(first)], colour="blue").read_bytes()
    assert b"canary" not in data
    assert b"green" not in data


def test_what_is_no_picture_is_not_signed():
    with pytest.raises(SignerBroken) as caught:
        signatory().sign(b"hello", "image/png", [])
    assert caught.value.variant == "signing"


def test_nothing_is_signed_with_nothing(tmp_path):
    with pytest.raises(SignerBroken):
        Signatory(None).sign(picture(), "image/png", [])
    (tmp_path / "signing").mkdir()
    with pytest.raises(SignerBroken):
        Signatory(Signing(folder=str(tmp_path / "signing"))).sign(picture(), "image/png", [])
