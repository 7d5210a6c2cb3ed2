"""The caller's own identity, and signing in and out."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Request, get, post

from activities.errors import InvalidRequest
from activities.phrases import Phrase
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Principal
from api.http.access import PUBLIC, Access, needs, visible
from api.http.callers import Callers
from api.identity.schemas import (
    AcceptRequest,
    GrantedKnowledgeBase,
    IdentityInfo,
    PasswordRequest,
    RefreshRequest,
    TokenInfo,
    TokenRequest,
)
from api.identity.sign_in import SignIn

AnyRequest = Request[Any, Any, Any]

#: Most knowledge bases that are named to a caller.
MOST_NAMED = 1000


class IdentityController(Controller):
    path = "/api/v1/me"
    tags = ["Identity"]

    @get(access=needs("reader", restricted=True), summary="Get as whom this key or session acts")
    async def show(self, principal: Principal, catalog: Catalog, access: Access) -> IdentityInfo:
        user = await catalog.users.by_id(principal.user_id) if principal.user_id else None
        granted = []
        if principal.granted:
            within = visible(principal)
            only = frozenset(principal.granted) if within is None else within & frozenset(principal.granted)
            for each in await catalog.knowledge_bases.page(None, MOST_NAMED, only):
                granted.append(
                    GrantedKnowledgeBase(name=each.name, role=await access.role_in(principal, each) or "reader")
                )
        return IdentityInfo(
            subject=principal.subject,
            role=principal.role,
            key_id=principal.key_id,
            session_id=principal.session_id,
            name=principal.subject,
            display_name=user.display_name if user else "",
            kind=user.kind if user else "key",
            roles=list(principal.platform),
            groups=await catalog.users.groups_of(user.id) if user else [],
            everywhere=principal.everywhere if principal.within is None else None,
            knowledge_bases=granted,
            must_change_password=principal.must_change_password,
            has_password=user is not None and user.has_password,
        )


class AuthController(Controller):
    path = "/api/v1/auth"
    tags = ["Identity"]

    @post("/token", status_code=200, access=PUBLIC, summary="Sign in with a password")
    async def token(self, data: TokenRequest, request: AnyRequest, sign_in: SignIn) -> TokenInfo:
        return await sign_in.with_password(data.username, data.password, *client_of(request))

    @post("/refresh", status_code=200, access=PUBLIC, summary="Get new tokens for a refresh token")
    async def refresh(self, data: RefreshRequest, request: AnyRequest, sign_in: SignIn) -> TokenInfo:
        return await sign_in.refresh(data.refresh_token, client_of(request)[0])

    @post("/invitations/accept", status_code=200, access=PUBLIC, summary="Set a password with an invitation")
    async def accept(self, data: AcceptRequest, request: AnyRequest, sign_in: SignIn) -> TokenInfo:
        return await sign_in.accept(data.token, data.password, *client_of(request))

    @post("/logout", status_code=204, access=needs("reader", restricted=True), summary="End this session")
    async def logout(self, principal: Principal, catalog: Catalog, callers: Callers) -> None:
        if principal.session_id:
            await catalog.sessions.end(principal.session_id, principal.subject)
            callers.forget(principal.session_id)

    @post("/password", status_code=204, access=needs("reader", restricted=True), summary="Set your own password")
    async def password(
        self, data: PasswordRequest, request: AnyRequest, principal: Principal, sign_in: SignIn, callers: Callers
    ) -> None:
        if not principal.session_id:
            raise InvalidRequest(detail=Phrase.NO_PASSWORD)
        address, _ = client_of(request)
        await sign_in.change_password(principal.user_id, principal.session_id, data.current, data.new, address)
        callers.forget(principal.session_id)


def client_of(request: AnyRequest) -> tuple[str, str]:
    """The address and the program of the client."""
    return (request.client.host if request.client else "", request.headers.get("user-agent", ""))
