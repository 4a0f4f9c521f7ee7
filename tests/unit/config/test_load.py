"""Where settings come from, and how a wrong one is told."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tendred.config.load import FIELDS, Loaded, load
from tendred.config.schema import Config
from tendred.config.show import rows
from tendred.errors import ConfigBroken, describe


def write(folder: Path, text: str, name: str = "config.toml") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def told(caught: pytest.ExceptionInfo[ConfigBroken]) -> tuple[str, str]:
    return str(caught.value.detail["where"]), str(caught.value.detail["problem"])


def read(file: Path, *overrides: str, **env: str) -> Loaded:
    return load(overrides, env, [file])


def test_nothing_anywhere_is_the_defaults(tmp_path: Path) -> None:
    loaded = load((), {}, [tmp_path / "missing.toml"])
    assert loaded.config == Config()
    assert set(loaded.origins.values()) == {"default"}
    assert set(loaded.origins) == {f"{section}.{key}" for section, keys in FIELDS.items() for key in keys}


def test_the_later_source_wins_and_is_named(tmp_path: Path) -> None:
    site = write(tmp_path, "[rpc]\nport = 1\nconnections = 5\n[media]\njpeg_quality = 50\n", "site.toml")
    user = write(tmp_path, "# mine\n\n[rpc]\nport = 2\n\n[log]\nlevel = 'debug'\nmax_bytes = 20000\n")
    env = {"TENDRED_RPC_PORT": "3", "TENDRED_LOG_LEVEL": "error"}
    loaded = load(["rpc.port=4"], env, [site, user])
    assert loaded.config.rpc.port == 4
    assert loaded.config.rpc.connections == 5
    assert loaded.config.log.level == "error"
    assert loaded.origins["rpc.port"] == "-o"
    assert loaded.origins["log.level"] == "TENDRED_LOG_LEVEL"
    assert loaded.origins["log.max_bytes"] == f"{user}:8"
    assert loaded.origins["rpc.connections"] == f"{site}:3"
    assert loaded.origins["log.backups"] == "default"


def test_lines_are_found_in_any_style_of_toml(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        """\
daemon.drain_s = 7  # dotted, at the top

queue = { limit = 9 }
  [ plugins ]   # indented
