"""The Compact architecture for upscalers (SRVGGNet), told by the names and sizes of its tensors.

Layout: github.com/xinntao/Real-ESRGAN, `realesrgan/archs/srvgg_arch.py`. Convolutions of 3 x 3 stand at even places of
`body`, a PReLU after each but the last, whose channels are colours times the square of the scale. Stands here for the
daemon, which lists files by it, and for its child, which builds by it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

_KEY: Final = re.compile(r"body\.(\d{1,3})\.(weight|bias)")
_COLOURS: Final = 3
_SIDE: Final = 3
_SCALES: Final = range(1, 9)


class Compact(NamedTuple):
    """`layers` counts the convolutions between the first and the last. `reach`: how far a pixel sees, in pixels."""

    features: int
    layers: int
    scale: int

    @property
    def reach(self) -> int:
        """Each convolution looks one pixel further."""
        return self.layers + 2


def compact(shapes: Mapping[str, Sequence[int]]) -> Compact | None:
    """What these tensors are one of; None for another architecture."""
    weights = {
        int(found[1]): shape for key, shape in shapes.items() if (found := _KEY.fullmatch(key)) and found[2] == "weight"
    }
    if not weights or len(weights) != max(weights) + 1 or any(_KEY.fullmatch(key) is None for key in shapes):
        return None
    first, last = list(weights[0]), list(weights[max(weights)])
    if max(weights) % 2 or len(first) != len("oihw") or len(last) != len("oihw"):
        return None
    features, scale = first[0], math.isqrt(last[0] // _COLOURS)
    layers = max(weights) // 2 - 1
    if layers < 0 or scale not in _SCALES or scale * scale * _COLOURS != last[0]:
        return None
    expected = {0: [features, _COLOURS], max(weights): [last[0], features]}
    for at, shape in weights.items():
        if list(shape) != ([features] if at % 2 else [*expected.get(at, [features, features]), _SIDE, _SIDE]):
            return None
    biased = all(list(shapes.get(f"body.{at}.bias", ())) == [weights[at][0]] for at in range(0, max(weights) + 1, 2))
    return Compact(features, layers, scale) if biased else None
