"""A certificate of one's own is tried at the start, in a process of its own."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tendred.app.signing import check
from tendred.errors import SignerBroken
from tendred.schema.marks import Signing


def name(common):
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Somebody"), x509.NameAttribute(NameOID.COMMON_NAME, common)]
    )


def brought(folder, *, days=30, purposes=True):
    """A chain of two as an authority would give it out, and its key."""
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)

    def built(subject, issuer, public, *extensions):
        made = x509.CertificateBuilder(
            name(issuer), name(subject), public.public_key(), x509.random_serial_number(), now - dt.timedelta(60),
            now + dt.timedelta(days),
        )  # fmt: skip
        for extension, critical in extensions:
            made = made.add_extension(extension, critical)
        return made.sign(root_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    usage = {
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "encipher_only",
        "decipher_only",
    }
    none = dict.fromkeys(usage, False)
    leaf = built(
        "leaf", "root", key,
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.KeyUsage(digital_signature=True, key_cert_sign=False, crl_sign=False, **none), True),
        *([(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)] if purposes else []),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), False),
    )  # fmt: skip
    root = built(
        "root", "root", root_key,
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (x509.KeyUsage(digital_signature=False, key_cert_sign=True, crl_sign=True, **none), True),
        (x509.SubjectKeyIdentifier.from_public_key(root_key.public_key()), False),
    )  # fmt: skip
    folder.mkdir(exist_ok=True)
    (folder / "chain.pem").write_bytes(leaf + root)
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return Signing(
        folder=str(folder / "state" / "signing"), certificate=str(folder / "chain.pem"), key=str(folder / "key.pem")
    )


def refused(signing):
    with pytest.raises(SignerBroken) as caught:
        check(signing)
    return caught.value.variant, str(caught.value)


def test_a_good_one_is_fine_and_without_one_nothing_is_looked_at(tmp_path):
    check(brought(tmp_path / "own"))
    check(Signing(folder=str(tmp_path / "nowhere")))
    assert not (tmp_path / "nowhere").exists()


def test_what_is_wrong_is_told(tmp_path):
    assert refused(brought(tmp_path / "old", days=-1))[0] == "expired"
    variant, told = refused(brought(tmp_path / "plain", purposes=False))
    assert (variant, "signed" in told) == ("signing", True)
    one, other = brought(tmp_path / "one"), brought(tmp_path / "other")
    mixed = Signing(folder=one.folder, certificate=one.certificate, key=other.key)
    assert "not the key of" in refused(mixed)[1]
    missing = Signing(folder=one.folder, certificate=str(tmp_path / "none.pem"), key=one.key)
    assert "none.pem" in refused(missing)[1]
    half = Signing(folder=one.folder, certificate=one.certificate)
    assert "marks.key" in refused(half)[1]
