"""Administrators: one who can sign in stays, unless there is an administrator's key."""

from __future__ import annotations

from sqlalchemy import select

from activities.errors import LastAdministrator
from activities.stores.catalog.engine import Transaction
from activities.stores.catalog.people.tables import ApiKeyRow, UserRow
from activities.stores.catalog.tables import now


async def keep_one(session: Transaction, row: UserRow) -> None:
    """Raises LastAdministrator if nobody could administer without this user, who is about to lose the role or access.

    Administrators stay locked until the transaction ends, so that two cannot remove each other.
    """
    if not _can_administer(row):
        return
    able = select(UserRow).where(
        UserRow.removed_at.is_(None), UserRow.disabled_at.is_(None), UserRow.password_hash.is_not(None)
    )
    locked = await session.scalars(able.order_by(UserRow.id).with_for_update())
    if any(each.id != row.id and _can_administer(each) for each in locked):
        return
    key = select(ApiKeyRow.id).where(
        ApiKeyRow.owner_id.is_(None), ApiKeyRow.role == "admin", ApiKeyRow.revoked_at.is_(None)
    )
    in_time = ApiKeyRow.expires_at.is_(None) | (ApiKeyRow.expires_at > now())
    if await session.scalar(key.where(in_time).limit(1)) is None:
        raise LastAdministrator(name=row.name)


def _can_administer(row: UserRow) -> bool:
    return "admin" in row.roles and row.disabled_at is None and row.password_hash is not None
