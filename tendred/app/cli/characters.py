"""characters: who can be asked for by name."""

from __future__ import annotations

from typing import Any, Final

from tendred.app.cli.context import Context
from tendred.app.cli.exits import Exit
from tendred.app.cli.out import short
from tendred.app.cli.parser import Commands, actions, command

_FRAGMENT: Final = 50


def add(commands: Commands) -> None:
    noun = actions(command(commands, "characters", "see who can be asked for: tendre image @NAME ..."))
    command(noun, "list", "who there is", _list)
    command(noun, "show", "one of them", _show).add_argument("name", metavar="NAME")


def _list(ctx: Context) -> int:
    known = ctx.call("characters.list")
    ctx.out.document(known)
    rows = [
        (it["name"], f"v{it['version']}", short(it["fragment"], _FRAGMENT), _state(it)) for it in known["characters"]
    ]
    ctx.out.table(("NAME", "VERSION", "WORDS", "STATE"), rows)
    return Exit.DONE


def _show(ctx: Context) -> int:
    one = ctx.call("characters.get", name=ctx.args.name)
    ctx.out.document(one)
    rows = {
        "name": one["name"],
        "version": one["version"],
        "words": one["fragment"],
        "loras": loras(one["loras"]),
        "seed": "free" if one["seed"] is None else one["seed"],
        "state": _state(one),
    }
    for name, value in rows.items():
        ctx.out.line(f"{name:<16}{value}")
    return Exit.DONE


def loras(uses: list[dict[str, Any]]) -> str:
    """As they are written on the command line: `NAME:WEIGHT`."""
    return ", ".join(f"{use['name']}:{use['weight']:g}" for use in uses)


def _state(character: dict[str, Any]) -> str:
    return character["state"] if not character["reason"] else f"{character['state']}: {character['reason']}"
