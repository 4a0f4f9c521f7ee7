import os
import shutil

import pytest

from tendred.errors import InvalidParams, ModelMissing, ModelRefused
from tendred.models.catalog import STARTER_PATH, Catalog


@pytest.fixture
def catalog(database):
    return Catalog(database)


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(STARTER_PATH, tmp_path / "mine", copy_function=shutil.copyfile)


async def test_the_starter_is_there_and_default(catalog):
    [only] = await catalog.list()
    assert (only.name, only.is_default, only.state, only.sha256) == ("starter", True, "ready", None)
    model = await catalog.get(None)
    assert model.name == "starter"
    assert (await catalog.list())[0].sha256 == model.sha256


async def test_add_use_remove(catalog, folder, database):
    added = await catalog.add(str(folder), None)
    assert (added.name, added.path, added.family) == ("mine", str(folder), "sdxl")
    assert added.sha256 == (await catalog.get("starter")).sha256
    await database.write(lambda tx: tx.run("INSERT INTO setting VALUES ('default_model', ?)", b'"mine"'))
    assert (await catalog.get(None)).name == "mine"
    await catalog.remove("mine")
    assert folder.is_dir()
    assert (await catalog.get(None)).name == "starter"


async def test_missing_names_offer_near_ones(catalog):
    with pytest.raises(ModelMissing) as caught:
        await catalog.get("startr")
    assert caught.value.detail["near"] == ["starter"]


async def test_a_folder_that_went_away(catalog, folder):
    await catalog.add(str(folder), None)
    shutil.rmtree(folder)
    assert [(model.name, model.state) for model in await catalog.list()] == [("mine", "missing"), ("starter", "ready")]
    with pytest.raises(ModelMissing) as caught:
        await catalog.get("mine")
    assert caught.value.variant == "gone"


async def test_a_folder_that_went_bad(catalog, folder):
    await catalog.add(str(folder), None)
    (folder / "run.py").write_text("x")
    assert (await catalog.info("mine")).state == "refused"
    with pytest.raises(ModelRefused):
        await catalog.get("mine")


@pytest.mark.parametrize("path", ["relative", "/no/such/folder", ""])
async def test_bad_paths(catalog, path):
    with pytest.raises(InvalidParams) as caught:
        await catalog.add(path, None)
    assert caught.value.path == "path"


async def test_the_starter_stays_itself(catalog, folder):
    with pytest.raises(InvalidParams):
        await catalog.add(str(folder), "starter")
    with pytest.raises(InvalidParams):
        await catalog.remove("starter")


async def test_one_bad_folder_leaves_the_list_whole(catalog, folder):
    await catalog.add(str(folder), None)
    (folder / "x").symlink_to("/nonexistent")
    assert [(model.name, model.state) for model in await catalog.list()] == [("mine", "refused"), ("starter", "ready")]
    (folder / "model_index.json").unlink()
    os.mkfifo(folder / "model_index.json")
    assert [(model.name, model.state) for model in await catalog.list()] == [("mine", "missing"), ("starter", "ready")]


async def test_a_fifo_for_an_index_is_refused_at_once(catalog, tmp_path):
    os.mkfifo(tmp_path / "model_index.json")
    with pytest.raises(ModelRefused):
        await catalog.add(str(tmp_path), "odd")
