import shutil
import sys

import msgspec
import pytest

from tendred.boundary.judge import Boundary
from tendred.clock import SystemClock, SystemRng
from tendred.config.schema import PluginsSection
from tendred.core.characters import Cast
from tendred.core.judging import words_of
from tendred.core.presets import Presets
from tendred.core.refusals import Refusals
from tendred.core.settings import Settings
from tendred.core.sources import Finder
from tendred.core.submit import SEED_BITS, Submission, Submitter
from tendred.core.wildcards import Wildcards
from tendred.core.wording import Writer
from tendred.errors import (
    BoundaryRefused,
    EngineMissing,
    IdempotencyConflict,
    InvalidParams,
    ModelMissing,
    ModelRefused,
    NotFound,
    TooLarge,
    UnsupportedParameter,
)
from tendred.fs import SystemFs
from tendred.hooks.manager import Plugins
from tendred.library.index import Index
from tendred.library.own import OwnStills
from tendred.library.strokes import Strokes
from tendred.models.catalog import STARTER_PATH, Catalog
from tendred.models.lora import Adapter
from tendred.models.shelf import Lora, Shelf
from tendred.models.singles import About
from tendred.queue.claim import claim
from tendred.queue.store import Queue
from tendred.schema.character import CharacterUse
from tendred.schema.job import Origin
from tendred.schema.still import LoraUse, Still, StillRequest
from tendred.schema.system import EngineState
from tendred.schema.weights import file_sha256
from tendred.testing.loras import mira, shapes, write
from tendred.testing.orders import STILL

AMENDS = """
from tendred.api import Amendment, hookimpl
requires_api = ">=1.0"
answers = []
@hookimpl
def amend_request(request):
    return answers.pop() if answers else None
"""


class Residency:
    """An engine that is only looked at."""

    name = "off"

    def state(self):
        return EngineState(state=self.name, device=None, model=None, pid=None)


class Room:
    """The front door over a real database, boundary and catalogue, with one plugin."""

    def __init__(self, database, ids, data):
        self.database, self.residency = database, Residency()
        self.queue = Queue(database, limit=10)
        self.boundary = Boundary(bytes(32), year=lambda: 2026)
        self.plugins = Plugins(PluginsSection(enabled=["amends"]), data, lambda _: None)
        self.plugins.load()
        self.catalog, self.loras = Catalog(database), data / "models" / "loras"
        shelf = Shelf(database, [data / "package", data / "models"])
        self.wildcards, self.presets = Wildcards(data / "wildcards", SystemFs()), Presets(Settings(database))
        self.submitter = Submitter(
            plugins=self.plugins, catalog=self.catalog, writer=Writer(self.presets, self.wildcards, Cast(shelf)),
            finder=Finder(OwnStills(database, Index(database, data), self.boundary.vouch), shelf, Strokes(SystemFs(), data / "strokes")),
            boundary=self.boundary, queue=self.queue, refusals=Refusals(database, ids, SystemRng(), SystemClock()), residency=self.residency, ids=ids, rng=SystemRng(),
            language=lambda: "en", keep_alive_s=12.0,
        )  # fmt: skip

    async def send(self, *requests, key=None, file=None):
        submissions = [
            Submission(request=request, asked=msgspec.to_builtins(request), key=f"{key}{row}" if key else None)
            for row, request in enumerate(requests)
        ]
        return await self.submitter.submit(submissions, Origin(door="hotfolder" if file else "rpc", file=file))

    async def one(self, prompt="red hills", **fields):
        [made] = await self.send(StillRequest(**{"prompt": prompt, **fields}))
        return made.job


@pytest.fixture
def answers(tmp_path):
    (tmp_path / "plug_amends.py").write_text(AMENDS)
    info = tmp_path / "plug_amends-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plug-amends\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[tendred]\namends = plug_amends\n")
    sys.path.insert(0, str(tmp_path))
    import plug_amends

    yield plug_amends.answers
    sys.path.remove(str(tmp_path))
    sys.modules.pop("plug_amends")


@pytest.fixture
def room(database, ids, tmp_path, answers):
    return Room(database, ids, tmp_path / "data")


async def test_every_open_value_is_settled_and_recorded(room):
    request = (await room.one(tags=["a", "b", "a"])).request
    assert set(request) == {*Still.__struct_fields__}
    absent = {"character", "image", "mask", "clip_skip", "vae", "again"}
    assert {name for name, value in request.items() if value is None} == absent
    assert (request["model"], request["keep_alive_s"], request["tags"]) == ("starter", 12.0, ["a", "b"])
    assert 0 <= request["seed"] < 1 << SEED_BITS


