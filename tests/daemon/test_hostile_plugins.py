"""Plugins that mean ill, through every hook there is: none forges a verdict, skips one, or brings a picture in.

The last two show what no hook gives and any code in the same process can take all the same. ARCHITECTURE says so.
"""

import json
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from PIL import Image

from tendred.boundary.seal import canonical, seal
from tendred.core.studio import Submission
from tendred.errors import BoundaryRefused, PricesMissing, StillNotOurs, TendredError
from tendred.hooks.spec import Hooks
from tendred.schema.clip import ClipRequest
from tendred.schema.job import Origin
from tendred.schema.money import CapChanges
from tendred.schema.sealed import Conditioning, Span
from tendred.schema.source import Source
from tendred.schema.still import StillRequest
from tendred.schema.token import OWNER
from tendred.testing.doors import REFUSED, TRACES
from tendred.testing.headers import folder
from tendred.testing.loras import layers
from tendred.testing.plugins import installed

HEAD = """
import threading
from pathlib import Path
import msgspec
from tendred.api import Amendment, hookimpl
requires_api = ">=1.0"
BAD = "a 15 year old"
PERSON = "looks exactly like Winston Churchill"
"""

WORDS = {
    "a minor": "return Amendment(prompt=BAD)",
    "a minor between the lines": "return Amendment(prompt='a 1\\u200b5 y\\u200bear o\\u200bld')",
    "a minor in a choice": "return Amendment(prompt='{' + BAD + '|' + BAD + '}')",
    "a minor in weights": "return Amendment(prompt='a 15:0.4 (a 15:0.6)( year old:1.2)')",
    "a minor in a tag": "return Amendment(tags=[BAD])",
    "a person": "return Amendment(prompt='somebody who ' + PERSON)",
    "a person who is not wanted": "return Amendment(negative_prompt=PERSON)",
    "more than a prompt holds": "return Amendment(prompt=(BAD + ' ') * 1000)",
    "text of two minds": """
class Two(str):
    def __str__(self): return "hills"
    __repr__ = __format__ = casefold = lower = strip = __str__
    def encode(self, *_): return b"hills"
    def __eq__(self, other): return other == "hills"
    def __hash__(self): return hash("hills")
return Amendment(prompt=Two(BAD))
""",
}
"""What `amend_request` does: every one of these is refused."""

TRICKS = {
    "a kind of its own": """
class More(Amendment, frozen=True):
    count: int = 64
    lane: str = "interactive"
    format: str = "jpeg"
return More(prompt="hills")
""",
    "a list that grows": """
tags = ["nice"]
threading.Timer(0.05, lambda: tags.append(BAD)).start()
return Amendment(tags=tags)
""",
    "the request itself": """
request.loras.append("x")
request.tags.append(BAD)
msgspec.structs.force_setattr(request, "prompt", BAD)
return None
""",
    "a verdict": """
from tendred.schema.sealed import Reviewed
return Reviewed(request=b"{}", conditioning=b"{}", policy="mine", mac=bytes(32))
""",
    "an exit": "raise SystemExit('mine')",
    "no answer": "threading.Event().wait()",
    "the anchor": "return Amendment(negative_prompt='adult, grown-up, mature', prompt='(adult:0) a woman on a hill')",
}
"""What else it does: the request is judged, sealed and drawn as it would have been, or as the boundary leaves it."""

FILES = {
    "media_finished": "Path(asset.path).write_bytes(Path(context.settings['photograph']).read_bytes())",
    "export_media": """
path = Path(asset.path)
path.unlink()
path.symlink_to(context.settings["photograph"])
msgspec.structs.force_setattr(asset, "sha256", "0" * 64)
msgspec.structs.force_setattr(receipt, "verdict", None)
receipt.made.clear()
""",
}
"""Hooks that are told where a file lies: an outside picture in its place."""


def plugin(hook, body):
    arguments = {"amend_request": "request"}.get(hook, "asset, receipt, context")
    lines = "\n".join(f"    {line}" for line in body.strip().splitlines())
    return f"{HEAD}\n@hookimpl\ndef {hook}({arguments}):\n{lines}\n"


@pytest.fixture
def run(make_daemon, tmp_path):
    """`async with`-less: a daemon with one hostile plugin, called `mallory`."""
    opened = []

    async def start(source, *overrides):
        entered = installed(tmp_path / "site", mallory=source)
        entered.__enter__()
        opened.append(entered)
        return await make_daemon('plugins.enabled=["mallory"]', "plugins.timeout_s=0.5", *overrides)

    yield start
    for entered in opened:
        entered.__exit__(None, None, None)


async def state_of(daemon):
    [status] = (await daemon.studio.status()).plugins
    return status.state


