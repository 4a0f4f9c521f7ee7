from argparse import ArgumentTypeError

import pytest

from tendred.app.cli.credits import amount, credit, named, told


@pytest.mark.parametrize(("text", "mcr"), [("18", 18_000), ("7.5", 7_500), ("0.001", 1), ("-1.25", -1_250), ("0", 0)])
def test_credits_are_read_exactly_and_told_again(text, mcr):
    assert credit(text) == mcr
    assert told(mcr) == text


@pytest.mark.parametrize("text", ["", "six", "nan", "inf", "0.0001", "1e30", "1,5"])
def test_what_is_no_amount(text):
    with pytest.raises(ArgumentTypeError):
        credit(text)


def test_caps_are_never_below_nothing():
    assert told(None) == "-"
    assert named("hotfolder=2.5") == ("hotfolder", 2_500)
    for wrong in ("hotfolder", "=5", "hotfolder=-1"):
        with pytest.raises(ArgumentTypeError):
            named(wrong)
    with pytest.raises(ArgumentTypeError):
        amount("-1")
