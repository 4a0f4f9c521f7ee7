"""clip: what one costs, and its making once the code that is shown was typed in again."""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from typing import Any, Final

from tendred.app.cli.context import Context
from tendred.app.cli.credits import told
from tendred.app.cli.exits import Exit
from tendred.app.cli.image import CLIPS, check_output, outputs, see_through
from tendred.app.cli.jobs import when
from tendred.app.cli.parser import Commands, Parser, actions, command, count

_FIELDS: Final = (
    "prompt", "provider", "model", "width", "height", "seconds", "fps", "audio", "seed", "first", "last", "character",
    "accept_stale",
)  # fmt: skip


def add(commands: Commands) -> None:
    noun = actions(command(commands, "clip", "clips with sound, at a provider's price"))
    quote = command(noun, "quote", "say what a clip would cost; nothing is sent", _quote)
    make = command(noun, "make", "quote a clip, have it confirmed, and render it", _make)
    for one in (quote, make):
        _request(one)
    outputs(make)
    render = command(noun, "render", "render what was quoted", _render)
    render.add_argument("quote_id", metavar="QUOTE")
    render.add_argument("--confirm", metavar="CODE", help="the code that was shown (tendre clip confirm QUOTE)")
    outputs(render)
    command(noun, "confirm", "show the code for a quote", _confirm).add_argument("quote_id", metavar="QUOTE")
    command(noun, "show", "all that is known of a clip at its provider", _show).add_argument("job_id", metavar="JOB")


def _request(parser: Parser) -> None:
    parser.add_argument("prompt", metavar="PROMPT", help="what happens, how it looks, and what is heard")
    parser.add_argument("--provider", required=True, metavar="NAME")
    parser.add_argument("--model", required=True, metavar="NAME")
    parser.add_argument("--size", type=_size, default=(1920, 1080), metavar="WxH", help="1920x1080")
    parser.add_argument("--seconds", type=count, default=6, metavar="N")
    parser.add_argument("--fps", default="24")
    parser.add_argument("--silent", dest="audio", action="store_false", help="without sound")
    parser.add_argument("--seed", type=count)
    parser.add_argument("--first", metavar="ASSET", help="the still it begins with")
    parser.add_argument("--last", metavar="ASSET", help="the still it ends with")
    parser.add_argument("--character", metavar="NAME")
    parser.add_argument("--accept-stale", action="store_true", help="take prices that are older than 90 days")


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise ArgumentTypeError(f"{text!r} is no size, such as 1920x1080")
    return int(width), int(height)


def _asked(ctx: Context) -> dict[str, Any]:
    ctx.args.width, ctx.args.height = ctx.args.size
    return {name: getattr(ctx.args, name) for name in _FIELDS}


def _quote(ctx: Context) -> int:
    quote = ctx.own("clips.quote", **_asked(ctx))
    ctx.out.document(quote)
    offer(ctx, quote)
    return Exit.DONE


def offer(ctx: Context, quote: dict[str, Any]) -> None:
    """A quote, and how it is taken."""
    _priced(ctx, quote)
    ctx.out.note(ctx.say("quote_next", id=quote["id"]))


def _priced(ctx: Context, quote: dict[str, Any]) -> None:
    ctx.out.line(
        ctx.say(
            "quote", seconds=quote["seconds"], model=quote["model"], provider=quote["provider"],
            rate=told(quote["rate_mcr"]), total=told(quote["total_mcr"]),
        )
    )  # fmt: skip
    ctx.out.line(ctx.say("quote_table", date=quote["table_date"], source=quote["table_source"]))
    ctx.out.line(ctx.say("quote_refunds", failed=quote["failed"], filtered=quote["filtered"]))
    ctx.out.line(ctx.say("quote_until", id=quote["id"], time=when(quote["expires_at"])))


def _make(ctx: Context) -> int:
    check_output(ctx, CLIPS)
    quote = ctx.own("clips.quote", **_asked(ctx))
    _priced(ctx, quote)
    return _taken(ctx, quote["id"], None)


def _render(ctx: Context) -> int:
    check_output(ctx, CLIPS)
    return _taken(ctx, ctx.args.quote_id, ctx.args.confirm)


def _confirm(ctx: Context) -> int:
    shown = ctx.own("clips.confirm", quote_id=ctx.args.quote_id)
    ctx.out.document(shown)
    ctx.out.line(ctx.say("code", code=shown["code"], total=told(shown["total_mcr"])))
    return Exit.DONE


def _taken(ctx: Context, quote_id: str, code: str | None) -> int:
    """Without a code a person has to be there to type it in: nothing is confirmed by a script that reads it back."""
    if code is None:
        if not (ctx.out.on_terminal and sys.stdin.isatty()):
            raise ctx.stop(Exit.CONSENT, "consent_required", "nobody_there", id=quote_id)
        shown = ctx.own("clips.confirm", quote_id=quote_id)
        ctx.out.note(ctx.say("code", code=shown["code"], total=told(shown["total_mcr"])))
        code = sys.stdin.readline().strip() or "-"
    return see_through(ctx, ctx.own("clips.render", quote_id=quote_id, confirm=code))


def _show(ctx: Context) -> int:
    known = ctx.call("clips.evidence", job_id=ctx.args.job_id)
    ctx.out.document(known)
    for name in ("provider", "model", "phase", "remote_id", "request_id", "sent_at"):
        ctx.out.line(f"{name:<12}{known[name] or '-'}")
    ctx.out.line(f"{'credits':<12}{told(known['total_mcr'])}")
    rows = [(when(step["at"]), step["was"], step["phase"], step["event"]) for step in known["steps"]]
    ctx.out.table(("TIME", "FROM", "TO", "BECAUSE"), rows)
    return Exit.DONE
