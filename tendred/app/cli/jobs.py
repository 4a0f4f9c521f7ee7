"""jobs, job, cancel, queue."""

from __future__ import annotations

from typing import Any, Final

from tendred.app.cli.context import Context
from tendred.app.cli.exits import Exit
from tendred.app.cli.parser import Commands, actions, command
from tendred.app.cli.paused import reason
from tendred.app.cli.watch import add_options, conclude, follow, place_of

STATES: Final = ("queued", "running", "cancelling", "succeeded", "failed", "cancelled", "parked", "unknown")


def add(commands: Commands) -> None:
    many = command(commands, "jobs", "list jobs, newest first", _jobs)
    many.add_argument("--state", choices=STATES, action="append", help="may be given several times")
    many.add_argument("--limit", type=int, default=20, metavar="N", help="at most N (20)")
    one = command(commands, "job", "show one job", _job)
    one.add_argument("job_id", metavar="ID")
    one.add_argument("--wait", action="store_true", help="until it is done")
    add_options(one)
    stop = command(commands, "cancel", "cancel jobs, whatever their state", _cancel)
    stop.add_argument("job_ids", nargs="+", metavar="ID")
    queue = actions(command(commands, "queue", "show, pause or resume the queue"))
    command(queue, "status", "show how full it is", _queue_status)
    pause = command(queue, "pause", "start no more jobs", _pause)
    pause.add_argument("--now", action="store_true", help="stop the running job too; it starts anew on resume")
    pause.add_argument("--unload", action="store_true", help="let the models go as well")
    command(queue, "resume", "go on", _resume)


def when(stamp: str | None) -> str:
    """A time as lists show it: UTC, to the second."""
    return "-" if stamp is None else f"{stamp[:10]} {stamp[11:19]}Z"


def _jobs(ctx: Context) -> int:
    page = ctx.call("jobs.list", state=ctx.args.state, limit=ctx.args.limit)
    ctx.out.document(page)
    rows = [(job["id"], job["state"], when(job["created_at"]), _gist(job)) for job in page["jobs"]]
    if rows:
        ctx.out.table(("ID", "STATE", "CREATED", "PROMPT"), rows)
    else:
        ctx.out.note(ctx.say("none"))
    return Exit.DONE


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
        ("position", place_of(job)),
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


def _queue_status(ctx: Context) -> int:
    return _tell_queue(ctx, ctx.call("queue.status"))


def _pause(ctx: Context) -> int:
    return _tell_queue(ctx, ctx.call("queue.pause", mode="now" if ctx.args.now else "drain", unload=ctx.args.unload))


def _resume(ctx: Context) -> int:
    return _tell_queue(ctx, ctx.call("queue.resume"))


def _tell_queue(ctx: Context, queue: dict[str, Any]) -> int:
    ctx.out.document(queue)
    ctx.out.line(ctx.say("paused", reason=reason(ctx, queue)) if queue["paused"] else ctx.say("resumed"))
    for name, count in {
        **queue["counts"],
        **{f"lane {lane}": waiting for lane, waiting in queue["lanes"].items()},
    }.items():
        if count:
            ctx.out.line(f"  {name:<18}{count}")
    return Exit.DONE
