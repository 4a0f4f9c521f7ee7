"""Choices, weights, presets and characters at every door: RPC, the hot folder, and `tendre` itself."""

import asyncio
import json

import aiohttp
import msgspec
import pytest

from tendred.app.cli import main
from tendred.core.template import Draw, parse
from tendred.errors import BoundaryRefused, InvalidParams, NotFound, UnsupportedParameter
from tendred.schema.sealed import Conditioning, Span


@pytest.fixture
async def rpc(daemon):
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {daemon.token}"}) as session:

        async def call(method, /, **params):
            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            async with session.post(f"{daemon.url}/rpc", json=body) as answer:
                told = await answer.json()
            return told["result"] if "result" in told else told["error"]["data"]

        yield call


@pytest.fixture
def tendre(daemon, capsys, monkeypatch):
    monkeypatch.delenv("LANG", raising=False)

    async def run(*argv):
        code = await asyncio.to_thread(main, ["--home", str(daemon.home), *map(str, argv)])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


async def sealed(daemon, job_id):
    sql = "SELECT conditioning FROM job WHERE id = ?"
    database = daemon.studio._p.database
    row = await database.read(lambda connection: connection.execute(sql, (job_id,)).fetchone())
    return msgspec.json.decode(row[0], type=Conditioning)


async def test_the_words_are_chosen_before_they_are_judged_and_stored(daemon, rpc):
    await rpc("wildcards.add", name="colours", options=["red", "dark {blue|green}"])
    asked = "__colours__ (hills:1.3) under a {clear|cloudy} sky"
    job = await daemon.still(asked, seed=11, negative_prompt="{fog|fog}")
    final = job.request["prompt"]
    assert "{" not in final
    assert "__" not in final
    assert "(hills:1.3)" in final
    asset = await daemon.studio.asset(job.asset_ids[0])
    receipt = await daemon.studio.receipt(asset.receipt_id)
    assert (receipt.asked["prompt"], receipt.settings["prompt"], asset.settings["prompt"]) == (asked, final, final)
    conditioning = await sealed(daemon, job.id)
    before, after = final.split("(hills:1.3)")
    assert conditioning.prompt == [Span(text=before), Span(text="hills", weight=1.3), Span(text=after)]
    assert "".join(span.text for span in conditioning.negative).endswith("fog")
    # The same seed, whatever was drawn in between: the same words, the same picture.
    await daemon.still(asked, seed=12)
    again = await daemon.still(asked, seed=11, negative_prompt="{fog|fog}")
    assert again.request["prompt"] == final
    assert (await daemon.studio.asset(again.asset_ids[0])).pixels_sha256 == asset.pixels_sha256
    # What was recorded can be sent as it stands.
    resent = await daemon.still(final, seed=99)
    assert resent.request["prompt"] == final


async def test_a_chosen_seed_is_recorded_and_makes_the_same_choices(daemon):
    words = "{red|blue|green|grey|black|white} hills"
    for _ in range(5):
        job = await daemon.submit(words)
        drawn = Draw({}, seed=job.request["seed"], field="prompt", limit=999).expand(parse(words))[0]
        assert job.request["prompt"] == drawn


async def test_every_expansion_goes_through_the_boundary(daemon, rpc):
    seeds = {}
    for seed in range(12):
        try:
            seeds[seed] = (await daemon.submit("a {boat|child|hill}", seed=seed)).request["prompt"]
        except BoundaryRefused as refused:
            assert refused.detail["span"] == (2, 19)
            seeds[seed] = None
    assert None in seeds.values()
    page = await rpc("prompts.expand", prompt="a {boat|child|hill}", seed=0, limit=12)
    told = {one["seed"]: None if one["verdict"]["verdict"] == "refuse" else one["prompt"] for one in page["expansions"]}
    assert told == seeds
    refused = next(one for one in page["expansions"] if one["verdict"]["rule"])
    assert (refused["verdict"]["rule"], refused["verdict"]["span"]) == ("minor.word", [2, 19])
    await rpc("wildcards.add", name="who", options=["@{nobody|child}", "chi(ld:1.3)"])
    for seed in range(6):
        with pytest.raises((BoundaryRefused, NotFound)):
            await daemon.submit("__who__", seed=seed, client=f"{seed}")
    with pytest.raises(BoundaryRefused) as caught:
        await daemon.submit("a hill with a chi(ld:1.1)", seed=1, client="last")
    assert caught.value.detail["span"] == (14, 20)


