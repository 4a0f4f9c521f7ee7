"""Upscalers by their architecture and scale, told by names and sizes.

Layouts: xinntao/Real-ESRGAN (SRVGGNet "Compact", RRDBNet), the ESRGAN of 2018, JingyunLiang/SwinIR, XPixelGroup/HAT,
zhengchen1999/DAT, hongyuanyu/SPAN, muslll/neosr (PLKSR). The arithmetic of scales is ours.
"""

from __future__ import annotations

import math
import re
from typing import Final, NamedTuple

from tendred.models.keys import Keys

_OLD: Final = re.compile(r"model\.\d+\.weight")
_UNSHUFFLED: Final = {3: 1, 12: 2, 48: 4}
"""How often a picture was folded before an ESRGAN sees it, by the channels that go in."""
_NAMED: Final = (
    ("layers.0.residual_group.blocks.0.conv_block.cab.0.weight", "hat"),
    ("layers.0.residual_group.blocks.0.norm1.weight", "swinir"),
    ("layers.0.blocks.0.norm1.weight", "dat"),
    ("block_1.c1_r.sk.weight", "span"),
    ("feats.0.weight", "plksr"),
)


class Upscaler(NamedTuple):
    """`scale` is 0 where the sizes don't tell it."""

    architecture: str
    scale: int


def upscaler(keys: Keys) -> Upscaler | None:
    """What enlarges how much; None for what is no upscaler."""
    if len(keys.shape("body.0.weight")) == len("oihw") and keys.side("body.0.weight", 1) in _UNSHUFFLED:
        return _compact(keys)
    if "conv_first.weight" in keys and "body.0.rdb1.conv1.weight" in keys:
        ups = sum(f"conv_up{number}.weight" in keys for number in range(1, 4))
        return Upscaler("esrgan", _fits(2**ups, _UNSHUFFLED.get(keys.side("conv_first.weight", 1), 1)))
    if "model.1.sub.0.RDB1.conv1.0.weight" in keys:
        # The first layer, the one after the blocks, and the last: every other one doubles.
        return Upscaler("esrgan", 2 ** max(0, sum(bool(_OLD.fullmatch(key)) for key in keys) - 3))
    for mark, name in _NAMED:
        if mark in keys and (name != "plksr" or keys.ends(".lk.conv.weight")):
            return Upscaler(name, _shuffled(keys))
    return None


def _compact(keys: Keys) -> Upscaler | None:
    """Convolutions one after another, the last of which makes scale * scale pictures of three channels."""
    last = max((int(key.split(".")[1]) for key in keys if re.fullmatch(r"body\.\d{1,4}\.weight", key)), default=0)
    if last == 0 or any(not key.startswith("body.") for key in keys):
        return None
    return Upscaler("compact", _root(keys.side(f"body.{last}.weight", 0)))


def _shuffled(keys: Keys) -> int:
    """The scale that a pixel shuffle at the end makes: in one go, or twice at a time."""
    scale = 1
    for number in range(8):
        out, into = keys.side(f"upsample.{number}.weight", 0), keys.side(f"upsample.{number}.weight", 1)
        if out and into and out == into * 4:
            scale *= 2
        elif out and into and out == into * 9:
            scale *= 3
        elif direct := _root(out):
            return scale * direct
    return scale if scale > 1 else 0


def _root(channels: int) -> int:
    scale = math.isqrt(channels // 3)
    return scale if channels and scale * scale * 3 == channels else 0


def _fits(scale: int, folded: int) -> int:
    return scale // folded if scale % folded == 0 else 0
