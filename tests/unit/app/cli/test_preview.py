import base64
import io

import pytest
from rich.console import Console

from tendred.app.cli.preview import HALF, Pictured, drawn, side_for

RED, BLUE = "\x1b[38;2;255;0;0", "48;2;0;0;255m"


def preview(data):
    return {"data": base64.b64encode(data).decode()}


def console(**more):
    return Console(**{
        "file": io.StringIO(), "force_terminal": True, "color_system": "truecolor", "width": 80, "height": 24, **more,
    })  # fmt: skip


def shown(renderable):
    screen = console()
    screen.print(renderable, end="")
    return screen.file.getvalue()


def test_two_rows_of_pixels_are_one_line():
    text = drawn(preview(b"P6\n1 2\n255\n\xff\0\0\0\0\xff"))
    assert text.plain == f"{HALF}\n"
    assert f"{RED};{BLUE}{HALF}" in shown(text)


def test_an_odd_row_has_no_paper_below_it():
    text = drawn(preview(b"P6\n2 3\n255\n" + bytes(18)))
    assert text.plain == f"{HALF}{HALF}\n" * 2
    assert "48;2" not in shown(text).splitlines()[1]


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff", b"P6\n4 4\n255\n\0", b"P6\n99999 1\n255\n"])
def test_what_is_no_picture_is_none(data):
    assert drawn(preview(data)) is None


@pytest.mark.parametrize(
    ("more", "side"),
    [
        ({}, 40),
        ({"height": 100}, 64),
        ({"height": 100, "width": 30}, 30),
        ({"height": 7}, None),
        ({"color_system": "256"}, 40),
        ({"color_system": "standard"}, None),
        ({"color_system": None}, None),
    ],
)
def test_it_is_as_large_as_the_terminal_can_show(more, side):
    assert side_for(console(**more)) == side


def test_the_picture_stands_above_the_bar_and_a_broken_one_leaves_it():
    bar = Pictured(console=console())
    bar.add_task("drawing")
    before = len(list(bar.get_renderables()))
    bar.show(preview(b"P6\n1 2\n255\n" + bytes(6)))
    first = next(iter(bar.get_renderables()))
    assert len(list(bar.get_renderables())) == before + 1
    bar.show(preview(b"nonsense"))
    assert next(iter(bar.get_renderables())) is first
