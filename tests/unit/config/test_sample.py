"""The sample file says everything and changes nothing."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import msgspec

from tendred.config.load import FIELDS, load
from tendred.config.sample import sample
from tendred.config.schema import Config


def test_as_it_is_it_sets_nothing(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(sample())
    loaded = load((), {}, [file])
    assert loaded.config == Config()
    assert set(loaded.origins.values()) == {"default"}


def test_uncommented_it_is_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(re.sub(r"^#(?! |$)", "", sample(), flags=re.MULTILINE))
    assert tomllib.loads(file.read_text()) == msgspec.to_builtins(Config())
    loaded = load((), {}, [file])
    assert loaded.config == Config()
    named = {key for key, origin in loaded.origins.items() if origin != "default"}
    everything = {f"{section}.{key}" for section, keys in FIELDS.items() for key in keys}
    assert named == everything


def test_every_setting_has_words() -> None:
    lines = sample().splitlines()
    for section, keys in FIELDS.items():
        at = lines.index(f"[{section}]")
        assert re.match(r"# \w.*\.$", lines[at - 1]), section
        for key in keys:
            place = next(i for i, line in enumerate(lines[at:], at) if line.startswith(f"#{key} = "))
            assert re.match(r"# \w.*\.$", lines[place - 1]), key
