"""Sessions: sign-ins with refresh tokens that are replaced at each use.

A refresh token is ``holdfast_refresh_<session>_<secret>``. Its successor is derived from it and the session's salt,
which only the catalogue has, so that a client that lost the answer gets the same successor again for ``GRACE``. Any
other token that was used before ends the session: somebody else has it. A secret has a mark by which the session
recognizes those that it gave out, so that nobody ends it with an invented one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import timedelta

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from activities.errors import NotFound, SessionEnded, SignInRefused
from activities.stores.catalog.engine import Engine, Transaction, repeats_conflicts
from activities.stores.catalog.people import rights
from activities.stores.catalog.people.records import Session, Tokens, User
from activities.stores.catalog.people.tables import SessionRow, UserRow
from activities.stores.catalog.people.users import hash_token, user_record
from activities.stores.catalog.records import Principal
from activities.stores.catalog.tables import now

#: Prefix of refresh tokens, by which secret scanners recognize them.
REFRESH_PREFIX = "holdfast_refresh_"

#: The token before the present one is answered with the present one for this time after it was replaced.
GRACE = timedelta(seconds=10)

#: The external id of a session whose provider has named none.
NO_SID = ""

_ID_LENGTH = 32


@repeats_conflicts
class Sessions:
    """Sessions in the catalogue."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create(
        self,
        user_id: str,
        valid: timedelta,
        *,
        address: str = "",
        user_agent: str = "",
        external_sid: str | None = None,
        method: str = "password",
    ) -> Tokens:
        """Signs a user in. Raises SignInRefused for a user that is disabled, removed, or locked for this address.

        Only passwords are guessed, so a lock keeps nobody else out.
        """
        salt = secrets.token_hex(32)
        secret = _marked(secrets.token_urlsafe(32), salt)
        async with self._engine.write() as session:
            user = await session.get(UserRow, user_id, with_for_update=True)
            if user is None or user.disabled_at is not None:
                raise SignInRefused()
            if method == "password" and await _is_locked(session, user, address):
                raise SignInRefused()
            row = SessionRow(
                user_id=user.id,
                refresh_hash=hash_token(secret),
                rotation_salt=salt,
                expires_at=now() + valid,
                external_sid=external_sid,
                address=address[:64],
                user_agent=user_agent.replace("\0", "")[:300],
            )
            session.add(row)
            await session.flush()
            user.failed_sign_ins, user.locked_until, user.last_sign_in_at = 0, None, now()
            session.audit(user.name, "session.create", None, row.id, address=row.address, method=method)
        return Tokens(session=_record(row), user=user_record(user), refresh_token=_token(row.id, secret))

    async def refresh(self, token: str, address: str = "") -> Tokens:
        """Replaces a refresh token.

        Raises SessionEnded for a token that is wrong or of a session that has ended. One that was replaced more
        than ``GRACE`` ago, or before the last one, ends its session; an invented one does not.
        """
        id, secret = _parts(token)
        tokens = None
        async with self._engine.write() as session:
            row = await session.get(SessionRow, id, with_for_update=True)
            user = await session.get(UserRow, row.user_id) if row else None
            if row is not None and user is not None and _goes_on(row, user):
                successor = await _rotate(session, row, user, secret, address)
                if successor is not None:
                    tokens = Tokens(
                        session=_record(row), user=user_record(user), refresh_token=_token(row.id, successor)
                    )
        if tokens is None:  # raised here, so that the end of a session is committed
            raise SessionEnded()
        return tokens

    async def is_locked(self, user_id: str, address: str) -> bool:
        """Whether the user is locked for passwords from this address."""
        async with self._engine.read() as session:
            user = await session.get(UserRow, user_id)
            return user is None or await _is_locked(session, user, address)

    async def find(self, id: str) -> Principal | None:
        """The rights of a session's user; None if the session has ended, or the user is disabled."""
        async with self._engine.read() as session:
            row = await session.get(SessionRow, id)
            user = await session.get(UserRow, row.user_id) if row else None
            if row is None or user is None or not _goes_on(row, user):
                return None
            principal = await rights.of_user(session, user)
        return msgspec.structs.replace(principal, session_id=id)

    async def get(self, id: str) -> Session:
        """A session by id. Raises NotFound."""
        async with self._engine.read() as session:
            row = await session.get(SessionRow, id)
        if row is None:
            raise NotFound(kind="session", id=id)
        return _record(row)

    async def end(self, id: str, actor: str) -> None:
        """Ends a session; nothing happens if it has ended, or never was."""
        async with self._engine.write() as session:
            row = await session.get(SessionRow, id, with_for_update=True)
            if row is not None and row.revoked_at is None:
                row.revoked_at = now()
                session.audit(actor, "session.end", None, row.id)

    async def end_external(self, issuer: str, subject: str | None, external_sid: str | None, actor: str) -> int:
        """Ends sessions of an external provider; how many.

        That with this id there, and those of its user whose id is not known; without an id, all of the user.
        """
        query = select(SessionRow).join(UserRow, UserRow.id == SessionRow.user_id).with_for_update()
        query = query.where(
            UserRow.issuer == issuer, SessionRow.revoked_at.is_(None), SessionRow.external_sid.is_not(None)
        )
        query = query.where(UserRow.subject == subject) if subject is not None else query
        if external_sid is not None:
            ids = [external_sid] if subject is None else [external_sid, NO_SID]
            query = query.where(SessionRow.external_sid.in_(ids))
        elif subject is None:
            return 0
        async with self._engine.write() as session:
            rows = list(await session.scalars(query))
            for row in rows:
                row.revoked_at = now()
                session.audit(actor, "session.end", None, row.id, external=True)
        return len(rows)

    async def of_user(self, user: User) -> list[Session]:
        """The sessions of a user that go on, newest first."""
        query = select(SessionRow).where(
            SessionRow.user_id == user.id, SessionRow.revoked_at.is_(None), SessionRow.expires_at > now()
        )
        async with self._engine.read() as session:
            return [_record(row) for row in await session.scalars(query.order_by(SessionRow.id.desc()))]


