"""hotfolders: which folders are watched."""

from __future__ import annotations

import os
from pathlib import Path

from tendred.app.cli.context import Context
from tendred.app.cli.exits import Exit
from tendred.app.cli.parser import Commands, actions, command


def add(commands: Commands) -> None:
    noun = actions(command(commands, "hotfolders", "list, add and remove watched folders"))
    command(noun, "list", "which folders are watched", _list)
    new = command(noun, "add", "watch one more folder", _add)
    new.add_argument("path", type=Path, metavar="FOLDER")
    gone = command(noun, "remove", "stop watching one; its files stay", _remove)
    gone.add_argument("hotfolder", metavar="ID_OR_FOLDER")
    again = command(noun, "rescan", "look through one now, or through all", _rescan)
    again.add_argument("hotfolder", nargs="?", metavar="ID_OR_FOLDER")


def _list(ctx: Context) -> int:
    listed = ctx.call("hotfolders.list")
    ctx.out.document(listed)
    counts = ("waiting", "claimed", "done", "failed")
    rows = [
        (it["id"], it["state"], it["watch"], *(str(it[name]) for name in counts), it["path"])
        for it in listed["hotfolders"]
    ]
    if rows:
        ctx.out.table(("ID", "STATE", "WATCH", *(name.upper() for name in counts), "PATH"), rows)
    else:
        ctx.out.note(ctx.say("none"))
    return Exit.DONE


def _add(ctx: Context) -> int:
    folder = ctx.call("hotfolders.add", path=str(ctx.args.path.expanduser().absolute()))
    ctx.out.document(folder)
    ctx.out.line(ctx.say("watching", path=folder["path"], id=folder["id"]))
    return Exit.DONE


def _remove(ctx: Context) -> int:
    ctx.out.document(ctx.call("hotfolders.remove", hotfolder_id=_id(ctx, ctx.args.hotfolder)))
    ctx.out.line(ctx.say("unwatched", name=ctx.args.hotfolder))
    return Exit.DONE


def _id(ctx: Context, named: str) -> str:
    """The id of a folder named by its id or its path; what is neither is left to the daemon to refuse."""
    folders = ctx.call("hotfolders.list")["hotfolders"]
    if not any(it["id"] == named for it in folders):
        place = os.path.realpath(Path(named).expanduser())
        for it in folders:
            if os.path.realpath(it["path"]) == place:
                return str(it["id"])
    return named


def _rescan(ctx: Context) -> int:
    named = ctx.args.hotfolder
    ctx.out.document(ctx.call("hotfolders.rescan", hotfolder_id=named and _id(ctx, named)))
    ctx.out.line(ctx.say("rescanned"))
    return Exit.DONE
