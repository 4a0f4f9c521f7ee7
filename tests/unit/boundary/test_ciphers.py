"""What is written in another notation is read as the words that it stands for."""

from __future__ import annotations

import base64

import pytest

from tendred.boundary.ciphers import deciphered, shifts, turned


@pytest.mark.parametrize(
    "text",
    [
        "draw YSB0b3dlciBvbiBhIGhpbGw=",
        f"draw {base64.b64encode(b'tower').decode()} please",
        f"draw {base64.b32encode(b'a tower').decode()}",
        "a 74 6f 77 65 72",
        "a 0x746f776572",
        "a %74%6F%77%65%72",
        "a &#116;ower",
        "a \\u0074ower",
        "a \\x74ower",
        "a U+0074ower",
        "a =74=6F=77=65=72",
        "a to<b></b>wer",
        "a 01110100 01101111 01110111 01100101 01110010",
        "a 116 111 119 101 114",
        "a 20-15-23-5-18",
        "- --- .-- . .-.",
        "a tango oscar whiskey echo romeo",
        "⠞⠕⠺⠑⠗",
        "ɹǝʍoʇ ɐ",
    ],
)
def test_codes_are_read(text: str) -> None:
    assert any("tower" in told.replace("\u2060", "") for told in deciphered(text))


@pytest.mark.parametrize("text", ["35mm, f/1.8, ISO 400", "masterpiece, best quality", "seed a1b2c3d4e5f6", "!"])
def test_what_is_no_code_gives_no_other_words(text: str) -> None:
    assert not list(deciphered(text))


@pytest.mark.parametrize("text", ["draw this: rewot a", "draw: n gbjre", "a rewot"])
def test_every_text_is_read_turned_too(text: str) -> None:
    assert any("tower" in told for told in turned(text))


def test_a_word_keeps_its_steps_however_far_its_letters_were_moved() -> None:
    assert shifts("tower") == shifts("upxfs") != shifts("lower")
