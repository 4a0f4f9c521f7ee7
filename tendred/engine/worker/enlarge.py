"""A still made two, three or four times as wide and high: by an upscaler, or by Lanczos resampling where there is none.

Compact models are built here. Their pictures are made in tiles, each with as much around it as a pixel can see, so that
a tile's pixels are those that the whole picture would have: there is nothing that a seam could be. Other architectures
are read by `spandrel`, where it is installed; how far theirs see isn't known, so their tiles overlap by a wide margin.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from tendred.engine.worker.draw import stored
from tendred.engine.worker.loop import Enlarging, Picture, Stretching, in_short
from tendred.engine.worker.memory import ran_out
from tendred.engine.worker.parts import judged
from tendred.engine.worker.pictures import picture
from tendred.errors import EngineMissing, Internal, ModelRefused
from tendred.schema.compact import Compact, compact

TILE: Final = 256
"""Pixels of the small picture that are made at once, each way. Always the same: sizes of tiles change last bits."""
MARGIN: Final = 64
"""What surrounds a tile where nobody knows how far a model sees."""
_WRAPPERS: Final = ("params_ema.", "params.", "module.")


class CompactNet(nn.Module):
    """`(n, 3, h, w)` in 0..1 to `(n, 3, h * scale, w * scale)`. Source: see schema.compact."""

    def __init__(self, shape: Compact) -> None:
        super().__init__()
        self.scale = shape.scale
        wide = [3, *[shape.features] * (shape.layers + 1)]
        parts: list[nn.Module] = []
        for entering, leaving in itertools.pairwise(wide):
            parts += [nn.Conv2d(entering, leaving, 3, padding=1), nn.PReLU(leaving)]
        self.body = nn.Sequential(*parts, nn.Conv2d(shape.features, 3 * shape.scale**2, 3, padding=1))

    def forward(self, small: torch.Tensor) -> torch.Tensor:
        details = functional.pixel_shuffle(self.body(small), self.scale)
        return details + functional.interpolate(small, scale_factor=float(self.scale), mode="nearest")


class Upscaler(NamedTuple):
    """A network, how many times larger its pictures are, and how much of a tile's surroundings it needs to see."""

    net: Callable[[torch.Tensor], torch.Tensor]
    scale: int
    margin: int


def enlarge(job: Enlarging, device: str, index: int) -> Picture:
    """Make it and write it into staging. Raises StillNotOurs, ModelRefused, EngineMissing, Cancelled."""
    asked = job.upscale
    job.phase("loading", 0, None)
    upscaler = open_upscaler(asked.model, job.order.model_path, job.model_sha256, device)
    small = np.asarray(picture(job.parts["image"], asked.image.asset_id, "asset_id"))
    height, width, _ = small.shape
    if (width * asked.factor, height * asked.factor) != job.size:
        raise Internal(problem="the picture is not of the size that was said")
    large = small
    if upscaler is not None:
        passes = rounds(asked.factor, upscaler.scale)
        for number in range(passes):
            large = _pass(
                large, upscaler, device, lambda done, total, at=number: _tell(job, done + at * total, total * passes)
            )
    return stored(job, index, resized(large, *job.size), [])


def stretch(job: Stretching, device: str) -> None:
    """One picture after another, from one FIFO to the other, until no more come. Raises as `enlarge`, and Internal."""
    asked = job.clip
    job.phase("loading", 0, None)
    upscaler = open_upscaler(asked.model, job.order.model_path, job.model_sha256, device)
    width, height = asked.width // asked.factor, asked.height // asked.factor
    passes = 0 if upscaler is None else rounds(asked.factor, upscaler.scale)
    with open(job.there, "rb") as there, open(job.back, "wb") as back:
        for number in range(asked.frames + 1):
            raw = there.read(width * height * 3)
            if not raw:
                return
            if len(raw) != width * height * 3 or number == asked.frames:
                break
            _tell(job, number, asked.frames)
            large = np.frombuffer(raw, "uint8").reshape(height, width, 3)
            for _ in range(passes):
                assert upscaler is not None
                large = _pass(large, upscaler, device, lambda _done, _total: job.check())
            back.write(resized(large, *job.size).tobytes())
            back.flush()
    raise Internal(problem="the clip's pictures are not of the size or number that was said")


