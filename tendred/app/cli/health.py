"""The checks of `tendre doctor`: each yields rows, none imports what it asks about."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from importlib import metadata, resources
from pathlib import Path
from typing import Any, Final, Literal

from msgspec import Struct

from tendred import __version__
from tendred.app.cli.context import Context
from tendred.app.cli.out import size
from tendred.app.cli.paused import reason, step
from tendred.config.paths import FOLDERS
from tendred.errors import EngineMissing, NoDaemon

State = Literal["ok", "warn", "fail"]

_ENGINE: Final = ("torch", "diffusers", "transformers", "accelerate", "safetensors", "numpy")
PATIENCE_S: Final = 120.0
_SHIPPED: Final = {
    "starter": "starter/model_index.json",
    "its weights": "starter/unet/diffusion_pytorch_model.safetensors",
    "its preview decoder": "starter/preview/diffusion_pytorch_model.safetensors",
    "mira": "loras/mira.safetensors",
    "drawn-x2": "upscalers/drawn-x2.safetensors",
}
_LOW_BYTES: Final = 2_000_000_000


class Row(Struct, frozen=True):
    """One finding; `next` says what to do unless all is well."""

    name: str
    state: State
    message: str
    next: str = ""


def installed(ctx: Context) -> Iterator[Row]:
    """Python, ourselves, and what the engine needs."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    fine = sys.version_info >= (3, 11)
    yield Row(
        "python",
        "ok" if fine else "fail",
        f"{version} at {sys.executable}",
        "" if fine else ctx.say("old_python"),
    )
    yield Row("tendred", "ok", __version__)
    for name in _ENGINE:
        try:
            yield Row(name, "ok", metadata.version(name))
        except metadata.PackageNotFoundError:
            info = ctx.info(EngineMissing(problem=name))
            yield Row(name, "fail", info.message, info.next)


def starter(ctx: Context) -> Iterator[Row]:
    """The model that the package brings, and what goes with it."""
    models = resources.files("tendred") / "models"
    missing = [name for name, file in _SHIPPED.items() if not models.joinpath(file).is_file()]
    yield Row(
        "starter",
        "fail" if missing else "ok",
        f"{models} - {', '.join(missing)}" if missing else f"{models / 'starter'} + mira, drawn-x2",
        ctx.say("no_starter") if missing else "",
    )


def places(ctx: Context) -> Iterator[Row]:
    """Configuration, directories, and room on the disk."""
    yield Row("settings", "ok", str(ctx.paths.config_file))
    for name in FOLDERS:
        place: Path = getattr(ctx.paths, name)
        if _writable(place):
            yield Row(name, "ok", str(place))
        else:
            yield Row(name, "fail", ctx.say("unwritable", place=place), ctx.say("unwritable_next", name=name))
    reserve = ctx.loaded.config.library.reserve_bytes
    left = shutil.disk_usage(_existing(ctx.paths.pictures)).free
    state: State = "fail" if left <= reserve else "warn" if left < reserve + _LOW_BYTES else "ok"
    yield Row(
        "disk",
        state,
        ctx.say("free", left=size(left), reserve=size(reserve)),
        "" if state == "ok" else ctx.say("free_next"),
    )


def _existing(path: Path) -> Path:
    return next((it for it in (path, *path.parents) if it.exists()), path)


def _writable(path: Path) -> bool:
    there = _existing(path)
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def daemon(ctx: Context) -> Iterator[Row]:
    """The daemon, if it runs, and what it says of itself."""
    file = ctx.paths.discovery
    if file.exists() and os.name == "posix" and stat.S_IMODE(file.stat().st_mode) & 0o077:
        yield Row("token", "fail", ctx.say("readable", file=file), ctx.say("readable_next", file=file))
    try:
        client = ctx.find(timeout_s=5)
        status = client.call("system.status")
        folders = client.call("hotfolders.list")["hotfolders"]
    except NoDaemon as none:
        info = ctx.info(none)
        left = "" if none.variant or not file.exists() else " " + ctx.say("stale", file=file)
        yield Row("daemon", "fail" if none.variant else "warn", info.message + left, info.next)
        return
    same = status["version"] == __version__
    yield Row(
        "daemon",
        "ok" if same else "warn",
        f"{status['version']}, process {status['pid']}, {client.discovery.url}",
        "" if same else ctx.say("other_version", version=__version__),
    )
    yield from _inside(ctx, status)
    yield from _room(ctx, status["budgets"])
    # The first look at many models takes longer than a status.
    yield from _models(ctx, client.patient(PATIENCE_S).call("models.list")["models"])
    for folder in folders:
        fine = folder["state"] == "ok"
        mend = "" if fine else ctx.say("hot_broken", id=folder["id"])
        yield Row(
            "hot folder",
            "ok" if fine else "fail",
            f"{folder['path']} {folder['state']} ({folder['watch']})",
            mend,
        )


def _room(ctx: Context, budgets: dict[str, Any]) -> Iterator[Row]:
    """Budgets that were set, and what could go where one is exceeded."""
    for name, budget in budgets.items():
        limit, used = budget["limit_bytes"], budget["used_bytes"]
        if limit is None:
            continue
        told = {"used": size(used), "limit": size(limit)}
        if used <= limit:
            yield Row(f"{name} room", "ok", ctx.say("within", **told))
            continue
        names = ", ".join(it["name"] for it in budget["advice"])
        yield Row(f"{name} room", "warn", ctx.say(f"over_{name}", **told), ctx.say(f"over_{name}_next", names=names))


def _models(ctx: Context, models: list[dict[str, Any]]) -> Iterator[Row]:
    """Entries of the catalogue whose files are gone, or aren't what they should be."""
    broken = [f"{it['name']} ({it['reason']})" for it in models if it["state"] != "ready"]
    if broken:
        names = ", ".join(broken)
        yield Row("models", "warn", ctx.say("models_broken", names=names), ctx.say("models_broken_next"))
    else:
        yield Row("models", "ok", str(len(models)))


def _inside(ctx: Context, status: dict[str, Any]) -> Iterator[Row]:
    engine, queue = status["engine"], status["queue"]
    words = " ".join(part for part in (engine["state"], engine["device"], engine["model"]) if part)
    if engine["state"] == "missing":
        info = ctx.info(EngineMissing(problem="torch"))
        yield Row("engine", "fail", info.message, info.next)
    elif engine["state"] == "unstable":
        yield Row(
            "engine",
            "fail",
            ctx.say("unstable", words=words),
            ctx.say("unstable_next"),
        )
    else:
        yield Row("engine", "ok", words)
    if queue["paused"]:
        yield Row(
            "queue",
            "warn",
            ctx.say("paused", reason=reason(ctx, queue)),
            step(ctx, queue),
        )
    for plugin in status["plugins"]:
        fine = plugin["state"] == "enabled"
        text = " ".join(
            str(part) for part in (plugin["name"], plugin["version"], plugin["state"], plugin["reason"]) if part
        )
        mend = "" if fine else ctx.say("plugin_broken", name=plugin["name"])
        yield Row("plugin", "ok" if fine else "warn", text, mend)


CHECKS: Final[tuple[Callable[[Context], Iterator[Row]], ...]] = (installed, starter, places, daemon)
