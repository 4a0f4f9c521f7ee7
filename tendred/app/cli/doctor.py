"""doctor: what is in order, what isn't, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tendred.app.cli.context import Context
from tendred.app.cli.exits import Exit
from tendred.app.cli.health import CHECKS, Row
from tendred.app.cli.parser import Commands, command
from tendred.app.client import RpcError
from tendred.errors import TendredError


def add(commands: Commands) -> None:
    command(commands, "doctor", "look for what is wrong; ends with 1 if something is", _doctor)


def _doctor(ctx: Context) -> int:
    rows: list[Row] = []
    for check in CHECKS:
        for row in _guarded(ctx, check):
            rows.append(row)
            ctx.out.line(f"{row.state:<6}{row.name:<14}{row.message}")
            if row.next:
                ctx.out.line(f"{'':20}{row.next}")
    fails = sum(row.state == "fail" for row in rows)
    warns = sum(row.state == "warn" for row in rows)
    ctx.out.line(ctx.say("unhealthy", fails=fails, warns=warns) if fails + warns else ctx.say("healthy"))
    ctx.out.document({"ok": not fails, "checks": rows})
    return Exit.FAILED if fails else Exit.DONE


def _guarded(ctx: Context, check: Callable[[Context], Iterator[Row]]) -> Iterator[Row]:
    """A check that can't be made is a finding, not the end of the others."""
    try:
        yield from check(ctx)
    except (TendredError, RpcError) as error:
        info = ctx.info(error)
        yield Row(check.__name__, "fail", info.message, info.next)
    except OSError as problem:
        yield Row(check.__name__, "fail", str(problem), "See that this user may read and write there.")
