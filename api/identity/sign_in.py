"""Signing in: passwords, waits after wrong ones, and the tokens of a session."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from activities.errors import InvalidRequest, SessionEnded, SignInRefused, TooManyPasswords, TooManyRequests
from activities.phrases import Phrase
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.people.names import spelt
from activities.stores.catalog.people.records import Credentials, Tokens
from api.http.rates import Buckets
from api.http.tokens import VALID_SECONDS, AccessTokens
from api.identity.lockouts import Lockouts
from api.identity.schemas import TokenInfo

#: A session ends so long after its sign-in.
SESSION_VALID = timedelta(days=14)

MIN_PASSWORD, MAX_PASSWORD = 12, 256

#: Passwords that are hashed at once: each takes 64 MiB for a tenth of a second.
HASHED_AT_ONCE = 2

#: Passwords of one address that are hashed or wait for it, and the seconds after which further ones are tried again.
HASHED_OF_ADDRESS, HASHING_SECONDS = 20, 2

#: Refused sign-ins of an address in a minute, after which it is locked for ``LOCKED_SECONDS``.
REFUSALS_PER_MINUTE = 20
LOCKED_SECONDS = 60
MOST_LOCKED = 10_000

#: Characters of a wrong name that are recorded.
MOST_NOTED = 100


class SignIn:
    """Signs users in."""

    def __init__(self, catalog: Catalog, tokens: AccessTokens) -> None:
        self._catalog, self._tokens, self._hasher = catalog, tokens, PasswordHasher()
        self._places = asyncio.Semaphore(HASHED_AT_ONCE)
        self._hashing: Counter[str] = Counter()
        self._refusals, self._lockouts = Buckets(REFUSALS_PER_MINUTE), Lockouts()
        self._locked: dict[str, float] = {}
        self._of_nobody = self._hasher.hash("of nobody")  # so that an unknown name takes as long as a known one

    async def with_password(self, name: str, password: str, address: str, user_agent: str) -> TokenInfo:
        """Signs a user in. Raises SignInRefused, and TooManyRequests for an address that was refused too often."""
        name = spelt(name)
        found = await self._checked(name, password, address)
        try:
            session = await self._catalog.sessions.create(
                found.user.id, SESSION_VALID, address=address, user_agent=user_agent
            )
        except SignInRefused:
            await self._count(address)
            raise
        self._lockouts.forget(name, address)
        return self.answer(session)

    async def refresh(self, token: str, address: str) -> TokenInfo:
        """The next tokens of a session. Raises SessionEnded.

        Nobody can guess a token, so wrong ones of its neighbours never refuse the right one of an address.
        """
        return self.answer(await self._catalog.sessions.refresh(token, address))

    async def accept(self, token: str, password: str, address: str, user_agent: str) -> TokenInfo:
        """Sets the password of an invited user and signs it in.

        Raises SessionEnded, InvalidRequest and TooManyRequests. No password is hashed for a wrong token.
        """
        self._check_address(address)
        try:
            await self._catalog.users.require_invited(token)
            user = await self._catalog.users.accept(token, await self.hashed(password, address))
        except SessionEnded:
            await self._count(address)
            raise
        return self.answer(
            await self._catalog.sessions.create(
                user.id, SESSION_VALID, address=address, user_agent=user_agent, method="invitation"
            )
        )

    async def change_password(self, user_id: str, session_id: str, current: str, new: str, address: str) -> None:
        """Sets a user's own password; its other sessions end.

        Raises SignInRefused for a wrong current one, and for one that is tried while the user is locked there,
        and TooManyRequests as signing in does.
        """
        user = await self._catalog.users.by_id(user_id)
        hashed = await self.hashed(new, address)
        await self._checked(user.name, current, address)
        if await self._catalog.sessions.is_locked(user.id, address):
            raise SignInRefused()
        self._lockouts.forget(user.name, address)
        await self._catalog.users.set_password(user.id, hashed, user.name, keep_session=session_id)

    async def hashed(self, password: str, address: str = "") -> str:
        """The hash of a new password. Raises InvalidRequest for one that is too short or too long."""
        if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
            raise InvalidRequest(detail=Phrase.PASSWORD_LENGTH, least=MIN_PASSWORD, limit=MAX_PASSWORD)
        async with self._place(address):
            return await asyncio.to_thread(self._hasher.hash, password)

    def answer(self, tokens: Tokens) -> TokenInfo:
        """What a client gets that signed in."""
        remaining = tokens.session.expires_at - datetime.now(UTC)
        return TokenInfo(
            access_token=self._tokens.create(tokens.user.name, tokens.session.id),
            expires_in=VALID_SECONDS,
            refresh_token=tokens.refresh_token,
            refresh_expires_in=max(0, int(remaining.total_seconds())),
            must_change_password=tokens.user.must_change_password,
        )

    async def _checked(self, name: str, password: str, address: str) -> Credentials:
        """The user of this name with this password. Raises SignInRefused and TooManyRequests."""
        self._check_address(address)
        self._lockouts.check(name, address)
        found = await self._catalog.users.credentials(name)
        if await self._verify(found.password_hash if found else None, password, address) and found is not None:
            return found
        await self._catalog.users.refused(found.user.id if found else None, name, address)
        if self._lockouts.count(name, address):
            await self._catalog.audit.note(
                "anonymous", "session.address-locked", None, address=address, name=name[:MOST_NOTED]
            )
        await self._count(address)
        raise SignInRefused()

    @asynccontextmanager
    async def _place(self, address: str) -> AsyncIterator[None]:
        """A place among the passwords that are hashed. Raises TooManyRequests if many of this address wait for one."""
        if address and self._hashing[address] >= HASHED_OF_ADDRESS:
            raise TooManyRequests(seconds=HASHING_SECONDS)
        self._hashing[address] += 1
        try:
            async with self._places:
                yield
        finally:
            self._hashing[address] -= 1
            if not self._hashing[address]:
                del self._hashing[address]

    async def _verify(self, stored: str | None, password: str, address: str) -> bool:
        async with self._place(address):
            right = await asyncio.to_thread(self._matches, stored or self._of_nobody, password[: MAX_PASSWORD + 1])
        return right and stored is not None

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (Argon2Error, InvalidHashError, UnicodeEncodeError):
            return False

    def _check_address(self, address: str) -> None:
        left = self._locked.get(address, 0) - time.monotonic()
        if left > 0:
            raise TooManyPasswords(seconds=int(left) + 1)

    async def _count(self, address: str) -> None:
        """Count a refusal of an address, and lock it after too many."""
        try:
            self._refusals.take(address)
        except TooManyRequests:
            if len(self._locked) >= MOST_LOCKED:
                self._locked.pop(next(iter(self._locked)))
            self._locked[address] = time.monotonic() + LOCKED_SECONDS
            await self._catalog.audit.note("anonymous", "session.address-locked", None, address=address)
            raise
