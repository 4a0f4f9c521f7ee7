"""config: what is set, and where. Works without a daemon."""

from __future__ import annotations

from typing import Any

import msgspec

from tendred.app.cli.context import Context
from tendred.app.cli.exits import Exit
from tendred.app.cli.parser import Commands, actions, command
from tendred.config.paths import FOLDERS, config_dir
from tendred.config.show import rows


def add(commands: Commands) -> None:
    noun = actions(command(commands, "config", "show the configuration"))
    show = command(noun, "show", "every setting and its value", _show)
    show.add_argument("--origin", action="store_true", help="and where each value comes from")
    command(noun, "sample", "a configuration file with every setting, its meaning and its default", _sample)
    command(noun, "path", "where the configuration and everything else is", _path)


def _show(ctx: Context) -> int:
    loaded = ctx.loaded
    sections: dict[str, dict[str, Any]] = msgspec.to_builtins(loaded.config)
    if ctx.args.origin:
        ctx.out.document({"config": sections, "origins": loaded.origins})
    else:
        ctx.out.document(sections)
    for name, value, origin in rows(loaded):
        if ctx.args.origin and not value and name.startswith("paths."):
            place, why = getattr(ctx.paths, name.removeprefix("paths.")), _chosen_by(ctx)
            ctx.out.line(f"{name} = {msgspec.json.encode(str(place)).decode()}  # {why}")
            continue
        shown = msgspec.json.encode(value).decode()
        ctx.out.line(f"{name} = {shown}" + (f"  # {origin}" if ctx.args.origin else ""))
    return Exit.DONE


def _chosen_by(ctx: Context) -> str:
    """What decides where a directory is that no setting names."""
    return "TENDRED_HOME" if ctx.env.get("TENDRED_HOME") else "platform default"


def _sample(ctx: Context) -> int:
    from tendred.config.sample import sample  # noqa: PLC0415 # only here

    text = sample()
    ctx.out.document({"sample": text})
    for line in text.splitlines():
        ctx.out.line(line)
    return Exit.DONE


def _path(ctx: Context) -> int:
    file = config_dir(ctx.env) / "config.toml"
    places = {name: str(getattr(ctx.paths, name)) for name in FOLDERS}
    discovery = str(ctx.paths.discovery)
    ctx.out.document({"file": str(file), "exists": file.is_file(), "folders": places, "discovery": discovery})
    ctx.out.line(str(file))
    for name, place in {**places, "discovery": discovery}.items():
        ctx.out.note(f"  {name:<10}{place}")
    return Exit.DONE