async def test_the_dry_run_comes_in_pages_and_makes_nothing(daemon, rpc):
    page = await rpc("prompts.expand", prompt="{a|b|c} (hill:1.5)", negative_prompt="{d|e}", seed=5, limit=3)
    assert set(page) == {"expansions", "combinations", "next"}
    assert ([one["seed"] for one in page["expansions"]], page["combinations"], page["next"]) == ([5, 6, 7], 6, "8")
    assert page["expansions"][0]["spans"][1] == {"text": "hill", "weight": 1.5}
    more = await rpc(
        "prompts.expand", prompt="{a|b|c} (hill:1.5)", negative_prompt="{d|e}", seed=5, limit=1, cursor=page["next"]
    )
    assert more["expansions"][0]["seed"] == 8
    plain = await rpc("prompts.expand", prompt="a hill", limit=50)
    assert (len(plain["expansions"]), plain["combinations"], plain["next"]) == (1, 1, None)
    last = await rpc("prompts.expand", prompt="{a|b}", seed=2**53 - 65, limit=50)
    assert (len(last["expansions"]), last["next"]) == (1, None)
    for params, path in (
        ({"prompt": "{a"}, "prompt"), ({"prompt": "x", "cursor": "-1"}, "cursor"), ({"prompt": "x", "limit": 101}, "limit"),
        ({"prompt": "(a:9)"}, "prompt"), ({"prompt": "__no__"}, "prompt"), ({"prompt": "x", "preset": "no"}, "preset"),
        ({"prompt": "x" * 20_000}, "prompt"), ({"prompt": "(" * 8000}, "prompt"), ({"prompt": "(a:nan)"}, "prompt"),
    ):  # fmt: skip
        assert (await rpc("prompts.expand", **params))["path"] == path
    assert (await rpc("jobs.list"))["jobs"] == []


async def test_a_wildcard_that_names_itself_is_refused_with_the_chain(daemon, rpc):
    folder = daemon.home / "data" / "wildcards"
    folder.mkdir()
    for name, leads_to in (("a", "b"), ("b", "c"), ("c", "a")):
        (folder / f"{name}.txt").write_text(f"x\n__{leads_to}__\n")
    error = await rpc("images.generate", prompt="{hill|__a__}")
    assert (error["kind"], error["path"], error["detail"]["chain"]) == (
        "invalid_params",
        "prompt",
        ["a", "b", "c", "a"],
    )
    assert "a -> b -> c -> a" in error["message"]
    error = await rpc("wildcards.add", name="d", options=["__d__"])
    assert error["detail"]["chain"] == ["d", "d"]
    assert [one["state"] for one in (await rpc("wildcards.list"))["wildcards"]] == ["refused"] * 3


async def test_wildcards_over_rpc(rpc):
    made = await rpc("wildcards.add", name="birds", options=["owl", "2::heron"])
    assert set(made) == {"name", "path", "options", "bytes", "state", "reason"}
    assert (await rpc("wildcards.list"))["wildcards"] == [made]
    page = await rpc("wildcards.show", name="birds", limit=1)
    assert page == {"wildcard": made, "options": ["owl"], "next": "1"}
    assert (await rpc("wildcards.remove", name="birds")) == {}
    error = await rpc("images.generate", prompt="__birds__")
    assert (error["kind"], error["detail"]["noun"]) == ("not_found", "wildcard")
    assert "wildcards add birds" in error["next"]


async def test_presets_over_rpc(rpc):
    made = await rpc("presets.set", name="quick look", fields={"steps": 3, "guidance": 2.0, "tags": ["quick"]})
    assert set(made) == {"name", "fields", "ignored", "updated_at"}
    assert (await rpc("presets.list"))["presets"] == [made] == [await rpc("presets.show", name="quick look")]
    job = (await rpc("images.generate", prompt="hills", preset="quick look", guidance=5))["job"]
    assert [job["request"][name] for name in ("steps", "guidance", "tags")] == [3, 5.0, ["quick"]]
    assert "preset" not in job["request"]
    assert (await rpc("presets.set", name="x", fields={"stepz": 1}))["path"] == "fields.stepz"
    assert (await rpc("presets.remove", name="quick look")) == {}
    assert (await rpc("images.generate", prompt="hills", preset="quick look"))["kind"] == "not_found"


