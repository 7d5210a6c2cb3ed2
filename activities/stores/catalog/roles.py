"""The roles of users and API keys; ``api.http.access`` defines the permissions of each role."""

from __future__ import annotations

from typing import Literal, get_args

#: Roles in a knowledge base, lowest first; each includes the previous ones.
KnowledgeBaseRole = Literal["reader", "contributor", "manager"]

#: Platform-wide roles; ``admin`` includes every other role.
SystemRole = Literal["operator", "auditor", "admin"]

Role = Literal[KnowledgeBaseRole, SystemRole]

LADDER: tuple[KnowledgeBaseRole, ...] = get_args(KnowledgeBaseRole)
SYSTEM_ROLES: tuple[SystemRole, ...] = get_args(SystemRole)
ROLES: tuple[Role, ...] = get_args(Role)

#: The default role, also used for stored roles that no longer exist.
LOWEST: KnowledgeBaseRole = "reader"


def includes(role: KnowledgeBaseRole, needed: Role) -> bool:
    """Whether ``role`` includes ``needed``; always False if ``needed`` is a platform-wide role."""
    return needed in LADDER[: LADDER.index(role) + 1]


def role_named(name: str) -> Role:
    """The role stored as ``name``; the lowest role if the name is unknown."""
    return next((role for role in ROLES if role == name), LOWEST)


def platform_of(role: Role) -> tuple[SystemRole, ...]:
    """The platform-wide roles that a role stands for."""
    return tuple(each for each in SYSTEM_ROLES if each == role)


def in_every(platform: tuple[SystemRole, ...]) -> KnowledgeBaseRole | None:
    """The role in every knowledge base that platform-wide roles come with: they read all, and ``admin`` has all."""
    return "manager" if "admin" in platform else LOWEST if platform else None


def lower(one: KnowledgeBaseRole, other: KnowledgeBaseRole) -> KnowledgeBaseRole:
    """The lower of two roles."""
    return min(one, other, key=LADDER.index)


def higher(one: KnowledgeBaseRole | None, other: KnowledgeBaseRole | None) -> KnowledgeBaseRole | None:
    """The higher of two roles; None is lower than any."""
    return max((each for each in (one, other) if each is not None), key=LADDER.index, default=None)
