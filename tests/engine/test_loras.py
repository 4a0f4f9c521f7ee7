"""LoRAs in the real process: every value arrives or none does, and the base is itself again afterwards."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys

import pytest
import pytest_asyncio

from tendred.app.assembly import Machine
from tendred.errors import ModelRefused
from tendred.models.lora import inspect, misfit
from tendred.schema.character import CharacterUse
from tendred.schema.sealed import Conditioning, Span
from tendred.schema.still import LoraUse
from tendred.schema.weights import file_sha256
from tendred.schema.work import Output
from tendred.testing.daemon import TestDaemon, quiet
from tendred.testing.tiny import STARTER

# Making the files takes a third of the usual limit on a quiet machine.
pytestmark = [pytest.mark.engine, pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="session")]
WORDS = Conditioning(prompt=[Span(text="a woman in red")], negative=[], anchor=None)


def split(file):
    """Header and data of a safetensors file."""
    data = file.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def write(file, header, data):
    text = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return file


def renamed(source, file, change):
    """The same file with other keys, in the old order of the data."""
    header, data = split(source)
    return write(file, {key if key == "__metadata__" else change(key): value for key, value in header.items()}, data)


@pytest.fixture(scope="module")
def loras(tmp_path_factory, tiny):
    """Files of peft's own making, by name."""
    root = tmp_path_factory.mktemp("loras")
    kinds = {"ink": "lora", "paper": "lora", "loud": "lora-alpha", "words": "lora-encoder"}
    arguments = [part for name, kind in kinds.items() for part in (kind, str(root / f"{name}.safetensors"))]
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"}
    subprocess.run([sys.executable, "-m", "tendred.testing.tiny", *arguments], env=env, check=True, capture_output=True)
    return {name: root / f"{name}.safetensors" for name in kinds}


@pytest_asyncio.fixture(loop_scope="session")
async def drawn(studio, loras):
    """`await drawn("ink", ("paper", 0.5), other=path)`: the pixels' hash with these on."""

    async def draw(*uses, **more):
        named = [use if isinstance(use, tuple) else (use, 1.0) for use in uses]
        paths = {**loras, **{name: more.pop(name) for name in list(more) if name not in {"model", "steps"}}}
        asked = [LoraUse(name=name, weight=weight) for name, weight in named]
        changes = {"width": 64, "height": 64, "steps": 3, **more}
        order = studio.order(WORDS, loras=asked, lora_paths=paths, **changes)
        (out,) = [report async for report in studio.engine.run(order) if isinstance(report, Output)]
        return out.pixels_sha256

    return draw


async def test_the_daemon_takes_what_peft_writes(loras):
    for name, file in loras.items():
        adapter = inspect(file, name)
        assert misfit(adapter, STARTER, "starter") is None
        assert any(layer.endswith("conv1") for layer in adapter.parts["unet"])


async def test_base_then_one_then_two_then_the_other_then_base(drawn):
    base = await drawn()
    seen = [await drawn("ink"), await drawn("ink", "paper"), await drawn("paper"), await drawn()]
    assert seen[-1] == base
    assert len({*seen}) == 4
    # Whatever was on the model before: the same LoRAs are the same picture.
    assert [await drawn("paper"), await drawn("ink", "paper"), await drawn("ink"), await drawn()] == [
        seen[2], seen[1], seen[0], base,
    ]  # fmt: skip


async def test_the_weight_counts_and_none_is_the_base(drawn):
    base, full = await drawn(), await drawn("ink")
    half = await drawn(("ink", 0.5))
    assert len({base, full, half}) == 3
    assert await drawn(("ink", 0.0)) == base
    assert await drawn("ink") == full


async def test_alpha_in_the_file_counts(drawn, loras, tmp_path):
    header, data = split(loras["loud"])
    assert json.loads(header["__metadata__"]["lora_adapter_metadata"])["unet.lora_alpha"] == 8
    plain = write(tmp_path / "plain.safetensors", {**header, "__metadata__": {"format": "pt"}}, data)
    # Rank 2 and alpha 8: four times as strong as the same values without.
    assert await drawn("loud") == await drawn(("plain", 4.0), plain=plain) != await drawn("plain", plain=plain)


async def test_a_text_encoder_is_changed_and_restored_as_well(drawn, loras, tmp_path):
    base, both = await drawn(), await drawn("words")
    header, _ = split(loras["words"])
    assert any(key.startswith("text_encoder.") for key in header)
    # As files of before transformers 5.6 name them.
    older = renamed(
        loras["words"], tmp_path / "older.safetensors",
        lambda key: key.replace("text_encoder.", "text_encoder.text_model."),
    )  # fmt: skip
    assert await drawn("older", older=older) == both != base
    assert await drawn() == base


async def test_one_for_fewer_parts_beside_one_for_more(drawn):
    base = await drawn()
    both = await drawn("words", "ink")
    assert both not in {base, await drawn("ink"), await drawn("words")}
    assert await drawn("words", "ink") == both
    assert await drawn() == base


