"""API keys: shown once, stored only as a hash, revocable."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy import Select, func, select

from activities.errors import CatalogUnavailable, InvalidName, InvalidRequest, NotFound, UnknownRole
from activities.phrases import Phrase
from activities.stores.catalog.engine import Engine, repeats_conflicts
from activities.stores.catalog.people import rights
from activities.stores.catalog.people.names import RESERVED, spelt
from activities.stores.catalog.people.records import User
from activities.stores.catalog.people.tables import ApiKeyRow, UserRow
from activities.stores.catalog.people.users import hash_token
from activities.stores.catalog.records import ApiKey, Principal
from activities.stores.catalog.roles import LADDER, ROLES, role_named
from activities.stores.catalog.tables import now

#: Prefix of every key, by which secret scanners recognize leaked keys.
KEY_PREFIX = "holdfast_"

#: Longest subject or name of a key, in characters.
MAX_SUBJECT = 200

#: How exact the last use of a key is.
LAST_USE = timedelta(minutes=10)


def hash_key(key: str) -> str:
    """SHA-256 of a key."""
    return hash_token(key)


@repeats_conflicts
class ApiKeys:
    """API keys in the catalogue."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create(self, subject: str, role: str) -> str:
        """Creates a key for ``subject`` with a role in every knowledge base and returns it; it cannot be read again.

        Raises UnknownRole, and InvalidName also for the name of a user: its keys have it as their owner. The first
        administrator's name may have both.
        """
        _check(subject, role)
        if spelt(subject) in RESERVED:
            raise InvalidName(name=subject, detail=Phrase.RESERVED_NAME)
        row = ApiKeyRow(subject=subject, role=role)
        async with self._engine.write() as session:
            of_user = select(UserRow.id).where(UserRow.name == spelt(subject))
            if role != "admin" and await session.scalar(of_user):
                raise InvalidName(name=subject[:60], detail=Phrase.NAME_OF_USER)
            key = _secret_of(row)
            session.add(row)
            await session.flush()
            session.audit(subject, "key.create", None, row.id, role=role)
        return key

    async def create_for(
        self,
        owner: User,
        actor: str,
        *,
        role: str = "admin",
        name: str = "",
        knowledge_bases: Sequence[str] | None = None,
        expires_at: datetime | None = None,
    ) -> tuple[ApiKey, str]:
        """Creates a key of a user, and returns it with its secret, which cannot be read again.

        It may do what the user may, at most what ``role`` may, and in ``knowledge_bases`` (ids) only. Raises
        UnknownRole, InvalidName, and InvalidRequest for a role of the platform within knowledge bases.
        """
        _check(owner.name, role)
        if len(name) > MAX_SUBJECT or "\0" in name:
            raise InvalidName(name=name[:60], detail=Phrase.NAME_TOO_LONG, limit=MAX_SUBJECT)
        if knowledge_bases is not None and role not in (*LADDER, "admin"):
            raise InvalidRequest(detail=Phrase.KEY_OF_PLATFORM)
        row = ApiKeyRow(subject=owner.name, role=role, owner_id=owner.id, name=name or None, expires_at=expires_at)
        row.knowledge_bases = list(knowledge_bases) if knowledge_bases is not None else None
        key = _secret_of(row)
        async with self._engine.write() as session:
            session.add(row)
            await session.flush()
            detail = {"owner": owner.name, "role": role, "name": name, "knowledge_bases": row.knowledge_bases}
            expires = expires_at.isoformat() if expires_at else None
            session.audit(actor, "key.create", None, row.id, **detail, expires_at=expires)
        return _record(row, owner.name), key

    async def find(self, key: str) -> Principal | None:
        """The owner of the key with its rights; None for a key that is unknown, revoked, past its end, or disabled."""
        async with self._engine.read() as session:
            found = (await session.execute(_owned().where(ApiKeyRow.secret_sha256 == hash_key(key)))).first()
            if found is None:
                return None
            row, owner = found
            valid = row.revoked_at is None and (row.expires_at is None or row.expires_at > now())
            valid = valid and (row.owner_id is None or (owner is not None and owner.disabled_at is None))
            principal = None
            if valid and owner is not None:
                principal = rights.limited(await rights.of_user(session, owner), row)
            elif valid:
                principal = rights.of_role(row.subject, role_named(row.role), row.id)
        with suppress(CatalogUnavailable):  # it can be read, but not written
            await self._note_use(row, refused=not valid)
        return principal

    async def _note_use(self, row: ApiKeyRow, *, refused: bool) -> None:
        """Records the first use after a key's end, and from time to time the last use before."""
        if refused and row.refused_at is None:
            async with self._engine.write() as session:
                present = await session.get(ApiKeyRow, row.id, with_for_update=True)
                if present is not None and present.refused_at is None:
                    present.refused_at = now()
                    session.audit("anonymous", "key.refused", None, row.id, subject=row.subject)
        elif not refused and (row.last_used_at is None or now() - row.last_used_at > LAST_USE):
            async with self._engine.write() as session:
                present = await session.get(ApiKeyRow, row.id)
                if present is not None:
                    present.last_used_at = now()

    async def all(self, owner_id: str | None = None) -> list[ApiKey]:
        """All keys, or those of a user, including revoked ones, oldest first."""
        query = _owned().order_by(ApiKeyRow.id)
        query = query.where(ApiKeyRow.owner_id == owner_id) if owner_id else query
        async with self._engine.read() as session:
            return [_record(row, owner.name if owner else None) for row, owner in await session.execute(query)]

    async def get(self, id: str) -> ApiKey:
        """A key by id. Raises NotFound."""
        async with self._engine.read() as session:
            found = (await session.execute(_owned().where(ApiKeyRow.id == id))).first()
        if found is None:
            raise NotFound(kind="key", id=id)
        row, owner = found
        return _record(row, owner.name if owner else None)

    async def revoke(self, id: str, actor: str) -> ApiKey:
        """Revokes a key permanently; idempotent. Raises NotFound."""
        async with self._engine.write() as session:
            row = await session.get(ApiKeyRow, id, with_for_update=True)
            if row is None:
                raise NotFound(kind="key", id=id)
            if row.revoked_at is None:
                row.revoked_at = now()
                session.audit(actor, "key.revoke", None, row.id, subject=row.subject, role=row.role)
            owner = await session.get(UserRow, row.owner_id) if row.owner_id else None
        return _record(row, owner.name if owner else None)

    async def count(self) -> int:
        """The number of keys that were not revoked."""
        query = select(func.count()).select_from(ApiKeyRow).where(ApiKeyRow.revoked_at.is_(None))
        async with self._engine.read() as session:
            return int(await session.scalar(query) or 0)


def _check(subject: str, role: str) -> None:
    if not 1 <= len(subject) <= MAX_SUBJECT:
        detail = Phrase.NAME_TOO_LONG if subject else Phrase.NAME_EMPTY
        raise InvalidName(name=subject[:60], detail=detail, limit=MAX_SUBJECT)
    if "\0" in subject:
        raise InvalidName(name=subject[:60], detail=Phrase.NUL)
    if role not in ROLES:
        raise UnknownRole(role=role, known=", ".join(ROLES))


def _secret_of(row: ApiKeyRow) -> str:
    """A new key, whose hash the row gets. It has 256 random bits, so a slow password hash would add nothing."""
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    row.secret_sha256 = hash_key(key)
    return key


def _owned() -> Select[ApiKeyRow, UserRow | None]:
    return select(ApiKeyRow, UserRow).outerjoin(UserRow, UserRow.id == ApiKeyRow.owner_id)


def _record(row: ApiKeyRow, owner: str | None) -> ApiKey:
    return ApiKey(
        id=row.id,
        subject=row.subject,
        role=role_named(row.role),
        created_at=row.created_at,
        revoked_at=row.revoked_at,
        owner=owner,
        name=row.name or "",
        knowledge_bases=row.knowledge_bases,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )
