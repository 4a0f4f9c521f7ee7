"""A small synchronous client of a daemon on this machine: the standard library's HTTP, one connection per call.

It finds the daemon by its discovery file, prefers the Unix socket, and never shows the token to anybody.
"""

from __future__ import annotations

import http.client
import os
import socket
import sys
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from tendred import __version__
from tendred.config.paths import Paths
from tendred.errors import Internal, NoDaemon, TendredError, registry
from tendred.schema.error import ErrorInfo, tell
from tendred.schema.system import Discovery

NAME: Final = f"tendre/{__version__}"
TIMEOUT_S: Final = 30.0


class RpcError(Exception):
    """What the daemon answered instead of a result. `info` holds the words; switch on `kind`."""

    def __init__(self, info: ErrorInfo) -> None:
        super().__init__(info.message)
        self.info = info

    @property
    def kind(self) -> str:
        return self.info.kind

    @property
    def message(self) -> str:
        return self.info.message

    @property
    def next(self) -> str:
        return self.info.next

    @property
    def detail(self) -> dict[str, Any]:
        return self.info.detail


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over the Unix socket; the Host header stays the TCP one, which the daemon's guard knows."""

    def __init__(self, path: str, host: str, port: int | None, timeout: float) -> None:
        super().__init__(host, port, timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _Envelope(msgspec.Struct):
    """The parts of a JSON-RPC answer that matter here."""

    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


def alive(pid: int) -> bool:
    """Whether a process runs under this number. A dead one that nobody has buried yet doesn't count."""
    if sys.platform == "win32":  # os.kill(pid, 0) would end it there; the connection tells instead.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except (OSError, IndexError):
        return True


class Client:
    """Calls one daemon. `lang` asks for its messages in that language; `folder` is named when it is gone."""

    def __init__(self, discovery: Discovery, *, folder: Path, lang: str = "en", timeout_s: float = TIMEOUT_S) -> None:
        self.discovery = discovery
        self._folder = folder
        self._lang = lang
        self._timeout_s = timeout_s

    @classmethod
    def find(cls, paths: Paths, *, lang: str = "en", timeout_s: float = TIMEOUT_S) -> Client:
        """The daemon of these directories. Raises NoDaemon; a file left by one that died counts as none."""
        found = read_discovery(paths.discovery)
        if found is None or not alive(found.pid):
            raise NoDaemon(folder=str(paths.data))
        return cls(found, folder=paths.data, lang=lang, timeout_s=timeout_s)

    def patient(self, seconds: float) -> Client:
        """The same, for calls that take long."""
        return Client(self.discovery, folder=self._folder, lang=self._lang, timeout_s=seconds)

    def bearing(self, token: str) -> Client:
        """The same, with another token."""
        found = msgspec.structs.replace(self.discovery, token=token)
        return Client(found, folder=self._folder, lang=self._lang, timeout_s=self._timeout_s)

    def call(self, method: str, /, **params: Any) -> dict[str, Any]:
        """Call a method with named params and return its result.

        Raises RpcError for any answer that is none, NoDaemon when nobody answers. A `timeout_s` among the
        params is time that the daemon may take, so it is added to our own patience.
        """
        body = msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        patience = self._timeout_s + float(params.get("timeout_s") or 0)
        status, data = self._post(body, patience)
        return self._read(status, data)

    def _post(self, body: bytes, patience: float) -> tuple[int, bytes]:
        link = self._connection(patience)
        headers = {
            "Authorization": f"Bearer {self.discovery.token}",
            "Content-Type": "application/json",
            "Accept-Language": self._lang,
            "Tendred-Client": NAME,
            "Connection": "close",
        }
        sent = False
        try:
            link.connect()
            sent = True
            link.request("POST", "/rpc", body, headers)
            answer = link.getresponse()
            return answer.status, answer.read()
        except TimeoutError:
            raise NoDaemon(
                "silent", folder=str(self._folder), pid=self.discovery.pid, seconds=f"{patience:g}"
            ) from None
        except (OSError, http.client.HTTPException):
            raise NoDaemon("gone" if sent else "", folder=str(self._folder)) from None
        finally:
            link.close()

    def _connection(self, patience: float) -> http.client.HTTPConnection:
        url = urlsplit(self.discovery.url)
        host = url.hostname or "127.0.0.1"
        path = self.discovery.socket
        if path and hasattr(socket, "AF_UNIX"):
            return _UnixConnection(path, host, url.port, patience)
        return http.client.HTTPConnection(host, url.port, timeout=patience)

    def _read(self, status: int, data: bytes) -> dict[str, Any]:
        try:
            answer = msgspec.json.decode(data, type=_Envelope)
        except msgspec.DecodeError:
            raise RpcError(tell(Internal(), f"HTTP {status}", self._lang)) from None
        if answer.error is not None:
            raise RpcError(self._told(answer.error))
        if answer.result is None:
            raise RpcError(tell(Internal(), f"HTTP {status}", self._lang))
        return answer.result

    def _told(self, error: dict[str, Any]) -> ErrorInfo:
        """JSON-RPC errors carry the whole record; the guard's carry kind and message, so `next` is ours."""
        try:
            return msgspec.convert(error.get("data", error), ErrorInfo)
        except msgspec.ValidationError:
            kind = registry().get(str(error.get("kind")), Internal)
            ours = tell(kind(), "", self._lang)
            return msgspec.structs.replace(ours, message=str(error.get("message") or ours.message))


def read_discovery(path: Path) -> Discovery | None:
    """What the discovery file says; None without one, or when it isn't one."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Discovery)
    except (OSError, msgspec.DecodeError):
        return None


def as_info(error: TendredError | RpcError, lang: str) -> ErrorInfo:
    """Any failure of a call in words."""
    return error.info if isinstance(error, RpcError) else tell(error, "", lang)
