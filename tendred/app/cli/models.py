"""models: what can draw, what it takes, and what is in memory."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, Final

from tendred.app.cli import scan
from tendred.app.cli.context import Context
from tendred.app.cli.exits import Exit
from tendred.app.cli.jobs import when
from tendred.app.cli.out import short, size
from tendred.app.cli.parser import Commands, Parser, actions, command

KINDS: Final = ("model", "lora", "vae", "controlnet", "upscaler", "embedding")
_LICENCE: Final = 30
_CHOICES: Final = 70


def add(commands: Commands) -> None:
    noun = actions(command(commands, "models", "list and choose models"))
    listing = command(noun, "list", "what is there; * marks the default", _list)
    listing.add_argument("--kind", choices=KINDS)
    command(noun, "ps", "what is in memory, and until when", _ps)
    new = command(noun, "add", "add a diffusers folder or a file where it is; nothing is copied", _add)
    new.add_argument("path", type=Path, metavar="PATH")
    new.add_argument("--name", help="the folder's or the file's own name unless given")
    command(noun, "use", "make it the default", _use).add_argument("name", metavar="NAME")
    show = command(noun, "show", "what one takes, what it says of itself, who uses it", _show)
    show.add_argument("name", nargs="?", metavar="NAME", help="the default model unless given")
    show.add_argument("--kind", choices=KINDS, help="where several kinds share a name")
    scan.add(noun)
    removable(named(command(noun, "remove", "forget one; its files stay", _remove)))
    unload = command(noun, "unload", "give its memory back; all without a name", _unload)
    unload.add_argument("model", nargs="?", metavar="NAME")


def named(parser: Parser) -> Parser:
    """A command that takes one entry of the catalogue."""
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--kind", choices=KINDS, help="where several kinds share a name")
    return parser


def removable(parser: Parser) -> None:
    """What every `remove` asks."""
    parser.add_argument("--force", action="store_true", help="even if something needs it")
    parser.add_argument(
        "--delete-files", action="store_true", help="delete its files too, where they are the daemon's own"
    )


def _list(ctx: Context) -> int:
    return listed(ctx, ctx.call("models.list", kind=ctx.args.kind))


def listed(ctx: Context, known: dict[str, Any]) -> int:
    """A table of entries, and what stands over the budget."""
    ctx.out.document(known)
    rows = [
        (
            ("* " if it["is_default"] else "  ") + it["name"],
            it["kind"],
            it["family"] or "-",
            size(it["bytes"]),
            short(it["licence"] or "-", _LICENCE),
            when(it["last_used_at"]),
            it["state"] if not it["reason"] else f"{it['state']}: {it['reason']}",
        )
        for it in known["models"]
    ]
    ctx.out.table(("  NAME", "KIND", "FAMILY", "SIZE", "LICENCE", "LAST USED", "STATE"), rows)
    for line in over(ctx, known["budget"]):
        ctx.out.note(line)
    return Exit.DONE


def over(ctx: Context, budget: dict[str, Any]) -> list[str]:
    """What could go, if a budget is exceeded."""
    limit, used = budget["limit_bytes"], budget["used_bytes"]
    if limit is None or used is None or used <= limit:
        return []
    rows = [f"  {it['kind']} {it['name']}  {size(it['bytes'])}  {when(it['last_used_at'])}" for it in budget["advice"]]
    return [ctx.say("over_budget", used=size(used), limit=size(limit)), *rows]


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
    model = ctx.call_long("models.add", path=str(ctx.args.path.expanduser().absolute()), name=ctx.args.name)
    ctx.out.document(model)
    if model["kind"] == "model":
        quoted = shlex.quote(model["name"])
        ctx.out.line(ctx.say("model_added", name=model["name"], family=model["family"], quoted=quoted))
    else:
        ctx.out.line(ctx.say("file_added", name=model["name"], kind=model["kind"], family=model["family"] or "-"))
    return Exit.DONE


def _use(ctx: Context) -> int:
    model = ctx.call("models.use", name=ctx.args.name)
    ctx.out.document(model)
    ctx.out.line(ctx.say("model_used", name=model["name"]))
    return Exit.DONE


def _show(ctx: Context) -> int:
    return shown(ctx, ctx.call("models.show", name=ctx.args.name, kind=ctx.args.kind))


def shown(ctx: Context, entry: dict[str, Any]) -> int:
    """One entry, a line a fact, and the form of what it takes."""
    ctx.out.document(entry)
    model, users = entry["model"], entry["used_by"]
    who = [*users["characters"], *users["loras"], *([f"{users['waiting']} jobs"] if users["waiting"] else [])]
    facts = {
        "name": model["name"],
        "kind": " ".join(part for part in (model["kind"], model["family"], entry["detail"]) if part),
        "path": model["path"],
        "size": size(model["bytes"]),
        "licence": model["licence"],
        "source": model["source"],
        "sha256": model["sha256"],
        "last used": when(model["last_used_at"]),
        "state": model["state"] if not model["reason"] else f"{model['state']}: {model['reason']}",
        "goes with": entry["base"],
        "trigger": entry["trigger"],
        "fits": ", ".join(entry["fits"]),
        "needed by": ", ".join(who),
        "lacks": ", ".join(entry["lacks"]),
        **{f"says {name}": text for name, text in entry["spec"].items()},
    }
    for name, value in facts.items():
        if value:
            ctx.out.line(f"{name:<16}{value}")
    if entry["takes"]:
        ctx.out.line()
        rows = [(it["name"], it["type"], _plain(it["default"]), _range(it)) for it in entry["takes"]]
        ctx.out.table(("FIELD", "TYPE", "DEFAULT", "FROM - TO"), rows)
    return Exit.DONE


def _plain(value: Any) -> str:
    return "-" if value is None or value == "" else f"{value:g}" if isinstance(value, float) else str(value)


def _range(field: dict[str, Any]) -> str:
    if field["choices"]:
        return short(", ".join(field["choices"]), _CHOICES)
    if field["minimum"] is None:
        return "-" if field["maximum"] is None else f"up to {_plain(field['maximum'])}"
    step = f", step {field['multiple']}" if field["multiple"] else ""
    return f"{_plain(field['minimum'])} - {_plain(field['maximum'])}{step}"


def _remove(ctx: Context) -> int:
    args = ctx.args
    call = {"name": args.name, "kind": args.kind, "force": args.force, "delete_files": args.delete_files}
    return forgotten(ctx, ctx.call("models.remove", **call))


def forgotten(ctx: Context, removed: dict[str, Any]) -> int:
    """What went, in words."""
    ctx.out.document(removed)
    ctx.out.line(ctx.say("deleted" if removed["files_deleted"] else "forgotten", name=removed["name"]))
    return Exit.DONE


def _unload(ctx: Context) -> int:
    let_go = ctx.call("models.unload", model=ctx.args.model)
    ctx.out.document(let_go)
    ctx.out.line(ctx.say("unloaded", names=", ".join(let_go["unloaded"]) or "-"))
    return Exit.DONE
