"""What a paused queue means for somebody who waits for it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from tendred.app.cli.context import Context
from tendred.app.cli.words import WORDS
from tendred.app.client import RpcError


def reason(ctx: Context, queue: dict[str, Any]) -> str:
    """Why it is paused, in words; a reason that we don't know stays as it is."""
    name = queue["reason"] or "user"
    return ctx.say(f"reason_{name}") if f"reason_{name}" in WORDS else str(name)


def step(ctx: Context, queue: dict[str, Any]) -> str:
    """How it goes on."""
    key = f"reason_{queue['reason'] or 'user'}_next"
    return ctx.say(key if key in WORDS else "reason_other_next")


class Notice:
    """Says once that the queue is paused. A pause may begin at any time, so whoever waits looks again and again."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._told = False

    def look(self, note: Callable[[str], None]) -> None:
        if self._told or self._ctx.out.json:
            return
        # A remark beside the result: the wait doesn't fail for want of it.
        with contextlib.suppress(RpcError):
            queue = self._ctx.call("queue.status")
            if queue["paused"]:
                self._told = True
                note(self._ctx.say("paused", reason=reason(self._ctx, queue)))
                note(f"  {step(self._ctx, queue)}")