async def test_characters_over_rpc(daemon, rpc):
    made = await rpc("characters.create", name="tom", fragment="tom, a tall man", seed=4)
    assert (made["version"], made["ships"], made["state"]) == (1, False, "ready")
    first = await daemon.still("@tom {on|by} a hill")
    assert first.request["seed"] == 4
    changed = await rpc("characters.update", name="tom", fragment="tom, a short man", seed=None)
    assert (changed["version"], changed["seed"]) == (2, None)
    second = await daemon.still("a hill", character="tom", seed=4)
    versions = [(await daemon.studio.asset(job.asset_ids[0])).character.version for job in (first, second)]
    assert versions == [1, 2]
    assert (await rpc("characters.get", name="tom", version=1))["fragment"] == "tom, a tall man"
    assert [one["name"] for one in (await rpc("characters.list"))["characters"]] == ["mira", "tom"]
    refused = await rpc("characters.create", name="kid", fragment="x")
    assert (refused["kind"], refused["path"]) == ("boundary_refused", "name")
    asset = first.asset_ids[0]
    assert (await rpc("characters.update", name="tom", reference_asset_id=asset))["reference_asset_id"] == asset
    job = (await rpc("characters.sheet", name="tom"))["job"]
    job = await rpc("jobs.wait", job_id=job["id"], timeout_s=20)
    assert (job["kind"], job["state"]) == ("sheet", "succeeded")
    assert (await rpc("characters.remove", name="tom")) == {}
    assert (await rpc("images.generate", prompt="@tom"))["kind"] == "not_found"


async def test_a_character_in_use_survives_a_restart_and_a_removal(daemon, rpc, make_daemon):
    await rpc("characters.create", name="tom", fragment="tom, a tall man")
    await daemon.studio.pause(mode="drain", unload=False)
    waiting = [await daemon.submit("@tom", seed=seed) for seed in range(3)]
    await rpc("characters.update", name="tom", fragment="tom, a short man")
    await rpc("characters.remove", name="tom")
    await daemon.stop()
    other = await make_daemon(home=daemon.home)
    other.script(die_at_step=1, die_times=1)
    await other.studio.resume()
    for job in waiting:
        ended = await other.studio.wait(job.id, 20)
        asset = await other.studio.asset(ended.asset_ids[0])
        assert (asset.character.version, asset.settings["prompt"]) == (1, "tom, a tall man")


async def test_words_are_weighed_only_for_encoders_that_can(daemon, rpc, tmp_path):
    folder = tmp_path / "flux"
    (folder / "transformer").mkdir(parents=True)
    index = {"_class_name": "FluxPipeline", "transformer": ["diffusers", "FluxTransformer2DModel"]}
    (folder / "model_index.json").write_text(json.dumps(index))
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    (folder / "transformer" / "diffusion_pytorch_model.safetensors").write_bytes(
        len(header).to_bytes(8, "little") + header + bytes(4)
    )
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text('{"_class_name": "FlowMatchEulerDiscreteScheduler"}')
    await daemon.studio.add_model(str(folder), None)
    with pytest.raises(UnsupportedParameter) as caught:
        await daemon.submit("a (hill)", model="flux")
    assert (caught.value.variant, caught.value.path) == ("weights", "prompt")
    job = await daemon.submit(r"a \(hill\)", model="flux")
    assert (await sealed(daemon, job.id)).prompt == [Span(text="a (hill)")]


async def test_a_row_of_a_list_is_named(daemon):
    from tendred.core.studio import Submission
    from tendred.schema.job import Origin
    from tendred.schema.still import StillRequest

    rows = [Submission(request=StillRequest(prompt=text), asked={"prompt": text}, key=None) for text in ("a", "(b")]
    with pytest.raises(InvalidParams) as caught:
        await daemon.studio.submit(rows, Origin(door="rpc"))
    assert caught.value.path == "[1].prompt"


async def test_a_prompt_file_takes_all_of_it(daemon, rpc):
    await rpc("wildcards.add", name="sky", options=["clear", "cloudy"])
    await rpc("presets.set", name="quick", fields={"steps": 3})
    hot, done = daemon.home / "hot", daemon.home / "hot" / "done"
    drops = {
        "a.txt": "{red|blue} hills, __sky__ (sky:1.2)",
        "b.md": "---\npreset: quick\nseed: 3\n---\n{red|blue} hills\n",
        "c.csv": "prompt,preset,seed\n{red|blue} hills,quick,3\n",
        "d.txt": "a {boat",
    }
    for name, text in drops.items():
        (hot / f".{name}").write_text(text)
        (hot / f".{name}").rename(hot / name)
    wanted = {"a.receipt.json", "b.receipt.json", "c.receipt.json"}
    names = await daemon.eventually(
        lambda: {path.name for path in done.iterdir()} if done.is_dir() else set(), lambda names: wanted <= names
    )
    assert wanted <= names
    receipts = {name[0]: json.loads((done / name).read_text()) for name in wanted}
    assert receipts["a"]["asked"]["prompt"] == drops["a.txt"]
    assert "(sky:1.2)" in receipts["a"]["settings"]["prompt"]
    assert receipts["b"]["settings"]["prompt"] == receipts["c"]["settings"]["prompt"]
    assert [receipts[name]["settings"]["steps"] for name in "bc"] == [3, 3]
    reason = hot / "failed" / "d.txt.reason.json"
    assert await daemon.eventually(reason.exists)
    assert json.loads(reason.read_text())["path"] == "prompt"


