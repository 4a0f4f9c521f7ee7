"""The model cache on the whole road: found with other programs, added in place, drawn with, let go of."""

import aiohttp
import pytest

from tendred.errors import ModelInUse
from tendred.schema.still import LoraUse
from tendred.testing.headers import folder, sd15, sparse, vae
from tendred.testing.loras import layers, write


@pytest.fixture
def call(daemon):
    """`await call(method, **params)`: the result, or the error's data."""

    async def one(method, /, **params):
        headers = {"Authorization": f"Bearer {daemon.token}"}
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{daemon.url}/rpc", json=body) as answer,
        ):
            told = await answer.json()
        return told["result"] if "result" in told else told["error"]["data"]

    return one


@pytest.fixture
def elsewhere(tmp_path):
    """Another program's folder: a model, a LoRA for it, an autoencoder, a pickle."""
    root = tmp_path / "ComfyUI"
    shapes = {f"{layer}.weight": [high, wide] for layer, (wide, high) in layers().items()}
    folder(root / "models" / "diffusers" / "mine", shapes)
    write(root / "models" / "loras" / "ink.safetensors", metadata={"modelspec.title": "Ink"})
    sparse(root / "models" / "vae" / "fine.safetensors", vae())
    (root / "models" / "loras" / "old.ckpt").write_bytes(bytes(9000))
    return root


async def test_from_a_scan_to_a_still_and_back(daemon, call, elsewhere):
    told = await call("models.scan", folders=[str(elsewhere)], known_places=False)
    assert {one["name"]: (one["kind"], one["state"]) for one in told["found"]} == {
        "mine": ("model", "new"), "ink": ("lora", "new"), "fine": ("vae", "new"), "old": (None, "refused"),
    }  # fmt: skip
    assert [one["name"] for one in (await call("models.list"))["models"]] == ["starter", "drawn-x2", "mira"]
    added = (await call("models.scan", folders=[str(elsewhere)], known_places=False, add=True))["added"]
    assert sorted(one["name"] for one in added) == ["fine", "ink", "mine"]
    assert (await call("loras.show", name="ink"))["fits"] == ["mine", "starter"]
    form = {one["name"]: one for one in (await call("models.show", name="mine"))["takes"]}
    job = await daemon.still(
        "hills",
        model="mine",
        loras=[LoraUse(name="ink")],
        width=form["width"]["minimum"],
        steps=form["steps"]["minimum"],
    )
    assert job.state == "succeeded"
    listed = {one["name"]: one for one in (await call("models.list"))["models"]}
    assert all(listed[name]["last_used_at"] for name in ("mine", "ink"))
    assert [one["state"] for one in (await call("models.verify"))["models"]] == ["ok"] * 6
    for name in ("mine", "ink", "fine"):
        assert (await call("models.remove", name=name))["files_deleted"] is False
    assert (elsewhere / "models" / "loras" / "ink.safetensors").is_file()
    assert (await call("models.ps"))["loaded"] == []


async def test_a_checkpoint_in_one_file_is_a_model_like_any_other(daemon, call, tmp_path):
    file = sparse(tmp_path / "checkpoints" / "dreamy.safetensors", sd15(), {"modelspec.license": "OpenRAIL"})
    added = await call("models.add", path=str(file))
    assert (added["kind"], added["family"], added["state"], added["licence"]) == ("model", "sd15", "ready", "OpenRAIL")
    job = await daemon.still("hills", model="dreamy", width=512, height=512, timeout_s=60)
    assert job.state == "succeeded", job.error
    again = await call("images.again", asset_id=job.asset_ids[0])
    assert again["promised"], again
    assert (await daemon.studio.wait(again["job"]["id"], 60)).state == "succeeded"
    assert [one["state"] for one in (await call("models.verify", name="dreamy"))["models"]] == ["ok"]
    file.rename(file.with_name("elsewhere.safetensors"))
    [listed] = [one for one in (await call("models.list"))["models"] if one["name"] == "dreamy"]
    assert listed["state"] == "missing"


async def test_a_model_removed_while_it_is_loaded(daemon, call, elsewhere):
    await daemon.studio.add_model(str(elsewhere / "models" / "diffusers" / "mine"), None)
    daemon.script(step_s=0.05)
    job = await daemon.submit("hills", model="mine", steps=40)
    await daemon.state_of(job.id, "running")
    await daemon.eventually(lambda: daemon.studio.loaded().loaded, lambda loaded: any(one.busy for one in loaded))
    refused = await call("models.remove", name="mine", force=True)
    assert (refused["kind"], bool(refused["next"])) == ("model_in_use", True)
    assert (await daemon.studio.wait(job.id, 60)).state == "succeeded"
    await daemon.eventually(lambda: daemon.studio.loaded().loaded, lambda loaded: not any(one.busy for one in loaded))
    assert [one.model for one in daemon.studio.loaded().loaded] == ["mine"]
    assert (await call("models.remove", name="mine"))["path"].endswith("mine")
    assert daemon.studio.loaded().loaded == []
    assert (await daemon.still("hills")).state == "succeeded"


async def test_a_job_whose_model_was_taken_away_by_force_says_so(daemon, call, elsewhere):
    await daemon.studio.add_model(str(elsewhere / "models" / "diffusers" / "mine"), None)
    await daemon.studio.pause(mode="drain", unload=False)
    job, other = await daemon.submit("hills", model="mine"), await daemon.submit("hills")
    with pytest.raises(ModelInUse) as caught:
        await daemon.studio.cache.remove("mine", None, force=False, delete_files=False)
    assert caught.value.detail["jobs"] == [job.id]
    assert (await call("models.remove", name="mine", force=True))["used_by"]["waiting"] == 1
    await daemon.studio.resume()
    failed = await daemon.studio.wait(job.id, 20)
    assert (failed.state, failed.error.kind, failed.error.detail["near"]) == ("failed", "model_missing", ["starter"])
    assert (await daemon.studio.wait(other.id, 20)).state == "succeeded"


async def test_budgets_are_told_and_nothing_is_deleted(make_daemon):
    daemon = await make_daemon("models.budget_bytes=1000", "library.budget_bytes=10")
    file = write(daemon.home / "data" / "models" / "loras" / "ink.safetensors")
    job = await daemon.still("hills")
    told = (await daemon.studio.status()).budgets
    assert (told.models.used_bytes, [one.name for one in told.models.advice]) == (file.stat().st_size, ["ink"])
    assert [one.name for one in told.pictures.advice] == job.asset_ids
    assert told.pictures.used_bytes > 10
    assert file.is_file()
