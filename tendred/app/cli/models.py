"""models: what can draw, and what is in memory."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, Final

from tendred.app.cli.context import Context
from tendred.app.cli.exits import Exit
from tendred.app.cli.jobs import when
from tendred.app.cli.out import short, size
from tendred.app.cli.parser import Commands, actions, command

_LICENCE: Final = 30


def add(commands: Commands) -> None:
    noun = actions(command(commands, "models", "list and choose models"))
    listing = command(noun, "list", "what is there; * marks the default", _list)
    listing.add_argument("--kind", choices=("model", "lora", "vae", "controlnet", "upscaler", "embedding"))
    show = command(noun, "show", "one model, and what a request for it may say", _show)
    show.add_argument("name", nargs="?", metavar="NAME", help="the default model unless given")
    command(noun, "ps", "what is in memory, and until when", _ps)
    new = command(noun, "add", "add a diffusers folder where it is; nothing is copied", _add)
    new.add_argument("path", type=Path, metavar="PATH")
    new.add_argument("--name", help="the folder's own name unless given")
    for name, text, run in (("use", "make it the default", _use), ("remove", "forget it; its files stay", _remove)):
        command(noun, name, text, run).add_argument("name", metavar="NAME")
    unload = command(noun, "unload", "give its memory back; all without a name", _unload)
    unload.add_argument("model", nargs="?", metavar="NAME")


def _list(ctx: Context) -> int:
    known = ctx.call("models.list", kind=ctx.args.kind)
    ctx.out.document(known)
    rows = [
        (
            ("* " if it["is_default"] else "  ") + it["name"],
            it["kind"],
            it["family"],
            size(it["bytes"]),
            short(it["licence"] or "-", _LICENCE),
            it["state"] if not it["reason"] else f"{it['state']}: {it['reason']}",
        )
        for it in known["models"]
    ]
    ctx.out.table(("  NAME", "KIND", "FAMILY", "SIZE", "LICENCE", "STATE"), rows)
    return Exit.DONE


def _show(ctx: Context) -> int:
    shown = ctx.call("models.show", name=ctx.args.name)
    ctx.out.document(shown)
    model = shown["model"]
    ctx.out.line(f"{model['name']}: {model['family']}, {size(model['bytes'])}, {model['licence'] or '-'}")
    rows = [
        (it["name"], it["type"], "-" if it["default"] in {None, ""} else str(it["default"]), _span(it))
        for it in shown["takes"]
    ]
    ctx.out.table(("FIELD", "TYPE", "DEFAULT", "RANGE"), rows)
    return Exit.DONE


def _span(taken: dict[str, Any]) -> str:
    """What a field may hold."""
    if taken["choices"]:
        return ", ".join(taken["choices"])
    if taken["most"] is None:
        return ""
    if taken["least"] is None:
        return f"up to {taken['most']:g}"
    step = f", in steps of {taken['step']:g}" if taken["step"] not in {None, 1} else ""
    return f"{taken['least']:g} to {taken['most']:.16g}{step}"


def _ps(ctx: Context) -> int:
    held = ctx.call("models.ps")
    ctx.out.document(held)
    if not held["loaded"]:
        ctx.out.note(ctx.say("none"))
        return Exit.DONE
    rows = [
        (it["model"], it["device"], size(it["bytes"]), "busy" if it["busy"] else "idle", when(it["expires_at"]))
        for it in held["loaded"]
    ]
    ctx.out.table(("NAME", "DEVICE", "SIZE", "STATE", "UNTIL"), rows)
    return Exit.DONE


def _add(ctx: Context) -> int:
    model = ctx.call("models.add", path=str(ctx.args.path.expanduser().absolute()), name=ctx.args.name)
    ctx.out.document(model)
    ctx.out.line(ctx.say("model_added", name=model["name"], family=model["family"], quoted=shlex.quote(model["name"])))
    return Exit.DONE


def _use(ctx: Context) -> int:
    model = ctx.call("models.use", name=ctx.args.name)
    ctx.out.document(model)
    ctx.out.line(ctx.say("model_used", name=model["name"]))
    return Exit.DONE


def _remove(ctx: Context) -> int:
    ctx.out.document(ctx.call("models.remove", name=ctx.args.name))
    ctx.out.line(ctx.say("forgotten", name=ctx.args.name))
    return Exit.DONE


def _unload(ctx: Context) -> int:
    let_go = ctx.call("models.unload", model=ctx.args.model)
    ctx.out.document(let_go)
    ctx.out.line(ctx.say("unloaded", names=", ".join(let_go["unloaded"]) or "-"))
    return Exit.DONE
