"""Which addresses a connection may go to: the provider's own, and, for files, public ones that it names."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

_PORTS: Final = {"https": 443, "http": 80}


class HostNotAllowed(OSError):  # noqa: N818 - as OSError's own are called
    """An address that nothing is sent to."""


@dataclass(frozen=True)
class Origin:
    """Scheme, host and port: what a key is for."""

    scheme: str
    host: str
    port: int

    @property
    def is_here(self) -> bool:
        """Whether it is this very machine."""
        return self.host == "localhost" or (_is_ip(self.host) and ipaddress.ip_address(self.host).is_loopback)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def origin(url: str) -> Origin:
    """Of an address. Raises HostNotAllowed for what isn't https, except on this machine, and for names and passwords in it."""
    try:
        parts: SplitResult = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as problem:
        raise HostNotAllowed("that is no address") from problem
    if parts.scheme not in _PORTS or not host or parts.username is not None or parts.password is not None:
        raise HostNotAllowed("that is no address that can be used")
    found = Origin(parts.scheme, host.lower(), port or _PORTS[parts.scheme])
    if found.scheme != "https" and not found.is_here:
        raise HostNotAllowed(f"{found.host} is asked without encryption")
    return found


def allowed(url: str, home: Origin) -> Origin:
    """Of an address that a provider at `home` names. Raises HostNotAllowed where a public one leads into the local network."""
    found = origin(url)
    if not home.is_here and _is_ip(found.host) and not ipaddress.ip_address(found.host).is_global and found != home:
        raise HostNotAllowed(f"{found.host} is no public address")
    if not home.is_here and found.host == "localhost":
        raise HostNotAllowed(f"{found.host} is no public address")
    return found


def is_under(host: str, domains: list[str]) -> bool:
    """Whether it is one of these, or a name below one."""
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


class PublicResolver(AbstractResolver):
    """Resolves names to public addresses only: a name that somebody else chose must not lead into the local network."""

    def __init__(self) -> None:
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        public = [one for one in found if ipaddress.ip_address(one["host"].partition("%")[0]).is_global]
        if not public:
            raise HostNotAllowed(f"{host} has no public address")
        return public

    async def close(self) -> None:
        await self._inner.close()


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