async def sealed(daemon):
    """Everything that was sealed, decoded."""
    sql = "SELECT sealed_request, conditioning FROM job"
    rows = await daemon.studio._p.database.read(lambda connection: connection.execute(sql).fetchall())
    return [(json.loads(row[0]), msgspec.json.decode(row[1], type=Conditioning)) for row in rows]


def shows(path, photograph):
    """Whether these are its bytes; not while it is being swapped."""
    return path.is_file() and path.read_bytes() == photograph.read_bytes()


def test_every_hook_is_attacked():
    assert {name for name in vars(Hooks) if not name.startswith("_")} == {"amend_request", "clip_provider", *FILES}
    assert len(WORDS) + len(TRICKS) + len(FILES) >= 15


@pytest.mark.parametrize("body", WORDS.values(), ids=WORDS)
async def test_words_that_a_plugin_puts_in_are_refused(run, body):
    daemon = await run(plugin("amend_request", body))
    with pytest.raises(TendredError) as caught:
        await daemon.submit("red hills")
    assert caught.value.kind in {"boundary_refused", "too_large", "invalid_params"}
    assert await sealed(daemon) == []
    told = await daemon.studio.check(REFUSED["minor"], "", character=None, loras=[], kind="still", lang="en")
    assert told.verdict == "refuse"


async def test_half_a_word_each_is_a_word(make_daemon, tmp_path):
    halves = {
        "alice": "Amendment(prompt=request.prompt + ', a 15 ye')",
        "bob": "Amendment(prompt=request.prompt + 'ar old')",
    }
    sources = {name: plugin("amend_request", f"return {answer}") for name, answer in halves.items()}
    with installed(tmp_path / "site", **sources):
        daemon = await make_daemon('plugins.enabled=["alice", "bob"]')
        with pytest.raises(BoundaryRefused) as caught:
            await daemon.submit("red hills")
        assert caught.value.detail["rule"] == "minor.age"
        assert await sealed(daemon) == []


@pytest.mark.parametrize("name", TRICKS)
async def test_nothing_else_that_a_plugin_does_gets_past(run, name):
    daemon = await run(plugin("amend_request", TRICKS[name]))
    shapes = {f"{layer}.weight": [high, wide] for layer, (wide, high) in layers().items()}
    await daemon.studio.add_model(str(folder(daemon.home / "other", shapes)), "other")
    with pytest.raises(BoundaryRefused):
        # In both places, since some of them write over one.
        request = StillRequest(prompt=REFUSED["minor"], tags=[REFUSED["minor"]])
        submission = Submission(request=request, asked={}, key=None)
        await daemon.studio.submit([submission], Origin(door="rpc"))
    job = await daemon.still("a woman on a hill", timeout_s=60, model="other")
    assert job.state == "succeeded", job.error
    assert (job.lane, job.request["count"], job.request["format"]) == ("normal", 1, "png")
    for request, conditioning in await sealed(daemon):
        assert not any(trace in json.dumps(request).casefold() for trace in TRACES)
        # The adult anchor is there, whatever was put in or asked not to be shown.
        assert conditioning.anchor == "adult"
        assert "adult" not in "".join(span.text for span in conditioning.negative)
        assert "mature" not in "".join(span.text for span in conditioning.negative)
    receipt = await daemon.studio.receipt((await daemon.studio.asset(job.asset_ids[0])).receipt_id)
    assert receipt.verdict.anchor == "adult"
    expected = {"a list that grows": "enabled", "the request itself": "enabled", "the anchor": "enabled"}
    # The copy has no `append` for LoRAs to be taken from; what it did to it is its own affair.
    assert await state_of(daemon) == expected.get(name, "disabled")


@pytest.mark.parametrize(
    ("source", "state"),
    [
        (HEAD + "@hookimpl\ndef judge(words):\n    return 'allow'\n", "broken"),
        (HEAD + "@hookimpl\ndef judge_output(findings):\n    return None\n", "broken"),
        (HEAD + "@hookimpl(wrapper=True)\ndef amend_request(request):\n    yield\n    return Amendment(prompt=BAD)\n", "disabled"),
        (HEAD + "@hookimpl(tryfirst=True)\ndef amend_request(request, verdict):\n    return None\n", "broken"),
    ],
    ids=["a hook of its own", "the outputs' judge", "a wrapper", "an argument of its own"],
)  # fmt: skip
async def test_hooks_that_nobody_offered_are_not_called(run, source, state):
    daemon = await run(source)
    with pytest.raises(BoundaryRefused):
        await daemon.submit(REFUSED["minor"])
    job = await daemon.still("red hills", timeout_s=60)
    assert (job.state, job.request["prompt"]) == ("succeeded", "red hills")
    assert await state_of(daemon) == state


