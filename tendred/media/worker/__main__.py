"""The media child: frames in on stdin, frames out on what was stdout, nothing else. It ends with its stdin.

PyAV comes in with the first clip: a process that only makes files of stills never loads it.
"""

from __future__ import annotations

import os
import queue
import sys
import threading

import msgspec

from tendred.errors import Cancelled, TendredError
from tendred.media.worker.confine import confine
from tendred.schema.footage import ClipMade
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
    Up,
    pack,
    read_down,
)


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
                threading.Thread(target=_work, args=(frames, calls, unwanted), daemon=True).start()
            elif isinstance(frame, MediaRequest):
                calls.put(frame)
            elif isinstance(frame, Leave):
                unwanted.add(frame.call)
    except msgspec.DecodeError:
        os._exit(2)
    os._exit(0)


def _work(frames: int, calls: queue.SimpleQueue[MediaRequest], unwanted: set[int]) -> None:
    try:
        from tendred.media.worker import encode, shrink  # Pillow comes in here
    except ImportError as problem:
        sys.stderr.write(f"no Pillow: {problem}\n")
        sys.stderr.flush()
        os._exit(3)
    _say(frames, Ready())
    while True:
        call = calls.get()
        try:
            match call:
                case EncodeRequest():
                    answer: Up = EncodeDone(call=call.call, made=encode.encode(call.work, call.quality))
                case ShrinkRequest():
                    answer = ShrinkDone(call=call.call, made=shrink.shrink(call.work))
                case ClipRequest():
                    answer = ClipDone(call=call.call, made=_clip(frames, call, unwanted))
        except TendredError as error:
            answer = EncodeFailed(
                call=call.call,
                kind=error.kind,
                variant=error.variant,
                problem=str(error.detail.get("problem", "")),
                folder=str(error.detail.get("folder", "")),
            )
        except Exception as error:  # noqa: BLE001 - one bad picture is one bad answer; the others still want theirs
            answer = EncodeFailed(call=call.call, kind="internal", problem=f"{type(error).__name__}: {error}")
        unwanted.discard(call.call)
        _say(frames, answer)


def _clip(frames: int, call: ClipRequest, unwanted: set[int]) -> ClipMade:
    from tendred.media.worker import clips  # PyAV comes in here

    def steps(done: int, total: int) -> None:
        if call.call in unwanted:
            raise Cancelled
        _say(frames, ClipStep(call=call.call, done=done, total=total))

    return clips.clip(call.work, steps)


def _say(frames: int, record: Up) -> None:
    data = memoryview(pack(record))
    while data:
        data = data[os.write(frames, data) :]


if __name__ == "__main__":
    main()
