"""Shots on the whole road: a provider that draws, the real broker and media child, the fake engine."""

import json
from pathlib import Path

import aiohttp
import pytest

pytest.importorskip("av")

from tendred.errors import (
    BoundaryRefused,
    ClipUnreadable,
    CloudOff,
    ConsentRequired,
    InvalidParams,
    NotFound,
    NotOffered,
    StillNotOurs,
    TooLarge,
    WrongState,
)
from tendred.media.worker.footage import probe
from tendred.schema.shot import DraftRequest, FinishRequest, NewShot
from tendred.schema.token import OWNER
from tendred.testing.daemon import TestDaemon, quiet
from tendred.testing.drawing import ORIGIN, DrawingDaemon
from tendred.testing.loras import write

COMPACT = {"body.0.weight": [4, 3, 3, 3], "body.2.weight": [12, 4, 3, 3]}
WORDS = "A yellow square glides over grey fields; it clicks softly at each turn."


@pytest.fixture
async def daemon(tmp_path):
    daemon = await TestDaemon.start(tmp_path / "home", quiet(), kind=DrawingDaemon, packaged=tmp_path / "package")
    daemon.daemon.drawn = {"seconds": 0.2}
    yield daemon
    await daemon.stop()


@pytest.fixture
def desk(daemon):
    return daemon.daemon


@pytest.fixture
def shots(daemon):
    return daemon.studio.shots


async def take_of(shots, desk, shot_id, **fields):
    drafted = await shots.draft(
        DraftRequest(shot_id=shot_id, **{"size": "720p", "seconds": 2, **fields}), ORIGIN, OWNER
    )
    await desk.pay(drafted.quote.id)
    return (await shots.takes(shot_id)).takes[-1]


async def locked(shots, desk, prompt=WORDS, **fields):
    shot = await shots.create(NewShot(prompt=prompt, **fields), ORIGIN)
    take = await take_of(shots, desk, shot.id)
    return await shots.lock(take.id)


async def ended(daemon, finished):
    job = await daemon.studio.wait(finished.job_id, 60)
    assert job.state == "succeeded", job.error
    return await daemon.studio.asset(job.asset_ids[0])


async def test_from_words_to_a_4k_file_with_the_same_sound(daemon, shots, desk):
    shot = await shots.create(NewShot(prompt=WORDS, tags=["square"]), ORIGIN)
    assert (shot.state, shot.takes, shot.locked, shot.final) == ("open", 0, None, None)
    assert shot.guidance.advice == "short"
    drafted = await shots.draft(DraftRequest(shot_id=shot.id, size="720p", seconds=2), ORIGIN, OWNER)
    assert [(way.way, way.open) for way in drafted.ways] == [("refine", False), ("upscale", True), ("new_take", True)]
    assert (await shots.takes(shot.id)).takes == []  # a price is no take
    await desk.pay(drafted.quote.id)
    [take] = (await shots.takes(shot.id)).takes
    assert (take.n, take.label, take.state) == (1, "draft", "succeeded")
    for path in (take.pictures.poster, take.pictures.waveform, take.pictures.sheet):
        assert Path(path).read_bytes()[8:12] == b"WEBP"
    shot = await shots.lock(take.id)
    assert (shot.state, shot.locked.take_id, shot.locked.clip.frames) == ("locked", take.id, 5)
    finished = await shots.finish(FinishRequest(shot_id=shot.id), ORIGIN, OWNER)
    assert finished.way == "upscale"
    asset = await ended(daemon, finished)
    assert (asset.kind, asset.width, asset.height, asset.media_type) == ("clip", 3840, 2160, "video/mp4")
    assert asset.parents == [take.asset_id]
    assert asset.tags == ["square"]
    source, made = probe((await daemon.studio.asset(take.asset_id)).path), probe(asset.path)
    assert (made.sound, made.frames, made.duration_s) == (source.sound, source.frames, source.duration_s)
    assert (asset.sha256, asset.bytes, asset.fps) == (made.sha256, made.bytes, "24")
    receipt = await daemon.studio.receipt(asset.receipt_id)
    assert receipt.made[0].sha256 == asset.sha256
    assert receipt.settings["take_id"] == take.id
    shot = await shots.show(shot.id)
    assert (shot.state, shot.final.asset_id) == ("finished", asset.id)
    assert (await shots.finish(FinishRequest(shot_id=shot.id), ORIGIN, OWNER)).job_id == finished.job_id


