"""The protocol over HTTP in one API process."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

from litestar.datastructures import MutableScopeHeaders
from litestar.types import Message, Receive, Scope, Send
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from msgspec import UNSET

from activities.stores.catalog.records import Principal
from api.http.bodies import JSON_MAX_BODY_BYTES
from api.mcp.calls import Calls
from api.mcp.protocol import server_of
from api.mcp.schemas import RpcMessage
from api.mcp.tools import Tools

#: The header that tells apart the clients of one key, in versions of the protocol with sessions.
SESSION: Final = "Mcp-Session-Id"


class _Call(NamedTuple):
    """A request that is being answered, as its client can name it."""

    caller: str
    session: str
    id: str | int


class McpOverHttp:
    """Answers requests of the protocol. Opened once in an API process."""

    def __init__(self, tools: Tools) -> None:
        self._manager = StreamableHTTPSessionManager(
            server_of(Calls(tools).call), stateless=True, max_request_body_size=JSON_MAX_BODY_BYTES
        )
        self._calls: dict[_Call, asyncio.Event] = {}

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[McpOverHttp]:
        """Run until the process ends."""
        async with self._manager.run():
            yield self

    async def answer(self, message: RpcMessage, body: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, whose body was read and checked."""
        receive = _again(body, receive)
        call = _call_of(message, scope)
        if message.method == "initialize":
            send = _with_session(send)
        if message.method == "notifications/cancelled" and call is not None and call in self._calls:
            self._calls[call].set()
        if message.method != "tools/call" or call is None:
            await self._manager.handle_request(scope, receive, send)  # type: ignore[arg-type]
            return
        canceled = self._calls[call] = asyncio.Event()
        try:
            await self._manager.handle_request(scope, _until(canceled, receive), send)  # type: ignore[arg-type]
        finally:
            if self._calls.get(call) is canceled:
                del self._calls[call]


def _call_of(message: RpcMessage, scope: Scope) -> _Call | None:
    """The call that a message is, or cancels; None without a session, in which ids would be those of anybody."""
    headers = dict(scope["headers"])
    session = headers.get(SESSION.lower().encode(), b"").decode("latin-1")
    params = {} if message.params is UNSET else message.params
    named = params.get("requestId") if message.method == "notifications/cancelled" else message.id
    principal = scope["user"]
    if not session or not isinstance(named, str | int) or not isinstance(principal, Principal):
        return None
    return _Call(principal.key_id or principal.subject, session, named)


def _with_session(send: Send) -> Send:
    async def send_with_session(message: Message) -> None:
        if message["type"] == "http.response.start":
            message.setdefault("headers", [])
            MutableScopeHeaders.from_message(message)[SESSION] = uuid.uuid4().hex
        await send(message)

    return send_with_session


def _again(body: bytes, receive: Receive) -> Receive:
    """What is received, from the body on."""
    left: list[Any] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Any:
        return left.pop() if left else await receive()

    return receive_again


def _until(canceled: asyncio.Event, receive: Receive) -> Receive:
    """What is received, and that the client has left when it cancels."""

    async def receive_until() -> Any:
        receiving, canceling = asyncio.ensure_future(receive()), asyncio.ensure_future(canceled.wait())
        try:
            await asyncio.wait({receiving, canceling}, return_when=asyncio.FIRST_COMPLETED)
            return receiving.result() if receiving.done() else {"type": "http.disconnect"}
        finally:
            receiving.cancel()
            canceling.cancel()

    return receive_until
