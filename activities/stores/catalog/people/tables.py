"""Tables of users, sessions, invitations, groups, grants and API keys."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from activities.stores.catalog.tables import Table, new_id, now


class UserRow(Table):
    """A person or a service account; ``roles`` are those of the platform.

    A removed user keeps its row, so that its name, which the audit trail has, is never given to another one. ``issuer``
    and ``subject`` are its identity at an external provider.
    """

    __tablename__ = "users"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    display_name: Mapped[str] = mapped_column(String(200), default="")
    kind: Mapped[str] = mapped_column(String(16))
    roles: Mapped[list[Any]]
    password_hash: Mapped[str | None] = mapped_column(String(200))
    must_change_password: Mapped[bool] = mapped_column(default=False)
    failed_sign_ins: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None]
    issuer: Mapped[str | None] = mapped_column(String(500))
    subject: Mapped[str | None] = mapped_column(String(255))
    disabled_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]
    last_sign_in_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    created_by: Mapped[str] = mapped_column(String(200))


class SessionRow(Table):
    """A sign-in: its refresh token and the one before, as hashes.

    ``rotation_salt`` gives, with the token before, the present one again: to a client that lost the answer.
    """

    __tablename__ = "sessions"
    __table_args__ = (Index("ix_sessions_external_sid", "external_sid"),)
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    refresh_hash: Mapped[str] = mapped_column(String(64))
    previous_refresh_hash: Mapped[str | None] = mapped_column(String(64))
    rotation_salt: Mapped[str | None] = mapped_column(String(64))
    rotated_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    external_sid: Mapped[str | None] = mapped_column(String(255))
    address: Mapped[str] = mapped_column(String(64), default="")
    user_agent: Mapped[str] = mapped_column(String(300), default="")
    created_at: Mapped[datetime] = mapped_column(default=now)
    used_at: Mapped[datetime] = mapped_column(default=now)


class InvitationRow(Table):
    """A link with which a user sets a password; stored as the hash of its token."""

    __tablename__ = "invitations"
    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)


class GroupRow(Table):
    """A group; the members of an ``external`` one are those that the identity provider names at sign-in.

    ``external_name`` is what the provider calls it: two names there never are one group here.
    """

    __tablename__ = "groups"
    __table_args__ = (Index("ix_groups_external_name", "external_name", unique=True),)
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    source: Mapped[str] = mapped_column(String(16), default="local")
    external_name: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(default=now)
    created_by: Mapped[str] = mapped_column(String(200))


class GroupMemberRow(Table):
    __tablename__ = "group_members"
    group_id: Mapped[str] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True, index=True)


class GrantRow(Table):
    """The role of a user or a group in a knowledge base; ``subject_id`` is the id of either."""

    __tablename__ = "grants"
    __table_args__ = (Index("ix_grants_subject_kind_subject_id", "subject_kind", "subject_id"),)
    knowledge_base_id: Mapped[str] = mapped_column(ForeignKey("knowledge_bases.id"), primary_key=True)
    subject_kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    subject_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    role: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(default=now)
    created_by: Mapped[str] = mapped_column(String(200))


class ApiKeyRow(Table):
    """An API key, stored as a hash; ``subject`` is the user who acts with it.

    A key without an owner has its role in every knowledge base. A key of a user has the rights of its owner, at most
    those of its role, and in ``knowledge_bases`` (ids) only, if there are any. ``refused_at`` is its first use after
    its end.
    """

    __tablename__ = "api_keys"
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    subject: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(32))
    secret_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    revoked_at: Mapped[datetime | None]
    owner_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str | None] = mapped_column(String(200))
    knowledge_bases: Mapped[list[Any] | None]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    refused_at: Mapped[datetime | None]
