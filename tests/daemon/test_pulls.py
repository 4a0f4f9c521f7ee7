"""Pulls on a whole daemon: asked for, held, gone on with, and a model in the list at the end, whole or not at all."""

import asyncio
import json

import pytest

from tendred.errors import InvalidParams, NotFound
from tendred.testing.disks import fill, relieve, small_disk
from tendred.testing.hub import FakeHub, Fault, Repo, model

pytestmark = pytest.mark.timeout(240)

UNET = "unet/diffusion_pytorch_model.safetensors"
CHUNK = 1024 * 1024


@pytest.fixture
def hub():
    with FakeHub() as hub:
        yield hub


@pytest.fixture
async def pulls(make_daemon, hub):
    daemon = await make_daemon(f"hub.endpoint={hub.endpoint}")
    pulls = daemon.studio.pulls
    pulls.daemon = daemon
    return pulls


async def state_of(pulls, pull_id, *states):
    async with asyncio.timeout(120):
        while (pull := await pulls.get(pull_id)).state not in states:
            await asyncio.sleep(0.02)
    return pull


async def ended(pulls, pull):
    return await state_of(pulls, pull.id, "succeeded", "failed", "paused", "cancelled")


async def names(daemon):
    return {model.name for model in (await daemon.studio.models("model")).models}


async def topics(daemon):
    page = await daemon.studio.events_since(1, ["model.pull"], 100)
    return [event.topic.removeprefix("model.") for event in page.events]


async def test_a_model_is_pulled_and_listed_with_licence_and_source(pulls, hub):
    daemon = pulls.daemon
    live = daemon.studio.subscribe(["model.pull_progress"])
    asked = await pulls.start("maker/tiny", None, None, None)
    assert (asked.state, asked.name, asked.revision, asked.host) == ("queued", "tiny", "main", hub.host)
    pull = await pulls.wait(asked.id, 60)
    repo = hub.repos["maker/tiny"]
    assert (pull.state, pull.error, pull.commit, pull.licence) == ("succeeded", None, repo.commit, "openrail++")
    assert (
        pull.done_bytes
        == pull.total_bytes
        == sum(
            len(repo.files[name])
            for name in repo.files
            if "/" in name and repo.files[name] != b"not wanted" and "fp16" not in name
        )
        + sum(len(repo.files[name]) for name in ("model_index.json", "README.md", "LICENSE.md"))
    )
    assert [pull.phase, pull.rate_bytes, pull.eta_s, pull.retry_at] == [None] * 4
    info = next(it for it in (await daemon.studio.models("model")).models if it.name == "tiny")
    assert (info.state, info.family, info.licence) == ("ready", "sdxl", "openrail++")
    assert info.source == f"{hub.host}/maker/tiny@{repo.commit}"
    assert info.sha256 is not None
    assert await topics(daemon) == ["pull_queued", "pulling", "pulling", "pulled"]
    assert (await live.get()).seq is None
    left = [path.name for path in (daemon.home / "data" / "models").rglob("*") if ".part" in path.name]
    assert left == []
    assert not list((daemon.home / "data" / "models" / ".pulling").iterdir())


async def test_the_same_asked_for_twice_is_one_pull(pulls, hub):
    hub.faults.append(Fault("", what="status", status=503, times=1))
    first = await pulls.start("maker/tiny", None, None, None)
    again = await pulls.start("maker/tiny", "main", None, "other")
    assert first.id == again.id
    assert (await ended(pulls, first)).state == "succeeded"
    assert hub.times(UNET) == 1
    third = await pulls.start("maker/tiny", None, None, None)
    assert third.id != first.id
    assert (await ended(pulls, third)).state == "succeeded"
    assert hub.times(UNET) == 1  # it is here already
    assert await names(pulls.daemon) == {"starter", "tiny"}