async def test_an_upscaler_of_the_engine_sees_every_picture(daemon, shots, desk):
    write(daemon.home / "data" / "models" / "upscalers" / "sharp.safetensors", COMPACT)
    shot = await locked(shots, desk)
    finished = await shots.finish(FinishRequest(shot_id=shot.id, upscaler="sharp"), ORIGIN, OWNER)
    asset = await ended(daemon, finished)
    assert (asset.width, asset.height, asset.model.name) == (3840, 2160, "sharp")
    made = probe(asset.path)
    assert (made.frames, made.sound) == (shot.locked.clip.frames, shot.locked.clip.sound)
    assert {file.name for file in (daemon.home / "pictures" / ".staging").iterdir()} == set()


async def test_an_engine_that_dies_once_costs_one_more_attempt(daemon, shots, desk):
    write(daemon.home / "data" / "models" / "upscalers" / "sharp.safetensors", COMPACT)
    shot = await locked(shots, desk)
    daemon.script(die_at_step=2, die_times=1)
    finished = await shots.finish(FinishRequest(shot_id=shot.id, upscaler="sharp"), ORIGIN, OWNER)
    asset = await ended(daemon, finished)
    assert (await daemon.studio.job(finished.job_id)).engine_deaths == 1
    assert probe(asset.path).frames == shot.locked.clip.frames


async def test_cancelling_stops_it_and_another_finish_begins_anew(daemon, shots, desk):
    desk.drawn = {"seconds": 4}
    shot = await locked(shots, desk)
    finished = await shots.finish(FinishRequest(shot_id=shot.id), ORIGIN, OWNER)
    await daemon.state_of(finished.job_id, "running")
    await daemon.studio.cancel(finished.job_id)
    assert (await daemon.studio.wait(finished.job_id, 60)).state == "cancelled"
    again = await shots.finish(FinishRequest(shot_id=shot.id), ORIGIN, OWNER)
    assert again.job_id != finished.job_id
    await daemon.studio.cancel(again.job_id)


@pytest.mark.parametrize("size", [(2560, 1440), (1920, 1088), (1280, 704), (3840, 2160)])
async def test_what_no_final_can_be_made_of_is_refused_by_name(shots, desk, size):
    desk.drawn = {"width": size[0], "height": size[1], "seconds": 0.1}
    shot = await shots.create(NewShot(prompt=WORDS), ORIGIN)
    take = await take_of(shots, desk, shot.id)
    with pytest.raises(NotOffered) as told:
        await shots.lock(take.id)
    assert told.value.variant == "upscale"
    assert (told.value.detail["width"], told.value.detail["height"]) == size
    assert (await shots.show(shot.id)).state == "open"


async def test_words_that_are_erased_leave_the_shot_too(daemon, shots, desk):
    shot = await locked(shots, desk, prompt="a lighthouse, rain", name="lighthouse, rain")
    await daemon.studio.erase_asset(shot.locked.asset_id)

    def where(connection):
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        plain = [name for name in tables if not name.startswith("asset_words")]
        return [
            name
            for name in plain
            if "lighthouse, rain" in repr([*map(tuple, connection.execute(f"SELECT * FROM {name}"))])
        ]

    assert await daemon.studio._p.database.read(where) == []
    assert (await shots.show(shot.id)).locked.asset_id == shot.locked.asset_id
    assert len((await shots.takes(shot.id)).takes) == 1
    with pytest.raises(InvalidParams):
        await shots.draft(DraftRequest(shot_id=shot.id, size="720p", seconds=2), ORIGIN, OWNER)


