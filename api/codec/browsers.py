"""What lets browsers use the codec endpoint from the page of the Temporal UI, and from no other.

The UI sends no header of ours. It sends cookies if it is told to ("include cross-origin credentials"), so an auditor's
browser keeps the key in one that only this endpoint gets: not for scripts, not for requests from other sites.
"""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from litestar.datastructures import Cookie, MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from activities.settings import Settings

PATH = "/codec"
DECODE, SESSION = f"{PATH}/decode", f"{PATH}/session"

COOKIE = "holdfast_codec"

#: Seconds for which a browser keeps the key: a working day.
COOKIE_SECONDS = 8 * 3600

#: Headers that the Temporal UI may send.
_HEADERS = "authorization, authorization-extras, content-type, x-namespace"


def origin_of(settings: Settings) -> str:
    """The origin of the Temporal UI, as browsers send it."""
    url = urlsplit(settings.temporal.ui_url)
    return f"{url.scheme}://{url.netloc}"


def cookie(settings: Settings, value: str) -> Cookie:
    """The cookie with a key, or, with "", the one that takes it away."""
    return Cookie(
        key=COOKIE,
        value=value,
        path=PATH,
        max_age=COOKIE_SECONDS if value else 0,
        httponly=True,
        samesite="strict",
        secure=settings.temporal.ui_url.startswith("https:"),
    )


class CookieAsKey(ASGIMiddleware):
    """A request of the Temporal UI without a key of its own has that of the cookie, and so has one that ends it.

    Runs before authentication.
    """

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Pass the request on."""
        if scope["type"] == ScopeType.HTTP and scope["path"] in (DECODE, SESSION):
            headers = dict(scope["headers"])  # Litestar keeps those that it has parsed
            from_ui = headers.get(b"origin", b"").decode("latin-1") == origin_of(scope["litestar_app"].state.settings)
            allowed = from_ui if scope["path"] == DECODE else scope["method"] == "DELETE"
            key = _key(headers.get(b"cookie", b"").decode("latin-1"))
            if key and allowed and b"authorization" not in headers:
                scope["headers"] = [*scope["headers"], (b"authorization", f"Bearer {key}".encode("latin-1"))]
        await next_app(scope, receive, send)


def _key(cookies: str) -> str:
    try:
        found = SimpleCookie(cookies).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


async def allow_ui(message: Message, scope: Scope) -> None:
    """Let the Temporal UI read the answers of the codec endpoint, errors too. A hook before each message is sent."""
    if message["type"] != "http.response.start" or scope["path"] != DECODE:
        return
    headers = MutableScopeHeaders.from_message(message)
    headers["vary"] = "Origin"
    origin = dict(scope["headers"]).get(b"origin", b"").decode("latin-1")
    if origin != origin_of(scope["litestar_app"].state.settings):
        return
    headers["access-control-allow-origin"] = origin
    headers["access-control-allow-credentials"] = "true"
    if scope["type"] == ScopeType.HTTP and scope["method"] == "OPTIONS":
        headers["access-control-allow-methods"] = "POST"
        headers["access-control-allow-headers"] = _HEADERS
        headers["access-control-max-age"] = "600"
