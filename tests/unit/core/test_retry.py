import sqlite3

import pytest

from tendred.errors import BoundaryRefused, ModelMissing, NotFound, ShuttingDown, WrongState
from tendred.schema.job import Origin

KRITA = Origin(door="rpc", client="krita/5.3")


def rewrite(daemon, job_id, old, new):
    sql = "UPDATE job SET request = CAST(replace(CAST(request AS TEXT), ?, ?) AS BLOB) WHERE id = ?"
    with sqlite3.connect(daemon.home / "data" / "tendred.db") as connection:
        connection.execute(sql, (old, new, job_id))
    connection.close()


async def test_a_failed_job_is_made_anew_with_all_its_values(daemon):
    daemon.script(oom=True)
    failed = await daemon.still("hills", tags=["a"], lane="idle")
    daemon.script()
    made = await daemon.studio.retry(failed.id, KRITA)
    assert (made.job.retry_of, made.job.request, made.job.lane) == (failed.id, failed.request, "idle")
    assert (made.job.origin, made.deduplicated) == (KRITA, False)
    done = await daemon.studio.wait(made.job.id, 20)
    assert (done.state, done.error, len(done.asset_ids)) == ("succeeded", None, 1)
    assert (await daemon.studio.asset(done.asset_ids[0])).seed == failed.request["seed"]
    receipt = await daemon.studio.receipt((await daemon.studio.asset(done.asset_ids[0])).receipt_id)
    assert receipt.asked == {"prompt": "hills", "tags": ["a"], "lane": "idle"}
    assert (await daemon.studio.job(failed.id)).state == "failed"


async def test_a_parked_job_is_seen_to_with_it(daemon):
    daemon.script(die_at_step=1)
    parked = await daemon.still("hills")
    assert parked.state == "parked"
    daemon.script()
    made = await daemon.studio.retry(parked.id, KRITA)
    assert (await daemon.studio.wait(made.job.id, 20)).state == "succeeded"
    before = await daemon.studio.job(parked.id)
    assert (before.state, before.error.kind) == ("cancelled", "engine_died")


async def test_twice_at_once_is_one_job(daemon):
    await daemon.studio.pause(mode="drain", unload=False)
    cancelled = await daemon.studio.cancel((await daemon.submit("hills")).id)
    made = [await daemon.studio.retry(cancelled.id, KRITA) for _ in range(2)]
    assert made[0].job.id == made[1].job.id
    assert [one.deduplicated for one in made] == [False, True]


async def test_it_goes_where_somebody_had_moved_it(daemon):
    await daemon.studio.pause(mode="drain", unload=False)
    job = await daemon.studio.move((await daemon.submit("hills")).id, "interactive")
    await daemon.studio.cancel(job.id)
    assert (await daemon.studio.retry(job.id, KRITA)).job.lane == "interactive"


async def test_it_is_judged_anew(daemon):
    await daemon.studio.pause(mode="drain", unload=False)
    other = await daemon.studio.cancel((await daemon.submit("blue hills")).id)
    rewrite(daemon, other.id, "blue hills", "a 15 year old")
    with pytest.raises(BoundaryRefused):
        await daemon.studio.retry(other.id, KRITA)
    assert (await daemon.studio.queue_status()).counts["queued"] == 0


async def test_what_can_not_be_tried_again(daemon):
    done = await daemon.still("hills")
    with pytest.raises(WrongState):
        await daemon.studio.retry(done.id, KRITA)
    with pytest.raises(NotFound):
        await daemon.studio.retry("job_nope", KRITA)
    await daemon.studio.pause(mode="drain", unload=False)
    cancelled = await daemon.studio.cancel((await daemon.submit("hills")).id)
    rewrite(daemon, cancelled.id, "starter", "another")
    with pytest.raises(ModelMissing):
        await daemon.studio.retry(cancelled.id, KRITA)
    daemon.studio.stop(drain=False)
    with pytest.raises(ShuttingDown):
        await daemon.studio.retry(cancelled.id, KRITA)
