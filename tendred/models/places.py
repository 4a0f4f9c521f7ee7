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
        base = file.parent / _plain(table.get("base_path") or ".")
        for name, folders in table.items():
            if name in _NOT_FOLDERS or not isinstance(folders, str):
                continue
            yield from (Spot(base / _plain(line.strip()), "comfyui") for line in folders.splitlines() if line.strip())


def _plain(path: object) -> str:
    return os.path.expandvars(os.path.expanduser(str(path)))


def _yaml(file: Path) -> Any:
    try:
        with open_regular(file) as data:
            text = data.read(_SETTINGS_BYTES).decode("utf-8", "replace")
    except (OSError, ValueError):
        return None
    from ruamel.yaml import YAML  # noqa: PLC0415 - 50 ms that a daemon needn't spend before somebody scans
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415 - see above

    try:
        return YAML(typ="safe", pure=True).load(text)  # pyright: ignore[reportUnknownMemberType] # it is untyped
    except (YAMLError, ValueError, RecursionError):
        return None


def _invoke(root: Spot) -> list[Spot]:
    """Its own folder of models, and every path elsewhere that was installed in place, by the names it knows them by."""
    models = root.path / "models"
    names: dict[str, str] = {}
    for config in _invoke_rows(root.path / "databases" / "invokeai.db"):
        path, name = config.get("path"), config.get("name")
        if isinstance(path, str) and isinstance(name, str) and path:
            names[os.path.normpath(models / path)] = name
    outside = [Path(path) for path in names if not path.startswith(f"{models}{os.sep}")]
    own = [root._replace(path=models, names=names)] if os.path.isdir(models) else []
    return [*own, *(Spot(path, "invokeai", names) for path in outside)]


def _invoke_rows(file: Path) -> list[dict[str, Any]]:
    if not os.path.isfile(file):
        return []
    rows: list[dict[str, Any]] = []
    try:
        # Read as it lies there: nothing is written beside it, not even a lock.
        connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        try:
            for (config,) in connection.execute(_INVOKE_MODELS, (_ROWS,)):
                rows.append(msgspec.json.decode(config, type=dict[str, Any]))
        finally:
            connection.close()
    except (sqlite3.Error, msgspec.DecodeError, TypeError, OSError):
        return rows
    return rows


def _entries(path: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return list(entries)
    except OSError:
        return []
