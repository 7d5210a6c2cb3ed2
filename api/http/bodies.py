"""What every request is checked for before a route sees it: its query, the size and encoding of its body, and NULs."""

from __future__ import annotations

import re
from typing import Any

from litestar import Request
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from activities.errors import InvalidRequest
from activities.phrases import Phrase
from api.http.queries import check_query

#: Longest body in bytes: of JSON, and of conversations and texts for OpenAI's clients. Uploads have a setting.
JSON_MAX_BODY_BYTES = 1 << 20
OPENAI_MAX_BODY_BYTES = 8 << 20

#: An escaped NUL in JSON, whose backslash is not escaped itself. No other form of it is valid JSON.
_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class NulGuard(ASGIMiddleware):
    """Refuses NUL characters in paths and queries, which PostgreSQL and file systems do not take."""

    scopes = (ScopeType.HTTP, ScopeType.WEBSOCKET)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Pass the request on. Raises InvalidRequest."""
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            raise InvalidRequest(detail=Phrase.NUL)
        await next_app(scope, receive, send)


async def check_request(request: Request[Any, Any, Any]) -> None:
    """Refuse an unknown query parameter, and a JSON body that is not UTF-8 or has NUL characters.

    Uploads, whose limit is larger, are not read here. Raises InvalidRequest, and Litestar's exception for a body over
    the limit.
    """
    check_query(request)
    limit = request.route_handler.resolve_request_max_body_size()
    if request.method in ("POST", "PATCH", "PUT") and limit is not None and limit <= OPENAI_MAX_BODY_BYTES:
        body = await request.body()
        try:
            body.decode()
        except UnicodeDecodeError as exc:  # msgspec raises it too, and Litestar takes it for a fault of the server
            raise InvalidRequest(detail=Phrase.NOT_UTF8) from exc
        if rb"\u0000" in body and _ESCAPED_NUL.search(body):
            raise InvalidRequest(detail=Phrase.NUL)