async def test_a_new_take_needs_consent_and_is_no_final(shots, desk):
    shot = await locked(shots, desk)
    with pytest.raises(ConsentRequired):
        await shots.finish(FinishRequest(shot_id=shot.id, way="new_take"), ORIGIN, OWNER)
    finished = await shots.finish(FinishRequest(shot_id=shot.id, way="new_take", consent=True), ORIGIN, OWNER)
    assert finished.job_id is None
    assert "not a final" in finished.said
    asked = (await desk.pay(finished.quote.id)).request
    assert (asked["width"], asked["height"], asked["seconds"], asked["prompt"]) == (3840, 2160, 2, WORDS)
    first, second = (await shots.takes(shot.id)).takes
    assert (second.label, second.of, second.n) == ("new_take", first.id, 2)
    shot = await shots.show(shot.id)
    assert (shot.state, shot.final, shot.locked.take_id) == ("locked", None, first.id)


async def test_refining_asks_for_the_feature_and_is_the_final(shots, desk):
    desk.refines(True)
    desk.drawn = {"width": 960, "height": 544, "seconds": 0.1}
    shot = await locked(shots, desk)  # whatever its size: latents were kept
    assert shot.locked.latents
    finished = await shots.finish(FinishRequest(shot_id=shot.id), ORIGIN, OWNER)
    assert (finished.way, finished.job_id) == ("refine", None)
    desk.drawn = {"width": 3840, "height": 2160, "seconds": 0.1}
    assert (await desk.pay(finished.quote.id)).request["refine_of"] == shot.locked.job_id
    shot = await shots.show(shot.id)
    assert (shot.state, shot.final.way, shot.takes) == ("finished", "refine", 1)
    desk.refines(False)
    with pytest.raises(NotOffered):
        other = await locked(shots, desk)
        await shots.finish(FinishRequest(shot_id=other.id, way="refine"), ORIGIN, OWNER)


async def test_the_character_is_carried_from_the_still(daemon, shots, desk):
    job = await daemon.still("blue hills", seed=3)
    own = await daemon.studio.asset(job.asset_ids[0])
    shot = await shots.create(NewShot(prompt=WORDS, first=own.id, last=own.id), ORIGIN)
    assert (shot.first.asset_id, shot.first.sha256, shot.last.asset_id) == (own.id, own.sha256, own.id)
    assert shot.character is own.character
    take = await take_of(shots, desk, shot.id)
    assert take.state == "succeeded"
    Path(own.path).write_bytes(b"another picture")
    with pytest.raises(StillNotOurs):
        await shots.create(NewShot(prompt=WORDS, first=own.id), ORIGIN)
    with pytest.raises(StillNotOurs):
        await shots.create(NewShot(prompt=WORDS, first=take.asset_id), ORIGIN)
    with pytest.raises(InvalidParams):
        await shots.create(NewShot(prompt=WORDS, last=own.id), ORIGIN)


@pytest.mark.parametrize(
    "prompt",
    [
        "a 15 year old runs over a field",
        'Hills. A voice says: "I am fifteen years old."',
        "Hills; the laughter of a little girl is heard.",
    ],
)
async def test_what_is_seen_said_and_heard_is_judged(shots, prompt):
    with pytest.raises(BoundaryRefused):
        await shots.create(NewShot(prompt=prompt), ORIGIN)
    assert (await shots.list(50, None)).shots == []


async def test_prompts_and_lengths_that_do_not_fit(shots):
    with pytest.raises(TooLarge):
        await shots.create(NewShot(prompt="a" * 100_000), ORIGIN)
    with pytest.raises(InvalidParams):
        await shots.create(NewShot(prompt="  "), ORIGIN)
    shot = await shots.create(NewShot(prompt=WORDS), ORIGIN)
    for fields in ({"seconds": 7}, {"fps": "30"}, {"model": "none"}, {"provider": "none"}):
        with pytest.raises((NotOffered, NotFound)) as told:
            await shots.draft(DraftRequest(shot_id=shot.id, **fields), ORIGIN, OWNER)
        assert told.value.path == next(iter(fields))
        assert told.value.detail["near"]


