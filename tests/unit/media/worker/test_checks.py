import pytest
from PIL import Image

from tendred.errors import Internal, OutputWithheld
from tendred.media.worker.checks import Checker
from tendred.schema.marks import OutputCheck
from tendred.testing.marks import LetsAllThrough, NoRed

RED, BLUE = Image.new("RGB", (4, 4), "red"), Image.new("RGB", (4, 4), "blue")


class Broken(NoRed):
    def look(self, rgb, width, height):
        if (width, height) == (1, 1):
            return super().look(rgb, width, height)
        raise RuntimeError("no memory")


def test_none_is_said_to_be_none():
    check = Checker.named("")
    check.look(RED)
    assert check.told == "none"


def test_one_that_works_is_named_and_withholds():
    check = Checker(NoRed())
    assert check.told == OutputCheck(name="no-red", version="1")
    check.look(BLUE)
    with pytest.raises(OutputWithheld) as caught:
        check.look(RED)
    assert caught.value.detail == {"rule": "test.red"}


def test_one_that_lets_everything_through_counts_as_none():
    assert Checker(LetsAllThrough()).told == "none"


@pytest.mark.parametrize("check", [Checker(Broken()), Checker.named("nowhere")])
def test_what_nobody_could_look_at_is_not_let_out(check):
    with pytest.raises(Internal):
        check.look(BLUE)
