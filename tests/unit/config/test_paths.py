import os
import sys
from pathlib import Path

import pytest

from tendred.config.paths import FOLDERS, config_dir, resolve
from tendred.config.schema import PathsSection


def test_one_home_holds_everything(tmp_path):
    env = {"TENDRED_HOME": str(tmp_path)}
    paths = resolve(PathsSection(), env)
    assert {name: getattr(paths, name) for name in FOLDERS} == {name: tmp_path / name for name in FOLDERS}
    assert config_dir(env) == paths.config == paths.config_file.parent


def test_a_relative_home_and_a_tilde_become_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert resolve(PathsSection(), {"TENDRED_HOME": "here"}).data == tmp_path / "here" / "data"
    assert resolve(PathsSection(hot="~/drop"), {"TENDRED_HOME": "here"}).hot == tmp_path / "me" / "drop"


def test_a_setting_wins_and_the_rest_stays(tmp_path):
    paths = resolve(PathsSection(pictures=str(tmp_path / "disk")), {"TENDRED_HOME": str(tmp_path / "home")})
    assert paths.pictures == tmp_path / "disk"
    assert paths.staging.parent == paths.pictures
    assert paths.hot == tmp_path / "home" / "hot"


def test_the_files_stand_where_they_belong(tmp_path):
    paths = resolve(PathsSection(), {"TENDRED_HOME": str(tmp_path)})
    assert paths.database.parent == paths.lock.parent == paths.data
    assert paths.boundary_key.parent == paths.logs.parent == paths.state
    assert paths.discovery == paths.runtime / "tendred.json"
    assert paths.thumbnails.parent == paths.cache


@pytest.mark.skipif(sys.platform != "linux", reason="the places of this platform")
def test_the_platforms_own_places_are_kept_apart(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    paths = resolve(PathsSection(), os.environ)
    assert paths.config == tmp_path / ".config" / "tendred" == config_dir(os.environ)
    assert paths.data == tmp_path / ".local" / "share" / "tendred"
    assert paths.cache == tmp_path / ".cache" / "tendred"
    # No login session: nothing that anybody could have made before us under /tmp.
    assert paths.runtime == paths.state / "run"
    assert len({getattr(paths, name) for name in FOLDERS}) == len(FOLDERS)
    assert all(isinstance(getattr(paths, name), Path) and getattr(paths, name).is_absolute() for name in FOLDERS)
