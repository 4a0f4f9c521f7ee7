"""cloud: keys of providers."""

from __future__ import annotations

import getpass
import sys

from tendred.app.cli.context import Context
from tendred.app.cli.exits import Exit
from tendred.app.cli.parser import Commands, UsageError, actions, command


def add(commands: Commands) -> None:
    noun = actions(command(commands, "cloud", "providers of clips, and their keys"))
    new = command(noun, "login", "give the daemon a provider's key; it is asked for, or read from stdin", _login)
    new.add_argument("provider", metavar="PROVIDER")
    command(noun, "logout", "remove a provider's key", _logout).add_argument("provider", metavar="PROVIDER")
    command(noun, "status", "where each provider's key is", _status)


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
        raise UsageError(ctx.say("no_key"), "", "tendre cloud login")
    return key.strip()


def _logout(ctx: Context) -> int:
    gone = ctx.call("cloud.logout", provider=ctx.args.provider)
    ctx.out.document(gone)
    ctx.out.line(ctx.say("logged_out" if gone["removed"] else "was_logged_out", provider=gone["provider"]))
    return Exit.DONE


def _status(ctx: Context) -> int:
    told = ctx.call("cloud.status")
    ctx.out.document(told)
    known = {True: "key_there", False: "key_not_there", None: "key_unknown"}
    rows = [
        (it["provider"], ctx.say(known[it["present"]]), it["source"], it["problem"] or it["place"])
        for it in told["providers"]
    ]
    ctx.out.table(("PROVIDER", "KEY", "FROM", "PLACE"), rows)
    return Exit.DONE
