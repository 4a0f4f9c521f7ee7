"""Background coroutines: named, kept and logged. The only caller of asyncio.create_task."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

_log = logging.getLogger(__name__)
_P = ParamSpec("_P")
_T = TypeVar("_T")


class Tasks:
    """The background coroutines of one daemon."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def spawn(self, name: str, coro: Coroutine[Any, Any, _T], *, inherit: bool = False) -> asyncio.Task[_T]:
        """Start one. What it raises is logged once, with its name.

        It sees the context variables of whoever starts it only with `inherit`: what a client's call happens to
        start must not go on in that client's language.
        """
        context = None if inherit else contextvars.Context()
        task = asyncio.create_task(coro, name=name, context=context)
        self._running.add(task)
        task.add_done_callback(self._finished)
        return task

    async def stop(self) -> None:
        """Cancel every one and wait until all have ended."""
        mine = asyncio.current_task()
        while waiting := [task for task in self._running if task is not mine]:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            _log.error("task %s failed", task.get_name(), exc_info=failure)


async def offload(function: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Run something blocking in a thread. A caller that is cancelled meanwhile still waits for it to end.

    Without that, a half-done file operation could go on after the code that owns it was gone.
    """
    task = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled() and (failure := task.exception()) is not None:
            # Nobody is left to hear of it, and asyncio complains about failures that nobody heard of.
            _log.debug("%s failed after its caller was cancelled", function, exc_info=failure)
        raise
