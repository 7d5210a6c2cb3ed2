"""Wire types of identities: the caller, sign-in, users, groups, keys and grants."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from activities.stores.catalog.people.names import MAX_DISPLAY_NAME
from api.http.schemas import Request, Schema

Platform = Literal["operator", "auditor", "admin"]
Granted = Literal["reader", "contributor", "manager"]
Kind = Literal["person", "service"]
Password = Annotated[str, Meta(max_length=1024)]
Token = Annotated[str, Meta(max_length=1024)]
#: Without controls, and without what turns the direction of the text around it.
DisplayName = Annotated[
    str, Meta(max_length=MAX_DISPLAY_NAME, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$(?!\n)")
]


class GrantedKnowledgeBase(Schema, frozen=True):
    """A knowledge base with the caller's role in it."""

    name: str
    role: str


class IdentityInfo(Schema, frozen=True):
    """As whom a key or a session acts: its user, its roles, and the id that revokes it.

    ``role`` is the strongest role, ``roles`` those of the platform. ``knowledge_bases`` has those that are granted;
    the role ``everywhere`` is that in all others.
    """

    subject: str
    role: str
    key_id: str
    session_id: str = ""
    name: str = ""
    display_name: str = ""
    kind: str = "key"
    roles: list[str] = []
    groups: list[str] = []
    everywhere: str | None = None
    knowledge_bases: list[GrantedKnowledgeBase] = []
    must_change_password: bool = False
    has_password: bool = False


class TokenRequest(Request, frozen=True):
    """A sign-in with a password."""

    username: Annotated[str, Meta(max_length=200)]
    password: Password


class RefreshRequest(Request, frozen=True):
    """The latest refresh token of a session."""

    refresh_token: Token


class PasswordRequest(Request, frozen=True):
    """A new password of the caller, of at least 12 characters."""

    current: Password
    new: Password


class AcceptRequest(Request, frozen=True):
    """The token of an invitation, and a password of at least 12 characters."""

    token: Token
    password: Password


class TokenInfo(Schema, frozen=True):
    """The tokens of a session. Each refresh token is used once; times are in seconds."""

    access_token: str
    expires_in: int
    refresh_token: str
    refresh_expires_in: int
    token_type: str = "Bearer"  # noqa: S105 - no password
    must_change_password: bool = False


class CreateUser(Request, frozen=True):
    """A user; without a password it is invited, signs in elsewhere, or is a service account with keys."""

    name: Annotated[str, Meta(max_length=200)]
    display_name: DisplayName = ""
    kind: Kind = "person"
    roles: list[Platform] = []
    password: Password | None = None
    must_change_password: bool = False


class ChangeUser(Request, frozen=True):
    """What changes of a user."""

    display_name: DisplayName | UnsetType = UNSET
    roles: list[Platform] | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET
    password: Password | UnsetType = UNSET


class UserInfo(Schema, frozen=True):
    """A user."""

    name: str
    display_name: str
    kind: str
    roles: list[str]
    disabled: bool
    has_password: bool
    must_change_password: bool
    locked_until: datetime | None
    external: bool
    last_sign_in_at: datetime | None
    created_at: datetime
    created_by: str


class UserDetail(UserInfo, frozen=True):
    """A user with its groups."""

    groups: list[str] = msgspec.field(default_factory=list)


class InvitationInfo(Schema, frozen=True):
    """A token that is shown once; with it the user sets a password."""

    token: str
    expires_at: datetime


class CreateGroup(Request, frozen=True):
    """A group; the members of an ``external`` one come from the identity provider."""

    name: Annotated[str, Meta(max_length=400)]
    source: Literal["local", "external"] = "local"


class GroupInfo(Schema, frozen=True):
    """A group and how many members it has."""

    name: str
    source: str
    members: int
    created_at: datetime
    created_by: str


class GroupDetail(Schema, frozen=True):
    """A group with the names of its members."""

    name: str
    source: str
    members: list[str]


class CreateKey(Request, frozen=True):
    """A key of the caller, or of another user (``owner``), by administrators.

    It may do what its owner may: at most what ``role`` may (``admin`` is no limit), and in these knowledge bases only.
    """

    name: DisplayName = ""
    role: Literal["reader", "contributor", "manager", "operator", "auditor", "admin"] = "admin"
    knowledge_bases: list[str] | None = None
    expires_at: datetime | None = None
    owner: str | None = None


class KeyInfo(Schema, frozen=True):
    """A key without its secret; ``knowledge_bases`` has ids."""

    id: str
    subject: str
    name: str
    role: str
    owner: str | None
    knowledge_bases: list[str] | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class KeySecret(KeyInfo, frozen=True):
    """A new key; ``key`` is not shown again."""

    key: str = ""


class SetGrant(Request, frozen=True):
    """The role of a user or group in a knowledge base."""

    role: Granted


class GrantInfo(Schema, frozen=True):
    """The role of a user or group in a knowledge base."""

    kind: str
    name: str
    role: str
    created_at: datetime
    created_by: str
