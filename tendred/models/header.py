"""A safetensors file's header, read without torch and without trusting it.

Source: the format's README (github.com/huggingface/safetensors): 8 bytes of length, little-endian, then JSON.
"""

from __future__ import annotations

import math
import os
import re
import struct
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import msgspec

from tendred.errors import ModelRefused
from tendred.schema.weights import open_regular

HEADER_BYTES: Final = 8 * 1024 * 1024
"""Real ones stay under 2 MB, pictures and tag counts in them included."""
TENSORS: Final = 20_000
_KEYS: Final = 5 * TENSORS
"""A tensor has four keys; the rest is room for metadata."""
_TENSOR_BYTES: Final = 1024
_NAMES: Final = re.compile(r"(?:[\w.\-/<>*+: ]{1,256}\n)*+", re.ASCII)
"""One a line. An embedding's tensor is named as the word that it teaches: `<cat-toy>`, `*`."""
_PICKLE: Final = re.compile(rb"PK\x03\x04|\x80[\x02-\x05]")
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_DTYPE_BYTES: Final = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2,
    "I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8,
}  # fmt: skip

Offset = Annotated[int, msgspec.Meta(ge=0)]


class Tensor(msgspec.Struct, frozen=True, gc=False):
    """One tensor of the header. Offsets count bytes from the end of the header."""

    dtype: str
    shape: list[Offset]
    data_offsets: tuple[Offset, Offset]


_DECODER: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TENSOR: Final = msgspec.json.Decoder(Tensor)
_METADATA: Final = msgspec.json.Decoder(dict[str, str])


class Header(NamedTuple):
    """What stands before the weights: tensors by name, and what whoever made the file says of it."""

    tensors: dict[str, Tensor]
    metadata: dict[str, str]


def read_header(path: Path, name: str) -> Header:
    """A file's header. Raises ModelRefused(reason=header) for anything that isn't exactly a safetensors file.

    A pickle with the ending of one is called what it is.
    """
    try:
        return _read(path)
    except (OSError, ValueError, RecursionError, struct.error) as problem:
        if _is_pickle(path):
            words = f"{path.name} is a pickle under another name, and could run code"
            raise ModelRefused(name=name, reason="pickle", problem=words) from problem
        raise ModelRefused(name=name, reason="header", problem=f"{path.name}: {problem}") from problem


def _is_pickle(path: Path) -> bool:
    """Whether a file begins as torch.save writes it: a ZIP archive, or (in old versions) the pickle itself."""
    try:
        with open_regular(path) as file:
            return _PICKLE.match(file.read(4)) is not None
    except (OSError, ValueError):
        return False


def _read(path: Path) -> Header:
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        (length,) = struct.unpack("<Q", file.read(8))
        if length > HEADER_BYTES or length + 8 > size:
            raise ValueError(f"a header of {length} bytes")
        data = file.read(length)
    _check_keys(data)
    raw = _DECODER.decode(data)
    metadata = _METADATA.decode(raw.pop("__metadata__", msgspec.Raw(b"{}")))
    if len(raw) > TENSORS:
        raise ValueError(f"{len(raw)} tensors")
    if data.count(b'"data_offsets"') != len(raw):
        raise ValueError("a tensor is there twice, or in other words than usual")
    if any(len(memoryview(value)) > _TENSOR_BYTES for value in raw.values()):
        raise ValueError("a tensor with too many sides")
    decode = _TENSOR.decode
    tensors = {key: decode(value) for key, value in raw.items()}
    _check_places(tensors, size - 8 - length)
    return Header(tensors, metadata)


def _check_keys(data: bytes) -> None:
    """Before anything is decoded: a header of many tiny keys would take a hundred times its size in memory."""
    if data.count(b":") <= _KEYS:
        return
    inside = sum(match[0].count(b":") for match in _STRING.finditer(data))
    if data.count(b":") - inside > _KEYS:
        raise ValueError("too many keys")


def _check_places(tensors: dict[str, Tensor], room: int) -> None:
    """Every tensor begins where the one before it ends, and the last one ends with the file."""
    names = "".join(f"{key}\n" for key in tensors)
    if not _NAMES.fullmatch(names) or ".." in names or names.count("\n") != len(tensors):
        raise ValueError("a tensor name that is none")
    end = 0
    sizes, product = _DTYPE_BYTES, math.prod
    for tensor in sorted(tensors.values(), key=attrgetter("data_offsets")):
        size = sizes.get(tensor.dtype)
        if size is None:
            raise ValueError(f"the type {tensor.dtype[:16]}")
        start, end = end, end + size * product(tensor.shape)
        if tensor.data_offsets != (start, end):
            key = next(key for key, other in tensors.items() if other is tensor)
            raise ValueError(f"the tensor {key[:64]} is not where its size says")
    if end != room:
        raise ValueError("the file is longer or shorter than its header says")
