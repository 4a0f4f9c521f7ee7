import pytest
from msgspec.structs import replace

from tendred.core.layout import CELL, SIDE, lay_out
from tendred.schema.asset import Asset, EngineInfo, ModelUse
from tendred.schema.sheet import Cell, SheetRequest

ASSET = Asset(
    id="ast_1", kind="still", path="/a.png", url="", media_type="image/png", bytes=1, sha256="0" * 64, pixels_sha256="",
    width=128, height=128, duration_s=None, fps=None, audio=None, created_at="", job_id="job_1", index=0, seed=0,
    settings={}, model=ModelUse(name="starter", sha256=""), loras=[], character=None,
    engine=EngineInfo(version="", torch="", diffusers="", device="", dtype="", threads=1, batch_size=1), parents=[],
    receipt_id="", policy="", tags=[], state="kept",
)  # fmt: skip


def sheet(columns, rows, *, labels=True, under=None):
    cells = [Cell(x=x, y=y, job_id="job", asset_id=None, label=under) for y in range(rows) for x in range(columns)]
    return SheetRequest(
        title="hills", columns=[f"steps {x}" for x in range(columns)] if labels else [],
        rows=[f"seed {y}" for y in range(rows)] if labels and rows > 1 else [], cells=cells, format="png", lane="normal",
        tags=[], seed=0,
    )  # fmt: skip


def boxes(plan):
    return [(one.x, one.y, one.x + one.width, one.y + one.height) for one in (*plan.pictures, *plan.labels)]


def overlap(one, other):
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


@pytest.mark.parametrize(
    ("columns", "rows", "size", "under"),
    [
        (1, 1, (128, 128), None),
        (3, 2, (512, 768), "v1"),
        (16, 16, (1024, 1024), None),
        (256, 1, (64, 64), None),
        (2, 2, (4096, 64), "x"),
    ],
)
def test_nothing_overlaps_and_all_is_within(columns, rows, size, under):
    request = sheet(columns, rows, under=under)
    there = {(cell.x, cell.y): replace(ASSET, width=size[0], height=size[1]) for cell in request.cells}
    plan, width, height = lay_out(request, there, {})
    assert max(width, height) <= SIDE
    assert len(plan.pictures) == columns * rows
    for one in plan.pictures:
        assert max(one.width, one.height) <= CELL
        assert abs(one.width / one.height - size[0] / size[1]) <= size[0] / size[1] * 0.15
    found = boxes(plan)
    assert all(0 <= left < right <= width and 0 <= top < bottom <= height for left, top, right, bottom in found)
    if len(found) < 100:
        assert not any(overlap(one, other) for at, one in enumerate(found) for other in found[:at])


def test_small_pictures_keep_their_pixels_and_gaps_their_reason():
    request = sheet(2, 1)
    plan, _, _ = lay_out(request, {(0, 0): ASSET}, {(1, 0): "out_of_memory"})
    [picture] = plan.pictures
    assert (picture.width, picture.height, picture.sha256) == (128, 128, ASSET.sha256)
    assert [label.text for label in plan.labels] == ["hills", "steps 0", "steps 1", "out_of_memory"]
    bare, _, _ = lay_out(sheet(1, 1, labels=False), {}, {})
    assert [label.text for label in bare.labels] == ["hills"]
