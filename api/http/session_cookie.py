"""The cookie with which a browser keeps the refresh token of a session.

Scripts cannot read it, other sites' requests do not carry it, and only the routes of signing in get it. These demand a
header beside it, which no form and no page of another site can send.
"""

from __future__ import annotations

from typing import Any, Final

from litestar import Request
from litestar.datastructures import Cookie

from activities.errors import Unauthenticated
from activities.settings import Settings

PATH: Final = "/api/v1/auth"
COOKIE: Final = "holdfast_session"

#: The header of the page's own requests.
HEADER: Final = "X-Holdfast-Browser"

#: First letter of the value: kept after the browser is closed, or not.
_KEPT, _OPEN = "k", "o"


def refresh_cookie(settings: Settings, token: str, seconds: int | None) -> Cookie:
    """The cookie with a session's refresh token, for these seconds; None: until the browser is closed."""
    return _cookie(settings, f"{_OPEN if seconds is None else _KEPT}.{token}", seconds)


def no_cookie(settings: Settings) -> Cookie:
    """The cookie that takes the token away."""
    return _cookie(settings, "", 0)


def refresh_token(request: Request[Any, Any, Any]) -> tuple[str, bool]:
    """The refresh token of a request, and whether it is kept. Raises Unauthenticated without token or header."""
    kind, _, token = request.cookies.get(COOKIE, "").partition(".")
    if not token or HEADER not in request.headers:
        raise Unauthenticated()
    return token, kind == _KEPT


def _cookie(settings: Settings, value: str, max_age: int | None) -> Cookie:
    secure = settings.page_url.startswith("https:")
    return Cookie(key=COOKIE, value=value, path=PATH, max_age=max_age, httponly=True, samesite="strict", secure=secure)
