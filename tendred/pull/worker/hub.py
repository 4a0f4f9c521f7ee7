"""What a repository holds, asked of the hub at one commit."""

from __future__ import annotations

import hashlib
import io
from typing import Any, Final, cast

from huggingface_hub import HfApi, hf_hub_url
from huggingface_hub.file_download import http_get  # pyright: ignore[reportUnknownVariableType]
from huggingface_hub.hf_api import ModelInfo, RepoSibling
from huggingface_hub.utils import build_hf_headers  # pyright: ignore[reportUnknownVariableType]

from tendred import __version__
from tendred.errors import ProviderRefused, ProviderUnavailable
from tendred.pull.worker import guard
from tendred.pull.worker.trouble import told
from tendred.schema.pull import HubAccess, Listed, Look, RemoteFile

NAME: Final = "tendred"
INDEX: Final = "model_index.json"
INDEX_BYTES: Final = 1024 * 1024
FILES: Final = 20_000
LICENCE: Final = 200


def look(order: Look) -> Listed:
    """Answer it. Raises what trouble.py names."""
    guard.use(order.hub.endpoint)
    with told(order):
        info = _info(order)
        commit, files = info.sha, [_file(sibling) for sibling in (info.siblings or [])[:FILES]]
        if not commit:
            raise ProviderRefused("pull", provider=order.hub.endpoint, problem="it names no commit")
        index = next((file for file in files if file.name == INDEX), None)
        text = None if index is None else _read(order, commit, index)
    return Listed(
        commit=commit, files=files, index=text, licence=(_licence(info) or "")[:LICENCE] or None, gated=bool(info.gated)
    )


def _info(order: Look) -> ModelInfo:
    api = HfApi(
        endpoint=order.hub.endpoint, token=order.hub.token or False, library_name=NAME, library_version=__version__
    )
    try:
        return api.model_info(order.repo, revision=order.revision, files_metadata=True, timeout=guard.timeout_s())
    except (KeyError, TypeError, AttributeError) as problem:
        raise ProviderRefused(
            "pull", provider=order.hub.endpoint, problem=f"its answer is no hub's ({problem!r})"
        ) from problem


def headers(hub: HubAccess) -> dict[str, str]:
    """What we say of ourselves: our name and version, the library's and Python's, and nothing of the user's.

    Bytes come as they are (`identity`): a compressed stream could not be gone on with in the middle.
    """
    said = build_hf_headers(token=hub.token or False, library_name=NAME, library_version=__version__)
    return {**said, "Accept-Encoding": "identity"}


def url(hub: HubAccess, repo: str, commit: str, name: str) -> str:
    """Where a file is."""
    return hf_hub_url(repo, name, revision=commit, endpoint=hub.endpoint)


def git_sha1(data: bytes) -> str:
    """What git calls a blob."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _read(order: Look, commit: str, index: RemoteFile) -> str:
    """The text of model_index.json, which says what else is wanted."""
    host = order.hub.endpoint
    if index.bytes > INDEX_BYTES:
        raise _too_large(host)
    body = _Bounded(host)
    http_get(url(order.hub, order.repo, commit, INDEX), body, headers=headers(order.hub), expected_size=index.bytes)
    data = body.getvalue()
    if index.sha256 not in {None, hashlib.sha256(data).hexdigest()}:
        raise ProviderUnavailable("pull", provider=host, problem=f"{INDEX} arrived damaged")
    if index.sha256 is None and index.blob_sha1 not in {None, git_sha1(data)}:
        raise ProviderUnavailable("pull", provider=host, problem=f"{INDEX} arrived damaged")
    return data.decode("utf-8", "replace")


class _Bounded(io.BytesIO):
    """Takes so many bytes and no more: what a listing says of a file's size binds nobody who sends it."""

    def __init__(self, host: str) -> None:
        super().__init__()
        self._host = host

    def write(self, data: Any, /) -> int:
        if self.tell() + len(data) > INDEX_BYTES:
            raise _too_large(self._host)
        return super().write(data)


def _too_large(host: str) -> ProviderRefused:
    return ProviderRefused("pull", provider=host, problem=f"{INDEX} is over {INDEX_BYTES} bytes")


def _file(sibling: RepoSibling) -> RemoteFile:
    large = sibling.lfs
    return RemoteFile(
        name=sibling.rfilename,
        bytes=(large.size if large else sibling.size) or 0,
        sha256=large.sha256 if large else None,
        blob_sha1=sibling.blob_id,
    )


def _licence(info: ModelInfo) -> str | None:
    """Its name, or what the card says it is where it has none of its own."""
    card: Any = info.card_data
    told_name = getattr(card, "license_name", None)
    licence = getattr(card, "license", None)
    if licence in {None, "other"} and isinstance(told_name, str):
        return told_name
    if isinstance(licence, list):
        return ", ".join(str(one) for one in cast("list[Any]", licence))
    if licence is None:
        tags = [tag.removeprefix("license:") for tag in info.tags or [] if tag.startswith("license:")]
        return tags[0] if tags else None
    return str(licence)
