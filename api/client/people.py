"""Users, groups, grants and keys over the API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from api.client.paths import at
from api.client.resources import PAGE, Answer, Resource
from api.identity.schemas import (
    GrantInfo,
    GroupDetail,
    GroupInfo,
    InvitationInfo,
    KeyInfo,
    KeySecret,
    UserDetail,
    UserInfo,
)


class Users(Resource):
    async def add(self, name: str, **fields: Any) -> Answer[UserInfo]:
        """``fields`` as the API takes them; those that are None are left to it."""
        given = {field: value for field, value in fields.items() if value is not None}
        return await self._ask(UserInfo, "POST", "users", json={"name": name, **given})

    def all(self) -> AsyncIterator[Answer[UserInfo]]:
        return self._all(UserInfo, "users", limit=PAGE)

    async def get(self, name: str) -> Answer[UserDetail]:
        return await self._ask(UserDetail, "GET", "users", name)

    async def change(self, name: str, **fields: Any) -> Answer[UserInfo]:
        return await self._ask(UserInfo, "PATCH", "users", name, json=fields)

    async def invite(self, name: str) -> Answer[InvitationInfo]:
        return await self._ask(InvitationInfo, "POST", "users", name, "invitation")

    async def sign_out(self, name: str) -> None:
        await self._api.call("POST", at("users", name, "sign-out"))

    async def remove(self, name: str) -> None:
        await self._api.call("DELETE", at("users", name))

    async def set_own_password(self, current: str, new: str) -> None:
        """Of the user that is signed in; its other sessions end."""
        await self._api.call("POST", at("auth", "password"), json={"current": current, "new": new})


class Groups(Resource):
    async def add(self, name: str) -> Answer[GroupInfo]:
        return await self._ask(GroupInfo, "POST", "groups", json={"name": name})

    def all(self) -> AsyncIterator[Answer[GroupInfo]]:
        return self._all(GroupInfo, "groups", limit=PAGE)

    async def get(self, name: str) -> Answer[GroupDetail]:
        return await self._ask(GroupDetail, "GET", "groups", name)

    async def remove(self, name: str) -> None:
        await self._api.call("DELETE", at("groups", name))

    async def join(self, name: str, user: str) -> None:
        await self._api.call("PUT", at("groups", name, "members", user))

    async def leave(self, name: str, user: str) -> None:
        await self._api.call("DELETE", at("groups", name, "members", user))


class Grants(Resource):
    """``kind`` is ``user`` or ``group``."""

    async def set(self, kb: str, kind: str, name: str, role: str) -> Answer[GrantInfo]:
        return await self._ask(GrantInfo, "PUT", "knowledge-bases", kb, "grants", kind, name, json={"role": role})

    def all(self, kb: str) -> AsyncIterator[Answer[GrantInfo]]:
        return self._all(GrantInfo, "knowledge-bases", kb, "grants", limit=PAGE)

    async def remove(self, kb: str, kind: str, name: str) -> None:
        await self._api.call("DELETE", at("knowledge-bases", kb, "grants", kind, name))


class Keys(Resource):
    async def create(self, **fields: Any) -> Answer[KeySecret]:
        """``fields`` as the API takes them; those that are None are left to it."""
        given = {field: value for field, value in fields.items() if value is not None}
        return await self._ask(KeySecret, "POST", "keys", json=given)

    async def all(self) -> list[Answer[KeyInfo]]:
        """One's own; those of all for administrators."""
        return await self._page(KeyInfo, "keys")

    async def revoke(self, id: str) -> None:
        await self._api.call("DELETE", at("keys", id))
