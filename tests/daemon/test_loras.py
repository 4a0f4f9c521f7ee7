"""LoRAs and characters on the whole road, at every door. tests/engine/test_loras.py draws with them."""

import json

import aiohttp
import pytest
from PIL import Image

from tendred.core.studio import Search
from tendred.errors import InvalidParams, ModelMissing, ModelRefused, NotFound
from tendred.schema.character import CharacterUse
from tendred.schema.still import LoraUse
from tendred.schema.weights import file_sha256
from tendred.testing.loras import mira, shapes, write

FRAGMENT = "mira, a tan woman with long wavy black hair"


@pytest.fixture
def package(tmp_path):
    """Where the files lie that ship with the package: as yet none."""
    return tmp_path / "package"


@pytest.fixture
async def daemon(package, make_daemon):
    return await make_daemon(packaged=package)


@pytest.fixture
def loras(daemon):
    """The user's folder, with one for the starter in it."""
    folder = daemon.home / "data" / "models" / "loras"
    write(folder / "ink.safetensors")
    return folder


async def asset_of(daemon, job):
    assert job.state == "succeeded", job.error
    return await daemon.studio.asset(job.asset_ids[0])


async def test_a_lora_is_used_and_recorded_everywhere(daemon, loras):
    plain = await asset_of(daemon, await daemon.still("hills", seed=1))
    job = await daemon.still("hills", seed=1, loras=[LoraUse(name="ink", weight=0.5)])
    asset = await asset_of(daemon, job)
    assert asset.pixels_sha256 != plain.pixels_sha256
    assert plain.loras == []
    [used] = asset.loras
    assert (used.name, used.weight, used.sha256) == ("ink", 0.5, file_sha256(loras / "ink.safetensors"))
    assert job.request["loras"] == [{"name": "ink", "weight": 0.5}]
    assert (await daemon.studio.receipt(asset.receipt_id)).loras == asset.loras
    with Image.open(asset.path) as picture:
        assert picture.text["parameters"].startswith("hills <lora:ink:0.5>\n")
    assert (await daemon.studio.unload(None)).unloaded == ["starter"]
    again = await asset_of(daemon, await daemon.still("hills", seed=1, loras=[LoraUse(name="ink", weight=0.5)]))
    assert again.pixels_sha256 == asset.pixels_sha256


@pytest.mark.parametrize(
    ("names", "kind", "path"),
    [
        (["ikn"], NotFound, "loras[0].name"),
        (["ink", "ink"], InvalidParams, "loras[1].name"),
        (["other"], ModelRefused, "loras[0].name"),
    ],
)
async def test_what_does_not_fit_is_refused_before_the_engine_is_touched(daemon, loras, names, kind, path):
    write(loras / "other.safetensors", shapes({"mid_block.attn2.to_k": (768, 320)}))
    with pytest.raises(kind) as caught:
        await daemon.submit("hills", loras=[LoraUse(name=name) for name in names])
    assert caught.value.path == path
    assert (await daemon.studio.status()).engine.state == "off"


async def test_a_file_that_changed_or_went_while_the_job_waited(daemon, loras):
    await daemon.studio.pause(mode="drain", unload=False)
    changed = await daemon.submit("hills", loras=[LoraUse(name="ink")])
    file = write(loras / "ink.safetensors", seed=1)
    await daemon.studio.resume()
    asset = await asset_of(daemon, await daemon.studio.wait(changed.id, 20))
    # Judged anew with the bytes that drew it.
    assert asset.loras[0].sha256 == file_sha256(file)
    await daemon.studio.pause(mode="drain", unload=False)
    swapped = await daemon.submit("hills", loras=[LoraUse(name="ink")])
    write(file, shapes({"mid_block.attn2.to_k": (768, 320)}))
    await daemon.studio.resume()
    ended = await daemon.studio.wait(swapped.id, 20)
    assert (ended.state, ended.error.kind, ended.error.path) == ("failed", "model_refused", "loras[0].name")
    write(file)
    await daemon.studio.pause(mode="drain", unload=False)
    gone = await daemon.submit("hills", loras=[LoraUse(name="ink")])
    file.unlink()
    await daemon.studio.resume()
    ended = await daemon.studio.wait(gone.id, 20)
    assert (ended.state, ended.error.kind, ended.error.path) == ("failed", "not_found", "loras[0].name")


async def test_what_a_swapped_file_says_is_judged_anew(daemon, loras):
    await daemon.studio.pause(mode="drain", unload=False)
    job = await daemon.submit("hills", loras=[LoraUse(name="ink")])
    write(loras / "ink.safetensors", seed=1, metadata={"modelspec.title": "a schoolgirl"})
    await daemon.studio.resume()
    ended = await daemon.studio.wait(job.id, 20)
    assert (ended.state, ended.error.kind, ended.error.path) == ("failed", "boundary_refused", "loras[0]")


async def test_the_catalogue_lists_them_beside_the_models(daemon, loras, package):
    mira(package)
    write(package / "upscalers" / "drawn-x2.safetensors", {"body.0.weight": [4, 3, 3, 3]}, about={"family": "compact"})
    everything = [(one.name, one.kind) for one in (await daemon.studio.models(None)).models]
    assert everything == [("starter", "model"), ("drawn-x2", "upscaler"), ("ink", "lora"), ("mira", "lora")]
    for kind, names in (("model", ["starter"]), ("lora", ["ink", "mira"]), ("upscaler", ["drawn-x2"]), ("vae", [])):
        assert [one.name for one in (await daemon.studio.models(kind)).models] == names


