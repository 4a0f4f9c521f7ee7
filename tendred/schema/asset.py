"""What was made, and the record of how."""

from __future__ import annotations

from typing import Any, Literal

from tendred.schema.base import Record
from tendred.schema.character import CharacterUse
from tendred.schema.job import Origin
from tendred.schema.marks import Checked

AssetState = Literal["kept", "missing", "removed"]


class ModelUse(Record, frozen=True):
    """The model a picture came from; `sha256` is over its weight files (see models.catalog)."""

    name: str
    sha256: str


class LoraRecord(Record, frozen=True):
    """A LoRA a picture was made with."""

    name: str
    weight: float
    sha256: str


class EngineInfo(Record, frozen=True):
    """What drew it. All of these are part of the recipe: another value may change the last bits.

    `hardware` names the chips, `libraries` further packages that calculate; both are empty where nobody wrote them down.
    """

    version: str
    torch: str
    diffusers: str
    device: str
    dtype: str
    threads: int
    batch_size: int
    hardware: str = ""
    libraries: dict[str, str] = {}


class Identity(Record, frozen=True):
    """What would draw now. `dtypes` are the number formats by kind of model: with a `unet`, or with a `transformer`."""

    version: str
    torch: str
    diffusers: str
    device: str
    threads: int
    hardware: str
    libraries: dict[str, str]
    dtypes: dict[str, str]


class Audio(Record, frozen=True):
    """A clip's sound: sampling rate in Hz, number of channels."""

    rate: int
    channels: int


class Asset(Record, frozen=True):
    """One file in the library. `pixels_sha256` is over the decoded RGB bytes, before marking."""

    id: str
    kind: Literal["still", "clip", "sheet"]
    path: str
    url: str
    media_type: str
    bytes: int
    sha256: str
    pixels_sha256: str
    width: int
    height: int
    duration_s: float | None
    fps: str | None
    audio: Audio | None
    created_at: str
    job_id: str
    index: int
    seed: int
    settings: dict[str, Any]
    model: ModelUse
    loras: list[LoraRecord]
    character: CharacterUse | None
    engine: EngineInfo
    parents: list[str]
    receipt_id: str
    policy: str
    tags: list[str]
    state: AssetState
    output_check: Checked = "none"


class AssetPage(Record, frozen=True):
    """A page of assets."""

    assets: list[Asset]
    next: str | None


class Made(Record, frozen=True):
    """One asset of a receipt; `file` is relative to the receipt."""

    asset_id: str
    file: str
    sha256: str
    pixels_sha256: str
    media_type: str
    width: int
    height: int
    seed: int


class ReceiptVerdict(Record, frozen=True):
    """What the boundary did to the request that was made."""

    policy: str
    anchor: str | None
    removed: list[str]


class Receipt(Record, frozen=True):
    """How assets came to be; written last. The chain runs over `body_sha256` only, so a body can be erased."""

    receipt: int
    id: str
    job_id: str
    origin: Origin
    asked: dict[str, Any]
    settings: dict[str, Any]
    verdict: ReceiptVerdict
    made: list[Made]
    model: ModelUse
    loras: list[LoraRecord]
    character: CharacterUse | None
    engine: EngineInfo
    cost: dict[str, Any] | None
    created_at: str
    started_at: str | None
    finished_at: str | None
    body_sha256: str
    prev_sha256: str
    output_check: Checked = "none"
    erased: bool = False