async def _is_locked(session: AsyncSession, user: UserRow, address: str) -> bool:
    """Whether too many passwords were wrong; not for an address from which the user has signed in lately."""
    if user.locked_until is None or user.locked_until <= now():
        return False
    known = select(SessionRow.id).where(SessionRow.user_id == user.id, SessionRow.address == address[:64])
    return not address or await session.scalar(known.limit(1)) is None


async def _rotate(session: Transaction, row: SessionRow, user: UserRow, secret: str, address: str) -> str | None:
    """The successor of a token's secret; None if it is wrong, or was used before, which ends the session."""
    used, moment = hash_token(secret), now()
    if hmac.compare_digest(used, row.refresh_hash):
        row.rotation_salt = row.rotation_salt or secrets.token_hex(32)
        successor = _successor(secret, row.rotation_salt)
        row.previous_refresh_hash, row.refresh_hash = used, hash_token(successor)
        row.rotated_at = row.used_at = moment
        return successor
    in_time = moment - row.rotated_at <= GRACE
    if in_time and row.rotation_salt and hmac.compare_digest(used, row.previous_refresh_hash or ""):
        return _successor(secret, row.rotation_salt)
    if _was_given_out(secret, row.rotation_salt or ""):
        row.revoked_at = moment
        session.audit(user.name, "session.refresh-reused", None, row.id, address=address)
    return None


def _successor(secret: str, salt: str) -> str:
    return _marked(_derived("next", secret, salt), salt)


def _marked(text: str, salt: str) -> str:
    return f"{text}.{_derived('given out', text, salt)}"


def _was_given_out(secret: str, salt: str) -> bool:
    return bool(salt) and hmac.compare_digest(secret, _marked(secret.partition(".")[0], salt))


def _derived(purpose: str, text: str, salt: str) -> str:
    derived = hmac.digest(salt.encode(), f"{purpose} {text}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(derived).rstrip(b"=").decode()


def _goes_on(row: SessionRow, user: UserRow) -> bool:
    return row.revoked_at is None and row.expires_at > now() and user.disabled_at is None


def _token(id: str, secret: str) -> str:
    return f"{REFRESH_PREFIX}{id}_{secret}"


def _parts(token: str) -> tuple[str, str]:
    """The session and the secret of a token. Raises SessionEnded."""
    id, _, secret = token.removeprefix(REFRESH_PREFIX).partition("_")
    if not token.startswith(REFRESH_PREFIX) or len(id) != _ID_LENGTH or not id.isalnum() or not token.isascii():
        raise SessionEnded()
    return id, secret


def _record(row: SessionRow) -> Session:
    return Session(
        id=row.id,
        user_id=row.user_id,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        external_sid=row.external_sid,
        address=row.address,
        user_agent=row.user_agent,
        created_at=row.created_at,
        used_at=row.used_at,
    )