async def test_kohyas_names_are_the_same_lora(drawn, loras, tmp_path):
    def kohya(key):
        module, _, half = key.removeprefix("unet.").rpartition(".lora_")
        down = {"A.weight": "lora_down.weight", "B.weight": "lora_up.weight"}[half]
        return f"lora_unet_{module.replace('.', '_')}.{down}"

    named = renamed(loras["ink"], tmp_path / "kohya.safetensors", kohya)
    assert await drawn("kohya", kohya=named) == await drawn("ink")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda key: key.replace("unet.", "transformer."), "0 of its"),
        (lambda key: key.replace("attn1.to_q", "attn9.to_q"), "of its"),
        (lambda key: key.replace("unet.mid_block", "text_encoder_9.mid_block"), "of its"),
    ],
    ids=["other family", "no such layer", "no such part"],
)
async def test_one_that_would_do_nothing_or_half_is_refused(drawn, loras, tmp_path, change, words):
    base = await drawn()
    wrong = renamed(loras["ink"], tmp_path / "wrong.safetensors", change)
    for uses in (["wrong"], ["ink", "wrong"]):
        with pytest.raises(ModelRefused) as caught:
            await drawn(*uses, wrong=wrong)
        assert (caught.value.variant, caught.value.detail["reason"]) == ("lora", "family")
        assert words in caught.value.detail["problem"]
    assert await drawn() == base


async def test_numbers_that_are_none_are_refused(drawn, loras, tmp_path):
    base = await drawn()
    header, data = split(loras["ink"])
    broken = write(tmp_path / "nan.safetensors", header, b"\xff" * 8 + data[8:])
    with pytest.raises(ModelRefused) as caught:
        await drawn("nan", nan=broken)
    assert caught.value.detail["reason"] == "header"
    assert await drawn() == base


async def test_a_file_that_was_not_judged_is_refused(studio, drawn, loras, tmp_path):
    base = await drawn()
    file = tmp_path / "swapped.safetensors"
    file.write_bytes(loras["ink"].read_bytes())
    asked = [LoraUse(name="swapped")]
    judged = studio.order(WORDS, width=64, height=64, steps=3, loras=asked, lora_paths={"swapped": file})
    file.write_bytes(loras["paper"].read_bytes())
    with pytest.raises(ModelRefused) as caught:
        _ = [report async for report in studio.engine.run(judged)]
    assert "changed since" in caught.value.detail["problem"]
    assert await drawn() == base


async def test_other_models_know_them_too_and_a_wrong_size_is_refused(studio, drawn, tiny):
    studio.paths["sdxl"] = tiny["sdxl"]
    base = await drawn(model="sdxl")
    with pytest.raises(ModelRefused):
        await drawn("ink", model="sdxl")
    assert await drawn(model="sdxl") == base


async def test_a_character_on_the_whole_road_and_the_starter_is_itself_afterwards(loras, tmp_path):
    package = tmp_path / "package" / "loras"
    package.mkdir(parents=True)
    shutil.copy(loras["ink"], package / "mira.safetensors")
    (package / "mira.json").write_text('{"name": "mira", "family": "sdxl", "base": "starter"}')
    machine = Machine(packaged=package.parent)
    daemon = await TestDaemon.start(tmp_path / "home", [*quiet(), "engine.device=cpu", "engine.threads=1"], machine)
    try:
        asked = [("red hills", {}), ("@mira on a hill", {}), ("on a hill", {"character": "mira"}), ("red hills", {})]
        jobs = [await daemon.still(prompt, seed=1, steps=2, timeout_s=60, **more) for prompt, more in asked]
        assert [job.error for job in jobs] == [None] * 4
        before, mentioned, named, after = [await daemon.studio.asset(job.asset_ids[0]) for job in jobs]
    finally:
        await daemon.stop()
    assert before.pixels_sha256 == after.pixels_sha256
    assert [use.sha256 for use in mentioned.loras] == [file_sha256(loras["ink"])]
    assert mentioned.character == named.character == CharacterUse(name="mira", version=1)
    assert (jobs[1].request["prompt"], jobs[2].request["prompt"]) == (
        "mira, a tan woman with long wavy black hair on a hill", "mira, a tan woman with long wavy black hair, on a hill",
    )  # fmt: skip
    assert len({before.pixels_sha256, mentioned.pixels_sha256}) == 2


@pytest.mark.timeout(300)
async def test_fifty_changes_leave_the_base_and_the_memory(studio, drawn):
    import psutil

    base = await drawn(steps=1)
    for _ in range(3):
        await drawn("ink", "paper", steps=1)
    process = psutil.Process(studio.engine.state().pid)
    log = studio.root / "engine.log"
    before, said = process.memory_info().rss, log.read_text()
    for number in range(50):
        seen = await drawn(*(["ink"], ["ink", "paper"], ["paper"], [])[number % 4], steps=1)
        assert number % 4 < 3 or seen == base
    assert process.memory_info().rss - before < 64 * 2**20
    assert log.read_text() == said
    assert "UserWarning" not in said
