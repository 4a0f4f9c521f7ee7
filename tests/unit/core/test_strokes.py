import itertools

import msgspec
import pytest

from tendred.core.strokes import check_crop, painting
from tendred.errors import InvalidParams
from tendred.schema.decode import convert
from tendred.schema.sealed import OwnStill
from tendred.schema.source import Control, Rect, Source
from tendred.schema.still import StillRequest
from tendred.schema.stroke import COLOURS, POINTS, SETS, STROKES, Stroke, StrokesUse

RED = "#ff0000"


def stroke(colour=RED, width=4.0, points=(1, 2, 30, 40)):
    return Stroke(colour=colour, width=width, points=[*points])


def still(asset_id="ast_1", painted=()):
    return OwnStill(
        asset_id=asset_id, path="", sha256="", width=100, height=60, words="", anchor=None, painted=[*painted]
    )


def asked(strokes, control=()):
    guides = [Control(asset_id="ast_2", model="lines", strokes=[*one]) for one in control]
    return StillRequest(prompt="hills", image=Source(asset_id="ast_1", strokes=[*strokes]), control=guides)


def colours(count):
    return [f"#{number:06x}" for number in range(count)]


def refused(request, stills=(), width=256, height=256):
    with pytest.raises(InvalidParams) as caught:
        painting(request, stills, width, height)
    return caught.value.path, caught.value.detail["problem"]


def test_what_is_painted_is_kept_by_its_hash_and_counted():
    made = painting(asked([stroke(), stroke("#00ff00")], [[stroke(points=[1, 1])]]), [], 64, 64)
    assert set(made.roles) == {"image", "control[0]"}
    assert set(made.documents) == set(made.roles.values())
    [lines, dot] = made.painted
    assert (lines.strokes, lines.points, lines.colours) == (2, 4, ["#00ff00", RED])
    assert (dot.strokes, dot.points, dot.colours) == (1, 1, [RED])
    assert msgspec.json.decode(made.documents[lines.sha256], type=list[Stroke]) == [stroke(), stroke("#00ff00")]


def test_equal_strokes_are_one_document():
    made = painting(asked([stroke()], [[stroke()]]), [], 64, 64)
    assert made.roles["image"] == made.roles["control[0]"]
    assert len(made.painted) == 1


def test_nothing_painted_carries_on_what_was_painted_before():
    before = StrokesUse(sha256="a", strokes=3, points=6, colours=[RED])
    made = painting(asked([]), [still(painted=[before]), still("ast_2", [before])], 64, 64)
    assert (made.documents, made.roles, made.painted) == ({}, {}, [before])


@pytest.mark.parametrize(
    ("strokes", "word"),
    [
        ([stroke(points=[1, 1] * (POINTS // 2)), stroke(points=[1, 1] * (POINTS // 2 + 1))], "points"),
        ([stroke(colour) for colour in colours(COLOURS + 1)], "colours"),
        ([stroke()] * (STROKES + 1), "strokes"),
    ],
)
def test_more_than_the_limit_is_refused(strokes, word):
    path, problem = refused(asked(strokes))
    assert path == "image.strokes"
    assert word in problem


def test_the_limits_themselves_are_fine():
    strokes = [
        stroke(colour, points=[1, 1] * (POINTS // STROKES))
        for colour in itertools.islice(itertools.cycle(colours(COLOURS)), STROKES)
    ]
    [use] = painting(asked(strokes), [], 1024, 1024).painted
    assert (use.strokes, use.points, len(use.colours)) == (STROKES, POINTS, COLOURS)


def test_instalments_are_counted_together():
    before = StrokesUse(sha256="a", strokes=STROKES - 1, points=9, colours=colours(COLOURS - 1))
    assert painting(asked([stroke(colours(1)[0])]), [still(painted=[before])], 64, 64)
    path, problem = refused(asked([stroke(colours(1)[0])] * 2), [still(painted=[before])])
    assert (path, str(STROKES + 1) in problem) == ("image.strokes", True)
    path, problem = refused(asked([stroke(RED)], [[stroke("#0000ff")]]), [still(painted=[before])])
    assert (path, "strokes" in problem) == ("control[0].strokes", True)
    # A guide that was painted counts as well.
    assert refused(asked([stroke(RED)] * 2), [still(), still("ast_2", [before])])[0] == "image.strokes"


@pytest.mark.parametrize(
    ("short", "width", "fits"), [(512, 2.0, True), (512, 1.9, False), (2048, 8, True), (2048, 7.9, False)]
)
def test_a_stroke_is_not_finer_than_a_256th(short, width, fits):
    request = asked([stroke(), stroke(width=width)] if short < 1024 else [stroke(width=width)])
    if fits:
        assert painting(request, [], short, short * 2).painted
    else:
        assert refused(request, width=short, height=short * 2)[0].endswith(".width")


def test_a_still_is_painted_over_so_many_times():
    before = [StrokesUse(sha256=str(number), strokes=1, points=1, colours=[RED]) for number in range(SETS)]
    assert painting(asked([]), [still(painted=before)], 64, 64).painted == before
    assert "sets" in refused(asked([stroke()]), [still(painted=before)])[1]


def test_half_a_point_is_none():
    assert refused(asked([stroke(points=[1, 2, 3])]))[0] == "image.strokes[0].points"


@pytest.mark.parametrize(
    "wrong",
    [
        {"strokes": [{"colour": "red", "width": 4, "points": [1, 1]}]},
        {"strokes": [{"colour": "#ff000080", "width": 4, "points": [1, 1]}]},
        {"strokes": [{"colour": RED, "width": 0, "points": [1, 1]}]},
        {"strokes": [{"colour": RED, "width": 4, "points": []}]},
        {"strokes": [{"colour": RED, "width": 4, "points": [1.5, 1]}]},
        {"strokes": [{"colour": RED, "width": 4, "points": [1, 1], "opacity": 0.5}]},
        {"strokes": [{"colour": RED, "width": 4, "points": [1, 1]}] * (STROKES + 1)},
        {"turn": 45},
        {"crop": {"x": 0, "y": 0, "width": 0, "height": 4}},
        {"pixels": "iVBORw0KGgo="},
        {"layers": [{"asset_id": "ast_1"}]},
    ],
)
def test_nothing_else_travels_as_a_stroke(wrong):
    with pytest.raises(InvalidParams):
        convert({"prompt": "hills", "image": {"asset_id": "ast_1", **wrong}}, StillRequest)


def test_a_crop_stays_inside():
    check_crop(None, still(), "image")
    check_crop(Rect(x=0, y=0, width=100, height=60), still(), "image")
    for rect in (Rect(x=1, y=0, width=100, height=60), Rect(x=0, y=59, width=1, height=2)):
        with pytest.raises(InvalidParams) as caught:
            check_crop(rect, still(), "control[0]")
        assert caught.value.path == "control[0].crop"
