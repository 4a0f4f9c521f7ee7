"""wildcards: lists of options that a prompt names."""

from __future__ import annotations

import sys
from pathlib import Path

from tendred.app.cli.context import Context
from tendred.app.cli.exits import Exit
from tendred.app.cli.out import size
from tendred.app.cli.parser import Commands, actions, command

_PAGE = 500


def add(commands: Commands) -> None:
    noun = actions(command(commands, "wildcards", "lists of options for prompts: __NAME__"))
    command(noun, "list", "which there are", _list)
    command(noun, "show", "the options of one", _show).add_argument("name", metavar="NAME")
    new = command(noun, "add", "take a file of options, one a line", _add)
    new.add_argument("name", metavar="NAME")
    new.add_argument("file", type=Path, metavar="FILE", help="- reads stdin")
    new.add_argument("--replace", action="store_true", help="in the place of one of this name")
    command(noun, "remove", "remove one", _remove).add_argument("name", metavar="NAME")


def _list(ctx: Context) -> int:
    known = ctx.call("wildcards.list")
    ctx.out.document(known)
    if not known["wildcards"]:
        ctx.out.note(ctx.say("none"))
        return Exit.DONE
    rows = [
        (
            it["name"],
            str(it["options"]),
            size(it["bytes"]),
            it["path"] if not it["reason"] else f"refused: {it['reason']}",
        )
        for it in known["wildcards"]
    ]
    ctx.out.table(("NAME", "OPTIONS", "SIZE", "FILE"), rows, whole=True)
    return Exit.DONE


def _show(ctx: Context) -> int:
    options: list[str] = []
    page = ctx.call("wildcards.show", name=ctx.args.name, limit=_PAGE)
    options += page["options"]
    while page["next"]:
        page = ctx.call("wildcards.show", name=ctx.args.name, limit=_PAGE, cursor=page["next"])
        options += page["options"]
    ctx.out.document({**page, "options": options})
    for option in options:
        ctx.out.line(option)
    return Exit.DONE


def _add(ctx: Context) -> int:
    file: Path = ctx.args.file
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        words = problem.strerror if isinstance(problem, OSError) else "it is not text in UTF-8"
        raise ctx.stop(Exit.USAGE, "invalid_params", "no_file", file=file, problem=words) from None
    lines = [line.strip() for line in text.split("\n")]
    options = [line for line in lines if line and not line.startswith("#")]
    made = ctx.call("wildcards.add", name=ctx.args.name, options=options, replace=ctx.args.replace)
    ctx.out.document(made)
    ctx.out.line(ctx.say("wildcard_added", name=made["name"], count=made["options"]))
    return Exit.DONE


def _remove(ctx: Context) -> int:
    ctx.out.document(ctx.call("wildcards.remove", name=ctx.args.name))
    ctx.out.line(ctx.say("wildcard_removed", name=ctx.args.name))
    return Exit.DONE
