"""Where other programs keep their models: the folders they use by default, and those that their settings name.

Sources: each project's documentation (ComfyUI `folder_paths.py` and extra_model_paths.yaml.example; AUTOMATIC1111's
and Forge's `models/`; InvokeAI's root folder and its `databases/invokeai.db`; huggingface_hub's environment variables).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, cast

import msgspec

from tendred.clock import SystemClock
from tendred.models.hub import PREFIX
from tendred.schema.weights import open_regular

Tool = Literal["comfyui", "a1111", "invokeai", "hub", "folder"]

_COMFY: Final = ("ComfyUI", "comfyui", "Documents/ComfyUI", "ComfyUI/ComfyUI")
_A1111: Final = ("stable-diffusion-webui", "stable-diffusion-webui-forge", "stable-diffusion-webui-reForge", "sd-webui")
_INVOKE: Final = ("invokeai", "InvokeAI")
_COMFY_SETTINGS: Final = ("extra_model_paths.yaml", "extra_models_config.yaml")
_COMFY_DESKTOP: Final = (".config/ComfyUI", "Library/Application Support/ComfyUI", "AppData/Roaming/ComfyUI")
_SETTINGS_BYTES: Final = 64 * 1024
_ROWS: Final = 20_000
_INVOKE_MODELS: Final = "SELECT config FROM models LIMIT ?"
_INVOKE_STORED: Final = (
    "SELECT 1 FROM sqlite_master AS it, pragma_table_xinfo('models') AS part"
    " WHERE it.name = 'models' AND it.type = 'table' AND it.rootpage > 0 AND part.name = 'config' AND part.hidden = 0"
)
"""A real table and a column that is stored. Views, virtual tables and generated columns make what they like, endlessly."""
_INVOKE_S: Final = 5.0
_STEPS: Final = 10_000
"""Instructions of SQLite between two looks at the time."""
_ROW_BYTES: Final = 1024 * 1024
_PATH: Final = 4096
_NOT_FOLDERS: Final = frozenset({"base_path", "is_default"})


class Spot(NamedTuple):
    """A folder to look through, and whose it is. `names`: what its program calls some of the paths in it."""

    path: Path
    tool: Tool
    names: Mapping[str, str] = {}


def well_known(home: Path, env: Mapping[str, str]) -> list[Spot]:
    """Every place by default, whether or not it is there. Blocking."""
    hubs = [env.get("HF_HUB_CACHE"), env.get("HUGGINGFACE_HUB_CACHE")]
    hubs += [str(Path(env["HF_HOME"]) / "hub")] if env.get("HF_HOME") else []
    hubs.append(str(Path(env.get("XDG_CACHE_HOME") or home / ".cache") / "huggingface" / "hub"))
    roots = [env["INVOKEAI_ROOT"]] if env.get("INVOKEAI_ROOT") else []
    spots = [Spot(home / name, "comfyui") for name in _COMFY] + [Spot(home / name, "a1111") for name in _A1111]
    spots += [Spot(Path(root), "invokeai") for root in roots] + [Spot(home / name, "invokeai") for name in _INVOKE]
    spots += [Spot(Path(hub).expanduser(), "hub") for hub in hubs if hub]
    settings = [home / folder / name for folder in _COMFY_DESKTOP for name in _COMFY_SETTINGS]
    return _once([*spots, *(spot for file in settings for spot in _comfy_settings(file))])


def given(path: Path) -> Spot:
    """A folder that a person named: whose it is, is told by what lies in it. Blocking."""
    if any(os.path.exists(path / name) for name in (*_COMFY_SETTINGS, "models/checkpoints", "custom_nodes")):
        return Spot(path, "comfyui")
    if os.path.isdir(path / "models" / "Stable-diffusion"):
        return Spot(path, "a1111")
    if os.path.isfile(path / "databases" / "invokeai.db") or os.path.isfile(path / "invokeai.yaml"):
        return Spot(path, "invokeai")
    hub = path.name.startswith(PREFIX) or any(entry.name.startswith(PREFIX) for entry in _entries(path))
    return Spot(path, "hub" if hub else "folder")


def expanded(spot: Spot) -> list[Spot]:
    """The folders of a place that hold models, and those elsewhere that its settings name. Blocking."""
    if spot.tool == "comfyui":
        own = [spot._replace(path=spot.path / "models")] if os.path.isdir(spot.path / "models") else [spot]
        return _once([*own, *(more for name in _COMFY_SETTINGS for more in _comfy_settings(spot.path / name))])
    if spot.tool == "a1111":
        return [
            spot._replace(path=spot.path / name) for name in ("models", "embeddings") if os.path.isdir(spot.path / name)
        ]
    if spot.tool == "invokeai":
        return _invoke(spot)
    return [spot]


def _once(spots: list[Spot]) -> list[Spot]:
    return list({str(spot.path): spot for spot in reversed(spots)}.values())[::-1]


def _comfy_settings(file: Path) -> Iterator[Spot]:
    """`{program: {base_path, kind: folder or several, a line each}}`."""
    sections = _yaml(file)
    tables = cast("dict[str, Any]", sections).values() if isinstance(sections, dict) else ()
    for table in [cast("dict[str, Any]", section) for section in tables if isinstance(section, dict)]:
        base = _plain(table.get("base_path") or ".")
        for name, folders in table.items():
            if base is None or name in _NOT_FOLDERS or not isinstance(folders, str):
                continue
            inner = [_plain(line.strip()) for line in folders.splitlines() if line.strip()]
            yield from (Spot(file.parent / base / path, "comfyui") for path in inner if path is not None)


def _plain(path: object) -> str | None:
    """A path as settings write it; None for what can't be one, or couldn't be told (a zero byte, half a character)."""
    told = os.path.expandvars(os.path.expanduser(path)) if isinstance(path, str) else ""
    return told if told.isprintable() and told else None


def _yaml(file: Path) -> Any:
    try:
        with open_regular(file) as data:
            text = data.read(_SETTINGS_BYTES).decode("utf-8", "replace")
    except (OSError, ValueError):
        return None
    from ruamel.yaml import YAML  # noqa: PLC0415 - 50 ms that a daemon needn't spend before somebody scans
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415 - see above
    from ruamel.yaml.events import AliasEvent  # noqa: PLC0415 - see above

    try:
        # A few lines of aliases to aliases stand for more than any memory holds, and no program writes them here.
        events = YAML(typ="safe", pure=True).parse(text)  # pyright: ignore[reportUnknownMemberType] # it is untyped
        if any(isinstance(event, AliasEvent) for event in cast("Iterator[object]", events)):
            return None
        return YAML(typ="safe", pure=True).load(text)  # pyright: ignore[reportUnknownMemberType] # see above
    except (YAMLError, ValueError, RecursionError):
        return None


def _invoke(root: Spot) -> list[Spot]:
    """Its own folder of models, and every path elsewhere that was installed in place, by the names it knows them by."""
    models = root.path / "models"
    names: dict[str, str] = {}
    for path, name in _invoke_rows(root.path / "databases" / "invokeai.db"):
        names[os.path.normpath(models / path)] = name
    outside = [Path(path) for path in names if not path.startswith(f"{models}{os.sep}")]
    own = [root._replace(path=models, names=names)] if os.path.isdir(models) else []
    return [*own, *(Spot(path, "invokeai", names) for path in outside)]


def _invoke_rows(file: Path) -> list[tuple[str, str]]:
    """Paths and names of its models. It is somebody's file: what it may cost is bounded, and none of its SQL is run."""
    rows: list[tuple[str, str]] = []
    if not os.path.isfile(file):
        return rows
    clock = SystemClock()
    end = clock.mono() + _INVOKE_S
    try:
        # Read as it lies there: nothing is written beside it, not even a lock.
        connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        try:
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _ROW_BYTES)
            connection.set_progress_handler(lambda: clock.mono() > end, _STEPS)
            if connection.execute(_INVOKE_STORED).fetchone() is None:
                return rows
            for (config,) in connection.execute(_INVOKE_MODELS, (_ROWS,)):
                rows += _invoke_row(msgspec.json.decode(config, type=dict[str, Any]))
        finally:
            connection.close()
    except (sqlite3.Error, msgspec.DecodeError, TypeError, OSError):
        return rows
    return rows


def _invoke_row(config: dict[str, Any]) -> list[tuple[str, str]]:
    path, name = config.get("path"), config.get("name")
    if not isinstance(path, str) or not isinstance(name, str):
        return []
    return [(path, name)] if 0 < len(path) <= _PATH and path.isprintable() else []


def _entries(path: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return list(entries)
    except OSError:
        return []
