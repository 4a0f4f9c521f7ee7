"""jobs, job, cancel, retry."""

from __future__ import annotations

import shlex
from argparse import ArgumentTypeError, Namespace
from typing import Any, Final, cast, get_args

from tendred.app.cli.context import Context
from tendred.app.cli.exits import Exit
from tendred.app.cli.out import span
from tendred.app.cli.parser import Commands, actions, command
from tendred.app.cli.watch import add_options, conclude, follow, place_of
from tendred.schema.job import State
from tendred.schema.still import Kind, Lane

_PAGE: Final = 20
_FILTERS: Final = ("state", "kind", "model", "after", "before")
ENDS: Final = ("first", "last")


def add(commands: Commands) -> None:
    noun = actions(command(commands, "jobs", "list and move jobs"))
    many = command(noun, "list", "list jobs, newest first", _jobs)
    many.add_argument("--state", choices=get_args(State), action="append", help="may be given several times")
    many.add_argument("--kind", choices=get_args(Kind))
    many.add_argument("--model", metavar="NAME")
    many.add_argument("--after", metavar="TIME", help="made then or later, such as 2026-11-22T10:00:00Z")
    many.add_argument("--before", metavar="TIME", help="made earlier")
    many.add_argument("--limit", type=int, default=_PAGE, metavar="N", help=f"at most N ({_PAGE})")
    many.add_argument("--cursor", help="the next of the page before")
    move = command(noun, "move", "put a waiting job elsewhere in the line", _move)
    move.add_argument("job_id", metavar="ID")
    lanes = ", ".join(get_args(Lane))
    move.add_argument("to", type=_goal, metavar="TO", help=f"first, last, a lane ({lanes}), or the job to go before")
    one = command(commands, "job", "show one job", _job)
    one.add_argument("job_id", metavar="ID")
    one.add_argument("--wait", action="store_true", help="until it is done")
    add_options(one)
    for name, text, run in (
        ("cancel", "cancel jobs, whatever their state", _cancel),
        ("retry", "make jobs anew that failed, were cancelled or are parked", _retry),
    ):
        command(commands, name, text, run).add_argument("job_ids", nargs="+", metavar="ID")


def when(stamp: str | None) -> str:
    """A time as lists show it: UTC, to the second."""
    return "-" if stamp is None else f"{stamp[:10]} {stamp[11:19]}Z"


def _goal(text: str) -> str:
    if text not in {*ENDS, *get_args(Lane)} and not text.startswith("job_"):
        raise ArgumentTypeError(f"{text!r} is no place: {', '.join((*ENDS, *get_args(Lane)))}, or a job's id")
    return text


def _jobs(ctx: Context) -> int:
    filters = {name: getattr(ctx.args, name) for name in (*_FILTERS, "limit", "cursor")}
    page = ctx.call("jobs.list", **filters)
    ctx.out.document(page)
    rows = [(job["id"], job["state"], standing(job), when(job["created_at"]), _gist(job)) for job in page["jobs"]]
    if rows:
        ctx.out.table(("ID", "STATE", "PLACE", "CREATED", "PROMPT"), rows)
    else:
        ctx.out.note(ctx.say("none"))
    if page["next"]:
        ctx.out.note(ctx.say("more", command=_following(ctx.args, page["next"])))
    return Exit.DONE


def _following(args: Namespace, cursor: str) -> str:
    """The command that shows the next page."""
    given: dict[str, Any] = {name: getattr(args, name, None) for name in ("home", "lang", *_FILTERS)}
    given |= {"limit": None if args.limit == _PAGE else args.limit, "cursor": cursor}
    words = ["tendre", "jobs"]
    for name, value in given.items():
        each = cast("list[Any]", value) if isinstance(value, list) else [] if value is None else [value]
        words += [part for one in each for part in (f"--{name}", str(one))]
    return shlex.join(words)


def standing(job: dict[str, Any]) -> str:
    """Where a job waits and how long still, or how long it still runs."""
    left = None if job["eta_s"] is None else f"~{span(job['eta_s'])}"
    waiting = [job["lane"], place_of(job)] if job["state"] == "queued" else []
    return " ".join(part for part in (*waiting, left) if part) or "-"


def _gist(job: dict[str, Any]) -> str:
    return gist(job["request"])


def gist(request: dict[str, Any]) -> str:
    """What a still's or a sheet's request is about."""
    return str(request.get("prompt", "")) if "title" not in request else f"sheet: {request['title']}"


def _job(ctx: Context) -> int:
    job = ctx.call("jobs.get", job_id=ctx.args.job_id)
    if ctx.args.wait:
        job = follow(ctx, job)
    _describe(ctx, job)
    if ctx.args.wait:
        return conclude(ctx, job, {"job": job})
    ctx.out.document(job)
    return Exit.DONE


def _describe(ctx: Context, job: dict[str, Any]) -> None:
    asked, progress, error = job["request"], job["progress"], job["error"]
    rows: list[tuple[str, Any]] = [
        ("id", job["id"]),
        ("state", job["state"]),
        ("prompt", asked.get("prompt")),
        ("sheet", asked.get("title")),
        ("cells", len(asked["cells"]) if "cells" in asked else None),
        ("model", asked.get("model")),
        ("seed", asked.get("seed")),
        ("from", " ".join(part for part in (job["origin"]["door"], job["origin"]["file"]) if part)),
        ("created", when(job["created_at"])),
        ("started", when(job["started_at"])),
        ("finished", when(job["finished_at"])),
        ("progress", progress and f"{progress['phase']} {progress['done']}/{progress['total'] or '?'}"),
        ("place", standing(job) if job["state"] in {"queued", "running"} else None),
        ("retry of", job["retry_of"]),
        ("error", error and f"{error['kind']}: {error['message']}"),
        ("next", error and error["next"]),
        *(("picture", asset_id) for asset_id in job["asset_ids"]),
    ]
    for name, value in rows:
        if value is not None:
            ctx.out.line(f"{name:<10}{value}")


def _cancel(ctx: Context) -> int:
    done = [ctx.call("jobs.cancel", job_id=job_id) for job_id in ctx.args.job_ids]
    for job in done:
        ctx.out.line(f"{job['id']}  {job['state']}")
    ctx.out.document({"jobs": done})
    return Exit.DONE


def _retry(ctx: Context) -> int:
    made = [ctx.call("jobs.retry", job_id=job_id) for job_id in ctx.args.job_ids]
    for submitted in made:
        ctx.out.line(submitted["job"]["id"])
    ctx.out.document({"submitted": made})
    return Exit.DONE


def _move(ctx: Context) -> int:
    job = ctx.call("jobs.move", job_id=ctx.args.job_id, to=ctx.args.to)
    ctx.out.line(f"{job['id']}  {standing(job)}")
    ctx.out.document(job)
    return Exit.DONE
