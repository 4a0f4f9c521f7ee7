"""Grids and contact sheets on the whole road: many jobs, one picture of them. The fake engine draws at once."""

import contextlib
import sqlite3

import pytest
from PIL import Image

from tendred.core.studio import Search
from tendred.errors import BoundaryRefused, InvalidParams, ModelMissing, NotFound, QueueFull, TooLarge, describe
from tendred.schema.job import Origin
from tendred.schema.sheet import CELLS, Axis, GridRequest

RPC = Origin(door="rpc")


async def grid(daemon, prompt="hills", *, key=None, **fields):
    request = GridRequest(prompt=prompt, **fields)
    asked = {"prompt": prompt, **{name: value for name, value in fields.items() if name not in {"x", "y"}}}
    return await daemon.studio.grid(request, asked, key, RPC)


async def done(daemon, job_id, state="succeeded"):
    job = await daemon.studio.wait(job_id, 25)
    assert job.state == state, job.error
    return job


async def test_two_axes_become_their_stills_and_one_labelled_sheet(daemon):
    made = await grid(
        daemon, seed=5, x=Axis(field="steps", values=[2, 3, 4]), y=Axis(field="guidance", values=[1.5, 4]), tags=["try"]
    )
    assert (made.job.kind, made.job.state, len(made.cells)) == ("sheet", "queued", 6)
    job = await done(daemon, made.job.id)
    sheet = await daemon.studio.asset(job.asset_ids[0])
    cells = [await daemon.studio.job(cell.job_id) for cell in made.cells]
    assert [(one.request["steps"], one.request["guidance"]) for one in cells] == [
        (2, 1.5), (3, 1.5), (4, 1.5), (2, 4), (3, 4), (4, 4),
    ]  # fmt: skip
    assert {one.request["seed"] for one in cells} == {5}
    assert sheet.kind == "sheet"
    assert sheet.parents == [one.asset_ids[0] for one in cells]
    assert (sheet.settings["columns"], sheet.settings["rows"]) == (
        ["steps 2", "steps 3", "steps 4"], ["guidance 1.5", "guidance 4"],
    )  # fmt: skip
    with Image.open(sheet.path) as picture:
        assert picture.size == (sheet.width, sheet.height)
        still = await daemon.studio.asset(sheet.parents[0])
        with Image.open(still.path) as first:
            # A cell is smaller than the space it has, so its picture is there to the pixel.
            plan = picture.convert("RGB")
            assert first.getpixel((3, 3)) in {plan.getpixel((x, y)) for x in range(180, 260) for y in range(60, 140)}
    receipt = await daemon.studio.receipt(sheet.receipt_id)
    assert (receipt.made[0].asset_id, receipt.asked["seed"], receipt.verdict.anchor) == (sheet.id, 5, None)
    assert (await daemon.studio.receipt(still.receipt_id)).asked["steps"] == 2
    found = await daemon.studio.search(Search(kind="sheet", tag="try"))
    assert [asset.id for asset in found.assets] == [sheet.id]


async def test_one_seed_is_chosen_for_all_cells_and_choices_follow_it(daemon):
    made = await grid(daemon, "{red|blue|green|grey} hills", x=Axis(field="steps", values=[2, 3, 4]))
    cells = [(await daemon.studio.job(cell.job_id)).request for cell in made.cells]
    assert len({(one["seed"], one["prompt"]) for one in cells}) == 1
    seeds = await grid(daemon, "{red|blue|green|grey} hills", x=Axis(field="seed", values=[*range(12)]))
    words = [(await daemon.studio.job(cell.job_id)).request for cell in seeds.cells]
    assert [one["seed"] for one in words] == [*range(12)]
    assert len({one["prompt"] for one in words}) > 1
    assert "{" not in "".join(one["prompt"] for one in words)


async def test_words_may_be_replaced_along_an_axis(daemon):
    made = await grid(daemon, "red hills", x=Axis(field="prompt", replace="red", values=["blue", "green"]))
    assert [(await daemon.studio.job(cell.job_id)).request["prompt"] for cell in made.cells] == [
        "blue hills", "green hills",
    ]  # fmt: skip
    assert (await daemon.studio.job(made.job.id)).request["columns"] == ["blue", "green"]


