"""characters: who can be asked for by name."""

from __future__ import annotations

from typing import Any, Final

from tendred.app.cli.context import Context
from tendred.app.cli.exits import Exit
from tendred.app.cli.fields import lora
from tendred.app.cli.image import check_output, outputs, see_through
from tendred.app.cli.jobs import when
from tendred.app.cli.out import short
from tendred.app.cli.parser import Commands, actions, command

_FRAGMENT: Final = 50


def add(commands: Commands) -> None:
    noun = actions(command(commands, "characters", "who can be asked for: tendre image @NAME ..."))
    command(noun, "list", "who there is", _list)
    show = command(noun, "show", "one of them", _show)
    show.add_argument("name", metavar="NAME")
    show.add_argument("--version", dest="number", type=int, metavar="N", help="as they were then")
    new = command(noun, "new", "make a fictional adult of your own", _new)
    new.add_argument("name", metavar="NAME")
    new.add_argument("words", nargs="+", metavar="WORDS", help="what stands for them in a prompt")
    edit = command(noun, "edit", "make a new version; the ones before stay", _edit)
    edit.add_argument("name", metavar="NAME")
    edit.add_argument("--words", metavar="WORDS", help="what stands for them in a prompt")
    for parser in (new, edit):
        parser.add_argument(
            "--lora", type=lora, action="append", metavar="NAME[:WEIGHT]", help="may be given several times"
        )
        parser.add_argument("--seed", metavar="N", help="for every still of them; free lets each choose its own")
        parser.add_argument("--reference", metavar="ASSET", help="a still of them; none takes it away")
    edit.add_argument("--no-loras", action="store_true", help="take all of them away")
    command(noun, "remove", "nobody asks for them any more; stills stay", _remove).add_argument("name", metavar="NAME")
    sheet = command(noun, "sheet", "one picture of their newest stills", _sheet)
    sheet.add_argument("name", metavar="NAME")
    sheet.add_argument("--version", dest="number", type=int, metavar="N", help="stills of this version only")
    sheet.add_argument("--limit", type=int, metavar="N", help="stills at most")
    outputs(sheet)


def _list(ctx: Context) -> int:
    known = ctx.call("characters.list")
    ctx.out.document(known)
    rows = [
        (it["name"], f"v{it['version']}", short(it["fragment"], _FRAGMENT), _state(it)) for it in known["characters"]
    ]
    ctx.out.table(("NAME", "VERSION", "WORDS", "STATE"), rows)
    return Exit.DONE


def _show(ctx: Context) -> int:
    one = ctx.call("characters.get", name=ctx.args.name, version=ctx.args.number)
    ctx.out.document(one)
    rows = {
        "name": one["name"],
        "version": one["version"],
        "words": one["fragment"],
        "loras": loras(one["loras"]),
        "seed": "free" if one["seed"] is None else one["seed"],
        **({"reference": one["reference_asset_id"]} if one["reference_asset_id"] else {}),
        "made": "with the package" if one["ships"] else when(one["created_at"]),
        "state": _state(one),
    }
    for name, value in rows.items():
        ctx.out.line(f"{name:<16}{value}")
    return Exit.DONE


def _new(ctx: Context) -> int:
    args = ctx.args
    return _told(
        ctx,
        ctx.call("characters.create", name=args.name, fragment=" ".join(args.words), loras=args.lora, **_changes(ctx)),
    )


def _edit(ctx: Context) -> int:
    args, changes = ctx.args, _changes(ctx)
    if args.words:
        changes["fragment"] = args.words
    if args.lora or args.no_loras:
        changes["loras"] = args.lora or []
    if not changes:
        raise ctx.stop(Exit.USAGE, "invalid_params", "nothing_changes")
    return _told(ctx, ctx.send("characters.update", {"name": args.name, **changes}))


def _changes(ctx: Context) -> dict[str, Any]:
    """Seed and reference, which can be taken away."""
    changes: dict[str, Any] = {}
    if (seed := ctx.args.seed) is not None:
        changes["seed"] = None if seed == "free" else int(seed) if seed.isdecimal() else seed
    if (still := ctx.args.reference) is not None:
        changes["reference_asset_id"] = None if still == "none" else still
    return changes


def _told(ctx: Context, one: dict[str, Any]) -> int:
    ctx.out.document(one)
    ctx.out.line(ctx.say("character_made", name=one["name"], version=one["version"]))
    return Exit.DONE


def _remove(ctx: Context) -> int:
    ctx.out.document(ctx.call("characters.remove", name=ctx.args.name))
    ctx.out.line(ctx.say("character_removed", name=ctx.args.name))
    return Exit.DONE


def _sheet(ctx: Context) -> int:
    check_output(ctx)
    args = ctx.args
    made = ctx.call("characters.sheet", name=args.name, version=args.number, limit=args.limit)
    return see_through(ctx, made["job"])


def loras(uses: list[dict[str, Any]]) -> str:
    """As they are written on the command line: `NAME:WEIGHT`."""
    return ", ".join(f"{use['name']}:{use['weight']:g}" for use in uses)


def _state(character: dict[str, Any]) -> str:
    return character["state"] if not character["reason"] else f"{character['state']}: {character['reason']}"
