"""Users, by administrators."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Controller, delete, get, patch, post
from litestar.params import Parameter

from activities.errors import InvalidRequest
from activities.phrases import Phrase
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.people.records import NewUser, User
from activities.stores.catalog.records import Principal
from api.http.access import needs
from api.http.schemas import Page
from api.identity.schemas import ChangeUser, CreateUser, InvitationInfo, UserDetail, UserInfo
from api.identity.sign_in import SignIn

Limit = Annotated[int, Parameter(ge=1, le=1000, description="Maximum number of items on a page.")]


class UsersController(Controller):
    path = "/api/v1/users"
    tags = ["Users"]

    @get(access=needs("admin"), summary="List users by name")
    async def index(self, catalog: Catalog, cursor: str | None = None, limit: Limit = 100) -> Page[UserInfo]:
        found = await catalog.users.page(cursor, limit)
        cursor = found[-1].name if len(found) == limit else None
        return Page(items=[UserInfo(**_fields(user)) for user in found], next_cursor=cursor)

    @post(access=needs("admin"), summary="Add a user or a service account")
    async def create(self, data: CreateUser, catalog: Catalog, principal: Principal, sign_in: SignIn) -> UserInfo:
        if data.password is not None and data.kind != "person":
            raise InvalidRequest(detail=Phrase.NO_PASSWORD)
        new = NewUser(
            name=data.name,
            display_name=data.display_name,
            kind=data.kind,
            roles=tuple(data.roles),
            password_hash=await sign_in.hashed(data.password) if data.password is not None else None,
            must_change_password=data.must_change_password,
        )
        return UserInfo(**_fields(await catalog.users.create(new, principal.subject)))

    @get("/{user:str}", access=needs("admin"), summary="Get a user with its groups")
    async def show(self, user: str, catalog: Catalog) -> UserDetail:
        found = await catalog.users.get(user)
        return UserDetail(**_fields(found), groups=await catalog.users.groups_of(found.id))

    @patch("/{user:str}", access=needs("admin"), summary="Change, disable or enable a user, or set a password")
    async def change(
        self, user: str, data: ChangeUser, catalog: Catalog, principal: Principal, sign_in: SignIn
    ) -> UserInfo:
        changes = {name: value for name, value in msgspec.structs.asdict(data).items() if value is not msgspec.UNSET}
        password = changes.pop("password", None)
        found = await catalog.users.get(user)
        if password is not None:
            if found.kind != "person":
                raise InvalidRequest(detail=Phrase.NO_PASSWORD)
            hashed = await sign_in.hashed(password)
            await catalog.users.set_password(found.id, hashed, principal.subject, must_change=True)
        if changes or password is None:
            await catalog.users.change(user, changes, principal.subject)
        return UserInfo(**_fields(await catalog.users.get(user)))

    @delete("/{user:str}", status_code=204, access=needs("admin"), summary="Remove a user with its keys and grants")
    async def remove(self, user: str, catalog: Catalog, principal: Principal) -> None:
        await catalog.users.remove(user, principal.subject)

    @post("/{user:str}/invitation", access=needs("admin"), summary="Make an invitation to set a password")
    async def invite(self, user: str, catalog: Catalog, principal: Principal) -> InvitationInfo:
        made = await catalog.users.invite(user, principal.subject)
        return InvitationInfo(token=made.token, expires_at=made.expires_at)

    @post("/{user:str}/sign-out", status_code=204, access=needs("admin"), summary="End all sessions of a user")
    async def sign_out(self, user: str, catalog: Catalog, principal: Principal) -> None:
        await catalog.users.sign_out(user, principal.subject)


def _fields(user: User) -> dict[str, Any]:
    return {
        "name": user.name,
        "display_name": user.display_name,
        "kind": user.kind,
        "roles": list(user.roles),
        "disabled": user.disabled_at is not None,
        "has_password": user.has_password,
        "must_change_password": user.must_change_password,
        "locked_until": user.locked_until,
        "external": user.issuer is not None,
        "last_sign_in_at": user.last_sign_in_at,
        "created_at": user.created_at,
        "created_by": user.created_by,
    }
