"""Records of users, sessions, groups and grants. None has a password or a token, but ``Credentials`` and ``Tokens``."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from activities.stores.catalog.records import Record
from activities.stores.catalog.roles import KnowledgeBaseRole, SystemRole

UserKind = Literal["person", "service"]
GroupSource = Literal["local", "external"]
SubjectKind = Literal["user", "group"]


class NewUser(Record, frozen=True):
    """A user to create; ``password_hash`` None for a service account, an invitation, or an external identity."""

    name: str
    display_name: str = ""
    kind: UserKind = "person"
    roles: tuple[SystemRole, ...] = ()
    password_hash: str | None = None
    must_change_password: bool = False
    issuer: str | None = None
    subject: str | None = None


class User(Record, frozen=True):
    """A user. ``issuer`` and ``subject`` are its identity at an external provider."""

    id: str
    name: str
    display_name: str
    kind: UserKind
    roles: tuple[SystemRole, ...]
    has_password: bool
    must_change_password: bool
    locked_until: datetime | None
    issuer: str | None
    subject: str | None
    disabled_at: datetime | None
    last_sign_in_at: datetime | None
    created_at: datetime
    created_by: str


class Credentials(Record, frozen=True):
    """A user with the hash of its password."""

    user: User
    password_hash: str | None


class Session(Record, frozen=True):
    """A sign-in; ``external_sid`` is its session at the external provider."""

    id: str
    user_id: str
    expires_at: datetime
    revoked_at: datetime | None
    external_sid: str | None
    address: str
    user_agent: str
    created_at: datetime
    used_at: datetime


class Tokens(Record, frozen=True):
    """A session with the refresh token that its client has from now on."""

    session: Session
    user: User
    refresh_token: str


class Invitation(Record, frozen=True):
    """A token with which a user sets a password, once."""

    token: str
    expires_at: datetime


class Group(Record, frozen=True):
    """A group and how many members it has."""

    id: str
    name: str
    source: GroupSource
    members: int
    created_at: datetime
    created_by: str


class Grant(Record, frozen=True):
    """The role of a user or group in a knowledge base; ``name`` is that of either."""

    knowledge_base_id: str
    knowledge_base: str
    kind: SubjectKind
    name: str
    role: KnowledgeBaseRole
    created_at: datetime
    created_by: str
