"""The child's end of the two pipes: frames in, frames out, a sign of life every second. No torch in here."""

from __future__ import annotations

import os
import queue
import sys
import threading
import traceback
from typing import BinaryIO, Final

from tendred.schema.frames import Beat, Cancel, Down, Hello, Previews, Run, Unload, Up, pack, read_down

BEAT_S: Final = 1.0


class Pipes:
    """Frames from and to the daemon. `send` from any thread, `take` from one."""

    def __init__(self, inward: BinaryIO, outward: BinaryIO) -> None:
        self._inward = inward
        self._outward = outward
        self._sending = threading.Lock()
        self._frames: queue.SimpleQueue[Hello | Run | Unload] = queue.SimpleQueue()
        self._stopped: set[str] = set()
        self._resting = threading.Event()
        self.watched = False
        """Whether somebody looks on at the job that runs."""

    @classmethod
    def take_over(cls) -> Pipes:
        """Keep stdin and stdout for frames. From here on a print goes to stderr, and nobody reads the pipe but us."""
        inward, outward = os.dup(0), os.dup(1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        sys.stdout.flush()
        os.dup2(2, 1)
        return cls(os.fdopen(inward, "rb"), os.fdopen(outward, "wb"))

    def start(self) -> None:
        """Begin to listen and to beat, each in a thread, so that both go on while torch works."""
        threading.Thread(target=self._listen, name="listen", daemon=True).start()
        threading.Thread(target=self._beat, name="beat", daemon=True).start()

    def take(self) -> Hello | Run | Unload:
        """The next order, waited for. Cancels never show here: see `stopped`."""
        return self._frames.get()

    def stopped(self, job_id: str) -> bool:
        """Whether the daemon wants this job no more."""
        return job_id in self._stopped

    def send(self, frame: Up) -> None:
        """Send one frame. A daemon that is gone ends the process: there is nobody left to draw for."""
        self.send_raw(pack(frame))

    def send_raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        try:
            with self._sending:
                self._outward.write(data)
                self._outward.flush()
        except OSError:
            os._exit(0)

    def rest(self) -> None:
        """No more signs of life (tests of a process that hangs)."""
        self._resting.set()

    def _listen(self) -> None:
        try:
            while (frame := read_down(self._inward)) is not None:
                self._sort(frame)
        except Exception:  # noqa: BLE001  whatever it was, a process that hears nothing is of no use
            traceback.print_exc()
            os._exit(1)
        os._exit(0)

    def _sort(self, frame: Down) -> None:
        match frame:
            case Cancel(job_id=job_id):
                self._stopped.add(job_id)
            case Run():
                # Jobs come one by one, so whatever was stopped before is over.
                self._stopped.clear()
                self.watched = frame.order.previews
                self._frames.put(frame)
            case Previews(wanted=wanted):
                self.watched = wanted
            case Hello() | Unload():
                self._frames.put(frame)
            case _:
                raise TypeError(f"not a frame for an engine: {type(frame).__name__}")

    def _beat(self) -> None:
        while not self._resting.wait(BEAT_S):
            self.send(Beat())
