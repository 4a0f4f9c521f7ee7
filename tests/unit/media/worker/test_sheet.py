"""Contact sheets, read back by their pixels."""

import hashlib
from pathlib import Path

import pytest
from PIL import Image

from tendred.errors import DiskFull, StillNotOurs
from tendred.media.worker.sheet import CELL, LONGEST, _side, compose
from tendred.schema.work import Cell, Compose

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def picture(folder, name, colour=RED, size=(300, 200)):
    """A cell of one colour."""
    file = folder / name
    Image.new("RGB", size, colour).save(file)
    return Cell(asset_id=name, path=str(file), sha256=hashlib.sha256(file.read_bytes()).hexdigest(), label=name)


def work(folder, cells, **changes):
    fields = {"title": "", "cells": cells, "columns": 2, "target": str(folder / "sheet.rgb")}
    return Compose(**{**fields, **changes})


def opened(made):
    data = Path(made.path).read_bytes()
    assert made.pixels_sha256 == hashlib.sha256(data).hexdigest()
    return Image.frombytes("RGB", (made.width, made.height), data)


def colours(sheet):
    return {colour for _, colour in sheet.getcolors(1 << 24)}


def test_pictures_stand_in_reading_order(tmp_path):
    cells = [picture(tmp_path, name, colour) for name, colour in (("1.png", RED), ("2.webp", GREEN), ("3.jpg", BLUE))]
    sheet = opened(compose(work(tmp_path, cells)))
    wide, high = sheet.size
    places = [(wide // 4, high // 4), (3 * wide // 4, high // 4), (wide // 4, 3 * high // 4 - 10)]
    for (x, y), colour in zip(places, (RED, GREEN, BLUE), strict=True):
        assert max(abs(a - b) for a, b in zip(sheet.getpixel((x, y)), colour, strict=True)) < 12
    assert sheet.getpixel((3 * wide // 4, 3 * high // 4 - 10)) not in (RED, GREEN, BLUE)


def test_the_same_pictures_are_the_same_sheet(tmp_path):
    cells = [picture(tmp_path, f"{number}.png") for number in range(5)]
    first, second = (compose(work(tmp_path, cells, target=str(tmp_path / name))) for name in ("a.rgb", "b.rgb"))
    assert first.pixels_sha256 == second.pixels_sha256


def test_a_title_and_labels_take_their_room_and_are_there(tmp_path):
    one = picture(tmp_path, "1.png")
    bare = Cell(asset_id=one.asset_id, path=one.path, sha256=one.sha256, label="")
    plain = opened(compose(work(tmp_path, [bare], columns=1)))
    said = opened(compose(work(tmp_path, [one], columns=1, title="Mira, so far")))
    assert plain.width == said.width == 300 * CELL // 300 + 24
    assert said.height > plain.height
    assert len(colours(plain)) == 2
    # Letters have soft edges.
    assert len(colours(said)) > 8


@pytest.mark.parametrize(
    "label", ["", "a" * 120, "日本語" * 40, "a\nb\tc", "\N{FOX FACE}", "é\N{COMBINING ACUTE ACCENT}"]
)
def test_any_label_stays_within_its_cell(tmp_path, label):
    one = picture(tmp_path, "1.png")
    cells = [Cell(asset_id="a", path=one.path, sha256=one.sha256, label=label)] * 2
    sheet = opened(compose(work(tmp_path, cells)))
    gap = sheet.crop((sheet.width // 2 - 4, 0, sheet.width // 2 + 4, sheet.height))
    assert len(colours(gap)) == 1


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (1, 32), (80, 1), (256, 4), (256, 32), (33, 32)])
def test_no_sheet_is_too_long(tmp_path, count, columns):
    one = picture(tmp_path, "1.png", size=(400, 400))
    made = compose(work(tmp_path, [one] * count, columns=columns, title="x"))
    assert max(made.width, made.height) <= LONGEST
    side = _side(count, columns)
    assert made.width == 12 + min(count, columns) * (side + 12)
    assert CELL // 4 <= side <= CELL


def test_a_file_from_elsewhere_has_no_way_in(tmp_path):
    one, two = picture(tmp_path, "1.png"), picture(tmp_path, "2.png")
    Image.new("RGB", (300, 200), BLUE).save(two.path)
    with pytest.raises(StillNotOurs) as caught:
        compose(work(tmp_path, [one, two]))
    assert caught.value.detail["asset_id"] == "2.png"
    assert not (tmp_path / "sheet.rgb").exists()
    Path(two.path).unlink()
    with pytest.raises(StillNotOurs):
        compose(work(tmp_path, [one, two]))
    Path(two.path).symlink_to(one.path)
    linked = Cell(asset_id="2.png", path=two.path, sha256=one.sha256, label="")
    with pytest.raises(StillNotOurs):
        compose(work(tmp_path, [one, linked]))


def test_what_is_no_picture_is_refused_whatever_it_hashes_to(tmp_path):
    file = tmp_path / "a.png"
    file.write_bytes(b"GIF89a nonsense")
    cell = Cell(asset_id="a", path=str(file), sha256=hashlib.sha256(file.read_bytes()).hexdigest(), label="")
    with pytest.raises(StillNotOurs):
        compose(work(tmp_path, [cell]))


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, small_disk):
    (small_disk / "filler").write_bytes(bytes(64 * 1024))
    with pytest.raises(DiskFull):
        compose(work(tmp_path, [picture(tmp_path, "1.png")], target=str(small_disk / "sheet.rgb")))
    assert [path.name for path in small_disk.iterdir()] == ["filler"]
