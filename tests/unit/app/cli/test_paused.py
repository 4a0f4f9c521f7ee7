import pytest

from tendred.app.cli.watch import place_of


def pause(peer, reason):
    if reason == "user":
        peer.run(peer.studio.pause(mode="drain", unload=False))
    else:
        peer.studio.obstacle = reason


@pytest.mark.parametrize(
    ("reason", "step"),
    [
        ("user", "tendre queue resume"),
        ("start", "tendre queue resume"),
        ("disk_full", "Free some space"),
        ("folder_unwritable", "writable"),
        ("engine_unstable", "tendre logs"),
        ("unheard_of", "tendre doctor"),
    ],
)
def test_whoever_waits_for_a_paused_queue_is_told_once_and_how_it_goes_on(tendre, peer, reason, step):
    pause(peer, reason)
    ran = tendre("image", "stuck", "--timeout", "0.1")
    assert ran.code == 7
    assert ran.err.count("The queue is paused") == 1
    assert step in ran.err


def test_every_command_that_waits_tells(tendre, peer, tmp_path):
    job_id = tendre("image", "stuck", "--no-wait").out.strip()
    prompt = tmp_path / "egg.md"
    prompt.write_text("an egg")
    pause(peer, "user")
    for argv in (
        ("image", "x", "--no-wait"),
        ("drop", prompt),
        ("drop", prompt, "--no-wait"),
        ("job", job_id, "--wait", "--timeout", "0.1"),
    ):
        assert tendre(*argv).err.count("tendre queue resume") == 1, argv
    assert "paused" not in tendre("job", job_id).err
    assert "pause" in tendre("image", "x", "--no-wait", "--lang", "fr").err


def test_a_queue_that_runs_is_not_mentioned(tendre, peer):
    ran = tendre("image", "egg")
    assert "queue is" not in ran.err


def test_under_json_nothing_is_said_beside_the_document(tendre, peer):
    pause(peer, "user")
    assert tendre("image", "x", "--no-wait", "--json").err == ""


@pytest.mark.parametrize(("position", "shown"), [(None, None), (0, "#1"), (4, "#5")])
def test_people_count_from_1(position, shown):
    assert place_of({"position": position}) == shown
