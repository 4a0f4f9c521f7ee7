import io

import msgspec
import pytest

from tendred.schema.frames import (
    FRAME_BYTES,
    LENGTH,
    Beat,
    Cancel,
    Done,
    EncodeFailed,
    Failed,
    Hello,
    ModelLoaded,
    Phased,
    Ready,
    Run,
    Unload,
    pack,
    read_down,
    unpack_up,
)
from tendred.testing.orders import STILL, order


def body(frame):
    (size,) = LENGTH.unpack(frame[:4])
    assert len(frame) == 4 + size
    return frame[4:]


UP = [
    Ready(device="cpu", torch="2", diffusers="0"),
    Beat(),
    Phased(job_id="job_1", phase="loading", done=0, total=None),
    ModelLoaded(model="m", bytes=1, device="cpu"),
    Done(job_id="job_1"),
    Failed(job_id="job_1", kind="internal", detail={"a": 1, "b": None}),
    EncodeFailed(call=1, kind="disk_full", problem=""),
]


@pytest.mark.parametrize("record", UP, ids=lambda record: type(record).__name__)
def test_a_childs_frame_is_read_as_what_was_sent(record):
    assert unpack_up(body(pack(record))) == record


def test_the_daemons_frames_are_read_one_after_another(tmp_path):
    sent = [Hello(key=bytes(32), threads=2), Run(order=order("job_1", tmp_path, tmp_path)), Cancel(job_id="job_1")]
    pipe = io.BytesIO(b"".join(pack(record) for record in [*sent, Unload(model=STILL.model)]))
    assert [read_down(pipe) for _ in range(5)] == [*sent, Unload(model="starter"), None]


@pytest.mark.parametrize("cut", range(1, 8))
def test_half_a_frame_is_the_end(cut):
    assert read_down(io.BytesIO(pack(Cancel(job_id="job_1"))[:cut])) is None


def test_a_length_beyond_the_limit_is_never_read():
    class Endless(io.RawIOBase):
        asked = 0

        def read(self, size=-1):
            self.asked += size
            return LENGTH.pack(FRAME_BYTES + 1) if size == LENGTH.size else bytes(size)

    pipe = Endless()
    assert read_down(pipe) is None
    assert pipe.asked == LENGTH.size


def test_a_frame_beyond_the_limit_is_never_sent():
    with pytest.raises(ValueError, match="over"):
        pack(Hello(key=bytes(FRAME_BYTES)))


@pytest.mark.parametrize(
    "nonsense", [b"", b"\xc1", b"\x80", b"\x81\xa4type\xa3run", b"Loading pipeline...", b"\x93\1\2\3"]
)
def test_what_is_no_record_of_a_child_raises(nonsense):
    with pytest.raises(msgspec.DecodeError):
        unpack_up(nonsense)


def test_the_daemons_own_frames_are_not_taken_from_a_child():
    with pytest.raises(msgspec.DecodeError):
        unpack_up(body(pack(Cancel(job_id="job_1"))))
