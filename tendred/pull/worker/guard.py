"""The HTTP client that the hub's library is given: a token reaches its own host alone, and nobody leads us home."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable
from typing import Final
from urllib.request import getproxies, proxy_bypass

import httpx2
from huggingface_hub import constants, set_client_factory
from huggingface_hub.errors import OfflineModeIsEnabled

_PORTS: Final = {"http": 80, "https": 443}
Resolve = Callable[[str, str], list[str]]
"""The addresses that a scheme and a host's name lead to."""


class Led(Exception):  # noqa: N818 - it tells where, not what broke
    """The hub's answer leads somewhere that no hub's answer should lead."""


def addresses(host: str) -> list[str]:
    """What the system's resolver says; nothing where only a proxy can tell, or nobody."""
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except OSError:
        return []


def unproxied(look_up: Callable[[str], list[str]] = addresses) -> Resolve:
    """How to look up names. Behind a proxy the names are its business; addresses that stand in a URL never are.

    Whether one is in use is asked for each request: `NO_PROXY` alone is no proxy, and it keeps some hosts from theirs.
    """
    proxies = getproxies()

    def resolve(scheme: str, host: str) -> list[str]:
        if _literal(host):
            return [host]
        proxied = (proxies.get(scheme) or proxies.get("all")) and not proxy_bypass(host)
        return [] if proxied else look_up(host)

    return resolve


class Guard:
    """Looks at every request, those after a redirect too."""

    def __init__(self, endpoint: str, resolve: Resolve) -> None:
        self._home = httpx2.URL(endpoint)
        self._resolve = resolve
        found = resolve(self._home.scheme, self._home.host)
        self._public = all(map(_global, found))
        self._at_home = bool(found) and not any(map(_global, found))

    def __call__(self, request: httpx2.Request) -> None:
        """Raises Led, or OfflineModeIsEnabled where the user's environment says so."""
        if constants.is_offline_mode():
            raise OfflineModeIsEnabled(f"{request.url.host} is not asked")
        if _origin(request.url) == _origin(self._home):
            if self._home.scheme != "https" and not self._at_home and "authorization" in request.headers:
                raise Led(f"{self._home.host} would get the token in clear; its address has to begin with https")
            return
        # The library leaves the token on redirects among the hosts that it takes for one hub. Ours belongs to one.
        request.headers.pop("authorization", None)
        if self._home.scheme == "https" and request.url.scheme != "https":
            raise Led(f"from https to {request.url.scheme}://{request.url.host}")
        if self._public and not all(map(_global, self._resolve(request.url.scheme, request.url.host))):
            raise Led(f"to {request.url.host}, which is not on the internet")


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