async def test_the_command_line(daemon, tendre, tmp_path):
    lines = tmp_path / "sky.txt"
    lines.write_text("# skies\nclear\n\n2::cloudy\n")
    code, out, _ = await tendre("wildcards", "add", "sky", lines)
    assert (code, "__sky__" in out) == (0, True)
    assert (await tendre("wildcards", "show", "sky"))[1] == "clear\n2::cloudy\n"
    assert "sky" in (await tendre("wildcards"))[1]
    code, out, err = await tendre("expand", "{a|a} __sky__", "--seed", "3", "--limit", "4", "--json")
    page = json.loads(out)
    assert [one["seed"] for one in page["expansions"]] == [3, 4, 5, 6]
    code, out, err = await tendre("expand", "a {boat|child}", "--seed", "0", "--limit", "8")
    assert code == 4
    assert "minor.word" in out
    assert "2 ways" in err
    code, out, _ = await tendre("presets", "set", "quick look", "steps=3", "loras=none", "tags=a,b")
    assert (code, "'quick look'" in out) == (0, True)
    assert json.loads((await tendre("presets", "show", "quick look", "--json"))[1])["fields"] == {
        "steps": 3,
        "loras": [],
        "tags": ["a", "b"],
    }
    assert "quick look" in (await tendre("presets"))[1]
    code, out, _ = await tendre("image", "hills", "--preset", "quick look", "--json")
    assert json.loads(out)["job"]["request"]["steps"] == 3
    code, out, _ = await tendre(
        "grid", "red hills", "-x", "steps=2,3", "-y", "prompt:red=red,blue", "--json", "-o", tmp_path
    )
    made = json.loads(out)
    assert (code, made["job"]["kind"], len(made["cells"]), made["assets"][0]["kind"]) == (0, "sheet", 4, "sheet")
    assert len(made["copies"]) == 1
    assert "sheet: red hills" in (await tendre("jobs"))[1]
    assert "cells     4" in (await tendre("job", made["job"]["id"]))[1]
    assert "sheet: red hills" in (await tendre("library", "--kind", "sheet"))[1]
    assert "steps 2" in (await tendre("library", "show", made["assets"][0]["id"]))[1]
    code, out, err = await tendre("grid", "hills", "-x", "seed=1..900")
    assert (code, "256" in err) == (1, True)
    assert (await tendre("presets", "remove", "quick look"))[0] == 0
    assert (await tendre("wildcards", "remove", "sky"))[0] == 0
    for argv in (("presets",), ("wildcards",)):
        code, out, err = await tendre(*argv)
        assert (code, out) == (0, "")


async def test_characters_on_the_command_line(daemon, tendre, tmp_path):
    assert (await tendre("characters", "new", "tom", "tom,", "a tall man", "--seed", "4"))[0] == 0
    still = json.loads((await tendre("image", "@tom", "--json"))[1])["assets"][0]
    code, out, _ = await tendre(
        "characters", "edit", "tom", "--words", "tom, a short man", "--seed", "free", "--reference", still["id"]
    )
    assert (code, "v2" in out) == (0, True)
    shown = (await tendre("characters", "show", "tom"))[1]
    assert "a short man" in shown
    assert "free" in shown
    assert "a tall man" in (await tendre("characters", "show", "tom", "--version", "1"))[1]
    code, out, _ = await tendre("characters", "sheet", "tom", "-o", tmp_path / "tom.png")
    assert (code, (tmp_path / "tom.png").is_file()) == (0, True)
    assert (await tendre("characters", "edit", "tom"))[0] == 2
    assert (await tendre("characters", "edit", "tom", "--seed", "soon"))[0] == 2
    assert (await tendre("characters", "remove", "tom"))[0] == 0
    assert (await tendre("image", "@tom"))[0] == 1
