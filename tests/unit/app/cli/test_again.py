import pytest
from msgspec.structs import replace

from tendred.schema.again import Difference
from tendred.testing.rpc_peer import PIXEL


@pytest.fixture
def asset(tendre, peer):
    return tendre("image", "a red egg", "--json").document["assets"][0]


def test_the_same_picture_is_made_and_told_to_be_the_same(tendre, peer, asset):
    ran = tendre("again", asset["id"])
    assert ran.code == 0
    assert ran.out.endswith(".png\n")
    assert "will come of it" in ran.err
    assert f"The same pixels as {asset['id']}" in ran.err


def test_json_is_one_document(tendre, peer, asset):
    document = tendre("again", asset["id"], "--json").document
    assert (document["promised"], document["differences"], document["job"]["again"]["equal"]) == (True, [], True)
    assert len(document["assets"]) == 1


def test_what_changed_is_listed_and_nothing_is_made_unless_insisted_on(tendre, peer, asset):
    peer.studio.changed = [
        Difference(what="torch", then="2.12", now="2.13"), Difference(what="model", then="ab" * 32, now=None),
    ]  # fmt: skip
    ran = tendre("again", asset["id"])
    assert (ran.code, ran.out) == (1, "")
    assert "torch: it was 2.12, now it is 2.13" in ran.err
    assert "model: it was abababababa…, now it is unknown" in ran.err
    assert f"tendre again {asset['id']} --insist" in ran.err
    assert tendre("again", asset["id"], "--json").document["job"] is None
    insisted = tendre("again", asset["id"], "--insist")
    assert insisted.code == 0
    assert "Not the same pixels" in insisted.err


def test_a_dry_run_only_tells(tendre, peer, asset):
    for changed, words in (([], "will come"), ([Difference(what="threads", then=1, now=2)], "was 1, now it is 2")):
        peer.studio.changed = changed
        ran = tendre("again", asset["id"], "--dry-run")
        assert (ran.code, ran.out) == (0, "")
        assert words in ran.err
        assert tendre("again", asset["id"], "--dry-run", "--json").document["promised"] is not bool(changed)


def test_a_broken_promise_is_a_failure(tendre, peer, asset):
    peer.studio.breaks = True
    ran = tendre("again", asset["id"])
    assert ran.code == 1
    assert "Not the same pixels" in ran.err


def test_variations_are_several_pictures(tendre, peer, asset):
    ran = tendre("variations", asset["id"], "-n", "3", "--strength", "0.4", "--seed", "8", "--lane", "idle")
    assert ran.code == 0
    assert len(ran.out.splitlines()) == 3
    [step] = peer.studio.varied
    assert (step.asset_id, step.seed, step.strength) == (asset["id"], 8, 0.4)
    assert tendre("variations", asset["id"], "--json").document["job"]["request"]["count"] == 4
    assert tendre("variations", asset["id"], "--strength", "2").code == 2


def test_no_wait_and_output(tendre, peer, asset, tmp_path):
    assert tendre("variations", asset["id"], "--no-wait").out.startswith("job_")
    assert tendre("again", asset["id"], "-o", tmp_path / "egg.png").code == 0
    assert (tmp_path / "egg.png").read_bytes() == PIXEL
    assert tendre("again", asset["id"], "-o", tmp_path / "nowhere" / "egg.png").code == 2


@pytest.mark.parametrize("verb", ["again", "variations"])
def test_an_asset_that_is_not_there(tendre, peer, verb):
    ran = tendre(verb, "ast_none", "--json")
    assert (ran.code, ran.document["error"]["kind"]) == (1, "not_found")


def test_a_sheet_is_made_of_ids(tendre, peer, asset, tmp_path):
    ran = tendre(
        "library", "sheet", asset["id"], asset["id"], "--label", "one", "--label", "two", "--title", "Eggs",
        "--columns", "2", "-o", tmp_path / "eggs.png",
    )  # fmt: skip
    assert ran.code == 0
    assert (tmp_path / "eggs.png").exists()
    [first] = peer.studio.sheets
    assert (first.asset_ids, first.labels, first.title, first.columns, first.format) == (
        [asset["id"]] * 2, ["one", "two"], "Eggs", 2, "png",
    )  # fmt: skip
    assert tendre("library", "sheet").code == 2


def test_what_came_of_what_is_shown(tendre, peer, asset):
    settings = {
        "prompt": "egg", "again": {"asset_id": "ast_old", "pixels_sha256": "", "promised": True},
        "variations": [{"asset_id": "ast_old", "seed": 9, "strength": 0.25}],
    }  # fmt: skip
    stored = peer.studio._assets[asset["id"]]
    peer.studio._assets[asset["id"]] = replace(stored, settings=settings, parents=["ast_old"])
    lines = tendre("library", "show", asset["id"]).out.splitlines()
    shown = dict(line.split(None, 1) for line in lines if len(line.split(None, 1)) == 2)
    assert (shown["again"], shown["variation"], shown["parents"]) == ("ast_old", "0.25 of 9", "ast_old")