@pytest.mark.parametrize("hook", FILES)
async def test_a_picture_that_a_plugin_puts_in_place_of_ours_is_not_ours(run, hook, tmp_path):
    photograph = tmp_path / "photograph.png"
    Image.effect_noise((128, 128), 64).convert("RGB").save(photograph)
    daemon = await run(plugin(hook, FILES[hook]), f'plugins.settings={{ mallory = {{ photograph = "{photograph}" }} }}')
    job = await daemon.still("hills", timeout_s=60)
    asset = await daemon.studio.asset(job.asset_ids[0])
    await daemon.eventually(lambda: shows(Path(asset.path), photograph))
    assert shows(Path(asset.path), photograph)
    with pytest.raises(StillNotOurs) as caught:
        await daemon.submit("hills", image=Source(asset_id=asset.id))
    assert caught.value.variant == "changed"
    # What it did to its copies of the records, it did to its copies.
    assert (await daemon.studio.asset(asset.id)).sha256 == asset.sha256
    assert [made.asset_id for made in (await daemon.studio.receipt(asset.receipt_id)).made] == [asset.id]


SENDS_WHAT_IT_LIKES = (
    HEAD
    + """
from tendred.testing.cloud import features
class Adapter:
    features = features("mallory")
    orders = []
    async def submit(self, order):
        self.orders.append(order)
@hookimpl
def clip_provider(key, context):
    return Adapter()
"""
)


async def test_a_plugins_provider_gets_no_order_that_wasnt_judged_and_priced(run):
    daemon = await run(SENDS_WHAT_IT_LIKES)
    import plug_mallory

    studio, origin = daemon.studio, Origin(door="rpc")
    await studio.cloud.enable("mallory", CapChanges(job_mcr=10**6, day_mcr=10**6, month_mcr=10**6))
    for number, (text, kind) in enumerate(
        [*((text, BoundaryRefused) for text in REFUSED.values()), ("hills", PricesMissing)]
    ):
        asked = ClipRequest(prompt=text, provider="mallory", model="ltx-2-3-fast", width=1920, height=1080, seconds=6)
        with pytest.raises(kind):
            await studio.clips.quote(asked, {}, replace(origin, client=f"m{number}"), OWNER)
    assert plug_mallory.Adapter.orders == []


# -- what the same process can't be kept from

PATCHES_THE_JUDGE = (
    HEAD
    + """
from tendred.boundary import judge
from tendred.schema.sealed import Conditioning, Span, Verdict
kept = judge.Boundary.judge
def allow(self, words, *, lang="en"):
    verdict = Verdict(verdict="allow", rule=None, reason=None, span=None, removed=[], policy=self.policy)
    return verdict, Conditioning(prompt=[Span(text=words.prompt)], negative=[], anchor=None)
judge.Boundary.judge = allow
def undo():
    judge.Boundary.judge = kept
@hookimpl
def amend_request(request):
    return None
"""
)
READS_THE_KEY = (
    HEAD
    + """
@hookimpl
def amend_request(request, context):
    key = (context.data.parents[2] / "state" / "boundary.key").read_bytes()
    context.data.mkdir(parents=True, exist_ok=True)
    (context.data / "stolen").write_bytes(key)
"""
)


async def test_in_the_same_process_the_judge_can_be_replaced(run):
    """It works, and nothing in Python keeps it from working: an enabled plugin is trusted like the daemon itself."""
    daemon = await run(PATCHES_THE_JUDGE)
    import plug_mallory

    try:
        await daemon.studio.pause(mode="drain", unload=False)
        job = await daemon.submit(REFUSED["minor"])
        assert job.state == "queued"
        await daemon.studio.cancel(job.id)
    finally:
        plug_mallory.undo()
    with pytest.raises(BoundaryRefused):
        await daemon.submit(REFUSED["minor"])


async def test_in_the_same_process_the_key_can_be_read_and_seals_be_made(run):
    """The same user, the same files: what nobody judged is drawn. Without the key the same row is refused (test_seal)."""
    daemon = await run(READS_THE_KEY)
    await daemon.studio.pause(mode="drain", unload=False)
    job = await daemon.submit("hills")
    stolen = (daemon.home / "data" / "plugins" / "mallory" / "stolen").read_bytes()
    database = daemon.studio._p.database
    look, change = (
        "SELECT * FROM job WHERE id = ?",
        "UPDATE job SET sealed_request = ?, conditioning = ?, mac = ? WHERE id = ?",
    )
    row = await database.read(lambda connection: connection.execute(look, (job.id,)).fetchone())
    request = {**json.loads(row["sealed_request"]), "prompt": REFUSED["minor"]}
    words = Conditioning(prompt=[Span(text=REFUSED["minor"])], negative=[], anchor=None)
    forged = seal(stolen, canonical(request), canonical(words), row["policy"])
    await database.write(lambda tx: tx.run(change, forged.request, forged.conditioning, forged.mac, job.id))
    await daemon.studio.resume()
    done = await daemon.studio.wait(job.id, 20)
    assert (done.state, len(done.asset_ids)) == ("succeeded", 1)
