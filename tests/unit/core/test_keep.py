import re

import pytest

from tendred.clock import Ids, SystemRng
from tendred.core.keep import Run, asset_id, receipt_id
from tendred.models.catalog import Model
from tendred.models.folder import Folder
from tendred.queue.store import Claim
from tendred.schema.job import Job, Origin
from tendred.schema.model import ModelDefaults
from tendred.schema.sealed import Conditioning
from tendred.testing.clock import START
from tendred.testing.orders import STILL, review

JOB = "job_01KDVDN4N000000000000ABCDE"


def run(job_id=JOB, **changes):
    still = STILL.__class__(**{name: getattr(STILL, name) for name in STILL.__struct_fields__} | changes)
    job = Job(
        id=job_id, kind="still", state="running", lane="normal", rev=2, request={}, origin=Origin(door="rpc"),
        progress=None, position=None, attempts=1, engine_deaths=0, created_at="", started_at="", finished_at=None,
        asset_ids=[], error=None, retry_of=None, policy="p", clip=None,
    )  # fmt: skip
    defaults = ModelDefaults(width=64, height=64, steps=1, guidance=1, scheduler="euler", multiple=8)
    folder = Folder(
        family="sdxl", pipeline="StableDiffusionXLPipeline", bytes=1, defaults=defaults, licence=None, source=None
    )
    return Run(
        claim=Claim(job=job, reviewed=review(still), asked={}, removed=[]),
        still=still,
        conditioning=Conditioning(prompt=[], negative=[], anchor=None),
        model=Model(name="starter", path="/m", sha256="0", folder=folder),
        loras=[],
        created=START,
    )


def test_an_output_has_one_id_however_often_it_is_made():
    assert asset_id(JOB, 0) == asset_id(JOB, 0)
    assert re.fullmatch(r"ast_[0-7][0-9A-HJKMNP-TV-Z]{25}", asset_id(JOB, 0))
    assert asset_id(JOB, 0)[4:14] == JOB[4:14]


def test_no_two_outputs_share_an_id(clock):
    ids = Ids(clock, SystemRng())
    jobs = [ids.new("job") for _ in range(100)]
    assert len({asset_id(job, index) for job in jobs for index in range(64)}) == 6400


def test_a_receipt_is_named_after_its_job():
    assert receipt_id(JOB) == "rcp_01KDVDN4N000000000000ABCDE"


@pytest.mark.parametrize(
    ("changes", "index", "ending"),
    [({}, 0, " 0ABCDE.png"), ({"format": "jpeg"}, 0, " 0ABCDE.jpg"), ({"count": 2}, 0, " 0ABCDE-001.png"),
     ({"count": 64, "format": "webp"}, 63, " 0ABCDE-064.webp")],
)  # fmt: skip
def test_a_file_is_named_by_its_job_alone(changes, index, ending):
    name = run(**changes).file(index)
    assert name == run(**changes).file(index)
    assert re.match(r"\d{4}-\d\d-\d\d/\d{6} a-green-hill ", name)
    assert name.endswith(ending)


@pytest.mark.parametrize("prompt", ["../../etc/passwd", "/a\\b:c*?", "", "日本", ".hidden", "a" * 9000, "CON", "x\0y"])
def test_no_prompt_leads_out_of_the_library(prompt):
    folder, _, name = run(prompt=prompt).file(0).partition("/")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", folder)
    assert re.fullmatch(r"[0-9]{6} [a-z0-9-]{1,40} [0-9A-Z]{6}\.png", name)
