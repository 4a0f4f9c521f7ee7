"""Which files of a repository are fetched: what a loader here reads, of one kind of weights, and the licence.

Told from the listing and model_index.json alone, so that what would be refused afterwards is refused before.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path, PurePosixPath
from typing import Any, Final

import msgspec

from tendred.errors import InvalidParams, ModelRefused
from tendred.models.folder import WEIGHTLESS, parts_of
from tendred.schema.pull import Listed, Plan, RemoteFile, Wanted
from tendred.schema.weights import PICKLES, open_regular

INDEX: Final = "model_index.json"
CONFIGS: Final = frozenset({".json", ".txt", ".model", ".jinja"})
"""Endings of configuration and tokenizers; what is in a component's folder and is none of these is left out."""
SMALL: Final = 64 * 1024 * 1024
"""No configuration is larger: the largest tokenizers are 35 MB."""
_PIECE: Final = 4 * 1024 * 1024
_ABOUT: Final = re.compile(r"(LICEN[CS]E|NOTICE|README)([.-][\w.-]*)?", re.IGNORECASE)
_NAME: Final = re.compile(r"[A-Za-z0-9_][\w.-]{0,200}", re.ASCII)
_WEIGHTS: Final = re.compile(
    r"(?P<stem>\w+)(?:\.(?P<variant>[a-z0-9_]+))?(?P<shard>-\d{5}-of-\d{5})?\.safetensors", re.ASCII
)
_SHARDS: Final = re.compile(r"(?P<stem>\w+)\.safetensors\.index(?:\.(?P<variant>[a-z0-9_]+))?\.json", re.ASCII)
_STEMS: Final = ("diffusion_pytorch_model", "model")
"""What loaders look for."""
_TRAINING: Final = frozenset({"ema_only", "non_ema"})
"""Weights to go on training with, rather than to draw with."""


def plan(listed: Listed, variant: str | None, repo: str) -> Plan:
    """What to fetch. Raises ModelRefused for what could not be loaded, InvalidParams where nothing has the variant."""
    try:
        return _plan(listed, variant, repo)
    except ModelRefused as refused:
        # Other words: nothing was fetched yet.
        told = refused.detail
        raise ModelRefused("hub", name=repo, reason=told["reason"], problem=told["problem"]) from refused


def stands(folder: Path, settled: Plan) -> bool:
    """Whether all of a plan is in a folder, byte for byte. Blocking, for as long as reading all of it takes."""
    try:
        # Sizes first: what isn't whole is told without reading the rest.
        if any((folder / file.target).stat().st_size != file.source.bytes for file in settled.files):
            return False
        return all(_is_right(folder / file.target, file.source) for file in settled.files)
    except (OSError, ValueError):
        return False


def _is_right(path: Path, source: RemoteFile) -> bool:
    seen = hashlib.sha256() if source.sha256 else hashlib.sha1(b"blob %d\0" % source.bytes, usedforsecurity=False)
    with open_regular(path) as data:
        while piece := data.read(_PIECE):
            seen.update(piece)
    return seen.hexdigest() == (source.sha256 or source.blob_sha1)


def _plan(listed: Listed, variant: str | None, repo: str) -> Plan:
    parts = parts_of(_index(listed, repo), repo)
    inside = _by_folder(listed.files)
    found = [Wanted(source=file, target=file.name) for file in inside.get("", []) if _belongs(file)]
    variants: set[str] = set()
    weighed = False
    for part, (library, kind) in parts.items():
        if library is None:
            continue
        files = inside.get(part, [])
        weights, named = _weights(files, variant)
        if not weights and not str(kind).endswith(WEIGHTLESS):
            raise _weightless(files, part, repo)
        found += [Wanted(source=file, target=file.name) for file in files if _is_config(file)]
        found += weights
        variants |= named
        weighed = weighed or bool(weights)
    if not weighed:
        raise ModelRefused(name=repo, reason="header", problem="it holds no .safetensors weights")
    if variant is not None and variant not in variants:
        has = ", ".join(sorted(variants)) or "one kind only"
        raise InvalidParams(path="variant", problem=f"{repo} has no weights of the kind {variant} (it has: {has})")
    return Plan(commit=listed.commit, files=[_certain(file, repo) for file in sorted(found, key=lambda it: it.target)])


