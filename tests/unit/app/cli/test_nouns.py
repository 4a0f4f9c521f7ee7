import shlex

import msgspec
import pytest
from msgspec.structs import replace

from tendred.app.cli import main
from tendred.app.cli.library import following
from tendred.app.cli.parser import build, complete
from tendred.app.cli.run import COMMANDS
from tendred.schema.asset import LoraRecord
from tendred.schema.character import CharacterUse


@pytest.fixture
def asset(tendre, peer):
    return tendre("image", "a red egg", "--json").document["assets"][0]


def test_jobs_are_listed_and_filtered(tendre, peer, asset):
    tendre("image", "stuck", "--no-wait")
    lines = tendre("jobs").out.splitlines()
    assert lines[0].split() == ["ID", "STATE", "PLACE", "CREATED", "PROMPT"]
    assert len(lines) == 3
    assert [job["state"] for job in tendre("jobs", "--state", "queued", "--json").document["jobs"]] == ["queued"]
    assert len(tendre("jobs", "--limit", "1", "--json").document["jobs"]) == 1


def test_jobs_are_narrowed_and_paged(tendre, peer, asset):
    for _ in range(2):
        tendre("image", "stuck", "--model", "other", "--no-wait")
    narrowed = tendre("jobs", "--model", "other", "--kind", "still", "--after", "2026-01-01T00:00:00Z", "--limit", "1")
    assert len(narrowed.out.splitlines()) == 2
    more = shlex.split(narrowed.err.partition(": ")[2])
    assert more[:2] == ["tendre", "jobs"]
    assert {"--model", "--kind", "--after", "--limit", "--cursor"} <= set(more)
    rest = tendre(*more[1:])
    assert (rest.code, len(rest.out.splitlines()), rest.err) == (0, 2, "")
    assert tendre("jobs", "--before", "2026-01-01T00:00:00Z").out == ""


def test_a_waiting_job_is_moved(tendre, peer):
    job_id = tendre("image", "stuck", "--no-wait").out.strip()
    other = tendre("image", "stuck", "--no-wait").out.strip()
    assert tendre("jobs", "move", job_id, "first").out.strip() == f"{job_id}  normal #1 ~2 s"
    assert tendre("jobs", "move", job_id, "idle", "--json").document["lane"] == "idle"
    assert tendre("jobs", "move", job_id, other).code == 0
    slip = tendre("jobs", "move", job_id, "frist")
    assert (slip.code, "first, last" in slip.err) == (2, True)
    assert "normal #1 ~2 s" in tendre("job", job_id).out
    tendre("cancel", job_id)
    assert tendre("jobs", "move", job_id, "first", "--json").document["error"]["kind"] == "wrong_state"


def test_jobs_are_tried_again(tendre, peer):
    failed = tendre("image", "explode", "--no-wait").out.strip()
    tendre("job", failed, "--wait")
    ran = tendre("retry", failed)
    assert ran.code == 0
    assert f"retry of  {failed}" in tendre("job", ran.out.strip()).out
    [made] = tendre("retry", failed, "--json").document["submitted"]
    assert made["job"]["retry_of"] == failed
    assert tendre("retry", ran.out.strip()).code == 1


def test_a_parked_job_says_how_it_goes_on(tendre, peer):
    ran = tendre("image", "parked")
    assert "tendre retry job_" in ran.err


def test_no_jobs_is_told_beside_the_result(tendre, peer):
    ran = tendre("jobs")
    assert (ran.code, ran.out) == (0, "")
    assert "nothing" in ran.err


def test_a_job_is_shown(tendre, peer, asset):
    ran = tendre("job", asset["job_id"])
    assert ran.code == 0
    assert "succeeded" in ran.out
    assert "a red egg" in ran.out


def test_waiting_for_a_job_ends_as_the_job_does(tendre, peer):
    job_id = tendre("image", "explode", "--no-wait").out.strip()
    ran = tendre("job", job_id, "--wait")
    assert ran.code == 1
    assert "engine_died" in ran.out
    assert tendre("job", job_id).code == 0


def test_a_job_that_is_not_there_is_told_with_what_is_near(tendre, peer):
    ran = tendre("job", "job_X", "--json")
    assert ran.code == 1
    assert ran.document["error"]["kind"] == "not_found"


def test_cancelling_works_on_several_and_ends_a_wait_with_5(tendre, peer):
    ids = [tendre("image", "stuck", "--no-wait").out.strip() for _ in range(2)]
    ran = tendre("cancel", *ids)
    assert ran.code == 0
    assert ran.out.count("cancelled") == 2
    assert tendre("job", ids[0], "--wait").code == 5