async def test_what_is_not_there_yet_or_any_more(daemon, shots, desk):
    with pytest.raises(NotFound):
        await shots.show("shot_none")
    with pytest.raises(NotFound):
        await shots.lock("take_none")
    shot = await shots.create(NewShot(prompt=WORDS), ORIGIN)
    with pytest.raises(WrongState):
        await shots.finish(FinishRequest(shot_id=shot.id), ORIGIN, OWNER)
    drafted = await shots.draft(DraftRequest(shot_id=shot.id, size="720p", seconds=2), ORIGIN, OWNER)
    await desk.pay(drafted.quote.id, fails=True)
    [take] = (await shots.takes(shot.id)).takes
    assert (take.state, take.asset_id, take.pictures) == ("failed", None, None)
    with pytest.raises(WrongState):
        await shots.lock(take.id)
    other = await take_of(shots, desk, shot.id)
    asset = await daemon.studio.asset(other.asset_id)
    await shots.lock(other.id)
    Path(asset.path).write_bytes(b"something else")
    with pytest.raises(ClipUnreadable):
        await shots.lock(other.id)
    with pytest.raises(StillNotOurs):
        await shots.finish(FinishRequest(shot_id=shot.id), ORIGIN, OWNER)


async def test_two_takes_beside_each_other(shots, desk):
    shot = await shots.create(NewShot(prompt=WORDS), ORIGIN)
    left, right = [await take_of(shots, desk, shot.id) for _ in range(2)]
    both = await shots.compare(left.id, right.id)
    assert Path(both.path).read_bytes()[8:12] == b"WEBP"
    assert (both.left, both.right) == (left.asset_id, right.asset_id)


async def test_shots_survive_a_restart_and_know_what_was_paid_meanwhile(daemon, shots, desk, tmp_path):
    shot = await locked(shots, desk)
    page = await shots.list(1, None)
    assert ([one.id for one in page.shots], page.next) == ([shot.id], None)
    await daemon.stop()
    again = await TestDaemon.start(tmp_path / "home", quiet(), packaged=tmp_path / "package")
    try:
        found = await again.studio.shots.show(shot.id)
        assert found.locked == shot.locked
        await again.studio.cloud.disable(None)
        with pytest.raises(CloudOff):  # nobody renders here any more: no provider is switched on
            await again.studio.shots.draft(DraftRequest(shot_id=shot.id), ORIGIN, OWNER)
        asset = await ended(again, await again.studio.shots.finish(FinishRequest(shot_id=shot.id), ORIGIN, OWNER))
        assert asset.width == 3840
    finally:
        await again.stop()


async def test_over_http(daemon):
    async def call(method, **params):
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        headers = {"Authorization": f"Bearer {daemon.token}"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{daemon.url}/rpc", json=body, headers=headers) as it,
        ):
            return json.loads(await it.text())

    shot = (await call("shots.create", prompt=WORDS))["result"]
    assert (await call("shots.show", shot_id=shot["id"]))["result"] == shot
    assert (await call("shots.list"))["result"] == {"shots": [shot], "next": None}
    drafted = (await call("shots.draft", shot_id=shot["id"], seconds=6))["result"]
    assert drafted["quote"]["total_mcr"] == 36_000
    assert (await call("shots.takes", shot_id=shot["id"]))["result"]["takes"] == []
    assert (await call("shots.draft", shot_id=shot["id"], seconds=7))["error"]["data"]["kind"] == "not_offered"
    assert (await call("shots.lock", take_id="take_none"))["error"]["data"]["kind"] == "not_found"
    assert (await call("shots.finish", shot_id=shot["id"]))["error"]["data"]["kind"] == "wrong_state"
    assert (await call("shots.compare", left="a", right="b"))["error"]["data"]["kind"] == "not_found"
    assert (await call("shots.create", prompt=WORDS, sound="x"))["error"]["data"]["path"] == "sound"
