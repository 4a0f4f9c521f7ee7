"""Every method of the JSON-RPC door, one file a noun."""

from __future__ import annotations

from tendred.rpc.door import RpcDoor
from tendred.rpc.jsonrpc import Registry
from tendred.rpc.methods import (
    boundary,
    characters,
    clips,
    cloud,
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
    spend,
    system,
    tokens,
    wildcards,
)


def registry() -> Registry[RpcDoor]:
    """All of them, registered by name."""
    methods: Registry[RpcDoor] = Registry()
    words = (prompts, wildcards, presets, characters)
    for noun in (
        system, images, clips, shots, jobs, queue, library, models, pulls, loras, *words, cloud, spend, tokens,
        hotfolders, events, boundary, rpc,
    ):  # fmt: skip
        noun.register(methods)
    return methods
