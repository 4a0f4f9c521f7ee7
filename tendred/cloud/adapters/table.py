"""Capability tables: what a provider renders, as dated TOML data with its source. Users' files override ours."""

from __future__ import annotations

import datetime as dt
import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final, Literal, cast

import msgspec
from msgspec import Meta, field

from tendred.errors import ConfigBroken, NotOffered
from tendred.schema.base import Asked
from tendred.schema.provider import Features, ProviderModel, Size

PACKAGED: Final = ("ltx", "fal", "replicate", "openai-videos")
FILE_BYTES: Final = 256 * 1024

Fps = Annotated[str, Meta(pattern=r"^[1-9]\d{0,5}(/[1-9]\d{0,4})?$")]
Seconds = Annotated[int, Meta(ge=1, le=600)]
Plane = Annotated[str, Meta(pattern=r"^[1-9]\d{1,4}x[1-9]\d{1,4}$")]


class Offer(Asked, frozen=True):
    """Sizes (landscape; the portrait ones are meant too) that can be had at each of these rates and lengths."""

    sizes: Annotated[list[Plane], Meta(min_length=1)]
    fps: Annotated[list[Fps], Meta(min_length=1)]
    seconds: Annotated[list[Seconds], Meta(min_length=1)]


class Row(Asked, frozen=True):
    """One model. `text` and `image` are what it is called on the wire, where that isn't its name; `task`: it wants to be told."""

    name: str
    sizes: list[Offer] = field(default_factory=list[Offer])
    seed: bool = False
    first_frame: bool = False
    last_frame: bool = False
    audio: bool = False
    prompt_chars: Annotated[int, Meta(ge=1)] | None = None
    replaced_by: str | None = None
    text: str = ""
    image: str = ""
    task: bool = False


class Table(Asked, frozen=True):
    """One provider. Bytes up to `inline_bytes` travel inside the request; `key_hosts` may see the key if they ask for it."""

    provider: str
    table_date: dt.date
    source: str
    endpoint: str
    models: list[Row]
    auth: Literal["Bearer", "Key"] = "Bearer"
    key_needed: bool = True
    storage: str = ""
    cdn: str = ""
    key_hosts: list[str] = field(default_factory=list[str])
    encoding: Literal["json", "multipart"] = "json"
    extras: list[Literal["fps", "seed", "generate_sound"]] = field(default_factory=list[Any])
    cancel: Literal["none", "ask", "delete"] = "none"
    idempotency: bool = False
    listing: bool = False
    cost: bool = False
    result_s: Annotated[float, Meta(gt=0)] | None = None
    poll_s: Annotated[float, Meta(ge=0.05, le=300)] = 5.0
    deadline_s: Annotated[float, Meta(ge=1, le=604800)] = 3600.0
    concurrency: Annotated[int, Meta(ge=1, le=1000)] = 1
    inline_bytes: Annotated[int, Meta(ge=0)] = 0

    def row(self, model: str) -> Row:
        """The row of a model that is asked for. Raises NotOffered."""
        for row in self.models:
            if row.name == model and row.replaced_by is None:
                return row
        raise NotOffered(provider=self.provider, near=[row.name for row in self.models if row.replaced_by is None])

    def features(self) -> Features:
        """What the broker sees of it."""
        return Features(
            provider=self.provider, models=[_model(row) for row in self.models], cancel=self.cancel != "none",
            idempotency=self.idempotency, listing=self.listing, cost=self.cost, result_s=self.result_s,
            poll_s=self.poll_s, concurrency=self.concurrency, table_date=self.table_date.isoformat(), source=self.source,
            deadline_s=self.deadline_s,
        )  # fmt: skip


def load(provider: str, user: Path | None = None) -> Table:
    """The packaged table, with what `user` (a folder) says instead. Raises ConfigBroken with the file and what is wrong in it."""
    packaged = resources.files("tendred.cloud.adapters.data").joinpath(f"{provider}.toml").read_text("utf-8")
    whole = tomllib.loads(packaged)
    file = None if user is None else user / f"{provider}.toml"
    if file is not None and (theirs := _read(file)) is not None:
        if "table_date" not in theirs or "source" not in theirs:
            raise ConfigBroken(
                where=str(file), problem="it needs table_date and source, so that people know how old it is"
            )
        whole = _over(whole, theirs, file)
    return _table(whole, provider, str(file or provider))


def _table(whole: dict[str, Any], provider: str, where: str) -> Table:
    try:
        table = msgspec.convert(whole, Table)
    except msgspec.ValidationError as problem:
        raise ConfigBroken(where=where, problem=str(problem)) from problem
    names = [row.name for row in table.models]
    if table.provider != provider or len(set(names)) < len(names):
        raise ConfigBroken(where=where, problem="it names another provider, or a model twice")
    if lost := [row.name for row in table.models if row.replaced_by is not None and row.replaced_by not in names]:
        raise ConfigBroken(where=where, problem=f"what replaces {lost[0]} isn't in it")
    return table


def _read(file: Path) -> dict[str, Any] | None:
    try:
        with file.open("rb") as stream:
            text = stream.read(FILE_BYTES + 1)
        if len(text) > FILE_BYTES:
            raise ConfigBroken(where=str(file), problem=f"it is over {FILE_BYTES} bytes")
        return tomllib.loads(text.decode("utf-8-sig"))
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise ConfigBroken(where=str(file), problem=problem.strerror or str(problem)) from problem
    except (ValueError, RecursionError) as problem:  # what is no TOML, or no text in UTF-8
        raise ConfigBroken(where=str(file), problem=str(problem)) from problem


def _over(packaged: dict[str, Any], theirs: dict[str, Any], file: Path) -> dict[str, Any]:
    """Their keys in place of ours; their models in place of ours of the same name, new ones behind."""
    rows = theirs.get("models", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in cast("list[Any]", rows)):
        raise ConfigBroken(where=str(file), problem="models are written as [[models]]")
    models = {str(row.get("name")): row for row in [*packaged["models"], *cast("list[dict[str, Any]]", rows)]}
    return {**packaged, **theirs, "models": list(models.values())}


def _model(row: Row) -> ProviderModel:
    sizes: dict[tuple[int, int], dict[str, list[int]]] = {}
    for offer in row.sizes:
        for plane in offer.sizes:
            width, height = (int(side) for side in plane.split("x"))
            for shape in dict.fromkeys(((width, height), (height, width))):
                for fps in offer.fps:
                    known = sizes.setdefault(shape, {}).setdefault(fps, [])
                    known.extend(one for one in offer.seconds if one not in known)
    return ProviderModel(
        name=row.name,
        sizes=[Size(width=width, height=height, seconds=seconds) for (width, height), seconds in sizes.items()],
        seed=row.seed, first_frame=row.first_frame, last_frame=row.last_frame, audio=row.audio,
        prompt_chars=row.prompt_chars, replaced_by=row.replaced_by,
    )  # fmt: skip
