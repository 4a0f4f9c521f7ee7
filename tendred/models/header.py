"""A safetensors file's header, read without torch and without trusting it.

Source: the format's README (github.com/huggingface/safetensors): 8 bytes of length, little-endian, then JSON.
"""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import msgspec

from tendred.errors import ModelRefused
from tendred.schema.weights import open_regular

HEADER_BYTES: Final = 16 * 1024 * 1024
TENSORS: Final = 20_000
_NAME: Final = re.compile(r"[\w.\-/]{1,256}", re.ASCII)
_DTYPE_BYTES: Final = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2,
    "I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8,
}  # fmt: skip

Offset = Annotated[int, msgspec.Meta(ge=0)]


class Tensor(msgspec.Struct, frozen=True):
    """One tensor of the header. Offsets count bytes from the end of the header."""

    dtype: str
    shape: list[Offset]
    data_offsets: tuple[Offset, Offset]


_DECODER: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Header(NamedTuple):
    """What stands before the weights: tensors by name, and what whoever made the file says of it."""

    tensors: dict[str, Tensor]
    metadata: dict[str, str]


def read_header(path: Path, name: str) -> Header:
    """A file's header. Raises ModelRefused(reason=header) for anything that isn't exactly a safetensors file."""
    try:
        return _read(path)
    except (OSError, ValueError, RecursionError, struct.error) as problem:
        raise ModelRefused(name=name, reason="header", problem=f"{path.name}: {problem}") from problem


def _read(path: Path) -> Header:
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        (length,) = struct.unpack("<Q", file.read(8))
        if length > HEADER_BYTES or length + 8 > size:
            raise ValueError(f"a header of {length} bytes")
        raw = _DECODER.decode(file.read(length))
    metadata = msgspec.json.decode(raw.pop("__metadata__", msgspec.Raw(b"{}")), type=dict[str, str])
    if len(raw) > TENSORS:
        raise ValueError(f"{len(raw)} tensors")
    tensors = {key: msgspec.json.decode(value, type=Tensor) for key, value in raw.items()}
    end = 0
    for key, tensor in sorted(tensors.items(), key=lambda item: item[1].data_offsets):
        if not _NAME.fullmatch(key) or ".." in key:
            raise ValueError("a tensor name that is none")
        if tensor.dtype not in _DTYPE_BYTES:
            raise ValueError(f"the type {tensor.dtype[:16]}")
        count = _DTYPE_BYTES[tensor.dtype]
        for side in tensor.shape:
            count *= side
        if tensor.data_offsets != (end, end + count):
            raise ValueError(f"the tensor {key[:64]} is not where its size says")
        end += count
    if end + 8 + length != size:
        raise ValueError("the file is longer or shorter than its header says")
    return Header(tensors, metadata)
