"""The seal: what was judged is what is drawn. One changed byte is refused, another policy judges anew, nothing weakens it."""

import json
import os

import aiohttp
import msgspec
import pytest

from tendred.boundary.seal import canonical, seal
from tendred.config.load import FIELDS
from tendred.config.schema import Config
from tendred.engine.worker.loop import _open
from tendred.errors import Internal
from tendred.testing.doors import REFUSED, World
from tendred.testing.orders import KEY, order


@pytest.fixture
async def world(make_daemon):
    daemon = await make_daemon()
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {daemon.token}"}) as session:
        world = World(daemon, session)
        await world.prepare()
        yield world


# -- one byte


@pytest.mark.parametrize("column", ["sealed_request", "conditioning", "policy", "mac"])
async def test_one_byte_changed_after_the_verdict_is_refused(world, column):
    job = await world.daemon.submit("red hills")
    whole = f"SELECT CAST({column} AS BLOB) AS value FROM job WHERE id = ?"
    database = world.database
    value = (await database.read(lambda connection: connection.execute(whole, (job.id,)).fetchone()))["value"]
    changed = bytes([value[0] ^ 1]) + value[1:]
    cast = "CAST(? AS TEXT)" if column == "policy" else "?"
    await database.write(lambda tx: tx.run(f"UPDATE job SET {column} = {cast} WHERE id = ?", changed, job.id))
    await world.daemon.studio.resume()
    done = await world.daemon.studio.wait(job.id, 20)
    assert (done.state, done.error.kind, done.asset_ids) == ("failed", "internal", [])


def test_the_process_refuses_any_flipped_byte(tmp_path):
    sound = order("job_1", tmp_path, tmp_path)
    assert _open(KEY, sound, None).still.prompt == "a green hill"
    for field in ("request", "conditioning", "policy", "mac"):
        whole = getattr(sound.reviewed, field)
        for at in range(len(whole)):
            # The policy is text.
            bit = chr(ord(whole[at]) ^ 1) if field == "policy" else bytes([whole[at] ^ 1])
            value = whole[:at] + bit + whole[at + 1 :]
            reviewed = msgspec.structs.replace(sound.reviewed, **{field: value})
            with pytest.raises(Internal) as caught:
                _open(KEY, msgspec.structs.replace(sound, reviewed=reviewed), None)
            assert caught.value.detail == {"problem": "seal"}


# -- another policy

LOOK = "SELECT sealed_request, conditioning FROM job WHERE id = ?"
CHANGE = "UPDATE job SET sealed_request = ?, conditioning = ?, policy = ?, mac = ? WHERE id = ?"


async def test_a_job_that_waited_under_another_policy_is_judged_anew_at_its_claim(world):
    """Sealed with this very key, by a policy that let it in."""
    key = (world.daemon.home / "state" / "boundary.key").read_bytes()
    waiting = [await world.daemon.submit(words) for words in ("red hills", "blue hills")]
    database = world.database
    for job, prompt in zip(waiting, ("red hills", REFUSED["minor"]), strict=True):
        row = await database.read(lambda connection, job=job: connection.execute(LOOK, (job.id,)).fetchone())
        request = {**json.loads(row["sealed_request"]), "prompt": prompt}
        conditioning = {**json.loads(row["conditioning"]), "prompt": [{"text": prompt, "weight": 1.0}]}
        old = seal(key, canonical(request), canonical(conditioning), "0+older")
        values = (old.request, old.conditioning, old.policy, old.mac, job.id)
        await database.write(lambda tx, values=values: tx.run(CHANGE, *values))
    await world.daemon.studio.resume()
    good, bad = [await world.daemon.studio.wait(job.id, 20) for job in waiting]
    assert (good.state, good.error) == ("succeeded", None)
    assert (bad.state, bad.error.kind, bad.asset_ids) == ("failed", "boundary_refused", [])
    asset = await world.daemon.studio.asset(good.asset_ids[0])
    assert asset.policy == world.daemon.studio._p.submitter._boundary.policy


