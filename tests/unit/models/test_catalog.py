import asyncio
import os
import shutil

import pytest

from tendred.errors import InvalidParams, ModelMissing, ModelRefused
from tendred.models.catalog import STARTER_PATH, Catalog
from tendred.testing.hub_cache import cached


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


async def test_the_end_of_a_job_brings_no_model_back(catalog, folder, database):
    await catalog.add(str(folder), "mine")
    mine, starter = await catalog.get("mine"), await catalog.get("starter")

    def work(tx):
        for model in (mine, starter):
            catalog.used_in(tx, model)

    await database.write(work)
    assert all(one.last_used_at for one in await catalog.list())
    await catalog.remove("mine")
    await database.write(work)
    assert [one.name for one in await catalog.list()] == ["starter"]


async def test_names_are_taken_for_as_long_as_their_folder_is_there(catalog, folder, tmp_path):
    await catalog.add(str(folder), "taken")
    other = shutil.copytree(STARTER_PATH, tmp_path / "other", copy_function=shutil.copyfile)
    with pytest.raises(InvalidParams) as caught:
        await catalog.add(str(other), "taken")
    assert caught.value.path == "name"
    shutil.rmtree(folder)
    assert (await catalog.add(str(other), "taken")).path == str(other)
    with pytest.raises(InvalidParams):
        await catalog.add(str(other), "x" * 129)


async def test_one_name_asked_for_twice_at_once_is_given_once(catalog, folder, tmp_path):
    """Both look before either has its row: hashing comes in between."""
    other = shutil.copytree(STARTER_PATH, tmp_path / "other", copy_function=shutil.copyfile)
    told = await asyncio.gather(*(catalog.add(str(path), "one") for path in (folder, other)), return_exceptions=True)
    [refused] = [one for one in told if isinstance(one, InvalidParams)]
    [added] = [one for one in told if one is not refused]
    assert refused.path == "name"
    assert added.path in refused.detail["problem"]
    assert (await catalog.info("one")).path == added.path


async def test_a_folder_of_the_hubs_cache_goes_by_its_repository(catalog, tmp_path):
    files = {
        path.relative_to(STARTER_PATH).as_posix(): path.read_bytes()
        for path in STARTER_PATH.rglob("*") if path.is_file() and path.name != "tendred.json"
    }  # fmt: skip
    files["README.md"] = b"---\nlicense: openrail++\n---\n"
    repository = cached(tmp_path / "hub", "org/drawn-xl", files)
    snapshot = repository / "snapshots" / "r1"
    added = await catalog.add(str(snapshot), None)
    assert (added.name, added.source, added.licence) == ("drawn-xl", "org/drawn-xl", "openrail++")
    weights = snapshot / "unet" / "diffusion_pytorch_model.safetensors"
    weights.unlink()
    weights.symlink_to(STARTER_PATH / "unet" / "diffusion_pytorch_model.safetensors")
    info = await catalog.info("drawn-xl")
    assert info.state == "refused"
    assert "out of the hub's cache" in info.reason


async def test_looking_reads_headers_only(catalog, folder):
    await catalog.add(str(folder), None)
    looked = await catalog.look("mine")
    assert (looked.path, looked.folder.family, looked.sha256) == (str(folder), "sdxl", "")


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
