"""Which waiting jobs are drawn in one go with the one that was claimed."""

import msgspec
import pytest

from tendred.clock import Ids, SystemRng
from tendred.queue.claim import claim
from tendred.queue.machine import EngineDied, Finished, Interrupted, PutBack
from tendred.queue.store import NewJob, Queue
from tendred.schema.error import ErrorInfo
from tendred.schema.job import Origin
from tendred.schema.sealed import Reviewed
from tendred.schema.source import PartUse, SourceUse
from tendred.schema.still import LoraUse, Repeat, Variation
from tendred.testing.orders import STILL

SEALED = Reviewed(request=b"r", conditioning=b"c", policy="p", mac=b"m")
FREE = msgspec.structs.replace(STILL, reproducible=False)
GONE = ErrorInfo(kind="engine_died", message="m", path=None, next="n", detail={}, ref="r")


class Line:
    """A queue, and what is claimed from it, by short names."""

    def __init__(self, database, clock):
        self.database, self.queue, self.ids = database, Queue(database, 1000), Ids(clock, SystemRng())
        self.names = {}

    async def send(self, name, client="krita", **changes):
        still = msgspec.structs.replace(FREE, **changes)
        new = NewJob(
            id=self.ids.new("job"), kind="still", lane=still.lane, asked={}, reviewed=SEALED, removed=[], retry_of=None,
            request=msgspec.to_builtins(still), key=None, key_hash=b"", origin=Origin(door="rpc", client=client),
        )  # fmt: skip
        self.names[new.id] = name
        await self.queue.add([new])
        return new.id

    async def claim(self):
        """The names of what is drawn in one go."""
        taken = await claim(self.database, self.queue)
        return "" if taken is None else "".join(self.names[one.job.id] for one in [taken, *taken.beside])

    async def all(self):
        found = []
        while names := await self.claim():
            found.append(names)
        return found


@pytest.fixture
def line(database, clock):
    return Line(database, clock)


async def test_those_that_are_alike_go_together_in_their_order(line):
    await line.send("a", prompt="hills", seed=1, tags=["x"], format="png")
    await line.send("b", prompt="sea", seed=2, format="webp", count=2)
    await line.send("c", client="blender")
    [together] = await line.all()
    assert (together[0], sorted(together)) == ("a", ["a", "b", "c"])
    assert [(await line.queue.get(one)).state for one in line.names] == ["running"] * 3


async def test_nobody_who_wants_it_once_more_is_in_company(line):
    for name in "abc":
        await line.send(name, reproducible=name != "b")
    await line.send("d", reproducible=False)
    assert await line.all() == ["a", "bd", "c"]


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "other"}, {"width": 128}, {"steps": 5}, {"guidance": 5.0}, {"scheduler": "ddim"}, {"clip_skip": 2},
        {"negative_prompt": "rain"}, {"keep_alive_s": 0.0}, {"lane": "idle"}, {"loras": [LoraUse(name="ink")]},
        {"vae": PartUse(name="crisp", sha256="0")}, {"image": SourceUse(asset_id="ast_1", sha256="0", strength=0.5)},
        {"variations": [Variation(asset_id="ast_1", seed=1, strength=0.5)]},
        {"again": Repeat(asset_id="ast_1", pixels_sha256="0", promised=True)},
    ],
    ids=lambda changes: next(iter(changes)),
)  # fmt: skip
async def test_one_that_differs_in_more_than_words_goes_by_itself(line, changes):
    await line.send("a")
    await line.send("b", **changes)
    await line.send("c")
    assert sorted(await line.all()) == ["ac", "b"]


async def test_what_begins_with_a_picture_goes_by_itself_even_among_its_like(line):
    image = SourceUse(asset_id="ast_1", sha256="0", strength=0.5)
    for name in "ab":
        await line.send(name, image=image)
    assert await line.all() == ["a", "b"]


async def test_as_many_as_fit(line):
    for name in "abcdefghij":
        await line.send(name)
    assert await line.all() == ["abcdefgh", "ij"]
    for name in "kl":
        await line.send(name, width=2048, height=2048)
    assert await line.all() == ["k", "l"]
    await line.send("m", count=6)
    await line.send("n", count=3)
    await line.send("o", count=2)
    assert await line.all() == ["mo", "n"]
    await line.send("p", count=20)
    await line.send("q")
    assert await line.all() == ["p", "q"]


@pytest.mark.parametrize("happening", [EngineDied(GONE), Interrupted(GONE)])
async def test_who_was_tried_before_goes_by_itself(line, happening):
    first = await line.send("a")
    assert await line.claim() == "a"
    await line.send("b")
    await line.send("c")
    await line.queue.apply(first, happening)
    assert await line.all() == ["a", "bc"]


async def test_who_was_put_back_was_not_tried(line):
    first = await line.send("a")
    assert await line.claim() == "a"
    await line.send("b")
    await line.queue.apply(first, PutBack())
    assert await line.all() == ["ab"]


async def test_what_a_person_put_first_lets_none_pass(line):
    await line.send("a")
    await line.send("b", steps=9)
    await line.send("c")
    ids = list(line.names)
    await line.queue.move(ids[1], "first")
    await line.queue.move(ids[0], "first")
    assert await line.all() == ["a", "b", "c"]


async def test_each_client_pays_for_its_own(line, database):
    await line.send("a", client="krita")
    await line.send("b", client="blender", count=3)
    assert await line.claim() == "ab"
    rows = await database.read(lambda connection: connection.execute("SELECT line, served FROM share").fetchall())
    served = {row["line"]: row["served"] for row in rows}
    assert served["rpc:blender"] == pytest.approx(3 * served["rpc:krita"]) != 0


async def test_the_time_of_company_is_shared_by_those_in_it(line, database, clock):
    first = await line.send("a", steps=10)
    second = await line.send("b", steps=10)
    assert await line.claim() == "ab"
    await database.write(lambda tx: tx.run("UPDATE job SET claimed_at = claimed_at - 8"))
    for job_id in (first, second):
        await line.queue.apply(job_id, Finished(0.5))
    row = await database.read(lambda connection: connection.execute("SELECT seconds, jobs FROM pace").fetchone())
    # Two that took eight seconds in one go count as four each.
    assert row["seconds"] / row["jobs"] == pytest.approx(4, rel=0.2)
