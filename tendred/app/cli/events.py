"""events: what happened, one JSON object a line."""

from __future__ import annotations

import difflib
from argparse import ArgumentTypeError
from threading import Event

from tendred.app.cli.context import Context
from tendred.app.cli.exits import Exit
from tendred.app.cli.parser import Commands, command
from tendred.app.client import RpcError
from tendred.schema.event import TOPICS

_STEP_S = 0.5
_PAGE = 500


def add(commands: Commands) -> None:
    parser = command(commands, "events", "show what happened; JSON lines with --json", _events)
    parser.add_argument("-f", "--follow", action="store_true", help="go on as things happen, until Ctrl-C")
    parser.add_argument("--since", type=int, metavar="SEQ", help="from this number on; all that are kept unless given")
    parser.add_argument(
        "--topic",
        type=topic,
        action="append",
        metavar="PREFIX",
        help="job., asset.kept, ...; may be given several times",
    )


def topic(text: str) -> str:
    """A topic, or what some begin with."""
    if not any(known.startswith(text) for known in TOPICS):
        families = sorted({known.partition(".")[0] + "." for known in TOPICS})
        near = difflib.get_close_matches(text, [*TOPICS, *families], 3) or families
        raise ArgumentTypeError(f"no topic begins with {text!r}; there is {', '.join(near)}")
    return text


def _events(ctx: Context) -> int:
    seq, pause = ctx.args.since, Event()
    if seq is None:
        seq = _oldest(ctx)
    while True:
        page = ctx.call("events.since", seq=seq, topics=ctx.args.topic, limit=_PAGE)
        for event in page["events"]:
            ctx.out.document(event)
            ctx.out.line(f"{event['seq']:>8}  {event['at']}  {event['topic']:<18}  {event['job_id'] or ''}".rstrip())
        seq = page["next_seq"]
        if len(page["events"]) == _PAGE:
            continue
        if not ctx.args.follow:
            return Exit.DONE
        pause.wait(_STEP_S)


def _oldest(ctx: Context) -> int:
    try:
        return int(ctx.call("events.since", seq=0, limit=1)["oldest_seq"])
    except RpcError as error:
        if error.kind != "events_gone":
            raise
        return int(error.detail["oldest_seq"])


def newest(ctx: Context) -> int:
    """The number that the next event will get."""
    nothing = ["-"]  # no topic begins so: nothing comes back but the number
    return int(ctx.call("events.since", seq=_oldest(ctx), topics=nothing, limit=1)["next_seq"])
