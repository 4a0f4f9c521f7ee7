"""presets: named sets of fields."""

from __future__ import annotations

import shlex
from typing import Any

import msgspec

from tendred.app.cli.context import Context
from tendred.app.cli.exits import Exit
from tendred.app.cli.fields import field
from tendred.app.cli.jobs import when
from tendred.app.cli.parser import Commands, actions, command


def add(commands: Commands) -> None:
    noun = actions(command(commands, "presets", "named sets of fields: tendre image --preset NAME"))
    command(noun, "list", "which there are", _list)
    command(noun, "show", "the fields of one", _show).add_argument("name", metavar="NAME")
    new = command(noun, "set", "make or replace one", _set)
    new.add_argument("name", metavar="NAME")
    new.add_argument(
        "fields", nargs="+", type=field, metavar="FIELD=VALUE", help="steps=30 guidance=5 loras=ink:0.6+paper"
    )
    command(noun, "remove", "forget one", _remove).add_argument("name", metavar="NAME")


def _list(ctx: Context) -> int:
    known = ctx.call("presets.list")
    ctx.out.document(known)
    if not known["presets"]:
        ctx.out.note(ctx.say("none"))
        return Exit.DONE
    rows = [(it["name"], when(it["updated_at"]), _fields(it["fields"])) for it in known["presets"]]
    ctx.out.table(("NAME", "CHANGED", "FIELDS"), rows)
    return Exit.DONE


def _show(ctx: Context) -> int:
    preset = ctx.call("presets.show", name=ctx.args.name)
    ctx.out.document(preset)
    for name, value in preset["fields"].items():
        ignored = "  # ignored" if name in preset["ignored"] else ""
        ctx.out.line(f"{name:<16}{_said(value)}{ignored}")
    return Exit.DONE


def _set(ctx: Context) -> int:
    preset = ctx.call("presets.set", name=ctx.args.name, fields=dict(ctx.args.fields))
    ctx.out.document(preset)
    ctx.out.line(ctx.say("preset_set", quoted=shlex.quote(preset["name"])))
    return Exit.DONE


def _remove(ctx: Context) -> int:
    ctx.out.document(ctx.call("presets.remove", name=ctx.args.name))
    ctx.out.line(ctx.say("preset_removed", name=ctx.args.name))
    return Exit.DONE


def _fields(fields: dict[str, Any]) -> str:
    return ", ".join(f"{name} {_said(value)}" for name, value in fields.items())


def _said(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
