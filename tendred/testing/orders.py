"""Work orders as core hands them to a backend: sealed with a key that tests share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from tendred.boundary.seal import canonical, open_seal, seal
from tendred.schema.sealed import Conditioning, Reviewed, Span
from tendred.schema.still import Still
from tendred.schema.weights import weights_sha256
from tendred.schema.work import WorkOrder

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


def review(
    still: Still, conditioning: Conditioning | None = None, key: bytes = KEY, model_sha256: str = "0" * 64
) -> Reviewed:
    """A request under seal, as the boundary would leave it: an adult anchor first."""
    words = conditioning or Conditioning(
        prompt=[Span(text=still.prompt)],
        negative=[Span(text=still.negative_prompt)] if still.negative_prompt else [],
        anchor="adult",
    )
    return seal(
        key, canonical({**msgspec.structs.asdict(still), "model_sha256": model_sha256}), canonical(words), "test"
    )


def reseal(reviewed: Reviewed, key: bytes) -> Reviewed:
    """Open with the tests' key, seal with another. Raises SealBroken."""
    open_seal(KEY, reviewed)
    return seal(key, reviewed.request, reviewed.conditioning, reviewed.policy)


def order(
    job_id: str, model_path: Path, staging: Path, conditioning: Conditioning | None = None, **changes: Any
) -> WorkOrder:
    """An order for every picture of a still; `changes` are fields of the still."""
    still = msgspec.structs.replace(STILL, **changes)
    return WorkOrder(
        job_id=job_id,
        reviewed=review(still, conditioning, model_sha256=_judged(model_path)),
        model=still.model,
        model_path=str(model_path),
        indices=list(range(still.count)),
        staging=str(staging),
        keep_alive_s=still.keep_alive_s,
    )


def _judged(model_path: Path) -> str:
    """The weights' hash, or some other where there are none."""
    try:
        return weights_sha256(model_path)
    except (OSError, ValueError):
        return "0" * 64
