import shutil
import sqlite3

import pytest

from tendred.errors import InvalidParams, ModelInUse, ModelMissing, ModelRefused, NotFound
from tendred.queue.claim import claim
from tendred.queue.machine import CancelAsked, Finished, Stopped
from tendred.schema.still import LoraUse
from tendred.testing.headers import compact, sparse, vae
from tendred.testing.loras import mira, shapes, write


async def test_folders_and_files_are_added_where_they_are(stock, rows):
    folder, file = stock.folder("mine"), sparse(stock.root / "elsewhere" / "x2.safetensors", compact())
    assert (await stock.cache.add(str(folder), None)).kind == "model"
    assert (await stock.cache.add(str(file), None)).kind == "upscaler"
    every = await stock.cache.every(None)
    assert [one.name for one in every.models] == ["mine", "starter", "x2"]
    assert every.budget.used_bytes == every.models[0].bytes + file.stat().st_size
    assert [one.name for one in (await stock.cache.every("upscaler")).models] == ["x2"]
    assert [topic for (topic,) in await rows("SELECT topic FROM event")] == ["model.added"] * 2
    assert not stock.own.exists()


@pytest.mark.parametrize("kind", ["lora", "model"])
async def test_a_file_of_another_kind_than_asked_for(stock, kind):
    file = sparse(stock.root / "x2.safetensors", compact())
    with pytest.raises((ModelRefused, InvalidParams)):
        await stock.cache.add(str(file), None, kind)


async def test_a_model_is_shown_as_a_form(stock):
    shown = await stock.cache.show("starter", None)
    assert shown.model.name == "starter"
    assert [one.name for one in shown.takes] == [
        "prompt", "negative_prompt", "width", "height", "steps", "guidance", "scheduler", "seed", "count", "loras", "image",
        "image.strength", "mask", "control", "clip_skip", "vae",
    ]  # fmt: skip
    assert shown.lacks == []


async def test_a_lora_is_shown_with_the_models_it_fits(stock):
    write(stock.own / "loras" / "ink.safetensors", metadata={"modelspec.title": "Ink"}, about={"trigger": "inked"})
    write(stock.own / "loras" / "other.safetensors", shapes({"mid_block.attn2.to_k": (768, 320)}))
    mira(stock.root / "package")
    await stock.cache.add(str(stock.folder("mine")), None)
    shown = await stock.cache.show("ink", "lora")
    assert (shown.fits, shown.trigger, shown.spec) == (["mine", "starter"], "inked", {"title": "Ink"})
    assert [one.name for one in shown.takes] == ["weight"]
    assert (await stock.cache.show("other", None)).fits == []
    ships = await stock.cache.show("mira", None)
    assert (ships.fits, ships.base, ships.used_by.characters) == (["starter"], "starter", ["mira"])


async def test_what_can_not_be_used_is_shown_with_the_reason(stock):
    write(stock.own / "loras" / "bad.safetensors").write_bytes(b"x")
    folder = stock.folder("mine")
    await stock.cache.add(str(folder), None)
    (folder / "run.py").write_text("x")
    for name in ("bad", "mine"):
        shown = await stock.cache.show(name, None)
        assert (shown.model.state, shown.takes) == ("refused", [])
    shutil.rmtree(folder)
    assert (await stock.cache.show("mine", None)).model.state == "missing"


async def test_names_that_are_not_there_offer_near_ones(stock):
    write(stock.own / "loras" / "watercolour.safetensors")
    for kind, error in ((None, ModelMissing), ("lora", NotFound)):
        with pytest.raises(error) as caught:
            await stock.cache.show("watercolor", kind)
        assert caught.value.detail["near"][0] == "watercolour"
    with pytest.raises(ModelMissing):
        await stock.cache.show("watercolour", "vae")
    with pytest.raises(ModelMissing) as caught:
        await stock.cache.show("water", None)
    assert "watercolour" not in caught.value.detail["near"]


async def test_names_that_several_kinds_share_are_asked_about(stock):
    write(stock.own / "loras" / "fine.safetensors")
    sparse(stock.own / "vaes" / "fine.safetensors", vae())
    with pytest.raises(InvalidParams) as caught:
        await stock.cache.show("fine", None)
    assert caught.value.path == "kind"
    assert (await stock.cache.show("fine", "vae")).model.kind == "vae"


def removal(stock, name, kind=None, *, force=False, delete_files=False):
    return stock.cache.remove(name, kind, force=force, delete_files=delete_files)


async def test_removing_forgets_and_leaves_the_files(stock, rows):
    folder, file = stock.folder("mine"), write(stock.root / "elsewhere" / "ink.safetensors")
    for path in (folder, file):
        await stock.cache.add(str(path), None)
    await stock.database.write(lambda tx: tx.run("INSERT INTO setting VALUES ('default_model', ?)", b'"mine"'))
    gone = await removal(stock, "mine")
    assert (gone.kind, gone.was_default, gone.files_deleted, gone.path) == ("model", True, False, str(folder))
    assert (await removal(stock, "ink")).kind == "lora"
    assert folder.is_dir()
    assert file.is_file()
    assert [one.name for one in (await stock.cache.every(None)).models] == ["starter"]
    assert [topic for (topic,) in await rows("SELECT topic FROM event")][2:] == ["model.removed"] * 2


