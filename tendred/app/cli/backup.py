"""backup, restore: everything in one file, keys and all. Works without a daemon; restoring only without one."""

from __future__ import annotations

from pathlib import Path

from msgspec import to_builtins

from tendred.app.cli.context import Context
from tendred.app.cli.exits import Exit
from tendred.app.cli.out import size
from tendred.app.cli.parser import Commands, command


def add(commands: Commands) -> None:
    save = command(commands, "backup", "put everything but models into one file: library, keys, settings", _backup)
    save.add_argument("file", metavar="FILE", help="a new file; keep it safe, for the keys are in it")
    save.add_argument("--no-pictures", action="store_true", help="leave the library's files out")
    back = command(commands, "restore", "bring a backup back, on this machine or another", _restore)
    back.add_argument("file", metavar="FILE")


def _backup(ctx: Context) -> int:
    from tendred.app.backup import backup  # noqa: PLC0415 # only this command needs it

    made = backup(ctx.paths, Path(ctx.args.file).absolute(), pictures=not ctx.args.no_pictures)
    ctx.out.document(to_builtins(made))
    ctx.out.line(ctx.say("backed_up", file=made.file, count=made.files, size=size(made.bytes)))
    ctx.out.note(ctx.say("backup_keys"))
    if ctx.args.no_pictures:
        ctx.out.note(ctx.say("backup_no_pictures", folder=ctx.paths.pictures))
    return Exit.DONE


def _restore(ctx: Context) -> int:
    from tendred.app.backup import BESIDE, restore  # noqa: PLC0415 # only this command needs it

    made = restore(ctx.paths, Path(ctx.args.file).absolute())
    ctx.out.document(to_builtins(made))
    ctx.out.line(ctx.say("brought_back", count=made.files, size=size(made.bytes)))
    if not made.pictures:
        ctx.out.note(ctx.say("backup_no_pictures", folder=ctx.paths.pictures))
    ctx.out.note(ctx.say("restored_next", file=ctx.paths.config / BESIDE))
    return Exit.DONE
