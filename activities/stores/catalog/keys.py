"""API keys: shown once, stored only as a hash, revocable."""

from __future__ import annotations

import hashlib
import secrets

from sqlalchemy import func, select

from activities.stores.catalog.engine import Engine
from activities.stores.catalog.records import Principal
from activities.stores.catalog.tables import ApiKeyRow

#: Every key starts like this, so that secret scanners can find one that leaked.
KEY_PREFIX = "holdfast_"


def hash_key(key: str) -> str:
    """SHA-256 of a key. A key has 256 random bits, so a slow password hash would add nothing."""
    return hashlib.sha256(key.encode()).hexdigest()


class Keys:
    """What the catalogue knows of API keys."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create(self, subject: str, role: str) -> str:
        """Make a key for ``subject`` and return it: the only time that it can be seen."""
        key = KEY_PREFIX + secrets.token_urlsafe(32)
        row = ApiKeyRow(subject=subject, role=role, secret_sha256=hash_key(key))
        async with self._engine.write() as session:
            session.add(row)
            await session.flush()
            session.audit(subject, "key.create", None, row.id, role=role)
        return key

    async def find(self, key: str) -> Principal | None:
        """Who the key belongs to; None for an unknown or a revoked one."""
        query = select(ApiKeyRow).where(ApiKeyRow.secret_sha256 == hash_key(key), ApiKeyRow.revoked_at.is_(None))
        async with self._engine.read() as session:
            row = await session.scalar(query)
        return Principal(subject=row.subject, role=row.role, key_id=row.id) if row else None

    async def count(self) -> int:
        """How many keys are valid."""
        query = select(func.count()).select_from(ApiKeyRow).where(ApiKeyRow.revoked_at.is_(None))
        async with self._engine.read() as session:
            return int(await session.scalar(query) or 0)