async def test_what_was_said_stays_as_it_was_said(room):
    request = (await room.one(seed=0, guidance=0.0, steps=1, keep_alive_s=-1, scheduler="heun", width=64)).request
    assert [request[name] for name in ("seed", "guidance", "steps", "keep_alive_s", "scheduler", "width")] == [
        0, 0.0, 1, -1, "heun", 64,
    ]  # fmt: skip


async def test_chosen_seeds_differ(room):
    assert len({(await room.one()).request["seed"] for _ in range(5)}) == 5


async def test_the_sealed_request_is_the_one_that_was_judged(room):
    job = await room.one("red hills", negative_prompt="fog")
    taken = await claim(room.database, room.queue)
    sealed, conditioning = room.boundary.open(taken.reviewed)
    document = msgspec.json.decode(sealed)
    assert {name: document[name] for name in Still.__struct_fields__} == job.request
    assert len(document["model_sha256"]) == 64
    assert [span.text for span in conditioning.prompt] == ["red hills"]


async def test_all_are_taken_or_none_and_the_row_is_named(room):
    with pytest.raises(InvalidParams) as caught:
        await room.send(StillRequest(prompt="hills"), StillRequest(prompt="hills", width=100))
    assert caught.value.path == "[1].width"
    with pytest.raises(BoundaryRefused) as refused:
        await room.send(StillRequest(prompt="a 15 year old"), StillRequest(prompt="hills"))
    assert refused.value.path == "[0].prompt"
    assert (await room.queue.counts()).counts["queued"] == 0


async def test_a_plugin_may_change_a_request_and_it_is_judged_afterwards(room, answers):
    from tendred.api import Amendment

    answers.append(Amendment(prompt="blue hills", steps=3))
    job = await room.one()
    assert (job.request["prompt"], job.request["steps"]) == ("blue hills", 3)
    answers.append(Amendment(prompt="a 15 year old"))
    with pytest.raises(BoundaryRefused):
        await room.one()
    answers.append(Amendment(width=100_000))
    with pytest.raises(InvalidParams):
        await room.one()
    answers.append(Amendment(prompt="x" * 9000))
    with pytest.raises(TooLarge):
        await room.one()


async def test_a_key_makes_the_same_job_whatever_has_changed_since(room, answers):
    from tendred.api import Amendment

    request = StillRequest(prompt="hills")
    [first] = await room.send(request, key="k")
    room.residency.name = "missing"
    answers.append(Amendment(prompt="other hills"))
    [again] = await room.send(request, key="k")
    assert (again.job.id, again.deduplicated, first.deduplicated) == (first.job.id, True, False)
    with pytest.raises(IdempotencyConflict):
        await room.send(StillRequest(prompt="hills", steps=2), key="k")


async def test_without_an_engine_nothing_new_is_taken(room):
    room.residency.name = "missing"
    with pytest.raises(EngineMissing):
        await room.one()


@pytest.mark.parametrize(
    ("fields", "kind", "path"),
    [
        ({"height": 100}, InvalidParams, "height"),
        ({"scheduler": "magic"}, InvalidParams, "scheduler"),
        ({"loras": [LoraUse(name="style")]}, NotFound, "loras[0].name"),
        ({"character": "nobody"}, NotFound, "character"),
        ({"character": "mira"}, ModelMissing, "character"),
        ({"prompt": "@nobody"}, NotFound, "prompt"),
        ({"negative_prompt": "é" * 4097}, TooLarge, "negative_prompt"),
    ],
)
async def test_what_does_not_fit_is_named(room, fields, kind, path):
    with pytest.raises(kind) as caught:
        await room.one(**fields)
    assert caught.value.path == path


@pytest.fixture
def flux(tmp_path):
    """A folder of the family flux, as far as the daemon looks."""
    folder = shutil.copytree(STARTER_PATH, tmp_path / "flux", copy_function=shutil.copyfile)
    index = msgspec.json.decode((folder / "model_index.json").read_bytes())
    (folder / "model_index.json").write_bytes(msgspec.json.encode({**index, "_class_name": "FluxPipeline"}))
    own = {"_class_name": "FlowMatchEulerDiscreteScheduler"}
    (folder / "scheduler" / "scheduler_config.json").write_bytes(msgspec.json.encode(own))
    return folder


