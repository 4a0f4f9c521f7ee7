"""up, down, status."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from threading import Event
from typing import Any, Final, NamedTuple

from tendred.app import instance
from tendred.app.cli.context import Context, Stop
from tendred.app.cli.exits import Exit
from tendred.app.cli.out import size
from tendred.app.cli.parser import Commands, command
from tendred.app.cli.paused import reason
from tendred.app.client import Client, RpcError, alive
from tendred.errors import AlreadyRunning, NoDaemon, TendredError

START_S: Final = 60.0
_STEP_S: Final = 0.05
_SAID_BYTES: Final = 2000


class Started(NamedTuple):
    """A daemon that answers: how to call it, what it says of itself, and whether it was started just now."""

    client: Client
    status: dict[str, Any]
    fresh: bool


def add(commands: Commands) -> None:
    up = command(commands, "up", "start the daemon", _up)
    up.add_argument("--foreground", action="store_true", help="stay in this terminal until it ends")
    up.add_argument(
        "-o", dest="overrides", metavar="SECTION.KEY=VALUE", action="append", default=[], help="a setting for this run"
    )
    down = command(commands, "down", "stop the daemon; waiting jobs are kept", _down)
    down.add_argument(
        "--now", action="store_true", help="do not let the running job finish first; it starts anew next time"
    )
    command(commands, "status", "show how the daemon is", _status)


def start(ctx: Context, overrides: list[str] | None = None) -> Started:
    """Make sure that a daemon runs, and wait until it answers."""
    try:
        client = ctx.find()
        return Started(client, client.call("system.status"), fresh=False)
    except NoDaemon as none:
        if none.variant == "silent":
            raise
    ctx.out.note(ctx.say("starting"))
    ctx.paths.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = ctx.paths.logs / "daemon.out"
    process = _spawn(ctx, overrides or [], log)
    return _await(ctx, process, log)


def _line(overrides: list[str]) -> list[str]:
    return [sys.executable, "-P", "-m", "tendred", *(word for override in overrides for word in ("-o", override))]


def _spawn(ctx: Context, overrides: list[str], log: Path) -> subprocess.Popen[bytes]:
    """A process of its own session, so that closing the terminal doesn't take the daemon along."""
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        return subprocess.Popen(
            _line(overrides),
            stdin=subprocess.DEVNULL,
            stdout=target,
            stderr=target,
            env=ctx.env,
            cwd=Path(sys.executable).anchor,  # so that no folder or mount is held
            start_new_session=True,
            creationflags=flags,
        )
    finally:
        os.close(target)


def _await(ctx: Context, process: subprocess.Popen[bytes], log: Path) -> Started:
    """Until it answers. If ours ends because another one was faster, that one does as well."""
    ours, pause = True, Event()
    for _ in range(int(START_S / _STEP_S)):
        if (started := _answering(ctx)) is not None:
            # It is meant to outlive us, and Popen would warn about that.
            process.returncode = process.returncode or 0
            return started._replace(fresh=started.client.discovery.pid == process.pid)
        code = process.poll() if ours else None
        if code is not None:
            ours = False
            if not _taken(ctx):
                raise _died(ctx, code, log)
        pause.wait(_STEP_S)
    raise ctx.stop(Exit.TIMED_OUT, "no_daemon", "up_slow", seconds=f"{START_S:g}", log=log)


def _taken(ctx: Context) -> bool:
    """Whether some process holds the lock of this daemon's directories."""
    try:
        instance.acquire(ctx.paths).release()
    except AlreadyRunning:
        return True
    except TendredError:
        return False
    return False


def _answering(ctx: Context) -> Started | None:
    try:
        client = ctx.find()
        return Started(client, client.call("system.status"), fresh=True)
    except NoDaemon as none:
        if none.variant == "silent":
            raise
        return None


