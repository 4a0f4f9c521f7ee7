"""Every method of the JSON-RPC door, one file a noun."""

from __future__ import annotations

from tendred.rpc.door import RpcDoor
from tendred.rpc.jsonrpc import Registry
from tendred.rpc.methods import (
    boundary,
    characters,
    events,
    hotfolders,
    images,
    jobs,
    library,
    loras,
    models,
    presets,
    prompts,
    pulls,
    queue,
    rpc,
    shots,
    system,
    wildcards,
)


def registry() -> Registry[RpcDoor]:
    """All of them, registered by name."""
    methods: Registry[RpcDoor] = Registry()
    words = (prompts, wildcards, presets, characters)
    for noun in (
        system, images, jobs, queue, library, models, pulls, loras, shots, *words, hotfolders, events, boundary, rpc,
    ):  # fmt: skip
        noun.register(methods)
    return methods