async def test_pause_resume_and_never_half_a_model(pulls, hub):
    hub.repos["maker/tiny"] = Repo(model(4 * CHUNK))
    loop, reached = asyncio.get_running_loop(), asyncio.Event()
    hub.faults.append(Fault(UNET, 2 * CHUNK, "call", call=lambda: loop.call_soon_threadsafe(reached.set)))
    pull = await pulls.start("maker/tiny", None, None, None)
    await reached.wait()
    running = await pulls.get(pull.id)
    assert (running.state, running.phase, running.total_bytes is None) == ("running", "fetching", False)
    held = await pulls.pause(pull.id)
    assert (held.state, held.rate_bytes) == ("paused", None)
    assert held.done_bytes > CHUNK
    assert await names(pulls.daemon) == {"starter"}
    assert (await pulls.pause(pull.id)).state == "paused"
    before = len(hub.requests)
    await asyncio.sleep(0.3)
    assert len(hub.requests) == before
    assert (await pulls.resume(pull.id)).state == "queued"
    assert (await ended(pulls, pull)).state == "succeeded"
    assert hub.twice(UNET) < CHUNK
    assert await names(pulls.daemon) == {"starter", "tiny"}


async def test_a_daemon_that_starts_again_goes_on(make_daemon, hub, tmp_path):
    hub.repos["maker/tiny"] = Repo(model(4 * CHUNK))
    loop, reached = asyncio.get_running_loop(), asyncio.Event()
    hub.faults.append(Fault(UNET, 2 * CHUNK, "call", call=lambda: loop.call_soon_threadsafe(reached.set)))
    daemon = await make_daemon(f"hub.endpoint={hub.endpoint}")
    pull = await daemon.studio.pulls.start("maker/tiny", None, None, None)
    await reached.wait()
    await daemon.stop()
    # Meanwhile the branch moves on; the pull doesn't.
    commit = hub.repos["maker/tiny"].commit
    daemon = await make_daemon(f"hub.endpoint={hub.endpoint}")
    done = await ended(daemon.studio.pulls, pull)
    assert (done.state, done.commit) == ("succeeded", commit)
    assert hub.twice(UNET) < CHUNK
    assert [request.path for request in hub.requests if request.path.startswith("/api/")] == [
        "/api/models/maker/tiny/revision/main?blobs=true"
    ]


async def test_a_pull_at_rest_stays_so_and_strays_are_swept(make_daemon, hub):
    daemon = await make_daemon(f"hub.endpoint={hub.endpoint}")
    hub.faults.append(Fault("", what="status", status=503, times=1))
    pull = await daemon.studio.pulls.start("maker/tiny", None, None, None)
    assert (await daemon.studio.pulls.pause(pull.id)).state == "paused"
    staging = daemon.home / "data" / "models" / ".pulling"
    removing = staging.parent / "loras" / ".removing-x"
    (removing / "unet").mkdir(parents=True)
    (removing / "link").symlink_to(staging.parent, target_is_directory=True)
    for name in (pull.id, "pul_STRAY"):
        (staging / name / "unet").mkdir(parents=True)
        (staging / name / "unet" / "x.part").write_bytes(b"half")
    await daemon.stop()
    hub.requests.clear()
    daemon = await make_daemon(f"hub.endpoint={hub.endpoint}")
    assert await daemon.eventually(lambda: not (staging / "pul_STRAY").exists())
    assert (staging / pull.id / "unet" / "x.part").exists()
    assert not removing.exists()
    assert (await daemon.studio.pulls.get(pull.id)).state == "paused"
    assert hub.requests == []
    await daemon.studio.pulls.resume(pull.id)
    assert (await ended(daemon.studio.pulls, pull)).state == "succeeded"


async def test_one_at_a_time_the_oldest_first(pulls, hub):
    hub.repos["maker/second"] = Repo({**model(), "LICENSE.md": b"Another."})
    loop, reached = asyncio.get_running_loop(), asyncio.Event()
    hub.faults.append(Fault(UNET, 1000, "call", call=lambda: loop.call_soon_threadsafe(reached.set)))
    first = await pulls.start("maker/tiny", None, None, None)
    second = await pulls.start("maker/second", None, None, None)
    await reached.wait()
    assert (await pulls.get(second.id)).state == "queued"
    assert [(await ended(pulls, pull)).state for pull in (second, first)] == ["succeeded"] * 2
    order = [request.path for request in hub.requests if request.path.startswith("/api")]
    assert [path.split("/")[4] for path in order] == ["tiny", "second"]


