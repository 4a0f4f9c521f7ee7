import os
import stat
from pathlib import Path

import pytest

from tendred.app.cli.fields import lora
from tendred.app.cli.image import free
from tendred.app.cli.sources import told
from tendred.schema.source import Rect
from tendred.schema.stroke import Stroke
from tendred.testing.rpc_peer import PIXEL


def test_a_picture_is_made_and_its_path_printed(tendre, peer):
    ran = tendre("image", "a", "red", "egg")
    assert ran.code == 0
    [path] = ran.out.splitlines()
    assert Path(path).read_bytes() == PIXEL
    assert "Queued as job_" in ran.err
    [submission] = peer.studio.submissions
    assert submission.asked["prompt"] == "a red egg"


def test_json_is_one_document_with_job_and_assets(tendre, peer):
    ran = tendre("image", "a red egg", "--json", "--count", "2")
    assert ran.code == 0
    assert ran.err == ""
    document = ran.document
    assert document["job"]["state"] == "succeeded"
    assert [asset["id"] for asset in document["assets"]] == document["job"]["asset_ids"]
    assert len(document["assets"]) == 2


def test_every_option_reaches_the_daemon(tendre, peer):
    options = (
        "--model starter --width 128 --height 64 --steps 3 --guidance 2.5 --scheduler euler --seed 9 --count 2 "
        "--negative fog --lora soft:0.5 --lora hard --character mira --format webp --lane idle --keep-alive -1 --tag a --tag b "
        "--not-reproducible"
    )
    assert tendre("image", *options.split(), "--no-wait", "egg").code == 0
    request = peer.studio.submissions[0].request
    assert (request.model, request.width, request.height, request.steps) == ("starter", 128, 64, 3)
    assert (request.guidance, request.scheduler, request.seed, request.count) == (2.5, "euler", 9, 2)
    assert request.negative_prompt == "fog"
    assert [(use.name, use.weight) for use in request.loras] == [("soft", 0.5), ("hard", 1.0)]
    assert request.character == "mira"
    assert (request.format, request.lane, request.keep_alive_s, request.tags) == ("webp", "idle", -1, ["a", "b"])
    assert request.reproducible is False


def test_what_is_not_said_is_left_to_the_daemon(tendre, peer):
    tendre("image", "egg", "--no-wait")
    assert set(peer.studio.submissions[0].asked) == {"prompt"}
    assert peer.studio.submissions[0].key


def test_no_wait_prints_the_id_and_goes(tendre, peer):
    ran = tendre("image", "stuck", "--no-wait")
    assert ran.code == 0
    assert ran.out.startswith("job_")


def test_the_prompt_can_come_from_stdin(tendre, peer):
    assert tendre("image", "-", "--no-wait", stdin="a red egg\n").code == 0
    assert peer.studio.submissions[0].asked["prompt"] == "a red egg"


def test_the_boundary_ends_it_with_4(tendre, peer):
    ran = tendre("image", "a child", "--json")
    assert ran.code == 4
    assert ran.document["error"]["detail"]["rule"] == "minor.words"
    assert "minor.words" in ran.err


def test_a_refusal_shows_which_words_and_what_would_pass(tendre, peer):
    ran = tendre("image", "child", "on a hill")
    assert "[child] on a hill" in ran.err
    assert "Say adult" in ran.err
    # A command that has no prompt on its line has nothing to point at.
    assert "[child" not in tendre("image", "-", stdin="child on a hill").err


def test_what_is_painted_and_how_a_still_is_turned_goes_along(tendre, peer, tmp_path):
    strokes = tmp_path / "strokes.json"
    strokes.write_text('[{"colour": "#ff0000", "width": 2, "points": [1, 2]}]')
    line = ("image", "egg", "--no-wait", "--from", "ast_1")
    ran = tendre(*line, "--crop", "0,1,20,30", "--mirror", "--turn", "90", "--strokes", strokes)
    assert ran.code == 0
    image = peer.studio.submissions[0].request.image
    assert (image.crop, image.mirror, image.turn) == (Rect(x=0, y=1, width=20, height=30), True, 90)
    assert image.strokes == [Stroke(colour="#ff0000", width=2.0, points=[1, 2])]
    strokes.write_text("[1]")
    assert tendre(*line, "--strokes", strokes).code == 2
    ran = tendre("image", "egg", "--mirror")
    assert (ran.code, "--from ASSET" in ran.err) == (2, True)