def test_the_queue_is_paused_and_resumed(tendre, peer):
    assert tendre("queue", "pause", "--now", "--unload").code == 0
    assert tendre("queue", "--json").document["paused"] is True
    assert "paused" in tendre("queue").out
    job_id = tendre("image", "stuck", "--no-wait").out.strip()
    told = tendre("queue").out
    for part in ("tendre/", "about 2 min", "60 s at most"):
        assert part in told
    tendre("cancel", job_id)
    assert tendre("queue", "resume", "--json").document["paused"] is False


def test_the_library_is_searched_by_bare_words(tendre, peer, asset):
    ran = tendre("library", "red", "egg")
    assert asset["id"] in ran.out
    assert "a red egg" in ran.out
    assert tendre("library", "--tag", "none", "--json").document["assets"] == []


def test_an_asset_is_shown_with_its_settings(tendre, peer, asset):
    ran = tendre("library", "show", asset["id"])
    assert ran.code == 0
    for part in (asset["path"], "a red egg", "starter", "seed"):
        assert part in ran.out


def test_an_asset_is_removed_restored_and_tagged(tendre, peer, asset):
    assert tendre("library", "remove", asset["id"], "--json").document["assets"][0]["state"] == "removed"
    assert tendre("library", "restore", asset["id"], "--json").document["assets"][0]["state"] == "kept"
    assert tendre("library", "tag", asset["id"], "good", "red", "--json").document["tags"] == ["good", "red"]
    assert tendre("library", "tag", asset["id"], "--remove", "red").out.strip() == f"{asset['id']}: good"


