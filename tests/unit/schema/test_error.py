from pathlib import PurePosixPath

import msgspec

from tendred.errors import Internal, InvalidParams, OutOfMemory
from tendred.schema.error import ErrorInfo, tell


def test_an_error_in_words_with_its_reference():
    info = tell(InvalidParams("multiple", path="width", value=100, model="m", step=8, near=[96]), "ab12")
    assert (info.kind, info.path, info.ref) == ("invalid_params", "width", "ab12")
    assert info.detail == {"value": 100, "model": "m", "step": 8, "near": [96]}
    assert "multiple of 8" in info.message


def test_the_reference_can_stand_in_the_words():
    info = tell(Internal(), "ab12", "fr")
    assert "ab12" in info.next
    assert info.detail == {}


def test_details_become_plain_json():
    error = OutOfMemory(free_bytes=1, would_fit=frozenset({"64 x 64"}), at=PurePosixPath("/tmp/x"))
    info = tell(error, "")
    assert msgspec.json.decode(msgspec.json.encode(info), type=ErrorInfo) == info
    assert info.detail == {"free_bytes": 1, "would_fit": ["64 x 64"], "at": "/tmp/x"}
