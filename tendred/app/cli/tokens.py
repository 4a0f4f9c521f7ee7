"""tokens: one for every program, with what it may do."""

from __future__ import annotations

from typing import get_args

from tendred.app.cli.context import Context
from tendred.app.cli.credits import amount, told
from tendred.app.cli.exits import Exit
from tendred.app.cli.jobs import when
from tendred.app.cli.parser import Commands, actions, command
from tendred.schema.token import Scope


def add(commands: Commands) -> None:
    noun = actions(command(commands, "tokens", "tokens for programs, and what they may do"))
    command(noun, "list", "every one, without its secret", _list)
    new = command(noun, "create", "make one; its secret is shown this once", _create)
    new.add_argument("name", metavar="NAME", help="whose it is")
    new.add_argument("--scope", action="append", choices=get_args(Scope), help="may be given several times")
    new.add_argument("--cap", type=amount, default=0, metavar="CREDITS", help="what it may spend in a month (0)")
    command(noun, "revoke", "from now on it opens nothing", _revoke).add_argument("token_id", metavar="ID")


def _list(ctx: Context) -> int:
    known = ctx.call("tokens.list")
    ctx.out.document(known)
    rows = [
        (
            it["id"],
            it["name"],
            " ".join(it["scopes"]),
            told(it["cap_mcr"]),
            when(it["created_at"]),
            when(it["revoked_at"]),
        )
        for it in known["tokens"]
    ]
    if rows:
        ctx.out.table(("ID", "NAME", "SCOPES", "CAP", "CREATED", "REVOKED"), rows)
    else:
        ctx.out.note(ctx.say("none"))
    return Exit.DONE


def _create(ctx: Context) -> int:
    scopes = ctx.args.scope or ["read", "generate"]
    made = ctx.own("tokens.create", name=ctx.args.name, scopes=scopes, cap_mcr=ctx.args.cap)
    ctx.out.document(made)
    ctx.out.line(made["secret"])
    ctx.out.note(ctx.say("token_made", id=made["token"]["id"], scopes=" ".join(made["token"]["scopes"])))
    return Exit.DONE


def _revoke(ctx: Context) -> int:
    token = ctx.call("tokens.revoke", token_id=ctx.args.token_id)
    ctx.out.document(token)
    ctx.out.line(ctx.say("token_revoked", id=token["id"]))
    return Exit.DONE
