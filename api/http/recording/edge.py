"""The layer of the application that knows each request, before it is known who asks."""

from __future__ import annotations

import uuid
from typing import Final

from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from activities.telemetry import origin
from activities.telemetry.origin import Origin

#: The header of an answer by which its events are found in the audit trail.
REQUEST_ID: Final = "X-Request-Id"


class Recording:
    """Gives each request an id, which its audit events and its answer have."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] not in (ScopeType.HTTP, ScopeType.WEBSOCKET):
            await self._app(scope, receive, send)
            return
        client, request_id = scope.get("client"), uuid.uuid4().hex
        origin.begin(Origin(address=client[0] if client else None, request_id=request_id))

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message.setdefault("headers", [])
                MutableScopeHeaders.from_message(message)[REQUEST_ID] = request_id
            await send(message)

        await self._app(scope, receive, send_with_id)
