"""What is signed with: made once, private, never replaced silently."""

from __future__ import annotations

import datetime as dt
import stat

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tendred.errors import SignerBroken
from tendred.media.worker import identity
from tendred.schema.marks import Signing


def signing(folder, **changes):
    return Signing(folder=str(folder / "state" / "signing"), **changes)


def own(folder, key, *, days=30, name="key.pem"):
    """A certificate of the user's own."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Somebody")])
    now = dt.datetime.now(dt.UTC)
    built = x509.CertificateBuilder(
        subject, subject, key.public_key(), 7, now - dt.timedelta(60), now + dt.timedelta(days)
    )
    leaf = built.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    (folder / "chain.pem").write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / name).write_bytes(pem)
    return signing(folder, certificate=str(folder / "chain.pem"), key=str(folder / name))


def test_it_is_made_once_and_belongs_to_its_user_alone(tmp_path):
    first, second = identity.load(signing(tmp_path)), identity.load(signing(tmp_path))
    assert (first.chain, first.installation) == (second.chain, second.installation)
    folder = tmp_path / "state" / "signing"
    assert sorted(file.name for file in folder.iterdir()) == ["chain.pem", "key.pem", "roots.pem"]
    assert [stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()] == [0o600] * 3
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not list(folder.parent.glob(".*"))


def test_no_two_installations_are_one(tmp_path):
    one, other = identity.load(signing(tmp_path / "a")), identity.load(signing(tmp_path / "b"))
    assert one.chain != other.chain


def test_the_certificate_says_nothing_of_the_machine_or_its_user(tmp_path):
    identity.load(signing(tmp_path))
    pem = (tmp_path / "state" / "signing" / "chain.pem").read_bytes()
    names = {part.value for one in x509.load_pem_x509_certificates(pem) for part in one.subject}
    assert names == {
        "tendred",
        *(name for name in names if name.startswith(("tendred root ", "tendred installation "))),
    }


def test_what_broke_off_while_it_was_made_is_made_anew(tmp_path):
    part = tmp_path / "state" / ".signing.part"
    part.mkdir(parents=True)
    (part / "key.pem").write_text("half")
    assert identity.load(signing(tmp_path)).algorithm == "es256"


@pytest.mark.parametrize("file", ["key.pem", "chain.pem"])
@pytest.mark.parametrize(
    "data", [None, b"", b"nonsense", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_key_that_is_broken_is_never_replaced(tmp_path, file, data):
    identity.load(signing(tmp_path))
    broken = tmp_path / "state" / "signing" / file
    broken.unlink() if data is None else broken.write_bytes(data)
    for _ in range(2):
        with pytest.raises(SignerBroken) as caught:
            identity.load(signing(tmp_path))
        assert file in str(caught.value.detail["file"])


def test_another_installations_key_is_not_taken(tmp_path):
    identity.load(signing(tmp_path / "a"))
    identity.load(signing(tmp_path / "b"))
    key = (tmp_path / "b" / "state" / "signing" / "key.pem").read_bytes()
    (tmp_path / "a" / "state" / "signing" / "key.pem").write_bytes(key)
    with pytest.raises(SignerBroken) as caught:
        identity.load(signing(tmp_path / "a"))
    assert "not the key of" in str(caught.value.detail["problem"])


def test_an_expired_certificate_signs_nothing(tmp_path):
    with pytest.raises(SignerBroken) as caught:
        identity.load(own(tmp_path, ec.generate_private_key(ec.SECP256R1()), days=-1))
    assert caught.value.variant == "expired"


@pytest.mark.parametrize(
    ("key", "algorithm", "length"),
    [
        (ec.generate_private_key(ec.SECP256R1()), "es256", 64),
        (ec.generate_private_key(ec.SECP384R1()), "es384", 96),
        (ec.generate_private_key(ec.SECP521R1()), "es512", 132),
        (rsa.generate_private_key(65537, 2048), "ps256", 256),
        (ed25519.Ed25519PrivateKey.generate(), "ed25519", 64),
    ],
    ids=["es256", "es384", "es512", "ps256", "ed25519"],
)
def test_a_certificate_of_ones_own_may_have_any_key_that_c2pa_knows(tmp_path, key, algorithm, length):
    found = identity.load(own(tmp_path, key))
    assert found.algorithm == algorithm
    assert len(found.sign(b"data")) == length
    # The mark in the pixels stays this installation's.
    assert found.installation == identity.load(signing(tmp_path)).installation


def test_other_keys_are_refused_by_name(tmp_path):
    with pytest.raises(SignerBroken) as caught:
        identity.load(own(tmp_path, ec.generate_private_key(ec.SECP256K1())))
    assert "C2PA" in str(caught.value.detail["problem"])
