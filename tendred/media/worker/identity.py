"""What this installation signs with: a key and a certificate of its own, made once, or those that the user brought.

The folder holds `key.pem` (0600), `chain.pem` (leaf, then root) and `roots.pem`, by which files signed here are known
again. It appears at once and whole. A folder that is there and not whole is never replaced by a new one: files signed
before would become a stranger's, so a person is told instead.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from tendred.errors import SignerBroken
from tendred.schema.marks import PRODUCT, Signing

KEY, CHAIN, ROOTS = "key.pem", "chain.pem", "roots.pem"
VALID_DAYS: Final = 3652
CLAIM_SIGNING: Final = ObjectIdentifier("1.3.6.1.4.1.62558.2.1")
"""C2PA's own purpose; readers older than it look for e-mail protection."""
_CURVES: Final = {"secp256r1": ("es256", hashes.SHA256), "secp384r1": ("es384", hashes.SHA384), "secp521r1": ("es512", hashes.SHA512)}  # fmt: skip
_CHAIN_BYTES: Final = 1024 * 1024


@dataclass(frozen=True)
class Identity:
    """A key that signs. `algorithm` is C2PA's name of it; `chain` is PEM, the leaf first."""

    algorithm: str
    chain: str
    sign: Callable[[bytes], bytes]
    expires: dt.datetime
    installation: int


def load(signing: Signing) -> Identity:
    """The identity to sign with; made now where there is none yet. Raises SignerBroken."""
    folder = Path(signing.folder)
    try:
        if not folder.exists():
            _make(folder)
        chain_file, key_file = folder / CHAIN, folder / KEY
        # The mark in the pixels names the installation even where the signature is somebody else's.
        installation = number(chain_file.read_bytes())
        with contextlib.suppress(OSError):  # a copy brought back from a backup may have come with another mode
            key_file.chmod(0o600)
        if signing.certificate or signing.key:
            chain_file, key_file = Path(signing.certificate), Path(signing.key)
        return _checked(chain_file, key_file, installation)
    except OSError as problem:
        raise SignerBroken("file", file=str(problem.filename or folder), problem=problem.strerror) from problem


def number(chain: bytes) -> int:
    """An installation's number of 16 bits: the head of the hash of its certificate's key. Raises SignerBroken."""
    leaf = _certificates(chain, CHAIN)[0]
    public = leaf.public_key().public_bytes(Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return int.from_bytes(hashlib.sha256(public).digest()[:2], "big")


def _checked(chain_file: Path, key_file: Path, installation: int) -> Identity:
    chain = chain_file.read_bytes()[:_CHAIN_BYTES]
    leaf = _certificates(chain, str(chain_file))[0]
    try:
        key = serialization.load_pem_private_key(key_file.read_bytes()[:_CHAIN_BYTES], None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as problem:
        raise SignerBroken(
            "file", file=str(key_file), problem="it holds no private key without a password"
        ) from problem
    if _public(key.public_key()) != _public(leaf.public_key()):
        raise SignerBroken("file", file=str(key_file), problem=f"it is not the key of {chain_file.name}")
    now = dt.datetime.now(dt.UTC)  # noqa: TID251 # certificates are valid by the world's time, not by a test's
    if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
        raise SignerBroken("expired", file=str(chain_file), until=leaf.not_valid_after_utc.date().isoformat())
    algorithm, sign = _way(key, key_file)
    return Identity(algorithm, chain.decode("ascii", "replace"), sign, leaf.not_valid_after_utc, installation)


def _certificates(pem: bytes, file: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as problem:
        raise SignerBroken("file", file=file, problem="it holds no certificate") from problem


def _public(key: object) -> bytes:
    return key.public_bytes(Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _way(key: object, file: Path) -> tuple[str, Callable[[bytes], bytes]]:
    """C2PA's name for how a key of this kind signs, and the signing: COSE wants bare signatures."""
    match key:
        case ec.EllipticCurvePrivateKey() if key.curve.name in _CURVES:
            name, digest = _CURVES[key.curve.name]
            return name, partial(_ecdsa, key, digest())
        case ed25519.Ed25519PrivateKey():
            return "ed25519", key.sign
        case rsa.RSAPrivateKey():
            salted = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
            return "ps256", lambda data: key.sign(data, salted, hashes.SHA256())
        case _:
            raise SignerBroken("file", file=str(file), problem="C2PA knows no signature by a key of this kind")


def _ecdsa(key: ec.EllipticCurvePrivateKey, digest: hashes.HashAlgorithm, data: bytes) -> bytes:
    length = (key.key_size + 7) // 8
    return b"".join(part.to_bytes(length, "big") for part in decode_dss_signature(key.sign(data, ec.ECDSA(digest))))


def _make(folder: Path) -> None:
    """A root for this one certificate, whose key is thrown away at once, so that nobody can make another."""
    key, root_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    mark = hashlib.sha256(_public(key.public_key())).hexdigest()[:8]
    root_name, name = _name(f"{PRODUCT} root {mark}"), _name(f"{PRODUCT} installation {mark}")
    root = _root(root_name, root_key).sign(root_key, hashes.SHA256())
    leaf = _leaf(name, key, root_name, root_key).sign(root_key, hashes.SHA256())
    secret = key.private_bytes(Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pems = [one.public_bytes(Encoding.PEM) for one in (leaf, root)]
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700, parents=True)
    for file, data in ((KEY, secret), (CHAIN, b"".join(pems)), (ROOTS, pems[1])):
        with open(os.open(part / file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
    _sync(part)
    part.rename(folder)
    _sync(folder.parent)


def _sync(folder: Path) -> None:
    if os.name == "nt":
        return  # a directory can't be opened there
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _name(common: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, PRODUCT), x509.NameAttribute(NameOID.COMMON_NAME, common)]
    )


def _root(name: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    return (
        _blank(name, name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
    )


def _leaf(
    name: x509.Name, key: ec.EllipticCurvePrivateKey, root_name: x509.Name, root: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION, CLAIM_SIGNING])
    return (
        _blank(name, root_name, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(purposes, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key()), critical=False)
    )


def _blank(name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)  # noqa: TID251 # see _checked
    return (
        x509.CertificateBuilder(subject_name=name, issuer_name=issuer, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
