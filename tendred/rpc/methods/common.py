"""Params and results that several methods share."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from tendred.core.studio import Wish
from tendred.errors import TooLarge
from tendred.rpc.door import RpcDoor
from tendred.rpc.jsonrpc import Call, Registry
from tendred.schema.base import Asked, Id, Record
from tendred.schema.still import PROMPT_BYTES, Lane

Here = Call[RpcDoor]
Methods = Registry[RpcDoor]

Topics = Annotated[
    list[Annotated[str, Meta(min_length=1, max_length=64)]],
    Meta(max_length=32, description="Topics, or how they start; none means all."),
]
FolderPath = Annotated[str, Meta(min_length=1, max_length=4096, description="An absolute path on this machine.")]


IdempotencyKey = Annotated[
    str, Meta(min_length=1, max_length=64, description="Sent again with this key, a request makes no second job.")
]


class NoParams(Asked, frozen=True):
    """Takes nothing."""


class JobParams(Asked, frozen=True):
    """Names a job."""

    job_id: Id


class AssetParams(Asked, frozen=True):
    """Names an asset."""

    asset_id: Id


class Nothing(Record, frozen=True):
    """There is nothing to say: it was done."""


def check_prompts(prompt: str, negative_prompt: str) -> None:
    """Raises TooLarge where one holds more than PROMPT_BYTES of UTF-8."""
    for path, text in (("prompt", prompt), ("negative_prompt", negative_prompt)):
        if (size := len(text.encode("utf-8"))) > PROMPT_BYTES:
            raise TooLarge("prompt", path=path, size_bytes=size, limit_bytes=PROMPT_BYTES)


def asked_of(call: Here) -> dict[str, Any]:
    """What the client wrote, without the key that is its own affair."""
    return {name: value for name, value in call.asked.items() if name != "idempotency_key"}


def wish_of(call: Here, method: str, key: str | None, lane: Lane) -> Wish:
    """Who asks and how. The method counts as asked: the same fields mean something else elsewhere."""
    asked = {"method": method, **asked_of(call)}
    return Wish(origin=call.door.origin, asked=asked, key=call.door.scoped(key), lane=lane)