@pytest.mark.parametrize(
    ("fields", "kind", "path"),
    [
        ({"x": Axis(field="steps", values=[*range(1, 1001)]), "y": Axis(field="seed", values=[*range(1000)])}, TooLarge, "x.values"),
        ({"x": Axis(field="stepz", values=[1])}, InvalidParams, "x.field"),
        ({"x": Axis(field="count", values=[1])}, InvalidParams, "x.field"),
        ({"x": Axis(field="steps", values=[2]), "y": Axis(field="steps", values=[3])}, InvalidParams, "y.field"),
        ({"x": Axis(field="steps", values=[2, 0])}, InvalidParams, "x.values[1]"),
        ({"x": Axis(field="steps", values=[2, "x"])}, InvalidParams, "x.values[1]"),
        ({"x": Axis(field="seed", values=[2]), "y": Axis(field="width", values=[128, 127])}, InvalidParams, "y.values[1]"),
        ({"x": Axis(field="model", values=["starter", "startre"])}, ModelMissing, "x.values[1]"),
        ({"x": Axis(field="prompt", values=["hills", "a 15 year old"])}, BoundaryRefused, "x.values[1]"),
        ({"x": Axis(field="prompt", replace="sea", values=["hills"])}, InvalidParams, "x.replace"),
        ({"x": Axis(field="steps", replace="sea", values=[2])}, InvalidParams, "x.replace"),
        ({"x": Axis(field="character", values=["nobody"])}, NotFound, "x.values[0]"),
        ({"x": Axis(field="preset", values=["nothing"])}, NotFound, "x.values[0]"),
        ({"x": Axis(field="steps", values=[2]), "count": 2}, InvalidParams, "count"),
    ],
)  # fmt: skip
async def test_a_grid_that_does_not_fit_is_refused_before_anything_is_made(daemon, fields, kind, path):
    with pytest.raises(kind) as caught:
        await grid(daemon, **fields)
    assert caught.value.path == path
    assert (await daemon.studio.jobs(state=None, kind=None, limit=10, cursor=None)).jobs == []


async def test_words_that_would_grow_too_long_are_never_made(daemon):
    """Not even where another axis would make them short again: with longer ones, they would take all the memory."""
    long = "x" * 1000
    x, y = Axis(field="prompt", replace="a", values=[long]), Axis(field="prompt", replace=long, values=["y"])
    with pytest.raises(TooLarge) as caught:
        await grid(daemon, "a" * 20, x=x, y=y)
    assert (caught.value.path, caught.value.detail["size_bytes"]) == ("x.values[0]", 20_000)


async def test_a_preset_of_several_stills_is_no_cell(daemon):
    await daemon.studio.presets.set("many", {"count": 64})
    await daemon.studio.presets.set("quick", {"steps": 2})
    with pytest.raises(InvalidParams) as caught:
        await grid(daemon, x=Axis(field="preset", values=["quick", "many"]))
    assert caught.value.path == "x.values[1]"
    assert "the preset many asks for 64" in str(caught.value.detail["problem"])
    assert len((await grid(daemon, x=Axis(field="preset", values=["quick", "many"]), count=1)).cells) == 2


async def test_a_million_cells_are_told_as_such(daemon):
    many = Axis(field="steps", values=[1] * 1000)
    with pytest.raises(TooLarge) as caught:
        await grid(daemon, x=many, y=Axis(field="seed", values=[1] * 1000))
    assert (caught.value.detail["cells"], caught.value.detail["limit"]) == (1_000_000, CELLS)
    assert "1000000" in daemon.studio.tell(caught.value).message


async def test_a_full_queue_takes_no_part_of_a_grid(make_daemon):
    daemon = await make_daemon("queue.limit=3")
    await daemon.studio.pause(mode="drain", unload=False)
    with pytest.raises(QueueFull):
        await grid(daemon, x=Axis(field="steps", values=[1, 2, 3]))
    assert (await daemon.studio.queue_status()).counts["queued"] == 0


async def test_the_same_key_is_the_same_grid(daemon):
    axis = Axis(field="steps", values=[2, 3])
    first, again = await grid(daemon, x=axis, key="k"), await grid(daemon, x=axis, key="k")
    assert (again.deduplicated, again.job.id, again.cells) == (True, first.job.id, first.cells)


async def test_what_is_wrong_with_a_cell_stands_on_the_sheet(daemon):
    await daemon.studio.pause(mode="drain", unload=False)
    made = await grid(daemon, x=Axis(field="steps", values=[2, 3]))
    await daemon.studio.cancel(made.cells[1].job_id)
    await daemon.studio.resume()
    job = await done(daemon, made.job.id)
    sheet = await daemon.studio.asset(job.asset_ids[0])
    first = await daemon.studio.job(made.cells[0].job_id)
    assert sheet.parents == first.asset_ids


async def test_without_a_picture_there_is_no_sheet_and_the_reason_is_that_of_a_cell(daemon):
    daemon.script(oom=True)
    made = await grid(daemon, x=Axis(field="steps", values=[2, 3]))
    job = await done(daemon, made.job.id, "failed")
    assert job.error.kind == "out_of_memory"


async def test_who_cancels_a_grid_cancels_its_cells(daemon):
    daemon.script(step_s=0.05)
    made = await grid(daemon, x=Axis(field="steps", values=[200, 200]))
    await daemon.state_of(made.cells[0].job_id, "running")
    await daemon.studio.cancel(made.job.id)
    for job_id in (made.job.id, *(cell.job_id for cell in made.cells)):
        await done(daemon, job_id, "cancelled")
    # One that waits already, as running: the other way to its end.
    daemon.script(step_s=0.05)
    made = await grid(daemon, x=Axis(field="steps", values=[200]), lane="idle")
    await daemon.studio.cancel(made.cells[0].job_id)
    await done(daemon, made.job.id, "cancelled")


