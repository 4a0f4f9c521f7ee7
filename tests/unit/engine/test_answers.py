from __future__ import annotations

import pytest

from tendred.engine.answers import SPEAKABLE, ending, error_of
from tendred.errors import Internal, OutOfMemory, registry
from tendred.schema.frames import Failed


def test_a_failed_frame_becomes_its_error():
    frame = Failed(job_id="j", kind="out_of_memory", variant="model", detail={"free_bytes": 5, "path": "x"})
    error = error_of(frame)
    assert isinstance(error, OutOfMemory)
    assert (error.variant, error.path, error.detail) == ("model", None, {"free_bytes": 5})


@pytest.mark.parametrize("kind", ["unauthorized", "cancelled", "no such kind"])
def test_a_child_can_speak_of_its_own_troubles_only(kind):
    assert type(error_of(Failed(job_id="j", kind=kind))) is Internal


def test_every_speakable_kind_exists():
    assert registry().keys() >= SPEAKABLE


@pytest.mark.parametrize(
    ("status", "words"), [(3, "exit status 3"), (-11, "killed by SIGSEGV"), (-99, "killed by signal 99")]
)
def test_endings_in_words(status, words):
    assert ending(status) == words
