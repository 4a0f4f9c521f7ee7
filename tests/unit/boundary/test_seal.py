import subprocess
import sys

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tendred.boundary.seal import SealBroken, canonical, open_seal, seal
from tendred.schema.sealed import Conditioning, Reviewed, Span

KEY = b"k" * 32
CONDITIONING = Conditioning(prompt=[Span(text="a lighthouse")], negative=[], anchor="adult")


def sealed() -> Reviewed:
    return seal(KEY, b'{"prompt":"a lighthouse"}', canonical(CONDITIONING), "1+3fa9c2d1")


def test_what_was_sealed_opens() -> None:
    assert open_seal(KEY, sealed()) == (b'{"prompt":"a lighthouse"}', CONDITIONING)


@pytest.mark.parametrize("field", ["request", "conditioning", "mac"])
def test_any_flipped_bit_is_refused(field: str) -> None:
    whole = getattr(sealed(), field)
    for at in range(len(whole)):
        for bit in range(8):
            changed = bytearray(whole)
            changed[at] ^= 1 << bit
            with pytest.raises(SealBroken):
                open_seal(KEY, msgspec.structs.replace(sealed(), **{field: bytes(changed)}))


@pytest.mark.parametrize("policy", ["", "1+3fa9c2d2", "1+3fa9c2d1 ", "\ud800"])
def test_another_policy_is_refused(policy: str) -> None:
    with pytest.raises(SealBroken):
        open_seal(KEY, msgspec.structs.replace(sealed(), policy=policy))


@given(key=st.binary(min_size=1, max_size=64))
def test_another_key_is_refused(key: bytes) -> None:
    # HMAC pads short keys with zeros: those two are one key.
    if key.rstrip(b"\0") != KEY:
        with pytest.raises(SealBroken):
            open_seal(key, sealed())


@pytest.mark.parametrize("mac", [b"", b"\0" * 32, b"x" * 31, b"x" * 33])
def test_a_made_up_mac_is_refused(mac: bytes) -> None:
    with pytest.raises(SealBroken):
        open_seal(KEY, msgspec.structs.replace(sealed(), mac=mac))


def test_bytes_cannot_move_between_fields() -> None:
    assert seal(KEY, b"ab", b"c", "p").mac != seal(KEY, b"a", b"bc", "p").mac
    assert seal(KEY, b"a", b"bp", "").mac != seal(KEY, b"a", b"b", "p").mac


def test_sealed_bytes_that_are_no_conditioning_are_refused() -> None:
    with pytest.raises(SealBroken):
        open_seal(KEY, seal(KEY, b"{}", b"[1]", "p"))


def test_there_is_no_seal_without_a_key() -> None:
    with pytest.raises(ValueError, match="needs a key"):
        seal(b"", b"{}", b"{}", "p")
    with pytest.raises(ValueError, match="needs a key"):
        open_seal(b"", sealed())


def test_canonical_form_sorts_every_level() -> None:
    assert canonical({"b": {"d": 1, "c": 2}, "a": "é"}) == '{"a":"é","b":{"c":2,"d":1}}'.encode()
    assert (
        canonical(CONDITIONING) == b'{"anchor":"adult","negative":[],"prompt":[{"text":"a lighthouse","weight":1.0}]}'
    )


def test_a_child_that_loads_the_seal_loads_nothing_else_of_the_room() -> None:
    code = (
        "import sys, tendred.boundary.seal\n"
        "print([n for n in sys.modules if n.startswith('tendred.') and not n.startswith('tendred.schema')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['tendred.boundary', 'tendred.boundary.seal']"