async def test_what_somebody_needs_is_refused_unless_forced(stock):
    await stock.cache.add(str(write(stock.root / "elsewhere" / "ink.safetensors")), None)
    job = await stock.waiting(loras=[LoraUse(name="ink")])
    with pytest.raises(ModelInUse) as caught:
        await removal(stock, "ink")
    assert caught.value.detail["jobs"] == [job.id]
    assert caught.value.detail["by"] == "a waiting job"
    assert (await removal(stock, "ink", force=True)).used_by.waiting == 1
    with pytest.raises(ModelMissing):
        await removal(stock, "ink")


async def test_a_loaded_model_is_unloaded_first_and_one_that_draws_stays(stock):
    await stock.cache.add(str(stock.folder("mine")), None)
    stock.residency.hold("mine", busy=True)
    for force in (False, True):
        with pytest.raises(ModelInUse) as caught:
            await removal(stock, "mine", force=force)
        assert caught.value.variant == "busy"
    stock.residency.held.clear()
    stock.residency.hold("mine", busy=False)
    stock.residency.hold("starter", busy=True)
    await removal(stock, "mine")
    assert [one.model for one in stock.residency.held] == ["starter"]


@pytest.mark.parametrize("cancelling", [False, True])
async def test_what_a_running_job_names_stays_whatever_the_engine_has_loaded(stock, *, cancelling):
    """It may be starting, or loading just that: nothing is in its memory yet."""
    ink = write(stock.own / "loras" / "ink.safetensors")
    folder = shutil.copytree(stock.folder("mine"), stock.own / "mine")
    await stock.cache.add(str(folder), None)
    job = await stock.waiting(model="mine", loras=[LoraUse(name="ink")])
    assert await claim(stock.database, stock.queue)
    if cancelling:
        await stock.queue.apply(job.id, CancelAsked())
    for name in ("mine", "ink"):
        with pytest.raises(ModelInUse) as caught:
            await removal(stock, name, force=True, delete_files=True)
        assert caught.value.variant == "busy"
    assert (folder / "model_index.json").is_file()
    assert ink.is_file()
    await stock.queue.apply(job.id, Stopped() if cancelling else Finished())
    assert (await removal(stock, "mine", delete_files=True)).files_deleted
    assert [path.name for path in stock.own.iterdir()] == ["loras"]


async def test_where_the_row_can_not_go_the_files_stay(stock):
    folder = shutil.copytree(stock.folder("mine"), stock.own / "mine")
    await stock.cache.add(str(folder), None)
    sql = "CREATE TRIGGER no BEFORE DELETE ON model BEGIN SELECT raise(ABORT, 'no'); END"
    await stock.database.write(lambda tx: tx.run(sql))
    with pytest.raises(sqlite3.IntegrityError):
        await removal(stock, "mine", delete_files=True)
    assert (await stock.cache.show("mine", None)).model.state == "ready"
    assert [path.name for path in stock.own.iterdir()] == ["mine"]


async def test_files_are_deleted_only_on_request_and_only_our_own(stock):
    mine = write(stock.own / "loras" / "ink.safetensors", about={"licence": "CC0"})
    far = write(stock.root / "elsewhere" / "far.safetensors", seed=2)
    await stock.cache.add(str(far), None)
    for name, delete in (("ink", False), ("far", True)):
        with pytest.raises(InvalidParams) as caught:
            await removal(stock, name, delete_files=delete)
        assert caught.value.path == "delete_files"
    assert (await removal(stock, "ink", delete_files=True)).files_deleted
    assert [*mine.parent.iterdir()] == []
    assert far.is_file()


async def test_a_folder_of_our_own_is_deleted_whole_and_links_are_not_followed(stock):
    folder = shutil.copytree(stock.folder("mine"), stock.own / "mine")
    linked = stock.root / "elsewhere" / "ink.safetensors"
    write(linked)
    (stock.own / "loras").mkdir()
    (stock.own / "loras" / "ink.safetensors").symlink_to(linked)
    await stock.cache.add(str(folder), None)
    await removal(stock, "mine", delete_files=True)
    await removal(stock, "ink", delete_files=True)
    assert not folder.exists()
    assert linked.is_file()


async def test_files_that_another_name_has_too_are_not_deleted(stock):
    folder = shutil.copytree(stock.folder("mine"), stock.own / "mine")
    inside = sparse(folder / "fine" / "fine.safetensors", vae())
    link = stock.root / "elsewhere" / "linked"
    link.symlink_to(folder)
    for path, name in ((folder, "mine"), (folder, "same"), (link, "linked"), (inside, "fine")):
        await stock.cache.add(str(path), name)
    for name in ("mine", "same", "fine"):
        for force in (False, True):
            with pytest.raises(InvalidParams) as caught:
                await removal(stock, name, force=force, delete_files=True)
            assert caught.value.path == "delete_files"
    assert inside.is_file()
    for name in ("same", "linked", "fine"):
        await removal(stock, name)
    await removal(stock, "mine", delete_files=True)
    assert not folder.exists()


async def test_no_path_leads_out_of_our_own_folder(stock):
    """Whoever may add a folder may have it deleted, so it must be where it says."""
    outside = stock.folder("mine")
    (stock.own / "x").mkdir(parents=True)
    (stock.own / "link").symlink_to(outside.parent)
    for number, path in enumerate((f"{stock.own}/x/../../elsewhere/mine", f"{stock.own}/link/mine")):
        await stock.cache.add(path, f"sly {number}")
        with pytest.raises(InvalidParams) as caught:
            await removal(stock, f"sly {number}", delete_files=True)
        assert caught.value.path == "delete_files"
    assert (outside / "model_index.json").is_file()


async def test_what_ships_stays(stock):
    mira(stock.root / "package")
    for name in ("starter", "mira"):
        with pytest.raises(InvalidParams):
            await removal(stock, name, force=True)
