"""What every answer says to browsers, and by which names this server may be called."""

from __future__ import annotations

import re
import socket
from collections.abc import Collection, Mapping
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from litestar import Request
from litestar.config.cors import CORSConfig
from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from activities.errors import ForeignOrigin, UnknownHost
from activities.settings import Settings, listed
from api.http.problems import problem

#: Data, errors and downloads: a browser that shows one runs and loads nothing of it, in an origin of its own.
DATA_POLICY: Final = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox"

#: The page runs scripts and shows pictures of this server only; no other site may frame it.
PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)

#: The same for the reference of the API, whose program writes its styles into its elements.
REFERENCE_POLICY: Final = PAGE_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")

#: Policies of the pages by path; other answers have ``DATA_POLICY``.
PAGES: Final = {
    "/": PAGE_POLICY,
    "/web/codec/index.html": PAGE_POLICY,
    "/schema": REFERENCE_POLICY,
    "/schema/": REFERENCE_POLICY,
}

#: Sent with every answer that the application gives, also those of the router.
SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}

#: Files that are the same for everybody: kept, and asked for each time. Other answers are not kept.
STATIC: Final = ("/web/", "/schema-assets/")

#: Headers of answers that programs of other sites may read, where their site is allowed.
EXPOSED: Final = ["Content-Disposition", "Content-Range", "Retry-After", "WWW-Authenticate", "Mcp-Session-Id"]

_HOST = re.compile(r"\[(?P<v6>[0-9a-fA-F:.]+)\](?::\d{1,5})?|(?P<name>[A-Za-z0-9._-]+)(?::\d{1,5})?")


class Edge:
    """The outermost layer of the application: refuses foreign names, and adds the headers of every answer."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._names = app, known_names(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 421. Browsers never leave the header out."""
        hosts = (value.decode("latin-1") for name, value in scope["headers"] if name == b"host")
        foreign = next((host for host in hosts if not is_known(host, self._names)), None)
        if foreign is not None:
            await self._refuse(foreign, scope, receive, send)
        elif scope["type"] == ScopeType.HTTP:
            await self._app(scope, receive, _with_headers(scope, send))
        else:
            await self._app(scope, receive, send)

    @staticmethod
    async def _refuse(host: str, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await send({"type": "websocket.close", "code": 1008, "reason": None})
            return
        request: Request[Any, Any, Any] = Request(scope)
        answer = problem(request, UnknownHost(host=host[:100], setting="HOLDFAST_API_ALLOWED_HOSTS"))
        await answer.to_asgi_response(None, request)(scope, receive, _with_headers(scope, send))


def known_names(settings: Settings) -> frozenset[str]:
    """Names by which this server may be called; ``*`` stands for all."""
    addresses = {urlsplit(url).hostname or "" for url in (settings.url, settings.public_url)}
    given = addresses | {settings.api.host, *listed(settings.api.allowed_hosts)}
    return frozenset(name.lower().rstrip(".") for name in given | {"localhost", socket.gethostname()} if name)


def is_known(host: str, names: Collection[str]) -> bool:
    """Whether a Host header names this server.

    A page of another site can make its own name point to this machine (DNS rebinding), and would then read what needs
    no key. It cannot do so with an address, which is no name.
    """
    if "*" in names:
        return True
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    name = (match["v6"] or match["name"]).lower().rstrip(".")
    try:
        ip_address(name)
    except ValueError:
        return name in names or name.endswith(".localhost")
    return True


def require_own_origin(origin: str | None, settings: Settings) -> None:
    """Refuse a page of another site, unless it may call this API. Raises ForeignOrigin.

    Programs send no Origin. A page of this server has its name.
    """
    if origin is None or origin in listed(settings.api.cors_origins):
        return
    scheme, _, host = origin.partition("://")
    if scheme not in ("http", "https") or not is_known(host, known_names(settings)):
        raise ForeignOrigin(origin=origin[:100], setting="HOLDFAST_API_CORS_ORIGINS")


def cors(settings: Settings) -> CORSConfig | None:
    """Which other sites' pages may call this API; none without the setting. Cookies are never taken from them."""
    origins = listed(settings.api.cors_origins)
    if not origins:
        return None
    return CORSConfig(
        allow_origins=origins,
        allow_methods=["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"],
        allow_headers=[
            *("Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID", "Range", "Accept-Language"),
            *("Mcp-Session-Id", "Mcp-Protocol-Version", "Mcp-Method", "Mcp-Name"),
        ],
        expose_headers=EXPOSED,
    )


def _with_headers(scope: Scope, send: Send) -> Send:
    path = scope["path"]

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message.setdefault("headers", [])
            headers = MutableScopeHeaders.from_message(message)
            for name, value in SECURITY_HEADERS.items():
                headers[name] = value
            headers["Content-Security-Policy"] = PAGES.get(path, DATA_POLICY)
            shared = path.startswith(STATIC) and message["status"] < HTTPStatus.BAD_REQUEST
            headers.setdefault("Cache-Control", "no-cache" if shared else "no-store")
        await send(message)

    return send_with_headers