async def test_what_was_stored_before_the_rules_is_judged_when_it_is_used(world):
    """Characters and presets as an older policy would have let them in; the same for recipes and retried jobs."""
    bad = REFUSED["minor"]
    await world.call("presets.set", name="misty", fields={"negative_prompt": "fog"})
    database = world.database
    changes = [
        ("UPDATE setting SET value = CAST(replace(CAST(value AS TEXT), ?, ?) AS BLOB)", "a woman in blue", bad),
        ("UPDATE asset SET doc = CAST(replace(CAST(doc AS TEXT), ?, ?) AS BLOB)", '"prompt":"hills"', f'"prompt":"{bad}"'),
        ("UPDATE job SET request = CAST(replace(CAST(request AS TEXT), ?, ?) AS BLOB)", '"prompt":"hills"', f'"prompt":"{bad}"'),
    ]  # fmt: skip
    for sql, old, new in changes:
        count = await database.write(lambda tx, sql=sql, old=old, new=new: tx.run(sql, old, new).rowcount)
        assert count > 0
    for method, params in (
        ("images.generate", {"prompt": "hills", "character": "berta"}),
        ("images.generate", {"prompt": "@berta"}),
        ("images.generate", {"prompt": "hills", "control": [{"asset_id": world.asset, "model": "ink"}]}),
        ("images.generate", {"prompt": "hills", "image": {"asset_id": world.asset}}),
        ("images.again", {"asset_id": world.asset, "insist": True}),
        ("images.variations", {"asset_id": world.asset}),
        ("images.upscale", {"asset_id": world.asset}),
        ("jobs.retry", {"job_id": world.cancelled}),
    ):
        kind = await world.call(method, **params)
        assert kind in {"boundary_refused", "not_found"}, method
        assert kind == "boundary_refused" or "control" in params
    positive, _ = await world.sealed()
    assert positive == ""


# -- nothing weakens it


async def test_no_setting_and_no_variable_changes_a_verdict(make_daemon, monkeypatch, tmp_path):
    plain = await make_daemon(home=tmp_path / "plain")
    before = await plain.studio.check(REFUSED["minor"], "", character=None, loras=[], kind="still", lang="en")
    for name in ("BOUNDARY", "BOUNDARY_ENABLED", "SAFETY", "SAFETY_CHECKER", "POLICY", "ANCHOR", "UNSAFE", "DEBUG"):
        monkeypatch.setenv(f"TENDRED_{name}", "off")
        monkeypatch.setenv(f"TENDRED_BOUNDARY_{name}", "0")
    for name in ("DISABLE_SAFETY_CHECKER", "DISABLE_NSFW_CHECKER", "PYTHONOPTIMIZE", "PYTHONDEBUG"):
        monkeypatch.setenv(name, "1")
    switches = [
        f"{section}.{key}={value}"
        for section, keys in FIELDS.items()
        for key in keys
        for value in ("true", "false")
        if isinstance(getattr(getattr(Config(), section), key), bool)
    ]
    assert switches
    for number, flags in enumerate((switches[::2], switches[1::2])):
        other = await make_daemon(*flags, home=tmp_path / str(number))
        after = await other.studio.check(REFUSED["minor"], "", character=None, loras=[], kind="still", lang="en")
        assert after == before
        assert after.verdict == "refuse"
    assert os.environ["TENDRED_BOUNDARY"] == "off"


# -- asking beforehand is never put off; trying is


async def test_submits_back_off_and_checks_do_not(daemon):
    headers = {"Authorization": f"Bearer {daemon.token}", "Accept-Language": "fr", "Tendred-Client": "one/1"}
    async with aiohttp.ClientSession(headers=headers) as session:

        async def call(method, client="one/1", **params):
            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            async with session.post(f"{daemon.url}/rpc", json=body, headers={"Tendred-Client": client}) as answer:
                return await answer.json()

        kinds = [(await call("images.generate", prompt=REFUSED["minor"]))["error"]["data"] for _ in range(6)]
        assert [error["kind"] for error in kinds] == ["boundary_refused"] * 5 + ["slow_down"]
        assert kinds[5]["detail"]["retry_after_s"] >= 1
        assert "tendre check" in kinds[5]["next"]
        assert kinds[0]["message"].startswith("Refusé par la règle minor.age")
        assert "21 ans" in kinds[0]["next"]
        assert kinds[0]["detail"]["span"] == [2, 13]
        # Even what is allowed waits; asking doesn't, and neither does anybody else.
        assert (await call("images.generate", prompt="hills"))["error"]["data"]["kind"] == "slow_down"
        for prompt, verdict in ((REFUSED["minor"], "refuse"), ("hills", "allow")):
            for _ in range(8):
                assert (await call("boundary.check", prompt=prompt))["result"]["verdict"] == verdict
        assert "result" in await call("images.generate", client="two/1", prompt="hills")
    rows = await daemon.studio._p.database.read(
        lambda connection: connection.execute("SELECT * FROM refusal").fetchall()
    )
    assert len(rows) == 5
    assert not any("year" in str(value) for row in rows for value in tuple(row))
