"""JSON-RPC 2.0 without a transport: bytes in, bytes out. Source: jsonrpc.org/specification.

Stricter than the specification where it leaves room: params are named, a batch holds 1 to 32 calls, and a
document that two parsers could read in two ways (duplicate keys, NaN, lone surrogates) is no document.
"""

from __future__ import annotations

import asyncio
import difflib
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, Protocol, TypeVar, cast

import msgspec

from tendred.errors import (
    Internal,
    InvalidParams,
    InvalidRequest,
    MethodNotFound,
    NeedsSocket,
    NotPermitted,
    TendredError,
    TooLarge,
)
from tendred.rpc.document import Document, parse
from tendred.schema.base import Asked
from tendred.schema.decode import convert
from tendred.schema.error import ErrorInfo
from tendred.schema.system import BATCH

_log = logging.getLogger(__name__)

"""Calls in a batch at most."""
ID_CHARS: Final = 256
_THREAD_BYTES: Final = 64 * 1024
"""A longer body is parsed in a thread: 900 kB of `{}` would hold the loop for 0.2 s."""
ANSWER_BYTES: Final = 8 * 1024 * 1024
"""What the results in one answer may come to; 32 lists of long prompts would be 250 MB."""

Scope = Literal["read", "generate", "manage"]
CallId = str | int | float | None


class AnyDoor(Protocol):
    """What a dispatcher has to know of the door that a call came in by."""

    @property
    def scopes(self) -> frozenset[Scope]: ...
    @property
    def on_socket(self) -> bool: ...


D = TypeVar("D", bound=AnyDoor)
P = TypeVar("P", bound=Asked)


@dataclass(frozen=True, slots=True)
class Call(Generic[D]):
    """One call: the door it came in by, and its params as received."""

    door: D
    asked: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Method(Generic[D]):
    """A method that clients can call. `errors` are the kinds it may answer with besides the common ones."""

    name: str
    summary: str
    scope: Scope
    params: type[Asked]
    result: Any
    run: Callable[[Call[D], Any], Awaitable[object]]
    needs_socket: bool = False
    errors: tuple[type[TendredError], ...] = ()


class Registry(Generic[D]):
    """Every method by name. Filled explicitly, never by reflection."""

    def __init__(self) -> None:
        self.methods: dict[str, Method[D]] = {}

    def add(
        self,
        name: str,
        params: type[P],
        run: Callable[[Call[D], P], Awaitable[object]],
        *,
        result: Any,
        summary: str,
        scope: Scope,
        needs_socket: bool = False,
        errors: tuple[type[TendredError], ...] = (),
    ) -> None:
        """Register a method; a name can be taken once."""
        if name in self.methods:
            raise ValueError(f"{name} is registered twice")
        self.methods[name] = Method(name, summary, scope, params, result, run, needs_socket, errors)

    def find(self, name: str) -> Method[D]:
        """The method of that name; raises MethodNotFound with the nearest names."""
        if found := self.methods.get(name):
            return found
        near = difflib.get_close_matches(name, self.methods, n=3)
        raise MethodNotFound(method=name[:100], near=near or sorted(self.methods))


class ErrorObject(msgspec.Struct, frozen=True):
    """The specification's error object."""

    code: int
    message: str
    data: ErrorInfo


class Success(msgspec.Struct, frozen=True, kw_only=True):
    """The specification's response, with a result that is JSON already."""

    jsonrpc: Literal["2.0"] = "2.0"
    result: msgspec.Raw
    id: CallId


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """The specification's response, with an error."""

    jsonrpc: Literal["2.0"] = "2.0"
    error: ErrorObject
    id: CallId


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    params: dict[str, Any] | list[Any]
    id: CallId
    answered: bool


class _Room:
    """What is left for the results of one answer."""

    def __init__(self, limit: int) -> None:
        self._limit = self._left = limit

    def take(self, size: int, *, always: bool = False) -> None:
        """Raises TooLarge, from then on every time. `always` is for what has changed something and must be told."""
        self._left -= size
        if self._left <= 0 and not always:
            self._left = 0
            raise TooLarge("answer", limit_bytes=self._limit)


