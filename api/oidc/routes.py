"""Routes of signing in by the company's provider: to it, back from it, and its own request to sign somebody out."""

from __future__ import annotations

from typing import Annotated, Any, Final

import structlog
from litestar import Controller, Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.openapi import ResponseSpec
from litestar.params import QueryParameter

from activities.errors import IdentityProviderUnavailable, NotFound, ProviderRefused
from activities.phrases import Phrase
from activities.settings import Settings
from api.http.access import PUBLIC
from api.http.session_cookie import refresh_cookie
from api.identity.routes import client_of
from api.oidc import attempts
from api.oidc.schemas import SignInMethods
from api.oidc.service import Answer, OidcSignIn

log = structlog.get_logger()

#: The page's words for a refusal, by its reason; the others are ``refused``.
REASONS: Final = {
    Phrase.SIGN_IN_STATE.code: "expired",
    Phrase.SIGN_IN_ENDED.code: "ended",
    Phrase.SIGN_IN_DISABLED.code: "disabled",
}

#: The longest logout request in bytes.
MAX_LOGOUT_BYTES: Final = 128 * 1024

ELSEWHERE: Final = {302: ResponseSpec(None, description="To the provider, or to the page.", generate_examples=False)}
DONE: Final = {200: ResponseSpec(None, description="The sessions have ended.", generate_examples=False)}

Text = Annotated[str, QueryParameter(max_length=4096)]
State = Annotated[str, QueryParameter(name="state", max_length=200)]


class MethodsController(Controller):
    path = "/api/v1/auth/methods"
    tags = ["Identity"]

    @get(access=PUBLIC, summary="List how people may sign in")
    async def show(self, oidc: OidcSignIn) -> SignInMethods:
        return SignInMethods(provider=oidc.name)


class OidcController(Controller):
    path = attempts.PATH
    tags = ["Identity"]

    @get(access=PUBLIC, status_code=302, responses=ELSEWHERE, summary="Sign in by the company's provider, in a browser")
    async def begin(self, oidc: OidcSignIn, settings: Settings) -> Response[None]:
        if oidc.name is None:
            raise NotFound(kind="provider", id="oidc")
        try:
            url, attempt, sealed = await oidc.begin()
        except IdentityProviderUnavailable as exc:
            log.warning("the identity provider cannot be used", reason=str(exc))
            return _to_page(settings, "#/sign-in?refused=unavailable")
        return Response(None, status_code=302, headers={"Location": url}, cookies=[_cookie(settings, attempt, sealed)])

    @get(
        "/callback",
        access=PUBLIC,
        status_code=302,
        responses=ELSEWHERE,
        summary="Take the answer of the company's provider, which a browser brings",
    )
    async def finish(
        self,
        request: Request[Any, Any, Any],
        oidc: OidcSignIn,
        settings: Settings,
        given: State = "",
        code: Text = "",
        error: Text = "",
        iss: Text = "",
    ) -> Response[None]:
        if oidc.name is None:
            raise NotFound(kind="provider", id="oidc")
        answer = Answer(state=given, code=code, error=error, iss=iss)
        used = Cookie(key=attempts.cookie_of(answer.state), value="", path=attempts.PATH, max_age=0, httponly=True)
        try:
            found = await oidc.finish(answer, request.cookies, *client_of(request))
        except ProviderRefused as exc:
            reason = REASONS.get(exc.reason.params["@detail"], "refused")
            return _to_page(settings, f"#/sign-in?refused={reason}", used)
        except IdentityProviderUnavailable as exc:
            log.warning("the identity provider cannot be used", reason=str(exc))
            return _to_page(settings, "#/sign-in?refused=unavailable", used)
        return _to_page(settings, "#/signed-in", used, refresh_cookie(settings, found.refresh_token, None))

    @post(
        "/backchannel-logout",
        access=PUBLIC,
        status_code=200,
        responses=DONE,
        request_max_body_size=MAX_LOGOUT_BYTES,
        summary="End the sessions of a person whom the company's provider has signed out",
    )
    async def sign_out(self, request: Request[Any, Any, Any], oidc: OidcSignIn) -> Response[None]:
        if oidc.name is None:
            raise NotFound(kind="provider", id="oidc")
        form = await request.form()
        token = form.get("logout_token")
        if not isinstance(token, str):
            raise ProviderRefused(detail=Phrase.TOKEN_MALFORMED)
        await oidc.sign_out(token, client_of(request)[0])
        return Response(None, status_code=200, headers={"Cache-Control": "no-store"})


def _cookie(settings: Settings, attempt: attempts.Attempt, sealed: str) -> Cookie:
    """The cookie of an attempt. Lax: the provider's answer is a link from another site."""
    return Cookie(
        key=attempt.cookie,
        value=sealed,
        path=attempts.PATH,
        max_age=attempts.SECONDS,
        httponly=True,
        samesite="lax",
        secure=settings.page_url.startswith("https:"),
    )


def _to_page(settings: Settings, place: str, *cookies: Cookie) -> Response[None]:
    headers = {"Location": f"{settings.page_url}/{place}"}
    return Response(None, status_code=302, headers=headers, cookies=list(cookies))
