from tendred.core.dependents import NOBODY, dependents, in_words
from tendred.schema.cache import Dependents
from tendred.schema.still import LoraUse
from tendred.testing.loras import mira, write


async def of(stock, kind, name):
    return await dependents(stock.database, stock.cast, stock.shelf, kind, name)


async def test_nobody_needs_what_nobody_names(stock):
    await stock.waiting()
    assert await of(stock, "lora", "ink") == NOBODY
    assert await of(stock, "vae", "fine") == NOBODY
    assert in_words(NOBODY) == ""


async def test_waiting_jobs_and_those_alone(stock):
    first = await stock.waiting(loras=[LoraUse(name="ink"), LoraUse(name="paper")])
    second = await stock.waiting(model="mine", loras=[LoraUse(name="ink")])
    await stock.database.write(lambda tx: tx.run("UPDATE job SET state = 'succeeded' WHERE id = ?", second.id))
    found = await of(stock, "lora", "ink")
    assert (found.jobs, found.waiting) == ([first.id], 1)
    assert (await of(stock, "model", "mine")).waiting == 0
    assert (await of(stock, "model", "starter")).jobs == [first.id]
    assert (await of(stock, "lora", "in")).waiting == 0


async def test_the_first_of_many_jobs(stock):
    jobs = [(await stock.waiting()).id for _ in range(12)]
    found = await of(stock, "model", "starter")
    assert (found.jobs, found.waiting) == (jobs[:10], 12)


async def test_characters_and_the_loras_made_for_a_model(stock):
    mira(stock.root / "package")
    write(stock.own / "loras" / "broken.safetensors").write_bytes(b"x")
    found = await of(stock, "model", "starter")
    assert (found.characters, found.loras) == (["mira"], ["mira"])
    assert (await of(stock, "lora", "mira")).characters == ["mira"]


def test_in_words():
    assert in_words(Dependents(characters=["mira"], loras=["ink"], jobs=["job_1"], waiting=1)) == (
        "character mira, LoRA ink, a waiting job"
    )
    assert in_words(Dependents(characters=[], loras=[], jobs=[], waiting=3)) == "3 waiting jobs"