class Dispatcher(Generic[D]):
    """Answers documents. `tell` puts an exception into words and into the log."""

    def __init__(
        self, registry: Registry[D], tell: Callable[[BaseException], ErrorInfo], answer_bytes: int = ANSWER_BYTES
    ) -> None:
        self._registry = registry
        self._tell = tell
        self._answer_bytes = answer_bytes

    async def answer(self, raw: bytes, door: D) -> bytes | None:
        """The response to a document, or None where it held notifications only. Never raises but to be cancelled."""
        try:
            document = await asyncio.to_thread(parse, raw) if len(raw) > _THREAD_BYTES else parse(raw)
        except TendredError as error:
            return self._failure(error, None)
        return await self.answer_document(document, door)

    async def answer_document(self, document: Document, door: D) -> bytes | None:
        """As `answer`, of a document that is parsed already. The calls of a batch run one after another.

        Once a result found no room in the answer, those behind it that want one are refused without being run.
        """
        room = _Room(self._answer_bytes)
        if not isinstance(document, list):
            return await self._one(document, door, room)
        if not 1 <= len(document) <= BATCH:
            problem = f"a batch holds 1 to {BATCH} calls, not {len(document)}"
            return self._failure(InvalidRequest(problem=problem), None)
        answers = [answer for entry in document if (answer := await self._one(entry, door, room)) is not None]
        return b"[" + b",".join(answers) + b"]" if answers else None

    async def _one(self, entry: Document, door: D, room: _Room) -> bytes | None:
        try:
            request = _request(entry)
        except TendredError as error:
            return self._failure(error, _id(entry))
        try:
            if request.answered:
                room.take(0)
            result = msgspec.json.encode(await self._run(request, door))
            if request.answered:
                room.take(len(result), always=self._registry.find(request.method).scope != "read")
        except Exception as error:  # noqa: BLE001 - whatever a handler raises becomes an answer
            failure = self._failure(error, request.id)
            return failure if request.answered else None
        return _success(result, request.id) if request.answered else None

    async def _run(self, request: _Request, door: D) -> object:
        method = self._registry.find(request.method)
        if method.scope not in door.scopes:
            raise NotPermitted(scope=method.scope)
        if method.needs_socket and not door.on_socket:
            raise NeedsSocket(method=method.name)
        if isinstance(request.params, list):
            raise InvalidParams("positional")
        params = convert(request.params, method.params)
        return await method.run(Call(door, request.params), params)

    def _failure(self, error: BaseException, call_id: CallId) -> bytes:
        told = self._tell(error)
        code = error.code if isinstance(error, TendredError) else Internal.code
        if 0 <= code < 1000:  # noqa: PLR2004 - HTTP statuses and exit codes: never JSON-RPC codes
            code = Internal.code
        failure = Failure(error=ErrorObject(code, told.message, told), id=call_id)
        try:
            return msgspec.json.encode(failure)
        except UnicodeEncodeError:  # it tells of a file whose name is no text; the answer still has to come
            return json.dumps(msgspec.to_builtins(failure), ensure_ascii=False).encode("utf-8", "replace")


def _success(result: bytes, call_id: CallId) -> bytes:
    return msgspec.json.encode(Success(result=msgspec.Raw(result), id=call_id))


def _id(entry: object) -> CallId:
    """The id of what may not be a request at all; null where it can't be told."""
    found = cast("dict[str, object]", entry).get("id") if isinstance(entry, dict) else None
    if isinstance(found, str):
        return found if len(found) <= ID_CHARS else None
    return found if isinstance(found, int | float) and not isinstance(found, bool) else None


def _request(entry: Document) -> _Request:
    if not isinstance(entry, dict):
        raise InvalidRequest(problem="a call is an object")
    if entry.get("jsonrpc") != "2.0":
        raise InvalidRequest(problem='jsonrpc must be "2.0"')
    method, params = entry.get("method"), entry.get("params", {})
    if not isinstance(method, str):
        raise InvalidRequest(problem="method must be text")
    if "id" in entry and _id(entry) is None and entry["id"] is not None:
        raise InvalidRequest(problem=f"id must be a number, null or text of at most {ID_CHARS} characters")
    if not isinstance(params, dict | list):
        raise InvalidRequest(problem="params must be an object")
    return _Request(method, cast("dict[str, Any] | list[Any]", params), _id(entry), "id" in entry)