def test_a_job_that_fails_ends_it_with_1_and_its_words(tendre, peer):
    ran = tendre("image", "explode", "--json")
    assert ran.code == 1
    assert ran.document["error"]["kind"] == "engine_died"
    assert ran.document["job"]["state"] == "failed"
    assert "signal 9" in ran.err


def test_a_parked_job_ends_it_with_1(tendre, peer):
    ran = tendre("image", "parked")
    assert ran.code == 1
    assert "parked" in ran.err


def test_a_field_that_does_not_fit_ends_it_with_2(tendre, peer):
    ran = tendre("image", "x", "--steps", "0", "--json")
    assert ran.code == 2
    assert ran.document["error"]["path"] == "steps"


def test_a_timeout_ends_it_with_7_and_the_job_goes_on(tendre, peer):
    ran = tendre("image", "stuck", "--timeout", "0.1")
    assert ran.code == 7
    assert "tendre job job_" in ran.err
    [job] = peer.run(peer.studio.jobs(state=None, kind=None, limit=5, cursor=None)).jobs
    assert job.state == "queued"


def test_output_names_a_file(tendre, peer, tmp_path):
    target = tmp_path / "egg.png"
    target.write_text("old")
    assert tendre("image", "egg", "-o", target).code == 0
    assert target.read_bytes() == PIXEL
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == ["egg.png"]


def test_the_ending_of_the_output_gives_the_format(tendre, peer, tmp_path):
    tendre("image", "egg", "--no-wait", "-o", tmp_path / "egg.JPG")
    assert peer.studio.submissions[0].request.format == "jpeg"


def test_output_names_a_folder_and_overwrites_nothing_there(tendre, peer, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    document = tendre("image", "egg", "--count", "2", "-o", folder, "--json").document
    assert sorted(document["copies"]) == sorted(str(path) for path in folder.iterdir())
    assert len(document["copies"]) == 2


def test_several_pictures_get_numbers(tendre, peer, tmp_path):
    tendre("image", "egg", "--count", "2", "-o", tmp_path / "egg.png")
    assert sorted(path.name for path in tmp_path.glob("egg*")) == ["egg-001.png", "egg-002.png"]


def test_an_output_that_cannot_be_is_told_before_anything_is_drawn(tendre, peer, tmp_path):
    assert tendre("image", "egg", "-o", tmp_path / "nowhere" / "egg.png").code == 2
    assert peer.studio.submissions == []


def test_nothing_that_came_from_outside_reaches_the_terminal_raw(tendre, peer):
    tendre("image", "\x1b]0;owned\x07 \x9b31m egg \u202e", "--no-wait")
    ran = tendre("jobs")
    assert ran.code == 0
    assert not set(ran.out) & {"\x1b", "\x07", "\x9b", "\u202e"}
    assert "\\x1b" in ran.out
    raw = tendre("jobs", "--json")
    assert not set(raw.out) & {"\x1b", "\x07", "\x9b", "\u202e"}
    assert raw.document["jobs"][0]["request"]["prompt"] == "\x1b]0;owned\x07 \x9b31m egg \u202e"


@pytest.mark.parametrize(("text", "name", "weight"), [("a", "a", 1.0), ("a:0.5", "a", 0.5), ("a:b:-1", "a:b", -1.0)])
def test_a_lora_is_a_name_and_a_weight(text, name, weight):
    assert lora(text) == {"name": name, "weight": weight}


def test_a_taken_name_gets_a_number(tmp_path):
    (tmp_path / "a.png").touch()
    (tmp_path / "a~2.png").touch()
    assert free(tmp_path / "a.png").name == "a~3.png"
    assert free(tmp_path / "b.png").name == "b.png"


def test_a_copy_is_readable_like_any_file(tendre, peer, tmp_path):
    before = os.umask(0o022)
    try:
        tendre("image", "egg", "-o", tmp_path / "egg.png")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "egg.png").stat().st_mode) == 0o644


@pytest.mark.parametrize(
    ("name", "options"),
    [("egg.bmp", ()), ("egg.v2", ()), ("egg.webp", ("--format", "png")), ("egg.png", ("--format", "jpeg"))],
)
def test_an_ending_that_would_lie_is_refused_before_anything_is_sent(tendre, peer, tmp_path, name, options):
    ran = tendre("image", "egg", "-o", tmp_path / name, *options)
    assert ran.code == 2
    assert name in ran.err
    assert peer.studio.submissions == []


