"""One WebSocket client: calls in any order, and events after a replay without a gap.

Whoever sends waits in line for the socket, and the line is bounded: CALLS answers and SUBSCRIPTIONS events. A
client that doesn't read is dropped; it comes back with `since` and has missed nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import msgspec
from aiohttp import WSMsgType, web

from tendred.bus import Subscription
from tendred.clock import Ids
from tendred.errors import NotFound, SlowDown, TendredError
from tendred.rpc.document import parse
from tendred.rpc.door import RpcDoor, client_name
from tendred.rpc.jsonrpc import Dispatcher
from tendred.rpc.methods.events import EventNotice
from tendred.schema.event import Event, EventPage, Subscribed
from tendred.schema.system import BODY_BYTES
from tendred.schema.token import Grant, Scope
from tendred.tasks import Tasks

_log = logging.getLogger(__name__)

HELLO_S: Final = 5.0
HELLO_BYTES: Final = 4096
"""A stranger's first frame at most: it is parsed before anybody knows who sent it."""
SEND_S: Final = 10.0
CLOSE_S: Final = 2.0
HEARTBEAT_S: Final = 20.0
CALLS: Final = 64
SUBSCRIPTIONS: Final = 16
_PAGE: Final = 500

Bye = tuple[int, str]
LAGGED: Final[Bye] = (4408, "too slow: subscribe again with since = the last seq + 1")
STRANGER: Final[Bye] = (4401, "no token: send system.hello with it first")
STOPPING: Final[Bye] = (1001, "the daemon stops")


class _Notification(msgspec.Struct, frozen=True, kw_only=True):
    jsonrpc: Literal["2.0"] = "2.0"
    method: Literal["event"] = "event"
    params: EventNotice


@dataclass(frozen=True, slots=True)
class Hall:
    """What every socket of a door shares."""

    dispatcher: Dispatcher[RpcDoor]
    door: RpcDoor
    tasks: Tasks
    ids: Ids
    knows: Callable[[str], Grant | None]
    scopes: Callable[[str], frozenset[Scope]]
    hello_s: float = HELLO_S
    send_s: float = SEND_S


def new_websocket() -> web.WebSocketResponse:
    """An unprepared socket with the limits of this door; compression would let 300 kB become 300 MB."""
    return web.WebSocketResponse(
        timeout=CLOSE_S, heartbeat=HEARTBEAT_S, compress=False, max_msg_size=BODY_BYTES, autoping=True
    )