enabled = [
  "a",  # one a line

  "b",
]
[plugins.settings.a]
text = '''
[not a table]
x = 1
'''
deep.er = true
["log"]
"level" = "info"
""",
    )
    loaded = read(file)
    at = {key: int(where.rpartition(":")[2]) for key, where in loaded.origins.items() if where != "default"}
    assert at == {
        "daemon.drain_s": 1,
        "queue.limit": 3,
        "plugins.enabled": 5,
        "plugins.settings.a.text": 11,
        "plugins.settings.a.deep.er": 15,
        "log.level": 17,
    }
    assert loaded.config.plugins.settings == {"a": {"text": "[not a table]\nx = 1\n", "deep": {"er": True}}}
    assert loaded.config.daemon.drain_s == 7.0


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[rpc]\nprot = 1", 2, "there is no setting rpc.prot; near: rpc.port"),
        ("[rcp]\nport = 1", 1, "there is no setting rcp; near: rpc"),
        ("[log]\nkeep_alive_s = 3", 2, "near: engine.keep_alive_s, media.keep_alive_s"),
        ("port = 1", 1, "there is no setting port"),
        ("\n[rpc]\n\nport = 'x'", 4, "rpc.port: Expected `int`, got `str`"),
        ("[rpc]\nport = 70000", 2, "rpc.port: Expected `int` <= 65535"),
        ("rpc = 5", 1, "rpc is a section, so write [rpc]"),
        ("[rpc.port]\nx = 1", 1, "rpc.port: Expected `int`, got `object`"),
        ("[rpc]\nport = { x = 1 }", 2, "rpc.port is no table"),
        ("[plugins]\nenabled = [1]", 2, "plugins.enabled: Expected `str`, got `int`"),
        ("[plugins]\nsettings = 3", 2, "plugins.settings: Expected `object`, got `int`"),
        ("[plugins.settings]\nmine = 3", 2, "plugins.settings.mine: Expected `object`, got `int`"),
        ("[log]\nlevel = 'loud'", 2, "log.level: Invalid enum value 'loud'"),
        ("[daemon]\nlanguage = 2026-11-22", 2, "daemon.language: Expected"),
        ("[[rpc]]\nport = 1", 1, "rpc is a section"),
        ("[rpc]\nport = ", 2, "Invalid value"),
        ("[rpc]\n\nport = [1,\n2", 4, ""),
        ("[rpc]\nport = 1\nport = 2\n", 3, "Cannot overwrite a value"),
    ],
)
def test_a_wrong_line_is_told_by_file_line_and_words(tmp_path: Path, text: str, line: int, words: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(ConfigBroken) as caught:
        read(file)
    where, problem = told(caught)
    assert where == f"{file}:{line}"
    assert words in problem
    message, step = describe(caught.value)
    assert f"{file}:{line}" in message
    assert step


def test_a_wrong_value_is_an_error_even_where_a_later_one_would_win(tmp_path: Path) -> None:
    file = write(tmp_path, "[rpc]\nport = 'x'")
    with pytest.raises(ConfigBroken):
        read(file, "rpc.port=1")


def test_tables_of_plugins_are_merged_key_by_key(tmp_path: Path) -> None:
    site = write(tmp_path, "[plugins.settings.a]\nx = 1\ny = 1\n", "site.toml")
    user = write(tmp_path, "[plugins.settings.a]\ny = 2\n[plugins.settings.b]\n")
    loaded = load(["plugins.settings.a.z.deep=3"], {}, [site, user])
    assert loaded.config.plugins.settings == {"a": {"x": 1, "y": 2, "z": {"deep": 3}}, "b": {}}
    assert loaded.origins["plugins.settings.a.y"] == f"{user}:2"
    assert loaded.origins["plugins.settings.b"] == f"{user}:3"
    assert not {"plugins.settings", "plugins.settings.a"} & set(loaded.origins)


def test_files_that_cant_be_read_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "folder.toml"
    folder.mkdir()
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"[rpc]\nport = 1\n# \xff\xfe\n")
    huge = write(tmp_path, "#" * 300_000, "huge.toml")
    deep = write(tmp_path, "x = " + "[" * 5000 + "]" * 5000, "deep.toml")
    for file, words in ((folder, "directory"), (binary, "UTF-8"), (huge, "over"), (deep, "nested")):
        with pytest.raises(ConfigBroken) as caught:
            read(file)
        assert str(file) in told(caught)[0]
        assert words in told(caught)[1]
    with pytest.raises(ConfigBroken) as caught:
        read(binary)
    assert told(caught)[0] == f"{binary}:3"


def test_a_byte_order_mark_and_windows_lines_are_fine(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(b"\xef\xbb\xbf[rpc]\r\nport = 8\r\n")
    loaded = read(file)
    assert loaded.config.rpc.port == 8
    assert loaded.origins["rpc.port"] == f"{file}:2"


def test_the_environment_counts_only_under_our_sections(tmp_path: Path) -> None:
    env = {
        "TENDRED_HOME": str(tmp_path),
        "TENDRED_TEST_SCRIPT": "[]",
        "TENDRED_SOMETHING_ELSE": "1",
        "TENDRED_RPC": "1",
        "RPC_PORT": "9",
        "TENDRED_ENGINE_KEEP_ALIVE_S": "-1",
        "TENDRED_ENGINE_DEVICE": "cuda:0",
        "TENDRED_HOTFOLDER_ENABLED": "false",
        "TENDRED_PLUGINS_ENABLED": '["a", "b"]',
        "TENDRED_PLUGINS_SETTINGS": "{ a = { x = 1 } }",
        "TENDRED_PATHS_HOT": "/some where/hot",
    }
    loaded = load((), env)
    assert loaded.config.engine.keep_alive_s == -1
    assert loaded.config.engine.device == "cuda:0"
    assert loaded.config.hotfolder.enabled is False
    assert loaded.config.plugins.enabled == ["a", "b"]
    assert loaded.config.plugins.settings == {"a": {"x": 1}}
    assert loaded.config.paths.hot == "/some where/hot"
    assert loaded.config.rpc.port == 0
    assert loaded.origins["plugins.settings.a.x"] == "TENDRED_PLUGINS_SETTINGS"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("TENDRED_RPC_PROT", "1", "there is no setting rpc.prot; near: rpc.port"),
        ("TENDRED_RPC_PORT", "many", "rpc.port: Expected `int`, got `str`"),
        ("TENDRED_RPC_PORT", "1\nother = 2", "rpc.port: Expected `int`, got `str`"),
        ("TENDRED_RPC_PORT", "", "rpc.port: Expected `int`, got `str`"),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str, words: str) -> None:
    with pytest.raises(ConfigBroken) as caught:
        load((), {name: value}, [])
    assert told(caught)[0] == name
    assert words in told(caught)[1]


def test_overrides_take_bare_words_and_toml() -> None:
    loaded = load(
        [
            "paths.hot=2026-11-22",
            'paths.data="/a b"',
            "paths.cache=12",
            "rpc.port = 0x10",
            "daemon.language=fr",
            "plugins.settings.my-plugin.list=[1, 2]",
            "plugins.settings.my-plugin.word=some words",
        ],
        {},
        [],
    )
    assert loaded.config.paths.hot == "2026-11-22"
    assert loaded.config.paths.data == "/a b"
    assert loaded.config.paths.cache == "12"
    assert loaded.config.rpc.port == 16
    assert loaded.config.daemon.language == "fr"
    assert loaded.config.plugins.settings == {"my-plugin": {"list": [1, 2], "word": "some words"}}


@pytest.mark.parametrize("override", ["rpc.port", "", "=1", "rpc=1", "rpc.=1", ".port=1", "rpc.port.x=1", "rpc.port=a"])
def test_a_wrong_override_is_an_error(override: str) -> None:
    with pytest.raises(ConfigBroken) as caught:
        load([override], {}, [])
    assert told(caught)[0].startswith("-o")


def test_home_has_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    file = write(tmp_path / "config", "[rpc]\nport = 7")
    loaded = load((), {"TENDRED_HOME": str(tmp_path)})
    assert loaded.config.rpc.port == 7
    assert loaded.origins["rpc.port"] == f"{file}:2"


def test_loading_changes_no_file(tmp_path: Path) -> None:
    file = write(tmp_path, "[rpc]\nport = 7")
    before = (file.read_bytes(), file.stat().st_mtime_ns, sorted(os.listdir(tmp_path)))
    read(file, "rpc.port=9")
    assert (file.read_bytes(), file.stat().st_mtime_ns, sorted(os.listdir(tmp_path))) == before


def test_rows_show_every_setting_with_its_value_and_origin(tmp_path: Path) -> None:
    file = write(tmp_path, '[plugins.settings."a.b"]\nx.y = 5\n[media]\njpeg_quality = 80')
    table = {key: (value, origin) for key, value, origin in rows(read(file))}
    assert table["media.jpeg_quality"] == (80, f"{file}:4")
    assert table["plugins.settings.a.b.x.y"] == (5, f"{file}:2")
    assert table["rpc.port"] == (0, "default")
    assert all(re.fullmatch(r"[a-z_]+\.[a-z_]+", key) for key, (_, origin) in table.items() if origin == "default")
