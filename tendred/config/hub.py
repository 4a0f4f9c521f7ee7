"""The hub as the settings and the environment say it: its address, its token, and what its child may know."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tendred.config import key_file
from tendred.config.schema import HubSection
from tendred.config.secret import Secret
from tendred.errors import CredentialsMissing

DEFAULT: Final = "https://huggingface.co"
PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
PASSED: Final = (*PROXIES, *(name.lower() for name in PROXIES), "SSL_CERT_FILE", "SSL_CERT_DIR", "HF_HUB_OFFLINE")
"""Variables of ours that reach the child that pulls, and no other."""
QUIET: Final = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    # Its protocol resumes nothing: what hf_xet had of a file is gone with the process.
    "HF_HUB_DISABLE_XET": "1",
    "HF_HUB_DOWNLOAD_TIMEOUT": "30",
    # Its warnings name addresses, and a CDN's are signed.
    "HF_HUB_VERBOSITY": "error",
    "PYTHONWARNINGS": "ignore",
}


@dataclass(frozen=True, repr=False)
class HubPlace:
    """Where the hub is. `env` is what the child's environment holds besides the usual."""

    endpoint: str
    env: Mapping[str, str]
    _file: str
    _file_host: str
    _variable: Secret | None
    _variable_host: str

    @property
    def host(self) -> str:
        """The hub's host, with the port if the address has one."""
        return urlsplit(self.endpoint).netloc

    def token(self) -> Secret | None:
        """The token that is for this very host; none for any other. Blocking. Raises CredentialsMissing for a bad file."""
        if self._file:
            return _read(Path(self._file).expanduser(), self.host) if self._file_host == self.host else None
        return self._variable if self._variable_host == self.host else None


def place(section: HubSection, env: Mapping[str, str] | None = None) -> HubPlace:
    """Settings first, then the environment. HF_TOKEN belongs to the hub that the environment itself names."""
    env = os.environ if env is None else env
    theirs = (env.get("HF_ENDPOINT") or DEFAULT).rstrip("/")
    theirs = theirs if "://" in theirs else f"https://{theirs}"
    endpoint = section.endpoint.rstrip("/") or theirs
    variable = env.get("HF_TOKEN", "").strip()
    return HubPlace(
        endpoint=endpoint,
        env=_environment(section, env, endpoint),
        _file=section.token_file,
        _file_host=section.token_host or urlsplit(DEFAULT).netloc,
        _variable=Secret(variable) if variable else None,
        _variable_host=urlsplit(theirs).netloc,
    )


def _environment(section: HubSection, env: Mapping[str, str], endpoint: str) -> dict[str, str]:
    told = {name: env[name] for name in PASSED if env.get(name)}
    if section.proxy:
        kept = {name: value for name, value in told.items() if name.upper() not in PROXIES[:3]}
        told = {**kept, "HTTP_PROXY": section.proxy, "HTTPS_PROXY": section.proxy}
    if section.ca_file:
        told["SSL_CERT_FILE"] = str(Path(section.ca_file).expanduser())
    # The library decides by this which hosts are the hub's own.
    return {**told, **QUIET, "HF_ENDPOINT": endpoint}


def _read(file: Path, host: str) -> Secret:
    try:
        return key_file.read(file)
    except key_file.UnfitError as problem:
        raise CredentialsMissing("file", provider=host, file=str(file), problem=str(problem)) from problem