async def test_a_sheet_that_waits_survives_a_restart(daemon, make_daemon):
    await daemon.studio.pause(mode="drain", unload=False)
    made = await grid(daemon, x=Axis(field="steps", values=[2, 3]))
    await daemon.stop()
    other = await make_daemon(home=daemon.home)
    other.script(step_s=0.02)
    await other.studio.resume()
    await other.state_of(made.cells[1].job_id, "succeeded")
    job = await done(other, made.job.id)
    assert (job.attempts, len(job.asset_ids)) == (1, 1)


async def test_a_sheet_that_was_at_work_when_the_daemon_died_is_made_by_the_next(daemon, make_daemon):
    daemon.script(step_s=0.2)
    made = await grid(daemon, x=Axis(field="steps", values=[50, 50]))
    await daemon.state_of(made.cells[0].job_id, "running")
    await daemon.stop()
    with contextlib.closing(sqlite3.connect(daemon.home / "data" / "tendred.db")) as database, database:
        # As a kill leaves it: claimed, and nothing written of its end.
        database.execute("UPDATE job SET state = 'running', attempts = 1 WHERE id = ?", (made.job.id,))
        database.execute("DELETE FROM waiting WHERE job_id = ?", (made.job.id,))
    other = await make_daemon(home=daemon.home)
    other.script()
    job = await done(other, made.job.id)
    assert (job.attempts, len(job.asset_ids)) == (2, 1)


async def test_a_contact_sheet_of_a_character_is_one_call(daemon):
    from tendred.schema.character import CharacterChanges, NewCharacter

    await daemon.studio.create_character(NewCharacter(name="tom", fragment="tom, a tall man"), RPC)
    with pytest.raises(NotFound) as caught:
        await daemon.studio.contact_sheet("tom", None, 24, RPC)
    message, step = describe(caught.value)
    assert message == "There are no stills of tom yet."
    assert "@tom" in step
    for seed in range(2):
        await daemon.still("@tom on a hill", seed=seed)
    await daemon.studio.update_character(CharacterChanges(name="tom", fragment="tom, a short man"), RPC)
    await daemon.still("@tom on a hill", seed=2)
    job = await done(daemon, (await daemon.studio.contact_sheet("tom", None, 24, RPC)).job.id)
    sheet = await daemon.studio.asset(job.asset_ids[0])
    assert (sheet.kind, len(sheet.parents)) == ("sheet", 3)
    assert [cell["label"] for cell in sheet.settings["cells"]] == ["v2, seed 2", "v1, seed 1", "v1, seed 0"]
    old = await done(daemon, (await daemon.studio.contact_sheet("tom", 1, 24, RPC)).job.id)
    first = await daemon.studio.asset(old.asset_ids[0])
    assert (len(first.parents), first.character.version) == (2, 1)
    with pytest.raises(NotFound):
        await daemon.studio.contact_sheet("tom", 3, 24, RPC)


async def test_a_file_that_somebody_changed_is_not_on_the_sheet(daemon):
    await daemon.studio.pause(mode="drain", unload=False)
    made = await grid(daemon, seed=1, x=Axis(field="steps", values=[2, 3]))
    await daemon.studio.resume()
    honest = await daemon.studio.asset((await done(daemon, made.job.id)).asset_ids[0])
    made = await grid(daemon, seed=1, x=Axis(field="steps", values=[2, 2]))
    await done(daemon, made.job.id)
    from tendred.schema.character import NewCharacter

    await daemon.studio.create_character(NewCharacter(name="tom", fragment="tom, a tall man"), RPC)
    still = await daemon.studio.asset((await daemon.still("@tom")).asset_ids[0])
    Image.new("RGB", (still.width, still.height), (255, 0, 255)).save(still.path)
    sheet = await daemon.studio.asset(
        (await done(daemon, (await daemon.studio.contact_sheet("tom", None, 1, RPC)).job.id)).asset_ids[0]
    )
    with Image.open(sheet.path) as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors(100_000)}
    assert (255, 0, 255) not in colours
    assert (232, 232, 228) in colours
    assert honest.kind == "sheet"


async def test_a_grid_that_was_cancelled_is_made_anew_with_its_cells(daemon):
    await daemon.studio.pause(mode="drain", unload=False)
    made = await grid(daemon, x=Axis(field="steps", values=[2, 3]))
    await daemon.studio.cancel(made.job.id)
    await daemon.studio.resume()
    again = await daemon.studio.retry(made.job.id, RPC)
    assert (again.job.retry_of, again.deduplicated) == (made.job.id, False)
    assert [(await daemon.studio.job(cell["job_id"])).retry_of for cell in again.job.request["cells"]] == [
        cell.job_id for cell in made.cells
    ]
    sheet = await daemon.studio.asset((await done(daemon, again.job.id)).asset_ids[0])
    assert len(sheet.parents) == 2
