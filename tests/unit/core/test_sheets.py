import pytest
from msgspec.structs import replace

from tendred.core.sheets import SheetRun, _label
from tendred.queue.store import Claim
from tendred.schema.asset import ModelUse
from tendred.schema.character import CharacterUse
from tendred.schema.job import Job, Origin
from tendred.schema.sealed import Reviewed
from tendred.schema.sheet import Sheet
from tendred.testing.clock import START
from tendred.testing.studio import FakeStudio

SHEET = Sheet(
    prompt="Mira, so far", asset_ids=["ast_1", "ast_2"], labels=["a", "b"], columns=2, format="jpeg", lane="normal",
    tags=[],
)  # fmt: skip


@pytest.fixture
def assets(tmp_path):
    studio = FakeStudio()
    files = [tmp_path / name for name in ("a.png", "b.png")]
    for file in files:
        file.write_bytes(file.name.encode())
    return [replace(studio.add_asset(file), seed=number) for number, file in enumerate(files)]


def run(assets, **changes):
    job = Job(
        id="job_01KDVDN4N000000000000ABCDE", kind="sheet", state="running", lane="normal", rev=2, request={},
        origin=Origin(door="rpc"), progress=None, position=None, attempts=1, engine_deaths=0, created_at="",
        started_at="", finished_at=None, asset_ids=[], error=None, retry_of=None, policy="p", clip=None,
    )  # fmt: skip
    reviewed = Reviewed(request=b"", conditioning=b"", policy="p", mac=b"")
    claimed = Claim(job=job, reviewed=reviewed, asked={}, removed=[])
    return SheetRun(claim=claimed, sheet=replace(SHEET, **changes), assets=assets, created=START)


def test_a_file_is_named_by_title_and_job(assets):
    assert run(assets).file(0).endswith(" mira-so-far 0ABCDE.jpg")
    assert run(assets, prompt="").file(0).endswith(" sheet 0ABCDE.jpg")


def test_it_says_what_all_of_its_pictures_share(assets):
    mira = CharacterUse(name="mira", version=1)
    alike = run([replace(asset, character=mira) for asset in assets])
    assert (alike.model_use.name, alike.character) == ("starter", mira)
    mixed = run([replace(assets[0], character=mira), replace(assets[1], model=ModelUse(name="x", sha256="1"))])
    assert (mixed.model_use, mixed.character) == (ModelUse(name="", sha256=""), None)
    assert mixed.parents == SHEET.asset_ids


def test_a_label_tells_a_picture_from_its_neighbours(assets):
    steps = [{"asset_id": "ast_1", "seed": 9, "strength": 0.25}]
    assert _label(assets[1]) == "seed 1"
    assert _label(replace(assets[1], character=CharacterUse(name="mira", version=3))) == "v3, seed 1"
    assert _label(replace(assets[1], settings={"variations": steps})) == "seed 1, 0.25 of 9"
