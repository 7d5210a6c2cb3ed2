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

from activities.errors import InvalidRequest
from activities.phrases import Phrase
from activities.settings import Settings
from api.http.access import needs
from api.http.described import AlsoStreams
from api.http.headers import require_own_origin
from api.mcp.http import McpOverHttp
from api.mcp.schemas import RpcAnswer, RpcMessage

AnyRequest = Request[Any, Any, Any]


class McpController(Controller):
    path = "/mcp"
    tags = ["Model Context Protocol"]

    @post(
        status_code=200,
        access=needs("reader"),  # … and what each tool needs, of what its arguments name
        summary="Call a tool by the Model Context Protocol (JSON-RPC); its clients need this address and a key",
        responses={
            200: ResponseSpec(RpcAnswer, generate_examples=False, description="The answer to a request"),
            202: ResponseSpec(None, description="A notification was taken"),
        },
        operation_class=AlsoStreams,
    )
    async def message(
        self, data: RpcMessage, request: AnyRequest, mcp: McpOverHttp, settings: Settings
    ) -> Response[Any]:
        require_own_origin(request.headers.get("origin"), settings)
        if request.content_type[0] != "application/json":
            raise InvalidRequest(detail=Phrase.JSON_ONLY)
        return Handed(partial(mcp.answer, data, await request.body()))


class Handed(Response[None]):
    """Has an ASGI application answer, whose request was read and checked."""

    def __init__(self, answer: Any) -> None:
        super().__init__(None)
        self._answer = answer

    def to_asgi_response(self, *_: Any, **__: Any) -> Any:
        """Called by Litestar."""
        return self._answer
