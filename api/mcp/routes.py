"""The Model Context Protocol over HTTP: assistants search, read and ask with a key or an access token.

Each request is one message, answered by JSON or, where there is progress to tell, by an event stream. No session is
kept. A client that closes its connection before the answer cancels the call; so does ``notifications/cancelled`` of
earlier versions of the protocol, which names the request by the session id that ``initialize`` was answered with.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from litestar import Controller, Request, Response, post
from litestar.openapi import ResponseSpec

from activities.settings import Settings
from api.http.access import needs
from api.http.described import AlsoStreams
from api.http.headers import require_own_origin
from api.mcp.http import McpOverHttp
from api.mcp.schemas import RpcAnswer

AnyRequest = Request[Any, Any, Any]


class McpController(Controller):
    path = "/mcp"
    tags = ["Model Context Protocol"]

    @post(
        status_code=200,
        access=needs("reader"),  # … and what each tool needs, of what its arguments name
        summary="Call a tool by the Model Context Protocol (JSON-RPC); its clients need this address and a key",
        responses={200: ResponseSpec(RpcAnswer, generate_examples=False, description="The answer to the message")},
        operation_class=AlsoStreams,
    )
    async def message(self, request: AnyRequest, mcp: McpOverHttp, settings: Settings) -> Response[Any]:
        require_own_origin(request.headers.get("origin"), settings)
        return Handed(mcp, await request.body())


class Handed(Response[None]):
    """Hands the request, whose body was read and checked, to an ASGI application."""

    def __init__(self, mcp: McpOverHttp, body: bytes) -> None:
        super().__init__(None)
        self._mcp, self._body = mcp, body

    def to_asgi_response(self, *_: Any, **__: Any) -> Any:
        """Called by Litestar."""
        return partial(self._mcp.answer, self._body)
