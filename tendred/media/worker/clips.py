"""What is asked about clips, by kind. A file that makes a library stumble is that file's trouble."""

from __future__ import annotations

from typing import Final

from tendred.errors import ClipUnreadable, EngineMissing, TendredError
from tendred.schema.footage import ClipMade, ClipWork, Enlarge, Look, Plain, Probe

try:
    import av
except ImportError as problem:
    raise EngineMissing("clips", problem=str(problem)) from problem

from tendred.media.worker.enlarge import Steps, enlarge
from tendred.media.worker.footage import probe
from tendred.media.worker.look import look
from tendred.media.worker.plain import plain

av.logging.set_level(None)
_STUMBLES: Final = (ValueError, TypeError, IndexError, KeyError, AttributeError, ArithmeticError, MemoryError, EOFError)


def clip(work: ClipWork, steps: Steps) -> ClipMade:
    """Do it. Raises ClipUnreadable, StillNotOurs, Cancelled, DiskFull, FolderUnwritable."""
    try:
        match work:
            case Probe():
                return probe(work.path)
            case Enlarge():
                return enlarge(work, steps)
            case Look():
                return look(work)
            case Plain():
                return plain(work)
    except TendredError:
        raise
    except _STUMBLES as problem:
        if isinstance(work, Plain):
            raise
        raise ClipUnreadable(problem=f"{type(problem).__name__}: {problem}") from problem