async def test_cancel_removes_what_was_fetched(pulls, hub):
    loop, reached = asyncio.get_running_loop(), asyncio.Event()
    hub.repos["maker/tiny"] = Repo(model(2 * CHUNK))
    hub.faults.append(Fault(UNET, CHUNK, "call", call=lambda: loop.call_soon_threadsafe(reached.set)))
    pull = await pulls.start("maker/tiny", None, None, None)
    await reached.wait()
    given_up = await pulls.cancel(pull.id)
    assert given_up.state == "cancelled"
    assert given_up.finished_at is not None
    assert not list((pulls.daemon.home / "data" / "models" / ".pulling").iterdir())
    for change in (pulls.cancel, pulls.pause, pulls.resume):
        assert await change(pull.id) == given_up
    assert await topics(pulls.daemon) == ["pull_queued", "pulling", "pulling", "pull_cancelled"]
    anew = await pulls.start("maker/tiny", None, None, None)
    assert anew.id != pull.id
    assert (await ended(pulls, anew)).state == "succeeded"


async def test_a_network_that_comes_back_is_waited_for(pulls, hub):
    hub.faults.append(Fault("", what="status", status=503, times=2))
    pull = await pulls.start("maker/tiny", None, None, None)
    async with asyncio.timeout(30):
        while (seen := await pulls.get(pull.id)).retry_at is None:
            await asyncio.sleep(0.01)
    assert (seen.state, seen.error.kind) == ("running", "provider_unavailable")
    done = await ended(pulls, pull)
    assert (done.state, done.error) == ("succeeded", None)


async def test_a_model_that_could_not_be_loaded_is_refused_before_its_weights(pulls, hub):
    files = model()
    pickled = {name: data for name, data in files.items() if name != UNET}
    index = json.loads(files["model_index.json"])
    coded = {**files, "model_index.json": json.dumps({**index, "unet": ["mine", "MyUNet"]}).encode()}
    plain = {name: data for name, data in files.items() if name != "model_index.json"}
    cases = {"pickle": pickled, "remote_code": coded, "header": plain}
    for reason, case in cases.items():
        hub.repos[f"maker/{reason}"] = Repo({name: data for name, data in case.items() if "fp16" not in name})
        pull = await ended(pulls, await pulls.start(f"maker/{reason}", None, None, None))
        assert (pull.state, pull.error.kind, pull.error.detail["reason"]) == ("failed", "model_refused", reason)
    assert not [name for name in hub.sent if name.endswith(".safetensors")]


async def test_a_disk_without_room_is_told_before_the_first_byte(make_daemon, hub):
    daemon = await make_daemon(f"hub.endpoint={hub.endpoint}", "library.reserve_bytes=100000000000000")
    pulls = daemon.studio.pulls
    pull = await ended(pulls, await pulls.start("maker/tiny", None, None, None))
    assert (pull.state, pull.error.kind) == ("failed", "disk_full")
    assert pull.error.detail["needed_bytes"] == pull.total_bytes
    assert not [name for name in hub.sent if name.endswith(".safetensors")]


async def test_a_disk_that_fills_up_is_gone_on_with(make_daemon, hub, tmp_path):
    hub.repos["maker/tiny"] = Repo(model(3 * CHUNK))
    with small_disk(tmp_path / "home" / "data" / "models", "8m") as disk:
        hub.faults.append(Fault(UNET, CHUNK, "call", call=lambda: fill(disk)))
        daemon = await make_daemon(f"hub.endpoint={hub.endpoint}")
        pulls = daemon.studio.pulls
        pull = await ended(pulls, await pulls.start("maker/tiny", None, None, None))
        assert (pull.state, pull.error.kind) == ("failed", "disk_full")
        assert "tendre pull maker/tiny" in pull.error.next
        assert await names(daemon) == {"starter"}
        relieve(disk)
        again = await pulls.start("maker/tiny", None, None, None)
        assert again.id == pull.id
        assert (await ended(pulls, pull)).state == "succeeded"
        assert hub.twice(UNET) < CHUNK
        await daemon.stop()


