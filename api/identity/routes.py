"""The caller's own identity."""

from __future__ import annotations

from litestar import Controller, get

from activities.stores.catalog.records import Principal
from api.http.access import needs
from api.identity.schemas import IdentityInfo


class IdentityController(Controller):
    path = "/api/v1/me"
    tags = ["Identity"]

    @get(access=needs("reader"), summary="Get as whom this key acts")
    async def show(self, principal: Principal) -> IdentityInfo:
        return IdentityInfo(subject=principal.subject, role=principal.role, key_id=principal.key_id)