def test_models_are_added_used_listed_and_forgotten(tendre, peer, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        assert tendre("models", "add", tmp_path / name).code == 0
    assert tendre("models", "use", "two").code == 0
    listed = tendre("models").out
    assert "* two" in listed
    assert "  one" in listed
    assert tendre("models", "remove", "one").code == 0
    assert [it["name"] for it in tendre("models", "list", "--json").document["models"]] == ["two"]
    assert tendre("models", "ps").code == 0
    assert tendre("models", "unload", "--json").document == {"unloaded": []}


def test_a_model_is_shown(tendre, peer, tmp_path):
    tendre("models", "add", tmp_path, "--name", "one")
    assert tendre("models", "show", "one").out.splitlines()[0].split() == ["name", "one"]
    assert tendre("models", "show", "--json").document["model"]["name"] == "one"


def test_a_picture_is_made_larger(tendre, peer, asset, tmp_path):
    ran = tendre("upscale", asset["id"], "-x", "3", "--model", "lanczos", "--json", "-o", tmp_path / "large.webp")
    assert ran.code == 0
    assert ran.document["job"]["state"] == "succeeded"
    asked = peer.studio.submissions[-1].asked
    assert asked == {"asset_id": asset["id"], "factor": 3, "model": "lanczos", "format": "webp"}
    assert (tmp_path / "large.webp").is_file()
    assert tendre("upscale", asset["id"], "-x", "9").code == 2
    assert tendre("upscale", "ast_nope").code == 1
    assert tendre("upscale", asset["id"], "-o", tmp_path / "large.tiff").code == 2
    assert tendre("upscale", asset["id"], "--no-wait").out.startswith("job_")


def test_characters_are_listed_and_shown(tendre, peer):
    listed = tendre("characters").out
    assert listed.splitlines()[0].split() == ["NAME", "VERSION", "WORDS", "STATE"]
    for part in ("mira", "v1", "a tan woman", "missing: the LoRA mira is not there"):
        assert part in listed
    assert [it["name"] for it in tendre("characters", "--json").document["characters"]] == ["mira"]
    shown = tendre("characters", "show", "mira").out
    assert "mira:1" in shown
    assert "free" in shown
    ran = tendre("characters", "show", "mara", "--json")
    assert ran.code == 1
    assert ran.document["error"]["detail"]["near"] == ["mira"]


def test_what_an_asset_was_made_with_is_shown_in_words(tendre, peer, asset):
    made = peer.studio._assets[asset["id"]]
    peer.studio._assets[asset["id"]] = replace(
        made,
        character=CharacterUse(name="mira", version=2),
        loras=[LoraRecord(name="ink", weight=0.5, sha256="0" * 64)],
        settings={**made.settings, "loras": [{"name": "ink", "weight": 0.5}], "character": {"name": "mira"}},
    )
    lines = tendre("library", "show", asset["id"]).out.splitlines()
    assert [line.split()[1:] for line in lines if line.startswith("character")] == [["mira", "v2"]]
    assert [line.split()[1:] for line in lines if line.startswith("loras")] == [["ink:0.5"]]


def test_a_model_is_added_by_its_absolute_path(tendre, peer, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    assert tendre("models", "add", "mine", "--json").document["path"] == str(tmp_path / "mine")


def test_a_missing_model_is_told_with_those_that_are_near(tendre, peer, tmp_path):
    tendre("models", "add", tmp_path, "--name", "starter")
    ran = tendre("models", "use", "startr", "--json")
    assert ran.code == 1
    assert ran.document["error"]["detail"]["near"] == ["starter"]


def test_hot_folders_are_listed_added_and_removed(tendre, peer, tmp_path):
    (tmp_path / "more").mkdir()
    added = tendre("hotfolders", "add", tmp_path / "more", "--json").document
    assert added["path"] == str(tmp_path / "more")
    assert str(peer.paths.hot) in tendre("hotfolders").out
    assert tendre("hotfolders", "rescan").code == 0
    assert tendre("hotfolders", "remove", added["id"]).code == 0
    assert len(tendre("hotfolders", "--json").document["hotfolders"]) == 1
    assert tendre("hotfolders", "add", tmp_path / "nowhere").code == 2


def test_check_allows_or_ends_with_4(tendre, peer):
    assert tendre("check", "a", "red", "egg", "--character", "mira").code == 0
    ran = tendre("check", "a", "child", "here")
    assert ran.code == 4
    assert ran.out.splitlines()[1:] == ["  a [child] here", "  say adult."]
    elsewhere = tendre("check", "hills", "--negative", "a child", "--lang", "fr")
    assert "dans negative_prompt" in elsewhere.out
    assert "[" not in elsewhere.out
    refused = tendre("check", "a child", "--json", "--lang", "fr")
    assert refused.code == 4
    assert (refused.document["verdict"], refused.document["reason"]) == ("refuse", "un mot")


def test_events_are_json_lines(tendre, peer):
    for _ in range(3):
        tendre("image", "stuck", "--no-wait")
    lines = tendre("events", "--json").out.splitlines()
    assert [msgspec.json.decode(line)["seq"] for line in lines] == [1, 2, 3]
    assert len(tendre("events", "--since", "3").out.splitlines()) == 1
    peer.studio.oldest = 2
    assert len(tendre("events").out.splitlines()) == 2
    assert tendre("events", "--topic", "asset.").out == ""


def test_config_works_without_a_daemon(tendre, home):
    (home / "config").mkdir(parents=True)
    file = home / "config" / "config.toml"
    file.write_text("[rpc]\nport = 4711\n")
    assert "rpc.port = 4711" in tendre("config").out
    assert f"{file}:2" in tendre("config", "show", "--origin").out
    shown = tendre("config", "show", "--origin", "--json").document
    assert shown["config"]["rpc"]["port"] == 4711
    assert tendre("config", "path").out.strip() == str(file)
    assert "[rpc]" in tendre("config", "sample").out.splitlines()


def test_the_library_lists_whole_paths_and_short_prompts(tendre, peer):
    path = tendre("image", "egg " * 20).out.strip()
    head, row = tendre("library").out.splitlines()
    assert head.split()[-1] == "FILE"
    assert row.endswith(f"…  {path}")


def test_the_library_says_how_to_see_more(tendre, peer, home):
    made = [tendre("image", "egg").out.strip() for _ in range(3)]
    seen, argv = [], ["library", "egg", "--limit", "1"]
    while argv:
        ran = tendre(*argv)
        seen.append(ran.out.split()[-1])
        more = ran.err.strip()
        assert not more or more.startswith("More: tendre library egg ")
        argv = shlex.split(more)[2:]
    assert seen == made


@pytest.mark.parametrize("words", [[], ["red", "egg"], ["show", "x"], ["it's"], ["--", "-x", "y"]])
@pytest.mark.parametrize("cursor", ["abc", "-abc"])
def test_the_next_page_asks_for_the_same(words, cursor):
    def parsed(argv):
        return build(COMMANDS).parse_args(complete(argv))

    asked = parsed(["library", "search", "--home", "/a b", "--kind", "still", "--limit", "3", *words])
    again = parsed(shlex.split(following(asked, cursor))[1:])
    assert vars(again) == {**vars(asked), "cursor": cursor}


def test_a_long_licence_is_cut(tendre, peer, tmp_path):
    tendre("models", "add", tmp_path, "--name", "a")
    [(name, model)] = peer.studio.cache.entries.items()
    peer.studio.cache.entries[name] = replace(model, licence="L" * 200)
    assert f" {'L' * 29}…  -          ready" in tendre("models").out
    assert tendre("models", "--json").document["models"][0]["licence"] == "L" * 200


def test_a_hint_can_be_pasted(tendre, peer, tmp_path):
    ran = tendre("models", "add", tmp_path, "--name", "it's mine")
    *_, hint = ran.out.strip().partition("tendre ")
    assert tendre(*shlex.split(hint)).code == 0


def test_a_hot_folder_is_named_by_its_path_as_well(tendre, peer, tmp_path, monkeypatch):
    (tmp_path / "more").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in ("more", tmp_path / "more", f"{tmp_path}/more/../more/"):
        tendre("hotfolders", "add", tmp_path / "more")
        assert tendre("hotfolders", "rescan", name).code == 0
        assert tendre("hotfolders", "remove", name).code == 0
        assert len(tendre("hotfolders", "--json").document["hotfolders"]) == 1
    assert tendre("hotfolders", "remove", tmp_path).code == 1


def test_a_topic_that_does_not_exist_is_told_with_those_that_are_near(tendre, peer):
    ran = tendre("events", "--topic", "job.quued")
    assert ran.code == 2
    assert "job.queued" in ran.err
    assert "asset." in tendre("events", "--topic", "zzz").err


def test_where_each_directory_is_comes_with_its_origin(tendre, home, tmp_path):
    (home / "config").mkdir(parents=True)
    (home / "config" / "config.toml").write_text(f"[paths]\nhot = '{tmp_path}'\n")
    lines = tendre("config", "show", "--origin").out.splitlines()
    assert f'paths.data = "{home / "data"}"  # TENDRED_HOME' in lines
    assert f'paths.hot = "{tmp_path}"  # {home / "config" / "config.toml"}:2' in lines
    assert 'paths.data = ""' in tendre("config").out.splitlines()


def test_without_a_home_the_platform_decides(capsys, monkeypatch, tmp_path):
    monkeypatch.delenv("TENDRED_HOME", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert main(["config", "show", "--origin"]) == 0
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("paths.data")]
    assert line.endswith('tendred"  # platform default')


def test_the_discovery_file_is_named(tendre, peer):
    shown = tendre("config", "path", "--json").document
    assert shown["discovery"] == str(peer.paths.discovery)
    assert f"  discovery {peer.paths.discovery}" in tendre("config", "path").err.splitlines()


def test_a_shot_from_words_to_a_locked_take(tendre, peer):
    made = tendre("shot", "create", "a", "square", "says", '"good evening"', "--name", "square")
    shot = made.out.strip()
    assert "good evening" in made.err
    assert "4 words" not in made.err
    assert "5 words" in made.err
    drafted = tendre("shot", "draft", shot, "--size", "720p", "--seconds", "6", "--portrait", "--silent")
    assert drafted.out.startswith("6 s of drawn at rehearsal: 36 credits")
    assert "Prices of 2026-11-22" in drafted.out
    assert "upscale: open" in drafted.err
    assert "refine: closed" in drafted.err
    [take] = tendre("shot", "takes", shot, "--json").document["takes"]
    assert (take["width"], take["height"], take["audio"]) == (720, 1280, False)
    told = tendre("shot", "takes", shot)
    assert take["id"] in told.out
    assert "/s.webp" in told.err
    assert "locked" in tendre("shot", "lock", take["id"]).out
    assert tendre("shot").out.splitlines()[1].split()[:3] == [shot, "locked", "1"]
    assert "take 1" in tendre("shot", "show", shot).out
    assert tendre("shot", "compare", take["id"], take["id"]).out.strip() == "/compare.webp"


def test_a_shot_is_finished_by_consent_or_not_at_all(tendre, peer):
    shot = tendre("shot", "create", "a square").out.strip()
    early = tendre("shot", "finish", shot, "--json")
    assert (early.code, early.document["error"]["kind"]) == (1, "wrong_state")
    tendre("shot", "draft", shot)
    [take] = tendre("shot", "takes", shot, "--json").document["takes"]
    tendre("shot", "lock", take["id"])
    refused = tendre("shot", "finish", shot, "--way", "new_take")
    assert refused.code == 6
    offered = tendre("shot", "finish", shot, "--way", "new_take", "--consent")
    assert (offered.code, "Another take" in offered.err, "credits" in offered.out) == (0, True, True)
    assert tendre("shot", "finish", shot, "-o", "still.png").code == 2
    assert tendre("shot", "show", "shot_none", "--json").document["error"]["kind"] == "not_found"
