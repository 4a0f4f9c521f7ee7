"""queue: what waits for how long, and whether it goes on."""

from __future__ import annotations

from typing import Any

from tendred.app.cli.context import Context
from tendred.app.cli.exits import Exit
from tendred.app.cli.out import span
from tendred.app.cli.parser import Commands, actions, command
from tendred.app.cli.paused import reason


def add(commands: Commands) -> None:
    queue = actions(command(commands, "queue", "show, pause or resume the queue"))
    command(queue, "status", "show how full it is", _status)
    pause = command(queue, "pause", "start no more jobs", _pause)
    pause.add_argument("--now", action="store_true", help="stop the running job too; it starts anew on resume")
    pause.add_argument("--unload", action="store_true", help="let the models go as well")
    command(queue, "resume", "go on", _resume)


def _status(ctx: Context) -> int:
    return _tell(ctx, ctx.call("queue.status"))


def _pause(ctx: Context) -> int:
    return _tell(ctx, ctx.call("queue.pause", mode="now" if ctx.args.now else "drain", unload=ctx.args.unload))


def _resume(ctx: Context) -> int:
    return _tell(ctx, ctx.call("queue.resume"))


def _tell(ctx: Context, queue: dict[str, Any]) -> int:
    ctx.out.document(queue)
    ctx.out.line(ctx.say("paused", reason=reason(ctx, queue)) if queue["paused"] else ctx.say("resumed"))
    lanes = {f"lane {lane}": waiting for lane, waiting in queue["lanes"].items()}
    clients = {f"from {client}": waiting for client, waiting in queue["clients"].items()}
    for name, count in {**queue["counts"], **lanes, **clients}.items():
        if count:
            ctx.out.line(f"  {name:<18}{count}")
    if queue["eta_s"]:
        ctx.out.line(ctx.say("emptied", time=span(queue["eta_s"])))
    ctx.out.line(ctx.say("passing", time=span(queue["warm_s"])))
    return Exit.DONE