async def test_a_variant_comes_under_plain_names(pulls, hub):
    pull = await ended(pulls, await pulls.start("maker/tiny", None, "fp16", None))
    assert (pull.state, pull.name) == ("succeeded", "tiny-fp16")
    [place] = (pulls.daemon.home / "data" / "models" / "hub").iterdir()
    assert (place / UNET).read_bytes() == model()["unet/diffusion_pytorch_model.fp16.safetensors"]
    refused = await ended(pulls, await pulls.start("maker/tiny", None, "int8", None))
    assert (refused.error.kind, refused.error.path) == ("invalid_params", "variant")
    assert "fp16" in refused.error.message


async def test_what_stands_there_damaged_is_pulled_anew(pulls, hub):
    pull = await ended(pulls, await pulls.start("maker/tiny", None, None, None))
    models = pulls.daemon.home / "data" / "models"
    [place] = (models / "hub").iterdir()
    whole = (place / UNET).read_bytes()

    def one_byte():
        (place / UNET).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))

    def no_index():
        (place / "model_index.json").unlink()
        (place / "strange").mkdir()
        (place / "strange" / "link").symlink_to(models, target_is_directory=True)

    for number, damage in enumerate((one_byte, no_index), 2):
        damage()
        again = await ended(pulls, await pulls.start("maker/tiny", None, None, None))
        assert (again.state, again.error) == ("succeeded", None)
        assert again.id != pull.id
        assert (place / UNET).read_bytes() == whole
        assert hub.times(UNET) == number
        assert not (place / "strange").exists()
        assert not list((models / ".pulling").iterdir())
    assert await names(pulls.daemon) == {"starter", "tiny"}


async def test_a_name_that_is_taken(pulls, hub):
    with pytest.raises(InvalidParams):
        await pulls.start("maker/tiny", None, None, "starter")
    hub.repos["other/starter"] = Repo({**model(), "LICENSE.md": b"Another."})
    pull = await ended(pulls, await pulls.start("other/starter", None, None, None))
    assert pull.name == f"starter-{pull.commit[:7]}"
    assert pull.name in await names(pulls.daemon)


async def test_what_is_not_there(pulls, hub):
    await ended(pulls, await pulls.start("maker/tiny", None, None, None))
    pull = await ended(pulls, await pulls.start("maker/tinny", None, None, None))
    assert (pull.error.kind, pull.error.detail["near"]) == ("not_found", ["maker/tiny"])
    with pytest.raises(NotFound):
        await pulls.get("pul_nope")
    page = await pulls.page(None, 1, None)
    assert [it.repo for it in page.pulls] == ["maker/tinny"]
    page = await pulls.page(["succeeded"], 5, page.next)
    assert [it.repo for it in page.pulls] == ["maker/tiny"]
    assert page.next is None


async def test_nothing_is_asked_that_nobody_asked_for(make_daemon, hub):
    daemon = await make_daemon(f"hub.endpoint={hub.endpoint}")
    await daemon.still("hills")
    assert hub.requests == []


async def test_a_host_that_was_never_reached_is_told_and_soon_given_up(make_daemon):
    """Nothing listens there; with a plan, or an answer before, it would be tried for minutes."""
    with FakeHub() as gone:
        endpoint = gone.endpoint
    daemon = await make_daemon(f"hub.endpoint={endpoint}")
    pulls = daemon.studio.pulls
    pull = await pulls.start("maker/tiny", None, None, None)
    async with asyncio.timeout(60):
        while (now := await pulls.get(pull.id)).retry_at is None:
            await asyncio.sleep(0.02)
    assert (now.state, now.error.kind) == ("running", "provider_unavailable")
    assert "can't be reached" in now.error.message
    assert "online" in now.error.next
    failed = await ended(pulls, pull)
    assert (failed.state, failed.error.message) == ("failed", now.error.message)