async def test_a_character_makes_the_same_still_by_field_and_by_mention(daemon, loras, package):
    mira(package)
    fields = {"seed": 3, "loras": [LoraUse(name="ink", weight=0.5)]}
    by_name = await daemon.still("@mira, on a hill", **fields)
    asset = await asset_of(daemon, by_name)
    same = await asset_of(daemon, await daemon.still("on a hill", character="mira", **fields))
    assert same.pixels_sha256 == asset.pixels_sha256
    assert by_name.request["prompt"] == f"{FRAGMENT}, on a hill"
    assert by_name.request["character"] == {"name": "mira", "version": 1}
    assert asset.character == CharacterUse(name="mira", version=1)
    assert [(use.name, use.weight) for use in asset.loras] == [("ink", 0.5), ("mira", 1.0)]
    receipt = await daemon.studio.receipt(asset.receipt_id)
    assert (receipt.character, receipt.asked["prompt"]) == (asset.character, "@mira, on a hill")
    assert receipt.verdict.anchor == "adult"
    await daemon.still("hills")
    found = (await daemon.studio.search(Search(character="mira"))).assets
    assert [one.id for one in found] == [same.id, asset.id]
    assert (await daemon.studio.search(Search(character="tom"))).assets == []


async def test_a_character_survives_a_restart_and_a_dead_engine(daemon, make_daemon, package):
    mira(package)
    daemon.script(die_at_step=1, die_times=1)
    before = await asset_of(daemon, await daemon.still("@mira", seed=1))
    await daemon.studio.pause(mode="drain", unload=False)
    waiting = await daemon.submit("@mira", seed=1)
    await daemon.stop()
    other = await make_daemon(home=daemon.home, packaged=package)
    await other.studio.resume()
    after = await asset_of(other, await other.studio.wait(waiting.id, 20))
    assert (after.pixels_sha256, after.character, after.loras) == (before.pixels_sha256, before.character, before.loras)


async def test_as_long_as_her_lora_is_not_there_she_is_refused(daemon, package):
    for fields, path in (({"character": "mira"}, "character"), ({}, "prompt")):
        with pytest.raises(ModelMissing) as caught:
            await daemon.submit("hills" if fields else "@mira", **fields)
        assert (caught.value.variant, caught.value.path) == ("character", path)
        told = daemon.studio.tell(caught.value)
        assert "mira" in told.message
    [listed] = (await daemon.studio.characters()).characters
    assert listed.state == "missing"
    mira(package)
    assert (await daemon.studio.character("mira")).state == "ready"
    assert (await daemon.still("@mira")).state == "succeeded"


async def test_every_door_takes_both(daemon, loras, package):
    mira(package)
    hot, done = daemon.home / "hot", daemon.home / "hot" / "done"
    drops = {
        "a.txt": "@mira",
        "b.md": "---\ncharacter: mira\nloras: [{name: ink, weight: 0.5}]\n---\non a hill\n",
        "c.csv": "prompt,character,loras\nhills,mira,ink:0.5\n",
    }
    for name, text in drops.items():
        (hot / f".{name}").write_text(text)
        (hot / f".{name}").rename(hot / name)
    wanted = {"a.receipt.json", "b.receipt.json", "c.receipt.json"}
    names = await daemon.eventually(
        lambda: {path.name for path in done.iterdir()} if done.is_dir() else set(), lambda names: wanted <= names
    )
    assert wanted <= names
    receipts = [json.loads((done / name).read_text()) for name in sorted(wanted)]
    assert [receipt["character"] for receipt in receipts] == [{"name": "mira", "version": 1}] * 3
    assert [[use["name"] for use in receipt["loras"]] for receipt in receipts] == [
        ["mira"], ["ink", "mira"], ["ink", "mira"],
    ]  # fmt: skip
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {daemon.token}"}) as session:

        async def call(method, **params):
            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            async with session.post(f"{daemon.url}/rpc", json=body) as answer:
                return await answer.json()

        job = (await call("images.generate", prompt="@mira on a hill"))["result"]["job"]
        job = (await call("jobs.wait", job_id=job["id"], timeout_s=20))["result"]
        asset = (await call("library.get", asset_id=job["asset_ids"][0]))["result"]
        assert asset["character"] == {"name": "mira", "version": 1}
        assert asset["loras"] == [
            {"name": "mira", "weight": 1.0, "sha256": file_sha256(package / "loras" / "mira.safetensors")}
        ]
        [one] = (await call("characters.list"))["result"]["characters"]
        assert one == (await call("characters.get", name="mira"))["result"]
        assert (one["fragment"], one["loras"]) == (FRAGMENT, [{"name": "mira", "weight": 1.0}])
        assert (await call("boundary.check", prompt="@mira"))["result"]["verdict"] == "allow"
        prompt = "@mira, 15 years old"
        refused = (await call("boundary.check", prompt=prompt))["result"]
        assert prompt[slice(*refused["span"])] == "15 years old"
        for params in ({"prompt": "@nobody"}, {"prompt": "x", "character": "nobody"}):
            error = (await call("images.generate", **params))["error"]
            assert (error["code"], error["data"]["detail"]["noun"]) == (1010, "character")
            assert (await call("boundary.check", **params))["error"]["data"]["kind"] == "not_found"
