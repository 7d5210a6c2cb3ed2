"""Users: people and service accounts, their passwords and invitations. Passwords come as hashes (``api.people``)."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from activities.errors import InvalidRequest, NameInUse, NotFound, SessionEnded
from activities.phrases import Phrase
from activities.stores.catalog.engine import Engine, Transaction, repeats_conflicts
from activities.stores.catalog.people import administrators
from activities.stores.catalog.people.names import RESERVED, spelt, user_name
from activities.stores.catalog.people.records import Credentials, Invitation, NewUser, User
from activities.stores.catalog.people.tables import (
    ApiKeyRow,
    GrantRow,
    GroupMemberRow,
    GroupRow,
    InvitationRow,
    SessionRow,
    UserRow,
)
from activities.stores.catalog.roles import SYSTEM_ROLES
from activities.stores.catalog.tables import now

#: Prefix of the tokens of invitations, by which secret scanners recognize them.
INVITATION_PREFIX = "holdfast_invitation_"
INVITATION_VALID = timedelta(days=7)

#: Wrong passwords, whatever their addresses, after which a user is locked for new ones, and for how long: the time
#: doubles with each further such number. An address that is known to be the user's is not concerned.
LOCKED_AFTER = 20
LOCK, LONGEST_LOCK = timedelta(minutes=1), timedelta(minutes=15)


@repeats_conflicts
class Users:
    """Users in the catalogue. Methods raise NotFound for a user that does not exist or was removed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create(self, new: NewUser, actor: str) -> User:
        """Adds a user.

        Raises InvalidName, and NameInUse for the name of a user, of a removed one, of a key, or of no user (RESERVED).
        """
        name = user_name(new.name)
        if name in RESERVED:
            raise NameInUse(name=name)
        row = UserRow(
            name=name,
            display_name=new.display_name,
            kind=new.kind,
            roles=list(new.roles),
            password_hash=new.password_hash,
            must_change_password=new.must_change_password,
            issuer=new.issuer,
            subject=new.subject,
            created_by=actor,
        )
        try:
            async with self._engine.write() as session:
                of_key = select(ApiKeyRow.id).where(func.lower(ApiKeyRow.subject) == name, ApiKeyRow.owner_id.is_(None))
                if "admin" not in new.roles and await session.scalar(of_key.limit(1)):
                    raise NameInUse(name=name)
                session.add(row)
                await session.flush()
                detail = {"name": name, "kind": new.kind, "roles": list(new.roles)}
                detail |= {"issuer": new.issuer} if new.issuer else {}
                session.audit(actor, "user.create", None, row.id, **detail)
        except IntegrityError as exc:
            raise NameInUse(name=name) from exc
        return user_record(row)

    async def get(self, name: str) -> User:
        """A user by name."""
        async with self._engine.read() as session:
            return user_record(await user_row(session, name))

    async def by_id(self, id: str) -> User:
        """A user by id."""
        async with self._engine.read() as session:
            return user_record(await _row_of(session, id))

    async def by_identity(self, issuer: str, subject: str) -> User | None:
        """The user with this identity at an external provider."""
        query = select(UserRow).where(
            UserRow.issuer == issuer, UserRow.subject == subject, UserRow.removed_at.is_(None)
        )
        async with self._engine.read() as session:
            row = await session.scalar(query)
        return user_record(row) if row else None

    async def link(self, name: str, issuer: str, subject: str, actor: str) -> User:
        """Gives a user an identity at an external provider. Raises NameInUse if another one has it."""
        try:
            async with self._engine.write() as session:
                row = await user_row(session, name, lock=True)
                row.issuer, row.subject = issuer, subject
                session.audit(actor, "user.link", None, row.id, name=row.name, issuer=issuer)
        except IntegrityError as exc:
            raise NameInUse(name=name) from exc
        return user_record(row)

    async def page(self, after: str | None, limit: int) -> list[User]:
        """At most ``limit`` users ordered by name, after the name ``after``."""
        query = select(UserRow).where(UserRow.removed_at.is_(None)).order_by(UserRow.name).limit(limit)
        query = query.where(UserRow.name > after) if after else query
        async with self._engine.read() as session:
            return [user_record(row) for row in await session.scalars(query)]

    async def count(self) -> int:
        """1 if there is, or was, a user, otherwise 0."""
        async with self._engine.read() as session:
            return 1 if await session.scalar(select(UserRow.id).limit(1)) else 0

    async def groups_of(self, id: str) -> list[str]:
        """The names of a user's groups."""
        query = select(GroupRow.name).join(GroupMemberRow, GroupMemberRow.group_id == GroupRow.id)
        async with self._engine.read() as session:
            return list(await session.scalars(query.where(GroupMemberRow.user_id == id).order_by(GroupRow.name)))

    async def credentials(self, name: str) -> Credentials | None:
        """The user that may sign in with a password under this name, with the hash; None if there is none."""
        query = select(UserRow).where(
            UserRow.name == spelt(name), UserRow.removed_at.is_(None), UserRow.kind == "person"
        )
        async with self._engine.read() as session:
            row = await session.scalar(query)
        return Credentials(user=user_record(row), password_hash=row.password_hash) if row else None

    async def change(self, name: str, changes: dict[str, Any], actor: str) -> User:
        """Sets ``display_name``, ``roles`` and ``disabled``; disabling ends the sessions. Returns the user.

        Raises LastAdministrator.
        """
        async with self._engine.write() as session:
            row = await user_row(session, name, lock=True)
            if changes.get("disabled") or "admin" not in changes.get("roles", ["admin"]):
                await administrators.keep_one(session, row)
            before = {"roles": list(row.roles), "disabled": row.disabled_at is not None}
            if "display_name" in changes:
                row.display_name = changes["display_name"]
            if "roles" in changes:
                row.roles = [role for role in SYSTEM_ROLES if role in changes["roles"]]
            if changes.get("disabled", before["disabled"]) != before["disabled"]:
                row.disabled_at = now() if changes["disabled"] else None
            if row.disabled_at is not None:
                await _end_sessions(session, row.id)
            else:
                row.failed_sign_ins, row.locked_until = 0, None
            after = {"roles": list(row.roles), "disabled": row.disabled_at is not None}
            fields = sorted(changes)
            session.audit(actor, "user.update", None, row.id, name=row.name, fields=fields, before=before, after=after)
        return user_record(row)

    async def remove(self, name: str, actor: str) -> None:
        """Removes a user with its grants, memberships, sessions and keys. Its name stays taken.

        Raises LastAdministrator.
        """
        async with self._engine.write() as session:
            row = await user_row(session, name, lock=True)
            await administrators.keep_one(session, row)
            row.removed_at = row.disabled_at = now()
            row.password_hash = row.issuer = row.subject = None
            row.roles, row.display_name = [], ""
            await _end_sessions(session, row.id)
            of_it = ApiKeyRow.owner_id == row.id
            await session.execute(
                update(ApiKeyRow).where(of_it, ApiKeyRow.revoked_at.is_(None)).values(revoked_at=now())
            )
            is_it = (GrantRow.subject_kind == "user", GrantRow.subject_id == row.id)
            await session.execute(delete(GrantRow).where(*is_it))
            await session.execute(delete(GroupMemberRow).where(GroupMemberRow.user_id == row.id))
            await session.execute(delete(InvitationRow).where(InvitationRow.user_id == row.id))
            session.audit(actor, "user.remove", None, row.id, name=row.name)

    async def set_password(
        self, id: str, password_hash: str, actor: str, *, must_change: bool = False, keep_session: str | None = None
    ) -> None:
        """Sets a password, and ends invitations and all sessions but one."""
        async with self._engine.write() as session:
            row = await _row_of(session, id, lock=True)
            _set_password(row, password_hash, must_change=must_change)
            await _end_sessions(session, row.id, keep_session)
            await session.execute(delete(InvitationRow).where(InvitationRow.user_id == row.id))
            session.audit(actor, "user.password", None, row.id, name=row.name)

    async def refused(self, id: str | None, name: str, address: str) -> None:
        """Records a refused sign-in with a password; too many lock the user. ``id`` is None for an unknown name."""
        async with self._engine.write() as session:
            row = await session.get(UserRow, id, with_for_update=True) if id else None
            session.audit("anonymous", "session.refused", None, id, name=name[:100], address=address)
            if row is None:
                return
            row.failed_sign_ins += 1
            if row.failed_sign_ins % LOCKED_AFTER == 0:
                times = row.failed_sign_ins // LOCKED_AFTER - 1
                row.locked_until = now() + min(LOCK * 2 ** min(times, 10), LONGEST_LOCK)
                until = row.locked_until.isoformat()
                session.audit("anonymous", "user.lock", None, row.id, name=row.name, until=until, address=address)

    async def invite(self, name: str, actor: str) -> Invitation:
        """Makes an invitation, which replaces earlier ones. Raises InvalidRequest for a service account."""
        token = INVITATION_PREFIX + secrets.token_urlsafe(32)
        async with self._engine.write() as session:
            row = await user_row(session, name, lock=True)
            if row.kind != "person":
                raise InvalidRequest(detail=Phrase.NO_PASSWORD)
            await session.execute(delete(InvitationRow).where(InvitationRow.user_id == row.id))
            expires_at = now() + INVITATION_VALID
            session.add(InvitationRow(hash=hash_token(token), user_id=row.id, expires_at=expires_at))
            session.audit(actor, "user.invite", None, row.id, name=row.name)
        return Invitation(token=token, expires_at=expires_at)

    async def require_invited(self, token: str) -> None:
        """Raises SessionEnded for a token of an invitation that is wrong, used or old."""
        async with self._engine.read() as session:
            invitation = await session.get(InvitationRow, hash_token(token))
        if invitation is None or invitation.used_at is not None or invitation.expires_at <= now():
            raise SessionEnded()

    async def accept(self, token: str, password_hash: str) -> User:
        """Sets the password of an invited user, once. Raises SessionEnded for a wrong, used or old token."""
        async with self._engine.write() as session:
            invitation = await session.get(InvitationRow, hash_token(token), with_for_update=True)
            if invitation is None or invitation.used_at is not None or invitation.expires_at <= now():
                raise SessionEnded()
            row = await session.get(UserRow, invitation.user_id, with_for_update=True)
            if row is None or row.removed_at is not None or row.disabled_at is not None:
                raise SessionEnded()
            invitation.used_at = now()
            _set_password(row, password_hash, must_change=False)
            await _end_sessions(session, row.id)
            session.audit(row.name, "user.accept-invitation", None, row.id, name=row.name)
        return user_record(row)

    async def sign_out(self, name: str, actor: str) -> None:
        """Ends all sessions of a user."""
        async with self._engine.write() as session:
            row = await user_row(session, name, lock=True)
            await _end_sessions(session, row.id)
            session.audit(actor, "user.sign-out", None, row.id, name=row.name)


