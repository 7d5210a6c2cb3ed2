"""The rights of a caller: those of its user, and at most those of its key."""

from __future__ import annotations

import msgspec
from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from activities.stores.catalog.people.tables import ApiKeyRow, GrantRow, GroupMemberRow, UserRow
from activities.stores.catalog.records import Principal
from activities.stores.catalog.roles import (
    LADDER,
    LOWEST,
    SYSTEM_ROLES,
    KnowledgeBaseRole,
    Role,
    SystemRole,
    higher,
    in_every,
    lower,
    platform_of,
    role_named,
)


def of_role(subject: str, role: Role, key_id: str) -> Principal:
    """The rights of a key without an owner: its role in every knowledge base."""
    everywhere = in_every(platform_of(role)) or next(each for each in LADDER if each == role)
    return Principal(subject=subject, role=role, key_id=key_id, platform=platform_of(role), everywhere=everywhere)


async def of_user(session: AsyncSession, user: UserRow) -> Principal:
    """The rights of a user: its roles in the platform, and what it and its groups are granted."""
    groups = select(GroupMemberRow.group_id).where(GroupMemberRow.user_id == user.id)
    granted: dict[str, KnowledgeBaseRole] = {}
    own = and_(GrantRow.subject_kind == "user", GrantRow.subject_id == user.id)
    of_groups = and_(GrantRow.subject_kind == "group", GrantRow.subject_id.in_(groups))
    for id, name in await session.execute(select(GrantRow.knowledge_base_id, GrantRow.role).where(or_(own, of_groups))):
        role = next((each for each in LADDER if each == name), LOWEST)
        granted[id] = higher(role, granted.get(id)) or role
    platform = tuple(each for each in SYSTEM_ROLES if each in user.roles)
    everywhere = in_every(platform)
    return Principal(
        subject=user.name,
        role=_strongest(platform, everywhere, granted),
        user_id=user.id,
        platform=platform,
        everywhere=everywhere,
        granted=granted,
        must_change_password=user.must_change_password,
    )


def limited(principal: Principal, key: ApiKeyRow) -> Principal:
    """The rights that a user's key has of them: at most its role, in its knowledge bases only."""
    role = role_named(key.role)
    most = "manager" if role == "admin" else next((each for each in LADDER if each == role), LOWEST)
    everywhere, granted = principal.everywhere, principal.granted
    everywhere = lower(everywhere, most) if everywhere else None
    granted = {id: lower(each, most) for id, each in granted.items()}
    within = frozenset(key.knowledge_bases) if key.knowledge_bases is not None else None
    platform: tuple[SystemRole, ...] = ()
    if within is None and role == "admin":
        platform = principal.platform
    elif within is None and {role, "admin"} & set(principal.platform):
        platform = platform_of(role)
    return msgspec.structs.replace(
        principal,
        role=_strongest(platform, everywhere, granted),
        key_id=key.id,
        platform=platform,
        everywhere=everywhere,
        granted=granted,
        within=within,
        must_change_password=False,
    )


def _strongest(
    platform: tuple[SystemRole, ...], everywhere: KnowledgeBaseRole | None, granted: dict[str, KnowledgeBaseRole]
) -> Role:
    if platform:
        return platform[-1]
    return max((each for each in (everywhere, *granted.values()) if each), key=LADDER.index, default=LOWEST)
