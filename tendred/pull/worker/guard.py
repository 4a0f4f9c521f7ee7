"""The HTTP client that the hub's library is given: a token reaches its own host alone, and nobody leads us home."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable
from typing import Final
from urllib.request import getproxies

import httpx2
from huggingface_hub import constants, set_client_factory
from huggingface_hub.errors import OfflineModeIsEnabled

_PORTS: Final = {"http": 80, "https": 443}
Resolve = Callable[[str], list[str]]
"""The addresses of a host's name."""


class Led(Exception):  # noqa: N818 - it tells where, not what broke
    """The hub's answer leads somewhere that no hub's answer should lead."""


def addresses(host: str) -> list[str]:
    """What the system's resolver says; nothing where only a proxy can tell, or nobody."""
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except OSError:
        return []


def unproxied() -> Resolve:
    """How to look up names. Behind a proxy the names are its business; addresses that stand in a URL never are."""
    if not getproxies():
        return addresses
    return lambda host: [host] if _literal(host) else []


class Guard:
    """Looks at every request, those after a redirect too."""

    def __init__(self, endpoint: str, resolve: Resolve) -> None:
        self._home = httpx2.URL(endpoint)
        self._resolve = resolve
        self._public = self._is_public(self._home.host)

    def __call__(self, request: httpx2.Request) -> None:
        """Raises Led, or OfflineModeIsEnabled where the user's environment says so."""
        if constants.is_offline_mode():
            raise OfflineModeIsEnabled(f"{request.url.host} is not asked")
        if _origin(request.url) == _origin(self._home):
            return
        # The library leaves the token on redirects among the hosts that it takes for one hub. Ours belongs to one.
        request.headers.pop("authorization", None)
        if self._home.scheme == "https" and request.url.scheme != "https":
            raise Led(f"from https to {request.url.scheme}://{request.url.host}")
        if self._public and not self._is_public(request.url.host):
            raise Led(f"to {request.url.host}, which is not on the internet")

    def _is_public(self, host: str) -> bool:
        return all(_global(address) for address in self._resolve(host))


def use(endpoint: str) -> None:
    """Let every request of the hub's library pass the guard."""

    def client() -> httpx2.Client:
        hook = Guard(endpoint, unproxied())
        return httpx2.Client(event_hooks={"request": [hook]}, follow_redirects=True, timeout=timeout_s())

    set_client_factory(client)


def timeout_s() -> float:
    """Seconds of silence on a connection after which it counts as gone."""
    return float(os.environ.get("HF_HUB_DOWNLOAD_TIMEOUT", "30"))


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or _PORTS.get(url.scheme)


def _literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return True


def _global(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_global
    except ValueError:
        return False
