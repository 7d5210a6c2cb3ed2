"""Routes of the page's sessions. Each demands the page's own header."""

from __future__ import annotations

from typing import Any

import structlog
from litestar import Controller, Request, Response, post

from activities.errors import IdentityProviderUnavailable, SessionEnded, Unauthenticated
from activities.settings import Settings
from activities.stores.catalog.catalog import Catalog
from api.browser.schemas import BrowserSignIn, BrowserTokens, SignedOut
from api.http import session_cookie
from api.http.access import PUBLIC
from api.identity.routes import client_of
from api.identity.schemas import TokenInfo
from api.identity.sign_in import SignIn
from api.oidc.service import OidcSignIn

log = structlog.get_logger()


class BrowserController(Controller):
    path = f"{session_cookie.PATH}/browser"
    tags = ["Identity"]

    @post(access=PUBLIC, status_code=200, summary="Sign in with a password, from the page")
    async def sign_in(
        self, data: BrowserSignIn, request: Request[Any, Any, Any], sign_in: SignIn, settings: Settings
    ) -> Response[BrowserTokens]:
        if session_cookie.HEADER not in request.headers:
            raise Unauthenticated()
        found = await sign_in.with_password(data.username, data.password, *client_of(request))
        return _answer(settings, found, keep=data.keep)

    @post("/refresh", access=PUBLIC, status_code=200, summary="Renew the access token of this browser's session")
    async def refresh(
        self, request: Request[Any, Any, Any], sign_in: SignIn, settings: Settings
    ) -> Response[BrowserTokens]:
        token, keep = session_cookie.refresh_token(request)
        return _answer(settings, await sign_in.refresh(token, client_of(request)[0]), keep=keep)

    @post("/sign-out", access=PUBLIC, status_code=200, summary="End this browser's session")
    async def sign_out(
        self, request: Request[Any, Any, Any], catalog: Catalog, oidc: OidcSignIn, settings: Settings
    ) -> Response[SignedOut]:
        token, _ = session_cookie.refresh_token(request)
        url = None
        try:
            found = await catalog.sessions.refresh(token, client_of(request)[0])
            await catalog.sessions.end(found.session.id, found.user.name)
            if found.session.external_sid is not None and oidc.name is not None:
                url = await oidc.leave_url()
        except SessionEnded:
            log.info("the session had ended before its browser signed out")
        except IdentityProviderUnavailable as exc:
            log.warning("the identity provider cannot be used", reason=str(exc))
        return Response(SignedOut(provider_url=url), cookies=[session_cookie.no_cookie(settings)])


def _answer(settings: Settings, found: TokenInfo, *, keep: bool) -> Response[BrowserTokens]:
    body = BrowserTokens(access_token=found.access_token, token_type=found.token_type, expires_in=found.expires_in)
    seconds = max(1, found.refresh_expires_in) if keep else None
    return Response(body, cookies=[session_cookie.refresh_cookie(settings, found.refresh_token, seconds)])
