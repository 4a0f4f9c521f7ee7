"""cloud: keys of providers, and whether clips may be sent to them. Off at first."""

from __future__ import annotations

import getpass
import sys
from typing import Any

from tendred.app.cli.context import Context
from tendred.app.cli.credits import amount
from tendred.app.cli.exits import Exit
from tendred.app.cli.parser import Commands, UsageError, actions, command


def add(commands: Commands) -> None:
    noun = actions(command(commands, "cloud", "providers of clips: their keys, and the switch"))
    new = command(noun, "login", "give the daemon a provider's key; it is asked for, or read from stdin", _login)
    new.add_argument("provider", metavar="PROVIDER")
    command(noun, "logout", "remove a provider's key", _logout).add_argument("provider", metavar="PROVIDER")
    command(noun, "status", "what is on, where each key is, and what leaves this machine", _status)
    on = command(noun, "enable", "let clips go to a provider", _enable)
    on.add_argument("provider", metavar="PROVIDER")
    for name in ("job", "day", "month"):
        on.add_argument(f"--{name}", type=amount, metavar="CREDITS", dest=f"{name}_mcr", help=f"the most for a {name}")
    off = command(noun, "disable", "off at once, one provider or all", _disable)
    off.add_argument("provider", metavar="PROVIDER", nargs="?")


def _login(ctx: Context) -> int:
    state = ctx.call("cloud.login", provider=ctx.args.provider, key=_key(ctx))
    ctx.out.document(state)
    ctx.out.line(ctx.say("logged_in", provider=state["provider"]))
    return Exit.DONE


def _key(ctx: Context) -> str:
    """Never an argument: every program of this machine can read those."""
    asked = ctx.say("key_of", provider=ctx.args.provider)
    key = getpass.getpass(asked) if sys.stdin.isatty() else sys.stdin.readline()
    if not key.strip():
        raise UsageError(ctx.say("no_key"), "tendre cloud login")
    return key.strip()


def _logout(ctx: Context) -> int:
    gone = ctx.call("cloud.logout", provider=ctx.args.provider)
    ctx.out.document(gone)
    ctx.out.line(ctx.say("logged_out" if gone["removed"] else "was_logged_out", provider=gone["provider"]))
    return Exit.DONE


def _status(ctx: Context) -> int:
    return _tell(ctx, ctx.call("cloud.status"))


def _enable(ctx: Context) -> int:
    caps = {f"{name}_mcr": getattr(ctx.args, f"{name}_mcr") for name in ("job", "day", "month")}
    changes = {name: mcr for name, mcr in caps.items() if mcr is not None}
    return _tell(ctx, ctx.own("cloud.enable", provider=ctx.args.provider, caps=changes))


def _disable(ctx: Context) -> int:
    return _tell(ctx, ctx.call("cloud.disable", provider=ctx.args.provider))


def _tell(ctx: Context, told: dict[str, Any]) -> int:
    ctx.out.document(told)
    known = {True: "key_there", False: "key_not_there", None: "key_unknown"}
    rows = [
        (
            it["name"], "on" if it["enabled"] else "off", ctx.say(known[it["key"]["present"]]),
            it["table_date"] or "-", it["failed"], it["filtered"], it["key"]["place"] or "-",
        )
        for it in told["providers"]
    ]  # fmt: skip
    ctx.out.table(("PROVIDER", "STATE", "KEY", "PRICES OF", "FAILED JOBS", "FILTERED JOBS", "KEY IS IN"), rows)
    # One keyring mostly has one trouble, whoever's key is asked for.
    for problem in dict.fromkeys(
        it["key"]["problem"].replace(f"tendred-{it['name']}", "tendred-PROVIDER")
        for it in told["providers"] if it["key"]["problem"]
    ):  # fmt: skip
        ctx.out.note(problem)
    ctx.out.line(ctx.say("cloud_on" if told["enabled"] else "cloud_off"))
    if told["enabled"]:
        ctx.out.line(ctx.say("cloud_leaves"))
        ctx.out.line(ctx.say("cloud_withheld"))
    return Exit.DONE