def hash_token(token: str) -> str:
    """SHA-256 of a token. A token has 256 random bits, so a slow password hash would add nothing."""
    return hashlib.sha256(token.encode()).hexdigest()


def _set_password(row: UserRow, password_hash: str, *, must_change: bool) -> None:
    row.password_hash, row.must_change_password = password_hash, must_change
    row.failed_sign_ins, row.locked_until = 0, None


async def _end_sessions(session: Transaction, user_id: str, keep: str | None = None) -> None:
    going_on = (SessionRow.user_id == user_id, SessionRow.revoked_at.is_(None), SessionRow.id != (keep or ""))
    await session.execute(update(SessionRow).where(*going_on).values(revoked_at=now()))


async def user_row(session: AsyncSession, name: str, *, lock: bool = False) -> UserRow:
    """The row of a user by name. Raises NotFound."""
    query = select(UserRow).where(UserRow.name == spelt(name), UserRow.removed_at.is_(None))
    row = await session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise NotFound(kind="user", id=name)
    return row


async def _row_of(session: AsyncSession, id: str, *, lock: bool = False) -> UserRow:
    row = await session.get(UserRow, id, with_for_update=lock or None)
    if row is None or row.removed_at is not None:
        raise NotFound(kind="user", id=id)
    return row


def user_record(row: UserRow) -> User:
    """The record of a user's row."""
    return User(
        id=row.id,
        name=row.name,
        display_name=row.display_name,
        kind="service" if row.kind == "service" else "person",
        roles=tuple(role for role in SYSTEM_ROLES if role in row.roles),
        has_password=row.password_hash is not None,
        must_change_password=row.must_change_password,
        locked_until=row.locked_until,
        issuer=row.issuer,
        subject=row.subject,
        disabled_at=row.disabled_at,
        last_sign_in_at=row.last_sign_in_at,
        created_at=row.created_at,
        created_by=row.created_by,
    )
