"""The roles of API keys, in one place: ``api.http.access`` says what each of them may do."""

from __future__ import annotations

from typing import Literal, get_args

#: Roles in a knowledge base, the lowest first; each includes those before it.
KnowledgeBaseRole = Literal["reader", "contributor", "manager"]

#: Roles in the whole platform; ``admin`` includes every other role.
SystemRole = Literal["operator", "auditor", "admin"]

Role = Literal[KnowledgeBaseRole, SystemRole]

LADDER: tuple[KnowledgeBaseRole, ...] = get_args(KnowledgeBaseRole)
SYSTEM_ROLES: tuple[SystemRole, ...] = get_args(SystemRole)
ROLES: tuple[Role, ...] = get_args(Role)

#: What a key gets that names no role, and what one counts as whose role is no longer known.
LOWEST: KnowledgeBaseRole = "reader"


def includes(role: KnowledgeBaseRole, needed: Role) -> bool:
    """Whether ``role`` may do what needs ``needed``; never, where that is a role in the platform."""
    return needed in LADDER[: LADDER.index(role) + 1]


def role_named(name: str) -> Role:
    """The role that was stored under ``name``; the lowest one for a name that is no longer known."""
    return next((role for role in ROLES if role == name), LOWEST)