@pytest.mark.parametrize(
    ("name", "options", "format_"),
    [("e.JPEG", (), "jpeg"), ("e.jpg", ("--format", "jpeg"), "jpeg"), ("e", ("--format", "webp"), "webp")],
)
def test_an_ending_and_a_format_that_agree_are_fine(tendre, peer, tmp_path, name, options, format_):
    assert tendre("image", "egg", "--no-wait", "-o", tmp_path / name, *options).code == 0
    assert peer.studio.submissions[0].request.format == format_


def test_the_ending_of_a_folder_says_nothing(tendre, peer, tmp_path):
    (tmp_path / "eggs.bmp").mkdir()
    (tmp_path / "eggs.jpg").mkdir()
    assert tendre("image", "egg", "-o", tmp_path / "eggs.bmp").code == 0
    assert tendre("image", "egg", "-o", tmp_path / "eggs.jpg", "--format", "png").code == 0


def test_a_picture_of_the_library_begins_another(tendre, peer):
    options = (
        "--from ast_1 --strength 0.4 --mask 0,0,8,8 --mask 8,8,4,4 --feather 2 --control ast_2:lines:0.5 "
        "--control ast_3:depth --clip-skip 2 --vae crisp"
    )
    assert tendre("image", *options.split(), "--no-wait", "egg").code == 0
    request = peer.studio.submissions[0].request
    assert (request.image.asset_id, request.image.strength) == ("ast_1", 0.4)
    assert [(rect.x, rect.width) for rect in request.mask.rects] == [(0, 8), (8, 4)]
    assert request.mask.feather == 2
    assert [(one.asset_id, one.model, one.scale) for one in request.control] == [
        ("ast_2", "lines", 0.5), ("ast_3", "depth", 1.0),
    ]  # fmt: skip
    assert (request.clip_skip, request.vae) == (2, "crisp")


@pytest.mark.parametrize(
    "options", ["--strength 0.5", "--mask 0,0,8,8", "--from a --feather 2", "--from a --mask 0,0,8", "--control a",
                "--from a --mask no.pbm"],
)  # fmt: skip
def test_options_that_make_no_sense_are_told(tendre, peer, options):
    ran = tendre("image", *options.split(), "egg")
    assert ran.code == 2
    assert not peer.studio.submissions


PLAIN = b"P1\n# a comment\n4 2\n1 1 0 0\n0001\n"
PACKED = b"P4\n4 2\n" + bytes([0b1100_0000, 0b0001_0000])


@pytest.mark.parametrize("data", [PLAIN, PACKED])
def test_a_bitmap_is_a_mask(tendre, peer, tmp_path, data):
    (tmp_path / "mask.pbm").write_bytes(data)
    assert tendre("image", "--from", "ast_1", "--mask", tmp_path / "mask.pbm", "--no-wait", "egg").code == 0
    mask = peer.studio.submissions[0].request.mask
    assert (mask.width, mask.height, mask.runs) == (4, 2, [0, 2, 5, 1])


@pytest.mark.parametrize("data", [b"", b"P5\n4 2\n\xff", PACKED[:-1], PLAIN[:-4], b"P4\n0 0\n"])
def test_what_is_no_bitmap_is_told(tendre, peer, tmp_path, data):
    (tmp_path / "mask.pbm").write_bytes(data)
    ran = tendre("image", "--from", "ast_1", "--mask", tmp_path / "mask.pbm", "egg")
    assert ran.code == 2
    assert "can't be read" in ran.err


def test_what_a_picture_began_with_is_told_in_a_few_words():
    image = {"asset_id": "ast_1", "sha256": "0" * 64, "strength": 0.5}
    assert told("image", image) == "ast_1 at 0.5"
    assert told("image", {**image, "strength": 0.0}) == "ast_1"
    assert told("mask", {"rects": [], "runs": [0] * 9, "feather": 2}) == "9 runs, feather 2"
    assert told("mask", {"rects": [{}], "runs": [], "feather": 0}) == "1 rectangles"
    assert told("control", [{"asset_id": "ast_1", "model": "lines", "scale": 0.5}]) == "ast_1:lines:0.5"
    assert told("vae", {"name": "crisp", "sha256": ""}) == "crisp"
    assert told("steps", 3) == 3
