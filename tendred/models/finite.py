"""Whether a file's values are numbers: read once, without torch or numpy, as bytes.

In every type of floating-point number the bits of the exponent stand in the highest byte; all set, they mean infinity
or no number. In the wider types that byte holds only most of the exponent: there, whatever is beyond 1e38 counts too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tendred.models.header import Tensor
from tendred.schema.weights import open_regular

_HIGH: Final = bytes((0x7F, 0xFF))
_HALF: Final = bytes((*range(0x7C, 0x80), *range(0xFC, 0x100)))
CHUNK: Final = 1 << 20


class _Type(NamedTuple):
    bytes: int
    bad: bytes


_TYPES: Final = {
    "F64": _Type(8, _HIGH), "F32": _Type(4, _HIGH), "BF16": _Type(2, _HIGH), "F16": _Type(2, _HALF),
    "F8_E5M2": _Type(1, _HALF), "F8_E4M3": _Type(1, _HIGH),
}  # fmt: skip


def odd_tensor(path: Path, tensors: dict[str, Tensor]) -> str | None:
    """The name of a tensor that holds infinities or no numbers. Blocking, fast as the disk. Raises OSError, ValueError."""
    with open_regular(path) as file:
        start = 8 + int.from_bytes(file.read(8), "little")
        for name, tensor in sorted(tensors.items(), key=lambda item: item[1].data_offsets):
            kind = _TYPES.get(tensor.dtype)
            if kind is None:
                continue
            file.seek(start + tensor.data_offsets[0])
            left = tensor.data_offsets[1] - tensor.data_offsets[0]
            if any(_is_odd(chunk, kind) for chunk in _chunks(file.read, left)):
                return name
    return None


def _chunks(read: Callable[[int], bytes], left: int) -> Iterator[bytes]:
    """Whole numbers of every type: the size of a chunk is a multiple of eight."""
    while left > 0 and (chunk := read(min(CHUNK, left))):
        left -= len(chunk)
        yield chunk


def _is_odd(chunk: bytes, kind: _Type) -> bool:
    high = chunk[kind.bytes - 1 :: kind.bytes]
    return len(high.translate(None, kind.bad)) != len(high)