class SocketClient:
    """One of them, from its handshake to its end."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        transport: asyncio.Transport,
        hall: Hall,
        client: str | None,
        prove: Callable[[], None],
    ) -> None:
        self._socket = socket
        self._transport = transport
        self._hall = hall
        self.client = client
        self._prove = prove
        self._line = asyncio.Lock()
        self._calls = asyncio.Semaphore(CALLS)
        self._subscriptions: dict[str, Subscription] = {}
        self._pumps: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()
        self._bye: Bye = (1000, "")
        self._token_id = ""

    async def run(self, grant: Grant | None) -> None:
        """Serve it until it leaves, is dropped, or the daemon stops. Without a grant it has to bring its token first."""
        reader = self._hall.tasks.spawn("rpc socket reader", self._read(grant), inherit=True)
        reader.add_done_callback(lambda _: self._over.set())
        try:
            await self._over.wait()
        finally:
            self._over.set()
            for subscription in self._subscriptions.values():
                subscription.close()
            for task in (reader, *self._pumps):
                task.cancel()
            await asyncio.gather(reader, *self._pumps, return_exceptions=True)
            await self._close()

    def leave(self, bye: Bye) -> None:
        """End it soon, with a code and a reason."""
        if not self._over.is_set():
            self._bye = bye
            self._over.set()

    def subscribed(self, subscription_id: str, subscription: Subscription) -> None:
        """Keep a subscription. Raises SlowDown where there are too many."""
        if len(self._subscriptions) >= SUBSCRIPTIONS or self._over.is_set():
            subscription.close()
            raise SlowDown(retry_after_s=1)
        self._subscriptions[subscription_id] = subscription

    def unsubscribed(self, subscription_id: str) -> None:
        """End one. Raises NotFound."""
        subscription = self._subscriptions.pop(subscription_id, None)
        if subscription is None:
            raise NotFound(noun="subscription", name=subscription_id, near=sorted(self._subscriptions))
        subscription.close()

    def pump(self, told: Subscribed, replay: EventPage | None, topics: list[str]) -> None:
        """Start to send a subscription's events; first those of the past, `replay` being their first page."""
        task = self._hall.tasks.spawn("rpc socket events", self._pump(told, replay, topics))
        self._pumps.add(task)
        task.add_done_callback(self._pumps.discard)

    async def _read(self, grant: Grant | None) -> None:
        if grant is not None:
            self._token_id = grant.token_id
        elif not await self._greeted():
            self.leave(STRANGER)
            return
        while (raw := await self._frame()) is not None:
            await self._calls.acquire()
            self._hall.tasks.spawn("rpc call", self._call(raw), inherit=True)

    async def _frame(self) -> bytes | None:
        """The next message; None once the other side is gone."""
        message = await self._socket.receive()
        if message.type is WSMsgType.TEXT:
            return str(message.data).encode()
        return bytes(message.data) if message.type is WSMsgType.BINARY else None

    async def _greeted(self) -> bool:
        """Whether the first frame is a `system.hello` with the token; then it is answered too."""
        try:
            async with asyncio.timeout(self._hall.hello_s):
                raw = await self._frame()
            if raw is None or len(raw) > HELLO_BYTES:
                return False
            document: Any = parse(raw)
        except (TimeoutError, TendredError):
            return False
        match document:
            case {"method": "system.hello", "params": {"token": str(token)}} if grant := self._hall.knows(token):
                self._token_id = grant.token_id
                self._prove()
                await self._calls.acquire()
                await self._call(raw)
                return True
            case _:
                return False

    async def _call(self, raw: bytes) -> None:
        turn = _Turn(self, self._hall)
        # Asked for each call: a token that was revoked meanwhile allows nothing any more.
        scopes = self._hall.scopes(self._token_id)
        door = replace(self._hall.door, client=self.client, listener=turn, scopes=scopes, token_id=self._token_id)
        try:
            answer = await self._hall.dispatcher.answer(raw, door)
            if answer is not None:
                await self._send(answer)
            for start in turn.afterwards:
                start()
        finally:
            self._calls.release()

    async def _pump(self, told: Subscribed, replay: EventPage | None, topics: list[str]) -> None:
        last = told.seq
        subscription = self._subscriptions.get(told.subscription_id)
        if subscription is None:
            return
        try:
            while replay is not None:
                for event in replay.events:
                    await self._tell(event, told.subscription_id)
                    last = max(last, event.seq or 0)
                if replay.next_seq > told.seq or not replay.events:
                    break
                replay = await self._hall.door.studio.events_since(replay.next_seq, topics, _PAGE)
        except TendredError:
            self.leave(LAGGED)
            return
        while (event := await subscription.get()) is not None:
            if event.seq is None or event.seq > last:
                await self._tell(event, told.subscription_id)
        if told.subscription_id in self._subscriptions:
            self.leave(LAGGED)

    async def _tell(self, event: Event, subscription_id: str) -> None:
        fields = {name: getattr(event, name) for name in Event.__struct_fields__}
        notice = EventNotice(**fields, subscription_id=subscription_id)
        await self._send(msgspec.json.encode(_Notification(params=notice)))

    async def _send(self, frame: bytes) -> None:
        async with self._line:
            if self._over.is_set():
                return
            try:
                async with asyncio.timeout(self._hall.send_s):
                    await self._socket.send_str(frame.decode())
            except TimeoutError:
                self.leave(LAGGED)
            except ConnectionError:
                self._over.set()

    async def _close(self) -> None:
        code, reason = self._bye
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._socket.close(code=code, message=reason.encode())
        except TimeoutError:
            _log.info("a socket client was cut off: %s", reason)
        if self._transport.get_write_buffer_size():
            self._transport.abort()  # it doesn't read, so closing would wait for it for ever


class _Turn:
    """What one call sees of its socket; `afterwards` runs once its answer is on its way."""

    def __init__(self, owner: SocketClient, hall: Hall) -> None:
        self._owner = owner
        self._hall = hall
        self.afterwards: list[Callable[[], None]] = []

    async def subscribe(self, since: int | None, topics: list[str]) -> Subscribed:
        studio = self._hall.door.studio
        subscription, subscription_id = studio.subscribe(topics), self._hall.ids.new("sub")
        self._owner.subscribed(subscription_id, subscription)
        try:
            # Live first, then the newest number, then the past: what happens meanwhile is in the live queue.
            seq = await studio.last_seq()
            replay = None if since is None else await studio.events_since(since, topics, _PAGE)
        except BaseException:
            self._owner.unsubscribed(subscription_id)
            raise
        told = Subscribed(subscription_id=subscription_id, seq=seq, boot_id=studio.hello().boot_id)
        self.afterwards.append(lambda: self._owner.pump(told, replay, topics))
        return told

    def unsubscribe(self, subscription_id: str) -> None:
        self._owner.unsubscribed(subscription_id)

    def introduce(self, client: str) -> None:
        self._owner.client = self._owner.client or client_name(client)
