"""models scan and models verify: long looks at the disk."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, Final

from tendred.app.cli.context import Context
from tendred.app.cli.exits import Exit
from tendred.app.cli.out import short, size
from tendred.app.cli.parser import Commands, command

_LICENCE: Final = 20
_HASH: Final = 12


def add(noun: Commands) -> None:
    look = command(noun, "scan", "what ComfyUI, A1111, InvokeAI and the hub's cache hold already", _scan)
    look.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", help="look here as well")
    look.add_argument("--only", action="store_true", help="look in these folders alone")
    look.add_argument("--add", dest="take", action="store_true", help="add what is new; nothing is copied")
    look.add_argument("--all", action="store_true", help="show what can't be used, too")
    again = command(noun, "verify", "hash files anew and say which differ; all without a name", _verify)
    again.add_argument("name", nargs="?", metavar="NAME")


def _scan(ctx: Context) -> int:
    args = ctx.args
    ctx.out.note(ctx.say("scanning"))
    folders = [str(folder.expanduser().absolute()) for folder in args.folders]
    scan = ctx.call_long("models.scan", folders=folders, known_places=not args.only, add=args.take)
    ctx.out.document(scan)
    found: list[dict[str, Any]] = scan["found"]
    rows = [
        (
            it["state"] if not it["same_as"] else f"{it['state']} ({it['same_as']})",
            it["name"],
            " ".join(part for part in (it["kind"], it["family"], it["detail"]) if part) or "-",
            size(it["bytes"]),
            short(it["licence"] or "-", _LICENCE),
            it["path"] if not it["reason"] else f"{it['path']}: {it['reason']}",
        )
        for it in sorted(found, key=lambda it: (it["state"] != "new", it["tool"], it["path"]))
        if args.all or it["state"] != "refused"
    ]
    if rows:
        ctx.out.table(("STATE", "NAME", "KIND", "SIZE", "LICENCE", "FILE"), rows)
    counts = {state: sum(it["state"] == state for it in found) for state in ("new", "known", "duplicate", "refused")}
    ctx.out.note(ctx.say("scanned", **counts, added=len(scan["added"])))
    if not scan["whole"]:
        ctx.out.note(ctx.say("scan_cut"))
    if counts["new"] and not args.take:
        first = next(it for it in found if it["state"] == "new")
        ctx.out.note(ctx.say("scan_next", path=shlex.quote(first["path"])))
    return Exit.DONE


def _verify(ctx: Context) -> int:
    ctx.out.note(ctx.say("verifying"))
    told = ctx.call_long("models.verify", name=ctx.args.name)
    ctx.out.document(told)
    for model in told["models"]:
        reason = f" ({model['reason']})" if model["reason"] else ""
        ctx.out.line(f"{model['state']:<10}{model['kind']} {model['name']}{reason}")
        for file in model["files"]:
            if file["state"] not in {"ok", "new"}:
                was, now = (text[:_HASH] if text else "-" for text in (file["expected"], file["sha256"]))
                ctx.out.line(f"  {file['state']:<10}{file['file']}  {was} -> {now}")
    for orphan in told["orphans"]:
        ctx.out.line(f"{'orphan':<10}{orphan['path']}  {size(orphan['bytes'])}")
    states = [model["state"] for model in told["models"]]
    # Other bytes than before may be meant, so they are no failure; but nobody should have to count lines to see them.
    ctx.out.note(ctx.say("verified", bytes=size(told["bytes"]), bad=sum(state != "ok" for state in states)))
    return Exit.FAILED if {*states} - {"ok", "changed"} else Exit.DONE
