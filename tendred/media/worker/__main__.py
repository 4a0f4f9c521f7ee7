"""The media child: frames in on stdin, frames out on what was stdout, nothing else. It ends with its stdin.

PyAV comes in with the first clip: a process that only makes files of stills never loads it.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from typing import TYPE_CHECKING

import msgspec

from tendred.errors import Cancelled, TendredError
from tendred.media.worker.confine import confine
from tendred.schema.frames import (
    ClipDone,
    ClipRequest,
    ClipStep,
    EncodeDone,
    EncodeFailed,
    EncodeRequest,
    Hello,
    Leave,
    MediaRequest,
    Ready,
    ShrinkDone,
    ShrinkRequest,
    SignRequest,
    Up,
    VerifyDone,
    VerifyRequest,
    pack,
    read_down,
)

if TYPE_CHECKING:
    from tendred.media.worker.studio import Studio


def main() -> None:
    """Read in this thread and work in another, so that the daemon's end is seen at once, even in mid-work."""
    frames = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints goes to the log, not among the frames
    confine()
    calls: queue.SimpleQueue[MediaRequest] = queue.SimpleQueue()
    unwanted: set[int] = set()
    try:
        while (frame := read_down(sys.stdin.buffer)) is not None:
            if isinstance(frame, Hello):
                threading.Thread(target=_work, args=(frames, calls, unwanted, frame), daemon=True).start()
            elif isinstance(frame, MediaRequest):
                calls.put(frame)
            elif isinstance(frame, Leave):
                unwanted.add(frame.call)
    except msgspec.DecodeError:
        os._exit(2)
    os._exit(0)


def _work(frames: int, calls: queue.SimpleQueue[MediaRequest], unwanted: set[int], hello: Hello) -> None:
    try:
        from tendred.media.worker.studio import Studio  # Pillow comes in here
    except ImportError as problem:
        sys.stderr.write(f"a library is missing: {problem}\n")
        sys.stderr.flush()
        os._exit(3)
    studio = Studio(hello)
    _say(frames, Ready())
    while True:
        call = calls.get()
        try:
            answer = _answer(studio, call, frames, unwanted)
        except TendredError as error:
            answer = EncodeFailed(
                call=call.call,
                kind=error.kind,
                problem=str(error.detail.get("problem", "")),
                folder=str(error.detail.get("folder", "")),
                variant=error.variant,
                detail={name: str(value) for name, value in error.detail.items()},
            )
        except Exception as error:  # noqa: BLE001 - one bad picture is one bad answer; the others still want theirs
            answer = EncodeFailed(call=call.call, kind="internal", problem=f"{type(error).__name__}: {error}")
        unwanted.discard(call.call)
        _say(frames, answer)


def _answer(studio: Studio, call: MediaRequest, frames: int, unwanted: set[int]) -> Up:
    def steps(done: int, total: int) -> None:
        if call.call in unwanted:
            raise Cancelled
        _say(frames, ClipStep(call=call.call, done=done, total=total))

    match call:
        case EncodeRequest():
            return EncodeDone(call=call.call, made=studio.encode(call.work, call.quality))
        case ShrinkRequest():
            return ShrinkDone(call=call.call, made=studio.shrink(call.work))
        case SignRequest():
            return EncodeDone(call=call.call, made=studio.sign(call.work))
        case VerifyRequest():
            return VerifyDone(call=call.call, made=studio.verify(call.work))
        case ClipRequest():
            return ClipDone(call=call.call, made=studio.clip(call.work, steps))


def _say(frames: int, record: Up) -> None:
    data = memoryview(pack(record))
    while data:
        data = data[os.write(frames, data) :]


if __name__ == "__main__":
    main()
