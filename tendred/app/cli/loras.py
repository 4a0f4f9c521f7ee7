"""loras: small files that change how a model draws."""

from __future__ import annotations

from pathlib import Path

from tendred.app.cli.context import Context
from tendred.app.cli.exits import Exit
from tendred.app.cli.models import forgotten, listed, removable, shown
from tendred.app.cli.parser import Commands, actions, command


def add(commands: Commands) -> None:
    noun = actions(command(commands, "loras", "see and add LoRAs: tendre image ... --lora NAME:WEIGHT"))
    command(noun, "list", "what is there, and what was refused and why", _list)
    command(noun, "show", "the models that one fits, and what it says of itself", _show).add_argument(
        "name", metavar="NAME"
    )
    new = command(noun, "add", "add a .safetensors file where it is; nothing is copied", _add)
    new.add_argument("path", type=Path, metavar="PATH")
    new.add_argument("--name", help="the file's own name unless given")
    gone = command(noun, "remove", "forget one; its file stays", _remove)
    gone.add_argument("name", metavar="NAME")
    removable(gone)


def _list(ctx: Context) -> int:
    return listed(ctx, ctx.call("loras.list"))


def _show(ctx: Context) -> int:
    return shown(ctx, ctx.call("loras.show", name=ctx.args.name))


def _add(ctx: Context) -> int:
    one = ctx.call_long("loras.add", path=str(ctx.args.path.expanduser().absolute()), name=ctx.args.name)
    ctx.out.document(one)
    ctx.out.line(ctx.say("file_added", name=one["name"], kind=one["kind"], family=one["family"] or "-"))
    return Exit.DONE


def _remove(ctx: Context) -> int:
    args = ctx.args
    return forgotten(ctx, ctx.call("loras.remove", name=args.name, force=args.force, delete_files=args.delete_files))
