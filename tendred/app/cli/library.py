"""library: find, show, remove, restore and tag what was made."""

from __future__ import annotations

import secrets
import shlex
from argparse import Namespace
from typing import Any, Final

from tendred.app.cli.characters import loras
from tendred.app.cli.context import Context
from tendred.app.cli.exits import Exit
from tendred.app.cli.image import check_output, format_of, outputs, see_through
from tendred.app.cli.jobs import gist, when
from tendred.app.cli.out import short, size
from tendred.app.cli.parser import SHORT, Commands, actions, command
from tendred.app.cli.sources import told

_PAGE: Final = 20
_PROMPT: Final = 30
_PARENTS: Final = 200
_TOLD: Final = frozenset({"model", "loras", "character", "seed", "tags", "again", "variations", "cells"})
"""Settings that `show` tells in words of its own."""


def add(commands: Commands) -> None:
    noun = actions(command(commands, "library", "find what was made (tendre library WORDS)"))
    find = command(noun, "search", "find by words; none lists the newest", _search)
    find.add_argument("query", nargs="*", metavar="WORDS")
    find.add_argument("--kind", choices=("still", "clip", "sheet"))
    find.add_argument("--model", metavar="NAME")
    find.add_argument("--character", metavar="NAME")
    find.add_argument("--tag", metavar="TAG")
    find.add_argument("--order", choices=("newest", "oldest", "best"))
    find.add_argument("--limit", type=int, default=_PAGE, metavar="N", help=f"at most N ({_PAGE})")
    find.add_argument("--cursor", help="the next of the page before")
    show = command(noun, "show", "show one with all its settings", _show)
    show.add_argument("asset_id", metavar="ID")
    sheet = command(noun, "sheet", "put pictures side by side on one labelled sheet", _sheet)
    sheet.add_argument("asset_ids", nargs="+", metavar="ID", help="in reading order")
    sheet.add_argument("--columns", type=int, metavar="N", help="pictures in a row; about a square unless given")
    sheet.add_argument(
        "--label", action="append", dest="labels", metavar="TEXT", help="one for each picture; seeds unless given"
    )
    sheet.add_argument("--title", metavar="TEXT", help="above them all")
    sheet.add_argument("--format", choices=("png", "jpeg", "webp"), help="png, or what -o ends with")
    outputs(sheet)
    for name, text, run in (
        ("remove", "take out of the library", _remove),
        ("restore", "bring back", _restore),
        ("erase", "erase for good what it was asked for with; the picture stays", _erase),
    ):
        command(noun, name, text, run).add_argument("asset_ids", nargs="+", metavar="ID")
    tag = command(noun, "tag", "add and remove tags", _tag)
    tag.add_argument("asset_id", metavar="ID")
    tag.add_argument("add", nargs="*", metavar="TAG", help="tags to add")
    tag.add_argument("--remove", action="append", default=[], metavar="TAG", help="may be given several times")


def _search(ctx: Context) -> int:
    names = ("kind", "model", "character", "tag", "order", "limit", "cursor")
    filters: dict[str, Any] = {name: getattr(ctx.args, name) for name in names}
    page = ctx.call("library.search", query=" ".join(ctx.args.query), **filters)
    ctx.out.document(page)
    rows = [
        (
            asset["id"],
            when(asset["created_at"]),
            f"{asset['width']}x{asset['height']}",
            short(gist(asset["settings"]), _PROMPT),
            asset["path"],
        )
        for asset in page["assets"]
    ]
    if rows:
        ctx.out.table(("ID", "CREATED", "SIZE", "PROMPT", "FILE"), rows, whole=True)
    else:
        ctx.out.note(ctx.say("none"))
    if page["next"]:
        ctx.out.note(ctx.say("more", command=following(ctx.args, page["next"])))
    return Exit.DONE


def following(args: Namespace, cursor: str) -> str:
    """The command that shows the next page."""
    options = {
        name: getattr(args, name, None) for name in ("home", "lang", "kind", "model", "character", "tag", "order")
    }
    options |= {"limit": None if args.limit == _PAGE else args.limit, "cursor": cursor}
    named = [part for name, value in options.items() if value is not None for part in _option(name, str(value))]
    words: list[str] = args.query
    head = ["tendre", "library", *(["search"] if words and words[0] in SHORT["library"][1] else [])]
    if any(word.startswith("-") for word in words):
        return shlex.join([*head, *named, "--", *words])
    return shlex.join([*head, *words, *named])


def _option(name: str, value: str) -> list[str]:
    return [f"--{name}={value}"] if value.startswith("-") else [f"--{name}", value]


def _show(ctx: Context) -> int:
    asset = ctx.call("library.get", asset_id=ctx.args.asset_id)
    ctx.out.document(asset)
    engine, settings = asset["engine"], asset["settings"]
    again, steps = settings.get("again"), list[dict[str, Any]](settings.get("variations") or [])
    rows = {
        "file": asset["path"],
        "state": asset["state"],
        "is": f"{asset['media_type']}, {asset['width']} x {asset['height']}, {size(asset['bytes'])}",
        "created": when(asset["created_at"]),
        "model": asset["model"]["name"],
        "seed": asset["seed"],
        **{
            name: told(name, value)
            for name, value in settings.items()
            if name not in _TOLD and value not in (None, "", [])
        },
        **({"character": f"{who['name']} v{who['version']}"} if (who := asset["character"]) else {}),
        **({"loras": loras(asset["loras"])} if asset["loras"] else {}),
        **({"again": again["asset_id"]} if again else {}),
        **({"variation": ", ".join(f"{step['strength']:g} of {step['seed']}" for step in steps)} if steps else {}),
        **({"parents": short(" ".join(asset["parents"]), _PARENTS)} if asset["parents"] else {}),
        "tags": ", ".join(asset["tags"]),
        "engine": f"diffusers {engine['diffusers']}, torch {engine['torch']}, {engine['device']} {engine['dtype']}, {engine['threads']} threads",
        "job": asset["job_id"],
        "receipt": asset["receipt_id"],
        "pixels": asset["pixels_sha256"],
    }
    for name, value in rows.items():
        ctx.out.line(f"{name:<16}{value}")
    return Exit.DONE


def _sheet(ctx: Context) -> int:
    args = ctx.args
    check_output(ctx)
    names = ("columns", "labels", "title")
    asked: dict[str, Any] = {name: getattr(args, name) for name in names}
    key, kind = secrets.token_hex(16), format_of(args)
    made = ctx.call("library.sheet", asset_ids=args.asset_ids, **asked, format=kind, idempotency_key=key)
    return see_through(ctx, made["job"])


def _remove(ctx: Context) -> int:
    return _each(ctx, "library.remove", "removed")


def _restore(ctx: Context) -> int:
    return _each(ctx, "library.restore", "restored")


def _erase(ctx: Context) -> int:
    code = _each(ctx, "library.erase", "erased")
    ctx.out.note(ctx.say("erased_left"))
    return code


def _each(ctx: Context, method: str, phrase: str) -> int:
    assets: list[dict[str, Any]] = []
    for asset_id in ctx.args.asset_ids:
        assets.append(ctx.call(method, asset_id=asset_id))
        ctx.out.line(ctx.say(phrase, name=asset_id))
    ctx.out.document({"assets": assets})
    return Exit.DONE


def _tag(ctx: Context) -> int:
    asset = ctx.call("library.tag", asset_id=ctx.args.asset_id, add=ctx.args.add, remove=ctx.args.remove)
    ctx.out.document(asset)
    ctx.out.line(ctx.say("tagged", name=asset["id"], tags=", ".join(asset["tags"]) or "-"))
    return Exit.DONE