@pytest.mark.parametrize(
    ("fields", "path", "variant"),
    [({"negative_prompt": "fog"}, "negative_prompt", ""), ({"scheduler": "euler"}, "scheduler", "choice")],
)
async def test_what_a_family_lacks_is_refused_by_name(room, flux, fields, path, variant):
    await room.catalog.add(str(flux), None)
    with pytest.raises(UnsupportedParameter) as caught:
        await room.one(model="flux", **fields)
    assert (caught.value.path, caught.value.variant) == (path, variant)
    assert variant == "" or caught.value.detail["near"] == ["flow_euler"]
    assert (await room.one(model="flux", scheduler="flow_euler")).request["scheduler"] == "flow_euler"


async def test_a_scheduler_of_another_kind_is_refused_before_anything_is_loaded(room):
    with pytest.raises(UnsupportedParameter):
        await room.one(scheduler="flow_euler")


async def test_what_a_models_files_say_of_themselves_is_judged(room, tmp_path):
    folder = shutil.copytree(STARTER_PATH, tmp_path / "said", copy_function=shutil.copyfile)
    weights = folder / "vae" / "diffusion_pytorch_model.safetensors"
    data = weights.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = msgspec.json.decode(data[8 : 8 + size])
    header["__metadata__"] = {"modelspec.title": "a schoolgirl model"}
    text = msgspec.json.encode(header)
    weights.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + size :])
    await room.catalog.add(str(folder), None)
    with pytest.raises(BoundaryRefused) as caught:
        await room.one(model="said")
    assert (caught.value.path, caught.value.detail["rule"]) == ("model", "minor.word")


async def test_the_name_of_a_model_is_judged_like_that_of_a_lora(room, tmp_path):
    folder = shutil.copytree(STARTER_PATH, tmp_path / "plain", copy_function=shutil.copyfile)
    await room.catalog.add(str(folder), "toddler mix")
    with pytest.raises(BoundaryRefused) as caught:
        await room.one(model="toddler mix")
    assert (caught.value.path, caught.value.detail["rule"]) == ("model", "minor.word")


async def test_a_prompt_of_exactly_the_limit_is_taken(room):
    assert len((await room.one("é" * 4096)).request["prompt"]) == 4096


async def test_the_name_of_a_prompt_file_is_judged_too(room):
    with pytest.raises(BoundaryRefused) as caught:
        await room.send(StillRequest(prompt="hills"), file="a 15 year old.txt")
    assert caught.value.path == "file name"


def test_everything_that_says_what_will_be_seen_is_judged():
    mira = CharacterUse(name="mira", version=1)
    still = msgspec.structs.replace(STILL, loras=[LoraUse(name="style")], tags=["tag"], character=mira)
    adapter = Adapter(family="sdxl", bytes=1, about=About(), words="painted\nponds", parts={})
    loras = [Lora(name="style", path="/style", sha256="1" * 64, ships=False, adapter=adapter)]
    words = words_of(still, loras, file="file.txt")
    assert words.names == ["style", "painted\nponds", "tag", "mira", "file.txt", "starter"]
    assert (words.character, words.person) == ("mira", False)
    plain = words_of(STILL, [])
    assert (plain.character, plain.person, plain.names) == (None, False, ["starter"])


async def test_loras_are_settled_and_sealed_with_their_hashes(room):
    files = [write(room.loras / f"{name}.safetensors", seed=number) for number, name in enumerate(("ink", "paper"))]
    job = await room.one(loras=[LoraUse(name="paper"), LoraUse(name="ink", weight=0.5)])
    assert job.request["loras"] == [{"name": "paper", "weight": 1.0}, {"name": "ink", "weight": 0.5}]
    sealed, _ = room.boundary.open((await claim(room.database, room.queue)).reviewed)
    assert msgspec.json.decode(sealed)["loras_sha256"] == [file_sha256(file) for file in reversed(files)]


@pytest.mark.parametrize(
    ("names", "kind", "path"),
    [
        (["ink", "ikn"], NotFound, "loras[1].name"),
        (["ink", "ink"], InvalidParams, "loras[1].name"),
        (["ink", "other"], ModelRefused, "loras[1].name"),
        (["ink", "tied"], ModelRefused, "loras[1].name"),
        (["ink", "broken"], ModelRefused, "loras[1].name"),
    ],
)
async def test_a_lora_that_does_not_fit_is_named(room, names, kind, path):
    write(room.loras / "ink.safetensors")
    write(room.loras / "other.safetensors", shapes({"mid_block.attn2.to_k": (768, 320)}))
    write(room.loras / "tied.safetensors", about={"base": "another model"})
    write(room.loras / "broken.safetensors").write_bytes(b"\xff" * 20)
    with pytest.raises(kind) as caught:
        await room.one(loras=[LoraUse(name=name) for name in names])
    assert caught.value.path == path
    assert kind is not NotFound or "ink" in caught.value.detail["near"]