def _index(listed: Listed, repo: str) -> dict[str, Any]:
    if listed.index is None:
        raise ModelRefused(
            name=repo, reason="header", problem="it has no model_index.json, so it is no model in the diffusers layout"
        )
    try:
        index = msgspec.json.decode(listed.index, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as problem:
        raise ModelRefused(name=repo, reason="header", problem=f"model_index.json: {problem}") from problem
    pipeline = index.get("_class_name")
    if not isinstance(pipeline, str) or not pipeline.endswith("Pipeline"):
        raise ModelRefused(name=repo, reason="family", problem="model_index.json names no diffusers pipeline")
    return index


def _by_folder(files: list[RemoteFile]) -> dict[str, list[RemoteFile]]:
    """Files by the folder they are in; those deeper down, and those with odd names, are nothing a loader reads."""
    found: dict[str, list[RemoteFile]] = {}
    for file in files:
        folder, _, name = file.name.rpartition("/")
        if _NAME.fullmatch(name) and (not folder or _NAME.fullmatch(folder)):
            found.setdefault(folder, []).append(file)
    return found


def _belongs(file: RemoteFile) -> bool:
    """Of the files at the top: the index, and what people should read."""
    return file.name == INDEX or (bool(_ABOUT.fullmatch(file.name)) and file.bytes <= SMALL)


def _is_config(file: RemoteFile) -> bool:
    name = PurePosixPath(file.name)
    return name.suffix in CONFIGS and file.bytes <= SMALL and not name.name.endswith(".bin.index.json") and not (
        _SHARDS.fullmatch(name.name)
    )  # fmt: skip


def _weights(files: list[RemoteFile], variant: str | None) -> tuple[list[Wanted], set[str]]:
    """A component's weights, under the names that loaders look for, and the variants that it has.

    A component without the variant comes as it is; one that has nothing else comes as the variant that it has. A whole
    file goes before its shards.
    """
    named = [(file, found) for file in files if (found := _WEIGHTS.fullmatch(PurePosixPath(file.name).name))]
    stems = {found["stem"] for _, found in named}
    stem = next((stem for stem in _STEMS if stem in stems), None)
    mine = [(file, found) for file, found in named if found["stem"] == stem]
    variants = {found["variant"] for _, found in mine}
    told = {name for name in variants if name and name not in _TRAINING}
    kind = variant if variant in variants else None
    if kind not in variants and told:
        kind = min(told)
    chosen = [(file, found) for file, found in mine if found["variant"] == kind]
    whole = [file for file, found in chosen if not found["shard"]]
    if whole:
        return [Wanted(source=whole[0], target=_plain(whole[0], f"{stem}.safetensors"))], told
    shards = [Wanted(source=file, target=file.name) for file, _ in chosen]
    indices = [
        Wanted(source=file, target=_plain(file, f"{stem}.safetensors.index.json"))
        for file in files
        if (found := _SHARDS.fullmatch(PurePosixPath(file.name).name))
        and (found["stem"], found["variant"]) == (stem, kind)
    ]
    # Shards are loaded by their index, which names them; without one they are of no use.
    return ([*shards, *indices[:1]], told) if shards and indices else ([], told)


def _plain(file: RemoteFile, name: str) -> str:
    """Without its variant, so that nobody who loads the folder has to know of it."""
    return str(PurePosixPath(file.name).with_name(name))


def _weightless(files: list[RemoteFile], part: str, repo: str) -> ModelRefused:
    if any(PurePosixPath(file.name).suffix.lower() in PICKLES for file in files):
        return ModelRefused(name=repo, reason="pickle", problem=f"{part} has pickled weights only")
    return ModelRefused(name=repo, reason="header", problem=f"{part} has no .safetensors weights")


def _certain(file: Wanted, repo: str) -> Wanted:
    source = file.source
    if source.sha256 is None and source.blob_sha1 is None:
        raise ModelRefused(name=repo, reason="header", problem=f"the hub tells no checksum of {source.name}")
    return file
