from __future__ import annotations

import datetime as dt

import msgspec
import pytest

from tendred.cloud.adapters.table import PACKAGED, load
from tendred.errors import ConfigBroken, NotOffered

HEAD = 'table_date = 2026-11-01\nsource = "me"\n'


@pytest.mark.parametrize("provider", PACKAGED)
def test_every_packaged_table_says_how_old_it_is_and_where_it_comes_from(provider):
    table = load(provider)
    features = table.features()
    assert dt.date(2026, 1, 1) < table.table_date
    assert dt.date.fromisoformat(features.table_date) == table.table_date
    assert len(features.source) > 20
    assert features.models
    for model in features.models:
        assert (model.replaced_by is None) == bool(model.sizes)


def test_portrait_sizes_are_meant_too():
    fast = next(model for model in load("ltx").features().models if model.name == "ltx-2-3-fast")
    sizes = {(size.width, size.height): size.seconds for size in fast.sizes}
    assert sizes[1080, 1920] == sizes[1920, 1080]
    assert (sizes[1920, 1080]["25"][-1], sizes[1920, 1080]["50"][-1], sizes[3840, 2160]["24"][-1]) == (20, 10, 10)


def write(tmp_path, text):
    (tmp_path / "ltx.toml").write_text(text)
    return tmp_path


def test_a_users_file_overrides_what_it_names_and_nothing_else(tmp_path):
    more = '[[models]]\nname = "ltx-3-fast"\nsizes = [{ sizes = ["640x640"], fps = ["24"], seconds = [4] }]\n'
    retired = '[[models]]\nname = "ltx-2-3-pro"\nreplaced_by = "ltx-3-fast"\n'
    table = load("ltx", write(tmp_path, f"{HEAD}concurrency = 5\n{more}{retired}"))
    assert (table.concurrency, table.endpoint, table.source) == (5, "https://api.ltx.video", "me")
    models = {model.name: model for model in table.features().models}
    assert models["ltx-2-3-pro"].replaced_by == "ltx-3-fast"
    assert models["ltx-2-3-fast"].sizes
    [square] = models["ltx-3-fast"].sizes
    assert (square.width, square.seconds) == (640, {"24": [4]})


def test_no_file_changes_nothing(tmp_path):
    assert load("ltx", tmp_path) == load("ltx")


@pytest.mark.parametrize(
    "text",
    [
        "concurrency = 5", f"{HEAD}concurrency = 0", f"{HEAD}speed = 5", f"{HEAD}models = 5", f'{HEAD}provider = "fal"',
        f'{HEAD}[[models]]\nname = "x"\nreplaced_by = "nobody"', f'{HEAD}[[models]]\nname = "x"\nsize = 5', "not toml",
        f'{HEAD}[[models]]\nname = "x"\nsizes = [{{ sizes = ["big"], fps = ["24"], seconds = [4] }}]',
        f'{HEAD}[[models]]\nname = "x"\nsizes = [{{ sizes = ["64x64"], fps = ["24"], seconds = [-4] }}]',
        f'{HEAD}[[models]]\nname = "x"\nsizes = [{{ sizes = ["64x64"], fps = ["24/0"], seconds = [4] }}]',
        'table_date = "soon"\nsource = "me"', f"{HEAD}x = '{'y' * 300_000}'", f"{HEAD}[[models]]\nsizes = []",
    ],
)  # fmt: skip
def test_a_file_that_is_wrong_is_named_with_what_is_wrong_in_it(tmp_path, text):
    with pytest.raises(ConfigBroken) as caught:
        load("ltx", write(tmp_path, text))
    assert caught.value.detail["where"] == str(tmp_path / "ltx.toml")
    assert caught.value.detail["problem"]


def test_a_folder_in_a_files_place_is_told(tmp_path):
    (tmp_path / "ltx.toml").mkdir()
    with pytest.raises(ConfigBroken):
        load("ltx", tmp_path)


def test_a_model_that_is_not_in_it_is_not_sent_for():
    table = load("ltx")
    assert table.row("ltx-2-3-fast").name == "ltx-2-3-fast"
    for name in ("ltx-9", "ltx-2-fast"):
        with pytest.raises(NotOffered) as caught:
            table.row(name)
        assert "ltx-2-3-fast" in caught.value.detail["near"]


def test_a_table_is_plain_data():
    assert msgspec.json.decode(msgspec.json.encode(load("fal").features())) == msgspec.to_builtins(
        load("fal").features()
    )
