"""spend: what was spent, under which caps, and the books behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from tendred.app.cli.context import Context
from tendred.app.cli.credits import amount, credit, named, told
from tendred.app.cli.exits import Exit
from tendred.app.cli.jobs import when
from tendred.app.cli.parser import Commands, actions, command, count

_BAR: Final = 24
_PAGE: Final = 20


def add(commands: Commands) -> None:
    noun = actions(command(commands, "spend", "what clips cost, and how much they may"))
    report = command(noun, "report", "what was spent, as a table with bars", _report)
    report.add_argument("--by", choices=("day", "provider", "shot"), default="day")
    report.add_argument("--after", metavar="DAY", help="from this day on (UTC), such as 2026-11-01")
    report.add_argument("--before", metavar="DAY", help="up to this day")
    ledger = command(noun, "ledger", "every movement, newest first", _ledger)
    ledger.add_argument("--job", dest="job_id", metavar="ID")
    ledger.add_argument("--limit", type=count, default=_PAGE, metavar="N")
    ledger.add_argument("--cursor", help="the next of the page before")
    caps = command(noun, "caps", "show or set caps, in credits", _caps)
    for name in ("job", "day", "month"):
        caps.add_argument(f"--{name}", type=amount, metavar="CREDITS", dest=f"{name}_mcr")
    caps.add_argument(
        "--door",
        type=named,
        action="append",
        default=[],
        metavar="NAME=CREDITS",
        help="by the month; hotfolder:PATH lets a hot folder spend, 0 ends it",
    )
    caps.add_argument("--token", type=named, action="append", default=[], metavar="ID=CREDITS", help="by the month")
    resolve = command(noun, "resolve", "say what happened to a clip that nobody knows about", _resolve)
    resolve.add_argument("job_id", metavar="JOB")
    said = resolve.add_mutually_exclusive_group(required=True)
    said.add_argument("--found", metavar="REMOTE_ID", help="the provider has it, under this name")
    said.add_argument("--charged", nargs="?", const=-1, type=amount, metavar="CREDITS", help="it was billed")
    said.add_argument("--not-charged", action="store_true", help="it was not billed")
    balance = command(noun, "reconcile", "type in the balance that a provider's console shows", _reconcile)
    balance.add_argument("provider", metavar="PROVIDER")
    balance.add_argument("balance_mcr", type=credit, metavar="CREDITS")
    balance.add_argument("--topped-up", dest="topped_up_mcr", type=amount, default=0, metavar="CREDITS")


def _report(ctx: Context) -> int:
    told_by = ctx.call("spend.report", by=ctx.args.by, after=ctx.args.after, before=ctx.args.before)
    ctx.out.document(told_by)
    rows, zone = told_by["rows"], told_by["zone"]
    most = max((_all(row) for row in rows), default=0)
    table = [
        (row["name"] or "-", str(row["clips"]), told(row["spent_mcr"]), told(row["held_mcr"]), told(row["unsure_mcr"]),
         _bar(_all(row), most))
        for row in rows
    ]  # fmt: skip
    if table:
        ctx.out.table((ctx.args.by.upper(), "CLIPS", "SPENT", "HELD", "UNSURE", ""), table)
    else:
        ctx.out.note(ctx.say("nothing_spent"))
    ctx.out.line(ctx.say("spend_zone", zone=zone))
    for one in told_by["balances"]:
        left = told(one["credit_mcr"]) if one["known"] else ctx.say("unknown")
        ctx.out.line(ctx.say("balance", provider=one["provider"], left=left, difference=told(one["difference_mcr"])))
    for job_id in told_by["unknown"]:
        ctx.out.note(ctx.say("unknown_clip", id=job_id))
    if told_by["chain"] != "whole":
        ctx.out.note(ctx.say("chain_broken"))
    return Exit.DONE


def _all(row: dict[str, Any]) -> int:
    return int(row["spent_mcr"] + row["held_mcr"] + row["unsure_mcr"])


def _bar(value: int, most: int) -> str:
    return "█" * max(1, round(_BAR * value / most)) if value and most else ""


def _ledger(ctx: Context) -> int:
    page = ctx.call("spend.ledger", job_id=ctx.args.job_id, limit=ctx.args.limit or 1, cursor=ctx.args.cursor)
    ctx.out.document(page)
    rows = [
        (str(it["n"]), when(it["at"]), it["kind"], f"{it['debit']} -> {it['credit']}", told(it["mcr"]), it["provider"],
         it["basis"] or "-", it["job_id"] or it["note"])
        for it in page["entries"]
    ]  # fmt: skip
    ctx.out.table(("N", "TIME", "KIND", "FROM -> TO", "CREDITS", "PROVIDER", "BASIS", "FOR"), rows)
    return Exit.DONE


def _caps(ctx: Context) -> int:
    said = {f"{name}_mcr": getattr(ctx.args, f"{name}_mcr") for name in ("job", "day", "month")}
    changes: dict[str, Any] = {name: mcr for name, mcr in said.items() if mcr is not None}
    changes |= {"doors": {_door(name): mcr for name, mcr in ctx.args.door}, "tokens": dict(ctx.args.token)}
    call = ctx.own if any(changes.values()) or said != dict.fromkeys(said) else ctx.call
    caps = call("spend.caps", changes=changes)
    ctx.out.document(caps)
    ctx.out.table(
        ("CAP", "CREDITS", "USED"), [(it["name"], told(it["mcr"]), told(it["used_mcr"])) for it in caps["caps"]]
    )
    ctx.out.line(ctx.say("spend_zone", zone=caps["zone"]))
    return Exit.DONE


def _door(name: str) -> str:
    """A hot folder as the daemon knows it: by its whole path, seen from here."""
    kind, colon, path = name.partition(":")
    return f"{kind}:{Path(path).expanduser().absolute()}" if kind == "hotfolder" and path else kind + colon + path


def _resolve(ctx: Context) -> int:
    args = ctx.args
    outcome = "found" if args.found else "not_charged" if args.not_charged else "charged"
    charged = args.charged if outcome == "charged" and args.charged >= 0 else None
    job = ctx.own("spend.resolve", job_id=args.job_id, outcome=outcome, remote_id=args.found, charged_mcr=charged)
    ctx.out.document(job)
    ctx.out.line(f"{job['id']}  {job['state']}")
    return Exit.DONE


def _reconcile(ctx: Context) -> int:
    args = ctx.args
    done = ctx.own(
        "spend.reconcile", provider=args.provider, balance_mcr=args.balance_mcr, topped_up_mcr=args.topped_up_mcr
    )
    ctx.out.document(done)
    key = "reconciled_first" if done["first"] else "reconciled"
    ctx.out.line(
        ctx.say(
            key, provider=done["provider"], expected=told(done["expected_mcr"]), difference=told(done["difference_mcr"])
        )
    )
    return Exit.DONE