def rounds(factor: int, scale: int) -> int:
    """How often a model is used: until the picture is large enough, unless most of that would be thrown away again."""
    if scale == 1:
        return 1
    reached, count = scale, 1
    while reached < factor and reached * scale <= 2 * factor:
        reached, count = reached * scale, count + 1
    return count


def resized(pixels: Any, width: int, height: int) -> Any:
    """Lanczos, where the size isn't right yet."""
    if pixels.shape[:2] == (height, width):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))


def open_upscaler(name: str, path: str, sha256: str, device: str) -> Upscaler | None:
    """The upscaler at `path`; None where there is no path. Raises ModelRefused, EngineMissing."""
    if not path:
        return None
    try:
        with judged(Path(path), sha256):
            state = _plain(load_file(path))
            found = compact({key: tuple(value.shape) for key, value in state.items()})
            return _foreign(name, state, device) if found is None else _compact(found, state, device)
    except (ModelRefused, EngineMissing):
        raise
    except Exception as problem:
        if ran_out(problem):
            raise
        raise ModelRefused("part", path="model", name=name, reason="header", problem=in_short(problem)) from problem


def tiles(width: int, height: int, margin: int) -> Iterator[tuple[slice, slice, slice, slice]]:
    """Rows and columns of each tile with its surroundings, then those of the tile within that."""
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            above, before = max(0, top - margin), max(0, left - margin)
            bottom, right = min(height, top + TILE), min(width, left + TILE)
            yield (
                slice(above, min(height, bottom + margin)), slice(before, min(width, right + margin)),
                slice(top - above, bottom - above), slice(left - before, right - before),
            )  # fmt: skip


def _pass(small: Any, upscaler: Upscaler, device: str, tell: Callable[[int, int], None]) -> Any:
    """Once through the model: bytes in, bytes out."""
    height, width, _ = small.shape
    scale = upscaler.scale
    large = np.empty((height * scale, width * scale, 3), "uint8")
    places = [*tiles(width, height, upscaler.margin)]
    for number, (rows, columns, inner_rows, inner_columns) in enumerate(places):
        tell(number, len(places))
        seen = torch.from_numpy(np.ascontiguousarray(small[rows, columns])).to(device)
        with torch.inference_mode():
            made = upscaler.net(seen.permute(2, 0, 1)[None].float() / 255)[0]
            if not bool(torch.isfinite(made).all()):
                raise Internal(problem="the upscaler gave numbers that are no colours")
            shown = (made.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
        top, left = rows.start + inner_rows.start, columns.start + inner_columns.start
        inside = shown[_times(inner_rows, scale), _times(inner_columns, scale)]
        large[top * scale : top * scale + len(inside), left * scale : left * scale + inside.shape[1]] = inside
    tell(len(places), len(places))
    return large


def _times(span: slice, scale: int) -> slice:
    return slice(span.start * scale, span.stop * scale)


def _tell(job: Enlarging | Stretching, done: int, total: int) -> None:
    job.check()
    job.phase("rendering", done, total)


def _plain(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Without what a trainer wrapped around all the names."""
    for wrapper in _WRAPPERS:
        if state and all(key.startswith(wrapper) for key in state):
            return {key.removeprefix(wrapper): value for key, value in state.items()}
    return state


def _compact(shape: Compact, state: dict[str, torch.Tensor], device: str) -> Upscaler:
    net = CompactNet(shape)
    net.load_state_dict(state)
    return Upscaler(net.float().to(device).eval(), shape.scale, shape.reach)


def _foreign(name: str, state: dict[str, torch.Tensor], device: str) -> Upscaler:
    """Of another architecture, by the library that knows them."""
    try:
        import spandrel
    except Exception as problem:  # a torchvision for another torch is found, and fails in its own ways
        raise EngineMissing("upscaler", path="model", name=name, problem=in_short(problem)) from problem
    found: Any = spandrel.ModelLoader(device=torch.device(device)).load_from_state_dict(state)
    if not isinstance(found, spandrel.ImageModelDescriptor) or found.input_channels != 3 or found.output_channels != 3:  # noqa: PLR2004 # colours
        raise ModelRefused("part", path="model", name=name, reason="family", problem="it doesn't make pictures larger")
    return Upscaler(found.float().eval(), int(found.scale), MARGIN)
