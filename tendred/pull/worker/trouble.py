"""What the hub's client, the network and the disk raise, as kinds of ours."""

from __future__ import annotations

import errno
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

import httpx2
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tendred.errors import (
    CredentialsMissing,
    DiskFull,
    FolderUnwritable,
    NotFound,
    ProviderRefused,
    ProviderUnavailable,
    TendredError,
)
from tendred.pull.worker.guard import Led
from tendred.schema.pull import Fetch, Look

_FULL: Final = {errno.ENOSPC, errno.EDQUOT}
_LATER: Final = {408, 416, 425, 429}
_UNAUTHORIZED: Final = 401
_BROKEN: Final = 500
WORDS: Final = 300


@contextmanager
def told(order: Look | Fetch, folder: str = "") -> Generator[None]:
    """Raises what happens inside as one of our kinds."""
    try:
        yield
    except TendredError:
        raise
    except (HfHubHTTPError, httpx2.HTTPError, httpx2.InvalidURL, OfflineModeIsEnabled, Led, ValueError) as problem:
        raise _of_hub(problem, order) from problem
    except OSError as problem:
        raise _of_disk(problem, order, folder) from problem


def _of_hub(problem: Exception, order: Look | Fetch) -> TendredError:
    host = urlsplit(order.hub.endpoint).netloc
    page = f"{order.hub.endpoint}/{order.repo}"
    match problem:
        case GatedRepoError() if order.hub.token is None:
            return CredentialsMissing("gated", provider=host, repo=order.repo, page=page)
        case GatedRepoError():
            return ProviderRefused("gated", provider=host, repo=order.repo, page=page)
        case RevisionNotFoundError():
            revision = order.revision if isinstance(order, Look) else order.plan.commit
            return NotFound("revision", path="revision", noun="revision", name=revision, repo=order.repo, near=[])
        case RepositoryNotFoundError():
            return NotFound("hub", path="repo", noun="model", name=order.repo, host=host, page=page, near=[])
        case DisabledRepoError() | RemoteEntryNotFoundError() | ValueError() | Led():
            return ProviderRefused("pull", provider=host, problem=_short(problem))
        case HfHubHTTPError():
            return _of_status(problem, host)
        case OfflineModeIsEnabled():
            return ProviderUnavailable("offline", provider=host)
        case _ if "CERTIFICATE_VERIFY_FAILED" in str(problem):
            return ProviderUnavailable("certificate", provider=host)
        case httpx2.ConnectError() | httpx2.ConnectTimeout():
            return ProviderUnavailable("unreached", provider=host, problem=_short(problem))
        case _:
            return ProviderUnavailable("pull", provider=host, problem=_short(problem))


def _of_status(problem: HfHubHTTPError, host: str) -> TendredError:
    status = problem.response.status_code
    if status == _UNAUTHORIZED:
        return CredentialsMissing("rejected", provider=host)
    if status in _LATER or status >= _BROKEN:
        return ProviderUnavailable("pull", provider=host, problem=f"HTTP {status}")
    # Not its own words: they hold the address, and a CDN's is signed.
    words = problem.server_message or problem.response.reason_phrase
    return ProviderRefused("pull", provider=host, problem=f"HTTP {status}: {_short(words)}")


def _of_disk(problem: OSError, order: Look | Fetch, folder: str) -> TendredError:
    if problem.errno in _FULL:
        return DiskFull("pull", folder=folder, repo=order.repo)
    if problem.errno in {errno.EACCES, errno.EROFS, errno.EPERM}:
        return FolderUnwritable(folder=folder, problem=problem.strerror)
    # The library's own, when a connection ends before the file does, carries no number.
    host = urlsplit(order.hub.endpoint).netloc
    return ProviderUnavailable("pull", provider=host, problem=_short(problem))


def _short(problem: BaseException | str) -> str:
    """Its first line, and not much of that: a server may say anything."""
    words = str(problem).strip().splitlines() or [type(problem).__name__]
    return words[0][:WORDS]
