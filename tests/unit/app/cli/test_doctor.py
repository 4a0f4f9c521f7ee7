import os

import pytest

from tendred.app.cli.health import _ENGINE
from tendred.schema.system import EngineState, PluginStatus


def rows(ran):
    return {row["name"]: row for row in ran.document["checks"]}


def test_without_a_daemon_it_warns_and_says_what_to_do(tendre):
    ran = tendre("doctor", "--json")
    found = rows(ran)
    assert found["python"]["state"] == "ok"
    assert found["starter"]["state"] == "ok"
    assert found["daemon"]["state"] == "warn"
    assert "tendre up" in found["daemon"]["next"]
    assert set(_ENGINE) <= set(found)


def test_whatever_is_not_well_has_a_next_step(tendre, peer):
    peer.studio.engine = EngineState(state="missing", device=None, model=None, pid=None)
    peer.studio.plugins = [PluginStatus(name="x", version="1", state="broken", reason="boom")]
    peer.run(peer.studio.pause(mode="drain", unload=False))
    ran = tendre("doctor", "--json")
    found = rows(ran)
    assert ran.code == 1
    assert ran.document["ok"] is False
    assert (found["engine"]["state"], found["plugin"]["state"], found["queue"]["state"]) == ("fail", "warn", "warn")
    assert found["daemon"]["state"] == "warn"  # the peer has another version
    assert all(row["next"] for row in found.values() if row["state"] != "ok")
    assert not any(row["next"] for row in found.values() if row["state"] == "ok")


def test_an_engine_that_keeps_ending_is_a_failure(tendre, peer):
    peer.studio.engine = EngineState(state="unstable", device="cpu", model=None, pid=None)
    assert rows(tendre("doctor", "--json"))["engine"]["state"] == "fail"


def test_a_hot_folder_that_is_gone_is_a_failure(tendre, peer):
    [(key, folder)] = peer.studio.hotfolders.folders.items()
    peer.studio.hotfolders.folders[key] = type(folder)(**{
        name: getattr(folder, name) for name in folder.__struct_fields__ if name != "state"
    }, state="missing")  # fmt: skip
    ran = tendre("doctor")
    assert ran.code == 1
    assert f"tendre hotfolders remove {folder.id}" in ran.out


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_a_token_that_others_can_read_is_a_failure(tendre, peer):
    peer.paths.discovery.chmod(0o644)
    assert rows(tendre("doctor", "--json"))["token"]["state"] == "fail"


def test_a_place_that_is_a_file_is_a_failure(tendre, home):
    home.mkdir()
    (home / "pictures").touch()
    ran = tendre("doctor", "--json")
    assert ran.code == 1
    assert rows(ran)["pictures"]["state"] == "fail"


def test_a_broken_configuration_is_a_finding_not_the_end(tendre, home):
    (home / "config").mkdir(parents=True)
    (home / "config" / "config.toml").write_text("[rpc\n")
    ran = tendre("doctor", "--json")
    assert ran.code == 1
    assert rows(ran)["starter"]["state"] == "ok"
    assert "config.toml:1" in rows(ran)["places"]["message"]


def test_a_stale_discovery_file_is_told(tendre, peer):
    peer.close()
    assert "left of one that died" in rows(tendre("doctor", "--json"))["daemon"]["message"]


def test_it_looks_without_importing_what_it_looks_for(home):
    import subprocess
    import sys

    code = (
        f"import sys; from tendred.app.cli import main; main(['doctor', '--home', {str(home)!r}]); "
        "sys.stderr.write(repr(sorted({'torch', 'diffusers', 'numpy', 'PIL', 'aiohttp'} & set(sys.modules))))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stderr == "[]"
