"""Work orders as core hands them to a backend: sealed with a key that tests share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from tendred.boundary.seal import canonical, open_seal, seal
from tendred.schema.sealed import Conditioning, Reviewed, Span
from tendred.schema.source import SourceUse
from tendred.schema.still import Still
from tendred.schema.upscale import LANCZOS, Upscale
from tendred.schema.weights import file_sha256, weights_sha256
from tendred.schema.work import LoraFile, PartFile, WorkOrder

KEY = b"a key that only tests know of.32"

STILL = Still(
    prompt="a green hill",
    negative_prompt="",
    model="starter",
    width=64,
    height=64,
    steps=4,
    guidance=4.0,
    scheduler="euler",
    seed=7,
    count=1,
    loras=[],
    character=None,
    format="png",
    lane="normal",
    keep_alive_s=60.0,
    tags=[],
)


UPSCALE = Upscale(
    image=SourceUse(asset_id="ast_1", sha256="0" * 64, strength=0.0),
    factor=2,
    model=LANCZOS,
    width=128,
    height=128,
    prompt="a green hill",
    negative_prompt="",
    seed=7,
    count=1,
    character=None,
    format="png",
    lane="normal",
    keep_alive_s=60.0,
    tags=[],
)


def review(
    still: Still,
    conditioning: Conditioning | None = None,
    key: bytes = KEY,
    model_sha256: str = "0" * 64,
    loras_sha256: Sequence[str] = (),
) -> Reviewed:
    """A request under seal, as the boundary would leave it: an adult anchor first."""
    words = conditioning or Conditioning(
        prompt=[Span(text=still.prompt)],
        negative=[Span(text=still.negative_prompt)] if still.negative_prompt else [],
        anchor="adult",
    )
    weights = {"model_sha256": model_sha256, "loras_sha256": loras_sha256}
    return seal(key, canonical({**msgspec.structs.asdict(still), **weights}), canonical(words), "test")


def reseal(reviewed: Reviewed, key: bytes) -> Reviewed:
    """Open with the tests' key, seal with another. Raises SealBroken."""
    open_seal(KEY, reviewed)
    return seal(key, reviewed.request, reviewed.conditioning, reviewed.policy)


def order(
    job_id: str,
    model_path: Path,
    staging: Path,
    conditioning: Conditioning | None = None,
    lora_paths: Mapping[str, Path] = MappingProxyType({}),
    parts: Mapping[str, Path] = MappingProxyType({}),
    **changes: Any,
) -> WorkOrder:
    """An order for every picture of a still; `changes` are fields of the still, `parts` files by role."""
    still = msgspec.structs.replace(STILL, **changes)
    files = [lora_paths.get(use.name, model_path / "nowhere") for use in still.loras]
    return WorkOrder(
        job_id=job_id,
        reviewed=review(
            still, conditioning, model_sha256=judged(model_path), loras_sha256=[judged(file) for file in files]
        ),
        model=still.model,
        model_path=str(model_path),
        loras=[LoraFile(name=use.name, path=str(file)) for use, file in zip(still.loras, files, strict=True)],
        indices=list(range(still.count)),
        staging=str(staging),
        keep_alive_s=still.keep_alive_s,
        parts=[PartFile(role=role, path=str(path)) for role, path in parts.items()],
    )


def upscale_order(job_id: str, source: Path, model: Path | None, staging: Path, **changes: Any) -> WorkOrder:
    """An order to make the picture in a file larger; `changes` are fields of the upscale. No model: Lanczos."""
    upscale = msgspec.structs.replace(
        UPSCALE,
        image=SourceUse(asset_id="ast_1", sha256=judged(source), strength=0.0),
        model=model.stem if model else LANCZOS,
    )
    upscale = msgspec.structs.replace(upscale, **changes)
    sealed = {**msgspec.structs.asdict(upscale), "model_sha256": judged(model) if model else ""}
    return WorkOrder(
        job_id=job_id,
        reviewed=seal(KEY, canonical(sealed), canonical(Conditioning(prompt=[], negative=[], anchor=None)), "test"),
        model=upscale.model,
        model_path=str(model or ""),
        loras=[],
        indices=[0],
        staging=str(staging),
        keep_alive_s=upscale.keep_alive_s,
        kind="upscale",
        parts=[PartFile(role="image", path=str(source))],
    )


def judged(path: Path) -> str:
    """The hash of a model's weights or of a LoRA file, or some other where there are none."""
    try:
        return file_sha256(path) if path.is_file() else weights_sha256(path)
    except (OSError, ValueError):
        return "0" * 64
