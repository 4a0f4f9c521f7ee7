"""verify: what is this file? Offline, without a daemon; for pictures and clips of any tool."""

from __future__ import annotations

from typing import Any

from msgspec import to_builtins

from tendred.app.cli.context import Context
from tendred.app.cli.exits import Exit
from tendred.app.cli.parser import Commands, command
from tendred.schema.marks import Verified


def add(commands: Commands) -> None:
    parser = command(commands, "verify", "say what a file is: made by what, signed by whom, changed or not", _verify)
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--deep", action="store_true", help="look for the mark in the pixels even where it is signed")


def _verify(ctx: Context) -> int:
    from tendred.app.verify import verify  # noqa: PLC0415 # only this command needs it

    found: list[Verified] = []
    for file in ctx.args.files:
        one = verify(file, deep=ctx.args.deep, paths=ctx.paths, marks=ctx.loaded.config.marks)
        found.append(one)
        ctx.out.line(f"{one.file}: {ctx.say(f'verified_{one.state}')}")
        for line in _lines(ctx, one):
            ctx.out.line(f"  {line}")
    documents: list[Any] = [to_builtins(one) for one in found]
    ctx.out.document({"files": documents})
    return Exit.FAILED if any(one.state in {"changed", "unreadable"} for one in found) else Exit.DONE


def _lines(ctx: Context, one: Verified) -> list[str]:
    lines: list[str] = []
    if one.signer is not None:
        lines.append(ctx.say(f"signer_{one.signer}", name=(one.certificate and one.certificate.name) or "?"))
    if one.made_with is not None:
        lines.append(ctx.say("made_with" if one.state == "intact" else "claims_made_with", name=one.made_with))
    if one.synthetic is not None:
        lines.append(ctx.say("synthetic" if one.synthetic else "not_synthetic", kind=one.source_type or "?"))
    if one.origins:
        lines.append(ctx.say("came_from", count=len(one.origins)))
    if one.watermark is not None:
        whose = "mark_ours" if one.watermark.ours else "mark_other"
        lines.append(ctx.say(whose, number=one.watermark.installation))
    elif one.watermark_looked_for:
        lines.append(ctx.say("mark_none"))
    if one.problems:
        lines.append(ctx.say("problems", codes=", ".join(one.problems)))
    return lines
