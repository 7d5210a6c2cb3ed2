"""API keys: everyone's own, and all for administrators."""

from __future__ import annotations

from typing import Any

from litestar import Controller, delete, get, post

from activities.errors import Forbidden, NotFound
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import ApiKey, Principal
from api.http.access import Access, has, needs
from api.http.schemas import Page
from api.identity.schemas import CreateKey, KeyInfo, KeySecret

SEES = needs("reader", "knowledge_base", at="knowledge_bases")


class KeysController(Controller):
    path = "/api/v1/keys"
    tags = ["Users"]

    @get(access=needs("reader"), summary="List your own keys; all keys for administrators")
    async def index(self, catalog: Catalog, principal: Principal) -> Page[KeyInfo]:
        found = await catalog.api_keys.all(subject=None if has(principal, "admin") else principal.subject)
        return Page(items=[KeyInfo(**_fields(key)) for key in found if _may_revoke(principal, key)])

    @post(access=needs("reader"), summary="Make a key; the answer has its secret, which is not shown again")
    async def create(self, data: CreateKey, catalog: Catalog, access: Access, principal: Principal) -> KeySecret:
        """A key makes no keys, so that one with a scope never makes one without; administrators' keys do."""
        name = data.owner if data.owner is not None else principal.subject
        if not has(principal, "admin") and (not principal.session_id or name != principal.subject):
            raise Forbidden(role="admin")
        owner = await catalog.users.get(name)
        within = None
        if data.knowledge_bases is not None:
            within = [(await access.named(principal, SEES, each)).id for each in data.knowledge_bases]
        made, key = await catalog.api_keys.create_for(
            owner,
            principal.subject,
            role=data.role,
            name=data.name,
            knowledge_bases=within,
            expires_at=data.expires_at,
        )
        return KeySecret(**_fields(made), key=key)

    @delete("/{key_id:str}", status_code=204, access=needs("reader"), summary="Revoke a key")
    async def revoke(self, key_id: str, catalog: Catalog, principal: Principal) -> None:
        if not _may_revoke(principal, await catalog.api_keys.get(key_id)):
            raise NotFound(kind="key", id=key_id)
        await catalog.api_keys.revoke(key_id, principal.subject)


def _may_revoke(principal: Principal, key: ApiKey) -> bool:
    """Whether the key is the caller's; a key with a scope has only itself."""
    if principal.within is not None:
        return key.id == principal.key_id
    return has(principal, "admin") or key.subject == principal.subject


def _fields(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "subject": key.subject,
        "name": key.name,
        "role": key.role,
        "owner": key.owner,
        "knowledge_bases": key.knowledge_bases,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
    }
