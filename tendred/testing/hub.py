"""A hub on loopback: the model API, `resolve` with redirects to a CDN on a port of its own, ranges, and a list of faults.

It counts what it sends, range by range, and keeps the headers of every request.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Literal, Self
from urllib.parse import unquote, urlsplit

PIECE: Final = 16 * 1024
LARGE: Final = 64 * 1024
"""Files from here on, and all weights, are kept with Git LFS: known by SHA-256 and sent by the CDN."""
_SIOCOUTQ: Final = 0x5411
"""ioctl of Linux: bytes of a socket that the other side has not acknowledged."""


def weights(size: int, seed: int = 0) -> bytes:
    """A good safetensors file of one tensor with `size` bytes."""
    header = json.dumps({f"w{seed}": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    header += b" " * (-len(header) % 8)
    block = hashlib.sha256(f"weights {seed}".encode()).digest() * 1024
    body = (block * (size // len(block) + 1))[:size]
    return struct.pack("<Q", len(header)) + header + body


def model(size: int = 200_000) -> dict[str, bytes]:
    """The files of a small model in the diffusers layout, beside much that is not wanted. `size`: of its largest."""
    index = {
        "_class_name": "StableDiffusionXLPipeline",
        "_diffusers_version": "0.42.1",
        "scheduler": ["diffusers", "EulerDiscreteScheduler"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "image_encoder": [None, None],
    }
    files = {
        "model_index.json": json.dumps(index).encode(),
        "README.md": b"---\nlicense: openrail++\n---\nA model.",
        "LICENSE.md": b"Do no harm.",
        "scheduler/scheduler_config.json": b'{"_class_name": "EulerDiscreteScheduler"}',
        "tokenizer/merges.txt": b"a b",
        "tokenizer/vocab.json": b'{"a": 0}',
        "tokenizer/tokenizer_config.json": b"{}",
        "unet/config.json": b'{"sample_size": 8}',
        "unet/diffusion_pytorch_model.safetensors": weights(size, 1),
        "unet/diffusion_pytorch_model.fp16.safetensors": weights(size // 2, 2),
        "vae/config.json": b'{"block_out_channels": [8, 8, 8, 8]}',
        "vae/diffusion_pytorch_model.safetensors": weights(size // 4, 3),
    }
    beside = (
        "unet/diffusion_pytorch_model.bin", "unet/openvino_model.xml", "unet/model.onnx", "vae/run.py", "handler.py",
        "sd_xl.safetensors", "old.ckpt", "examples/a.png", "flax/model.msgpack", ".gitattributes", "../escape.json",
        "unet/deep/config.json", "unet/diffusion_pytorch_model.non_ema.safetensors",
    )  # fmt: skip
    return {**files, **dict.fromkeys(beside, b"not wanted")}


@dataclass
class Repo:
    """A repository at one commit. `token`: nobody else is let in; `gated` says so, private ones say nothing."""

    files: Mapping[str, bytes]
    licence: str = "openrail++"
    gated: bool = False
    token: str | None = None
    let_in: bool = True
    tags: tuple[str, ...] = ("main",)
    revisions: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def commit(self) -> str:
        seen = hashlib.sha1(usedforsecurity=False)
        for name in sorted(self.files):
            seen.update(name.encode() + self.files[name])
        return seen.hexdigest()


@dataclass
class Fault:
    """What happens when byte `at` of a file is due, `times` times. `call` runs something first, then the bytes go on.

    `cut` ends the connection there, `wrong` spoils that byte, `status` answers so instead of with the file, `whole`
    ignores the range that was asked for.
    """

    file: str
    at: int = 0
    what: Literal["cut", "wrong", "status", "call", "whole"] = "cut"
    status: int = 503
    call: Callable[[], object] = lambda: None
    times: int = 1


@dataclass
class Request:
    """One that came in. `where` is `hub` or `cdn`."""

    where: str
    method: str
    path: str
    headers: dict[str, str]


class FakeHub:
    """Use it as a context. `endpoint` is the hub's address; files of `repos` may be exchanged while it runs.

    `certificate` (a PEM file with its key) makes the hub speak TLS; the CDN never does. It also answers as a proxy.
    """

    def __init__(self, repos: Mapping[str, Repo] | None = None, certificate: Path | None = None) -> None:
        self.repos = dict(repos or {"maker/tiny": Repo(model())})
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.sent: dict[str, list[tuple[int, int]]] = {}
        self.lock = threading.Lock()
        self.busy = 0
        """Files that are being sent just now; what was sent of them isn't counted yet."""
        self._scheme = "http" if certificate is None else "https"
        self._servers = [_Server(self, "hub", certificate), _Server(self, "cdn")]

    def __enter__(self) -> Self:
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    @property
    def endpoint(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._servers[0].server_port}"

    @property
    def host(self) -> str:
        return urlsplit(self.endpoint).netloc

    @property
    def cdn(self) -> str:
        return f"http://127.0.0.1:{self._servers[1].server_port}"

    def twice(self, file: str) -> int:
        """Bytes of a file that were sent more than once."""
        ranges = sorted(self.sent.get(file, []))
        union, end = 0, 0
        for start, stop in ranges:
            union += max(0, stop - max(start, end))
            end = max(end, stop)
        return sum(stop - start for start, stop in ranges) - union

    def times(self, file: str) -> int:
        """How often a file was asked for."""
        return len(self.sent.get(file, []))

    def due(self, file: str, start: int, stop: int, *kinds: str) -> Fault | None:
        """The fault that is due in these bytes, used up by being told."""
        with self.lock:
            for fault in self.faults:
                if fault.what in kinds and fault.file == file and fault.times > 0 and start <= fault.at < stop:
                    fault.times -= 1
                    return fault
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, hub: FakeHub, where: str, certificate: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.hub, self.where = hub, where
        if certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
        # Little under way, so that what was sent is nearly what was read.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, PIECE)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is what this is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride] - we are started by no other

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's word
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub = self.server.hub
        headers = {name.lower(): value for name, value in self.headers.items()}
        with hub.lock:
            hub.requests.append(Request(self.server.where, self.command, self.path, headers))
        path = unquote(urlsplit(self.path).path)
        if self.server.where == "cdn":
            self._cdn(path)
        elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path):
            self._api(match[1], match[2] or "main")
        elif match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._resolve(match[1], match[2], match[3])
        else:
            self._say(404, {"error": "Not Found"})

    def _api(self, name: str, revision: str) -> None:
        if (fault := self.server.hub.due("", 0, 1, "status")) is not None:
            return self._say(fault.status, {"error": "busy"})
        repo = self.server.hub.repos.get(name)
        if repo is None or (repo.token is not None and not repo.gated and not self._is_let_in(repo)):
            return self._say(401, {"error": "Repository not found"}, **{"X-Error-Code": "RepoNotFound"})
        if revision not in {*repo.tags, repo.commit}:
            return self._say(404, {"error": "Invalid rev id"}, **{"X-Error-Code": "RevisionNotFound"})
        return self._say(
            200,
            {
                "id": name, "sha": repo.commit, "gated": "auto" if repo.gated else False, "private": False,
                "tags": ["diffusers", f"license:{repo.licence}"], "cardData": {"license": repo.licence},
                "siblings": [_sibling(path, data) for path, data in repo.files.items()],
            },
        )  # fmt: skip

    def _resolve(self, name: str, revision: str, path: str) -> None:
        repo = self.server.hub.repos.get(name)
        if repo is None:
            return self._say(401, {"error": "Repository not found"}, **{"X-Error-Code": "RepoNotFound"})
        if repo.gated and not self._is_let_in(repo):
            known = self.headers.get("authorization") is not None
            return self._say(403 if known else 401, {"error": "gated"}, **{"X-Error-Code": "GatedRepo"})
        if revision not in {*repo.tags, repo.commit} or path not in repo.files:
            return self._say(404, {"error": "no"}, **{"X-Error-Code": "EntryNotFound", "X-Repo-Commit": repo.commit})
        data = repo.files[path]
        told = {"X-Repo-Commit": repo.commit, "ETag": f'"{_git(data)}"'}
        if not _is_large(path, data):
            return self._bytes(path, data, told)
        sha256 = hashlib.sha256(data).hexdigest()
        told |= {
            "X-Linked-ETag": f'"{sha256}"', "X-Linked-Size": str(len(data)),
            "Location": f"{self.server.hub.cdn}/{name}/{sha256}/{path}?signature=x",
        }  # fmt: skip
        return self._say(302, {}, **told)

    def _cdn(self, path: str) -> None:
        _, owner, repo, sha256, name = path.split("/", 4)
        if self.headers.get("authorization") is not None:
            return self._say(400, {"error": "a signed address takes no token"})
        data = self.server.hub.repos[f"{owner}/{repo}"].files[name]
        return self._bytes(name, data, {"ETag": f'"{sha256}"'})

    def _bytes(self, name: str, data: bytes, told: dict[str, str]) -> None:
        hub = self.server.hub
        if (fault := hub.due(name, 0, len(data) + 1, "status")) is not None:
            return self._say(fault.status, {"error": "busy"})
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("range", ""))
        start = int(asked[1]) if asked and hub.due(name, 0, len(data) + 1, "whole") is None else 0
        if asked and int(asked[1]) >= len(data):
            return self._say(416, {"error": "beyond"}, **{"Content-Range": f"bytes */{len(data)}"})
        self.send_response(206 if start else 200)
        if start:
            told = {**told, "Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
        self._headers({**told, "Accept-Ranges": "bytes", "Content-Length": str(len(data) - start)})
        if self.command == "GET":
            self._send(name, data, start)
        return None

    def _send(self, name: str, data: bytes, start: int) -> None:
        hub, at = self.server.hub, start
        with hub.lock:
            hub.busy += 1
        try:
            while at < len(data):
                stop = min(at + PIECE, len(data))
                piece = bytearray(data[at:stop])
                if (fault := hub.due(name, at, stop, "wrong")) is not None:
                    piece[fault.at - at] ^= 0xFF
                if (fault := hub.due(name, at, stop, "call")) is not None:
                    fault.call()
                if (fault := hub.due(name, at, stop, "cut")) is not None:
                    self._write(piece[: fault.at - at])
                    at = fault.at
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self._write(piece)
                at = stop
        except OSError:
            self.close_connection = True
        finally:
            with hub.lock:
                hub.sent.setdefault(name, []).append((start, at))
                hub.busy -= 1

    def _write(self, piece: bytes | bytearray) -> None:
        self.wfile.write(piece)
        if sys.platform == "linux":
            import fcntl  # noqa: PLC0415 - not on Windows

            for _ in range(2000):
                left = struct.unpack("i", fcntl.ioctl(self.connection, _SIOCOUTQ, b"\0" * 4))[0]
                if left == 0:
                    break
                threading.Event().wait(0.001)

    def _say(self, status: int, document: object, **headers: str) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self._headers({**headers, "Content-Type": "application/json", "Content-Length": str(len(body))})
        if self.command == "GET":
            with contextlib.suppress(OSError):
                self.wfile.write(body)

    def _headers(self, headers: Mapping[str, str]) -> None:
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _is_let_in(self, repo: Repo) -> bool:
        given = self.headers.get("authorization")
        return repo.let_in and repo.token is not None and given == f"Bearer {repo.token}"


def _is_large(path: str, data: bytes) -> bool:
    return path.endswith((".safetensors", ".bin", ".ckpt")) or len(data) >= LARGE


def _git(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _sibling(path: str, data: bytes) -> dict[str, Any]:
    told: dict[str, Any] = {"rfilename": path, "size": len(data), "blobId": _git(data)}
    if _is_large(path, data):
        told["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
    return told