async def test_what_a_lora_says_of_itself_is_judged(room):
    tags = '{"set": {"a schoolgirl": 9}}'
    write(room.loras / "ink.safetensors", metadata={"ss_tag_frequency": tags})
    with pytest.raises(BoundaryRefused) as caught:
        await room.one(loras=[LoraUse(name="ink")])
    assert (caught.value.path, caught.value.detail["rule"]) == ("loras[0]", "minor.word")
    write(room.loras / "people.safetensors", metadata={"modelspec.title": "a woman in ink"})
    await room.one(loras=[LoraUse(name="people")])
    _, conditioning = room.boundary.open((await claim(room.database, room.queue)).reviewed)
    assert conditioning.anchor == "adult"


async def test_a_character_is_expanded_judged_and_sealed(room):
    mira(room.loras.parents[1] / "package")
    write(room.loras / "ink.safetensors")
    job = await room.one("@mira under a yellow sky", loras=[LoraUse(name="ink", weight=0.5)])
    assert job.request["prompt"] == "mira, a tan woman with long wavy black hair under a yellow sky"
    assert job.request["character"] == {"name": "mira", "version": 1}
    assert job.request["loras"] == [{"name": "ink", "weight": 0.5}, {"name": "mira", "weight": 1.0}]
    claimed = await claim(room.database, room.queue)
    sealed, conditioning = room.boundary.open(claimed.reviewed)
    assert msgspec.json.decode(sealed)["character"] == {"name": "mira", "version": 1}
    assert "".join(span.text for span in conditioning.prompt) == job.request["prompt"]
    assert conditioning.anchor == "adult"
    assert claimed.asked["prompt"] == "@mira under a yellow sky"


async def test_a_refusal_points_into_the_prompt_as_it_was_written(room):
    mira(room.loras.parents[1] / "package")
    prompt = "@mira beside a 15 year old"
    with pytest.raises(BoundaryRefused) as caught:
        await room.one(prompt)
    start, end = caught.value.detail["span"]
    assert "15 year" in prompt[start:end]


async def test_a_character_goes_with_the_model_that_it_was_made_for(room, tmp_path):
    mira(room.loras.parents[1] / "package")
    await room.catalog.add(str(shutil.copytree(STARTER_PATH, tmp_path / "copy", copy_function=shutil.copyfile)), None)
    for fields, path in (({"character": "mira"}, "character"), ({"prompt": "@mira"}, "prompt")):
        with pytest.raises(ModelRefused) as caught:
            await room.one(model="copy", **fields)
        assert (caught.value.variant, caught.value.path, caught.value.detail["base"]) == ("base", path, "starter")


async def test_a_prompt_that_grew_too_long_is_refused(room):
    mira(room.loras.parents[1] / "package")
    with pytest.raises(TooLarge):
        await room.one("@mira " * 200)


async def test_a_check_resolves_what_a_submit_does(room):
    mira(room.loras.parents[1] / "package")
    check = room.submitter.check
    assert (await check(StillRequest(prompt="@mira on a hill"), "still", "en")).verdict == "allow"
    refused = await check(StillRequest(prompt="@mira, 15 years old"), "still", "fr")
    assert (refused.verdict, refused.span, refused.path) == ("refuse", (7, 19), "prompt")
    elsewhere = await check(StillRequest(prompt="hills", negative_prompt="Winston Churchill"), "still", "en")
    assert (elsewhere.verdict, elsewhere.span, elsewhere.path) == ("refuse", None, "negative_prompt")
    for fields, path in (
        ({"character": "nobody"}, "character"), ({"prompt": "@nobody"}, "prompt"),
        ({"loras": [LoraUse(name="nosuch")]}, "loras[0].name"),
    ):  # fmt: skip
        with pytest.raises(NotFound) as caught:
            await check(StillRequest(**{"prompt": "hills", **fields}), "still", "en")
        assert caught.value.path == path
    assert (await room.queue.counts()).counts["queued"] == 0