def _died(ctx: Context, code: int, log: Path) -> Stop:
    text = log.read_bytes()[-_SAID_BYTES:].decode("utf-8", "replace").strip()
    said = text.splitlines()[-1] if "Traceback" in text else " ".join(text.split())
    exit_code = Exit(code) if code in {Exit.FAILED, Exit.USAGE} else Exit.FAILED
    return ctx.stop(exit_code, "no_daemon", "up_died", code=code, said=said or "-", log=log)


def _up(ctx: Context) -> int:
    if ctx.args.foreground:
        return _foreground(ctx)
    started = start(ctx, ctx.args.overrides)
    found = started.client.discovery
    phrase = "running" if started.fresh else "already_running"
    ctx.out.line(ctx.say(phrase, version=found.version, pid=found.pid, url=found.url))
    ctx.out.line(ctx.say("hot_folder", path=ctx.paths.hot))
    if not any(started.status["queue"]["counts"].values()):
        ctx.out.line(ctx.say("first"))
    ctx.out.document({"started": started.fresh, "url": found.url, "socket": found.socket, "status": started.status})
    return Exit.DONE


def _foreground(ctx: Context) -> int:
    line = _line(ctx.args.overrides)
    sys.stdout.flush()
    if sys.platform != "win32":  # the daemon takes this process over, signals and all
        os.execve(line[0], line, ctx.env)  # noqa: S606 # as meant as subprocess is
    return subprocess.call(line, env=ctx.env)


def _down(ctx: Context) -> int:
    try:
        client = ctx.find()
        _shut_down(client, drain=not ctx.args.now)
    except NoDaemon as none:
        if none.variant:
            raise
        ctx.out.line(ctx.say("not_running"))
        ctx.out.document({"stopped": False, "pid": None})
        return Exit.DONE
    pid = client.discovery.pid
    patience = 30.0 + ctx.loaded.config.daemon.drain_s + ctx.loaded.config.engine.cancel_grace_s
    if not _gone(pid, patience):
        raise ctx.stop(Exit.TIMED_OUT, "shutting_down", "down_slow", pid=pid, seconds=f"{patience:g}")
    ctx.out.line(ctx.say("down", pid=pid))
    ctx.out.document({"stopped": True, "pid": pid})
    return Exit.DONE


def _shut_down(client: Client, *, drain: bool) -> None:
    try:
        client.call("system.shutdown", drain=drain)
    except RpcError as error:
        if error.kind != "shutting_down":  # then it is on its way already
            raise


def _gone(pid: int, patience: float) -> bool:
    pause = Event()
    for _ in range(int(patience / _STEP_S)):
        if not alive(pid):
            return True
        pause.wait(_STEP_S)
    return False


def _queue(ctx: Context, queue: dict[str, Any]) -> str:
    """`runs, nothing waits: 5 succeeded`."""
    words = ctx.say("queue_held", reason=reason(ctx, queue)) if queue["paused"] else ctx.say("queue_runs")
    if not queue["counts"].get("queued"):
        words += f", {ctx.say('nothing_waits')}"
    counts = ", ".join(f"{count} {state}" for state, count in queue["counts"].items() if count)
    return f"{words}: {counts}" if counts else words


def _status(ctx: Context) -> int:
    status = ctx.call("system.status")
    ctx.out.document(status)
    engine, queue, disk = status["engine"], status["queue"], status["disk"]
    rows = [
        ("tendred", f"{status['version']}, process {status['pid']}, since {status['started_at']}"),
        ("engine", " · ".join(part for part in (engine["state"], engine["device"], engine["model"]) if part)),
        ("queue", _queue(ctx, queue)),
        ("disk", f"{size(disk['free_bytes'])} free, {size(disk['reserve_bytes'])} kept"),
        ("cloud", "on" if status["cloud"]["enabled"] else f"off {status['cloud']['reason'] or ''}".strip()),
        *(
            ("plugin", f"{it['name']} {it['version'] or ''} {it['state']} {it['reason'] or ''}".strip())
            for it in status["plugins"]
        ),
    ]
    for name, text in rows:
        ctx.out.line(f"{name:<10}{text}")
    return Exit.DONE
