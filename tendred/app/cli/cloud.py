"""cloud: whether clips may be sent to a provider. Off at first."""

from __future__ import annotations

from typing import Any

from tendred.app.cli.context import Context
from tendred.app.cli.credits import amount
from tendred.app.cli.exits import Exit
from tendred.app.cli.parser import Commands, actions, command


def add(commands: Commands) -> None:
    noun = actions(command(commands, "cloud", "switch clips at a provider on or off"))
    command(noun, "report", "what is on, and what leaves this machine", _report)
    on = command(noun, "enable", "let clips go to a provider", _enable)
    on.add_argument("provider", metavar="PROVIDER")
    for name in ("job", "day", "month"):
        on.add_argument(f"--{name}", type=amount, metavar="CREDITS", dest=f"{name}_mcr", help=f"the most for a {name}")
    off = command(noun, "disable", "off at once, one provider or all", _disable)
    off.add_argument("provider", metavar="PROVIDER", nargs="?")


def _report(ctx: Context) -> int:
    return _tell(ctx, ctx.call("cloud.report"))


def _enable(ctx: Context) -> int:
    caps = {f"{name}_mcr": getattr(ctx.args, f"{name}_mcr") for name in ("job", "day", "month")}
    changes = {name: mcr for name, mcr in caps.items() if mcr is not None}
    return _tell(ctx, ctx.own("cloud.enable", provider=ctx.args.provider, caps=changes))


def _disable(ctx: Context) -> int:
    return _tell(ctx, ctx.call("cloud.disable", provider=ctx.args.provider))


def _tell(ctx: Context, report: dict[str, Any]) -> int:
    ctx.out.document(report)
    rows = [
        (it["name"], "on" if it["enabled"] else "off", it["table_date"] or "-", it["failed"], it["filtered"])
        for it in report["providers"]
    ]
    if rows:
        ctx.out.table(("PROVIDER", "STATE", "PRICES OF", "FAILED JOBS", "FILTERED JOBS"), rows)
    ctx.out.line(ctx.say("cloud_on" if report["enabled"] else "cloud_off"))
    if report["enabled"]:
        ctx.out.line(ctx.say("cloud_leaves"))
        ctx.out.line(ctx.say("cloud_withheld"))
    return Exit.DONE
