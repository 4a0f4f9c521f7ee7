import pytest

from tendred.core.history import History
from tendred.errors import EventsGone


@pytest.fixture
def history(database):
    return History(database, "boot_2", kept=5)


async def happen(database, *topics):
    for topic in topics:
        await database.write(lambda tx, topic=topic: tx.emit(topic, {"n": topic}, "job_1"))


async def test_before_anything_happened(history):
    page = await history.since(0, [], 10)
    assert (page.events, page.next_seq, page.oldest_seq, page.boot_id) == ([], 1, 1, "boot_2")
    assert await history.last_seq() == 0


async def test_events_come_back_as_they_were_told(history, database, published):
    await happen(database, "job.queued", "job.started")
    page = await history.since(1, [], 10)
    assert page.events == published
    assert page.events[0].boot_id == "boot_1"
    assert page.next_seq == 3


async def test_pages_have_no_gap_and_nothing_twice(history, database):
    await happen(database, *["job.queued"] * 7)
    seen, seq = [], 1
    while events := (page := await history.since(seq, [], 3)).events:
        seen += [event.seq for event in events]
        seq = page.next_seq
    assert seen == [1, 2, 3, 4, 5, 6, 7]
    assert seq == 8


async def test_topics_are_prefixes_and_what_was_passed_over_is_not_looked_at_again(history, database):
    await happen(database, "job.queued", "queue.paused", "asset.kept", "queue.resumed")
    page = await history.since(1, ["job.", "asset.k"], 10)
    assert [event.topic for event in page.events] == ["job.queued", "asset.kept"]
    assert page.next_seq == 5
    page = await history.since(1, ["queue."], 1)
    assert ([event.seq for event in page.events], page.next_seq) == ([2], 3)
    assert (await history.since(1, ["plugin."], 10)).next_seq == 5


@pytest.mark.parametrize("topic", ["job_", "%", "_ob.", "job.%", "JOB.", "'"])
async def test_a_topic_is_no_pattern(history, database, topic):
    await happen(database, "job.queued")
    assert (await history.since(1, [topic], 10)).events == []


async def test_a_number_of_the_future_stays(history, database):
    await happen(database, "job.queued")
    assert (await history.since(9, [], 10)).next_seq == 9


async def test_what_is_forgotten_is_told(history, database):
    await happen(database, *["job.queued"] * 8)
    await history.forget()
    with pytest.raises(EventsGone) as caught:
        await history.since(3, [], 10)
    assert caught.value.detail == {"oldest_seq": 4}
    page = await history.since(4, [], 10)
    assert [event.seq for event in page.events] == [4, 5, 6, 7, 8]
    assert page.oldest_seq == 4


async def test_numbers_go_on_after_everything_was_forgotten(database):
    history = History(database, "boot_2", kept=0)
    await happen(database, "job.queued", "job.queued")
    await history.forget()
    assert await history.last_seq() == 2
    with pytest.raises(EventsGone) as caught:
        await history.since(1, [], 10)
    assert caught.value.detail == {"oldest_seq": 3}
    await happen(database, "job.started")
    assert [event.seq for event in (await history.since(3, [], 10)).events] == [3]
