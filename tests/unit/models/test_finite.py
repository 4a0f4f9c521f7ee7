import struct

import pytest

from tendred.models.finite import CHUNK, odd_tensor
from tendred.models.header import read_header
from tendred.testing.headers import header

NAN, INF = float("nan"), float("inf")


def file_of(path, dtype, values):
    """Two tensors: one of zeros, and one with these values (as bytes)."""
    size = {"F16": 2, "BF16": 2, "F32": 4}[dtype]
    shapes = {"fine": [4], "told": [len(values) // size]}
    path.write_bytes(header(shapes, dtype=dtype) + bytes(4 * size) + values)
    return odd_tensor(path, read_header(path, "x").tensors)


def half(*values):
    return struct.pack(f"<{len(values)}e", *values)


def single(*values):
    return struct.pack(f"<{len(values)}f", *values)


def brain(*values):
    return b"".join(struct.pack("<f", value)[2:] for value in values)


@pytest.mark.parametrize(("dtype", "pack"), [("F16", half), ("F32", single), ("BF16", brain)])
@pytest.mark.parametrize("odd", [NAN, INF, -INF])
def test_what_is_no_number_is_found(tmp_path, dtype, pack, odd):
    assert file_of(tmp_path / "x", dtype, pack(0.5, odd, 1.0)) == "told"


@pytest.mark.parametrize(("dtype", "pack"), [("F16", half), ("F32", single), ("BF16", brain)])
def test_every_usual_number_is_fine(tmp_path, dtype, pack):
    values = [0.0, -0.0, 1e-7, -1.0, 3.14, 60_000.0, -65_000.0]
    assert file_of(tmp_path / "x", dtype, pack(*values)) is None


def test_the_last_value_of_a_large_file_counts(tmp_path):
    """Read in chunks, none of which splits a number."""
    fine = bytes(2 * CHUNK + 2)
    assert file_of(tmp_path / "x", "F16", fine) is None
    assert file_of(tmp_path / "x", "F16", fine + half(NAN)) == "told"


def test_whole_numbers_have_no_such_values(tmp_path):
    path = tmp_path / "x"
    told = b'{"ids":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}}'
    path.write_bytes(struct.pack("<Q", len(told)) + told + b"\xff" * 4)
    assert odd_tensor(path, read_header(path, "x").tensors) is None
