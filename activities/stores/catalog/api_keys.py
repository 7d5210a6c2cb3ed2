"""API keys: shown once, stored only as a hash, revocable."""

from __future__ import annotations

import hashlib
import secrets

from sqlalchemy import func, select

from activities.errors import InvalidName, NotFound, UnknownRole
from activities.phrases import Phrase
from activities.stores.catalog.engine import Engine, repeats_conflicts
from activities.stores.catalog.records import ApiKey, Principal
from activities.stores.catalog.roles import ROLES, role_named
from activities.stores.catalog.tables import ApiKeyRow, now

#: Prefix of every key, by which secret scanners recognize leaked keys.
KEY_PREFIX = "holdfast_"


def hash_key(key: str) -> str:
    """SHA-256 of a key. A key has 256 random bits, so a slow password hash would add nothing."""
    return hashlib.sha256(key.encode()).hexdigest()


#: Longest subject of a key, in characters.
MAX_SUBJECT = 200


@repeats_conflicts
class ApiKeys:
    """API keys in the catalogue."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create(self, subject: str, role: str) -> str:
        """Creates a key for ``subject`` and returns it; it cannot be read again. Raises UnknownRole and InvalidName."""
        if not 1 <= len(subject) <= MAX_SUBJECT:
            detail = Phrase.NAME_TOO_LONG if subject else Phrase.NAME_EMPTY
            raise InvalidName(name=subject[:60], detail=detail, limit=MAX_SUBJECT)
        if "\0" in subject:
            raise InvalidName(name=subject[:60], detail=Phrase.NUL)
        if role not in ROLES:
            raise UnknownRole(role=role, known=", ".join(ROLES))
        key = KEY_PREFIX + secrets.token_urlsafe(32)
        row = ApiKeyRow(subject=subject, role=role, secret_sha256=hash_key(key))
        async with self._engine.write() as session:
            session.add(row)
            await session.flush()
            session.audit(subject, "key.create", None, row.id, role=role)
        return key

    async def find(self, key: str) -> Principal | None:
        """The owner of the key; None for an unknown or revoked key."""
        query = select(ApiKeyRow).where(ApiKeyRow.secret_sha256 == hash_key(key), ApiKeyRow.revoked_at.is_(None))
        async with self._engine.read() as session:
            row = await session.scalar(query)
        return Principal(subject=row.subject, role=role_named(row.role), key_id=row.id) if row else None

    async def all(self) -> list[ApiKey]:
        """All keys, including revoked ones, oldest first."""
        async with self._engine.read() as session:
            return [_record(row) for row in await session.scalars(select(ApiKeyRow).order_by(ApiKeyRow.id))]

    async def revoke(self, id: str, actor: str) -> ApiKey:
        """Revokes a key permanently; idempotent. Raises NotFound."""
        async with self._engine.write() as session:
            row = await session.get(ApiKeyRow, id, with_for_update=True)
            if row is None:
                raise NotFound(kind="key", id=id)
            if row.revoked_at is None:
                row.revoked_at = now()
                session.audit(actor, "key.revoke", None, row.id, subject=row.subject, role=row.role)
        return _record(row)

    async def count(self) -> int:
        """The number of valid keys."""
        query = select(func.count()).select_from(ApiKeyRow).where(ApiKeyRow.revoked_at.is_(None))
        async with self._engine.read() as session:
            return int(await session.scalar(query) or 0)


def _record(row: ApiKeyRow) -> ApiKey:
    return ApiKey(
        id=row.id,
        subject=row.subject,
        role=role_named(row.role),
        created_at=row.created_at,
        revoked_at=row.revoked_at,
    )
