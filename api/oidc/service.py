"""Sign-in by the company's provider, and signing out from there: from an answer of the provider to a session of a user.

A person is known by the provider's issuer and subject, never by a name or a mail address, which people can choose: the
first sign-in makes a user, whose name gets a number if another one has it.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from httpx import QueryParams

from activities.errors import InvalidName, NameInUse, ProviderRefused, Unauthenticated
from activities.phrases import Phrase
from activities.settings import Settings
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.people.names import MAX_USER_NAME, user_name
from activities.stores.catalog.people.records import NewUser, Tokens, User
from activities.stores.catalog.people.sessions import NO_SID
from api.http.rates import Buckets
from api.oidc import attempts, tokens
from api.oidc.people import Person, person_of
from api.oidc.provider import Provider
from api.oidc.sign_in import authorization_url, claims_of

#: Names that are tried for a new user: the person's own, then with a number, then one that nobody else has.
TRIES: Final = 20

#: Refusals of an address in a minute that are recorded; further ones get 429, so that no attack fills the disk.
REFUSALS_PER_MINUTE: Final = 20

#: Logout tokens that are remembered, so that none is used twice.
REMEMBERED: Final = 10_000

#: The actor of what the provider does by itself.
ACTOR: Final = "identity-provider"


class Answer(msgspec.Struct, frozen=True):
    """The parameters of the provider's answer (RFC 6749, 4.1.2; ``iss`` by RFC 9207)."""

    state: str = ""
    code: str = ""
    error: str = ""
    iss: str = ""


class OidcSignIn:
    """Sign-in by the provider that the settings name."""

    def __init__(self, settings: Settings, catalog: Catalog, key: bytes) -> None:
        self._settings, self._catalog, self._key = settings, catalog, key
        self._valid = timedelta(hours=settings.oidc.session_hours)
        self._provider = Provider(settings.oidc)
        self._used: dict[str, float] = {}
        self._refusals = Buckets(REFUSALS_PER_MINUTE)

    async def aclose(self) -> None:
        """Close the connections to the provider."""
        await self._provider.aclose()

    @property
    def name(self) -> str | None:
        """What the page calls the provider; None if there is none."""
        oidc = self._settings.oidc
        if not (oidc.issuer and oidc.client_id):
            return None
        return oidc.name or urlsplit(oidc.issuer).hostname

    @property
    def redirect_uri(self) -> str:
        """Where the provider sends people back to."""
        return f"{self._settings.page_url}{attempts.PATH}/callback"

    async def begin(self) -> tuple[str, attempts.Attempt, str]:
        """Where to send a browser, the attempt, and the value of its cookie. Raises IdentityProviderUnavailable."""
        attempt = attempts.begin(time.time())
        url = await authorization_url(self._provider, self._settings.oidc, attempt, self.redirect_uri)
        return url, attempt, attempts.sealed(attempt, self._key)

    async def finish(self, answer: Answer, cookies: Mapping[str, str], address: str, user_agent: str) -> Tokens:
        """The session of the person with whom the provider answers.

        Raises ProviderRefused, which is recorded, TooManyRequests, and IdentityProviderUnavailable.
        """
        try:
            attempt = attempts.opened(cookies, answer.state, self._key, time.time())
            await self._check(answer)
            oidc = self._settings.oidc
            claims = await claims_of(self._provider, oidc, attempt, answer.code, self.redirect_uri)
            person = person_of(claims, oidc)
            user = await self._user(person)
            try:
                return await self._catalog.sessions.create(
                    user.id,
                    self._valid,
                    address=address,
                    user_agent=user_agent,
                    external_sid=_session_of(claims),
                    method="oidc",
                )
            except Unauthenticated as exc:
                raise ProviderRefused(detail=Phrase.SIGN_IN_DISABLED) from exc
        except ProviderRefused as exc:
            await self._refused(exc, "sign-in", address)
            raise

    async def sign_out(self, token: str, address: str) -> int:
        """End the sessions that a logout token of the provider names; their number.

        Raises ProviderRefused, which is recorded, TooManyRequests, and IdentityProviderUnavailable.
        """
        try:
            logout: tokens.Logout = await self._provider.checked(partial(_logout, token))
            self._use(logout.id)
        except ProviderRefused as exc:
            await self._refused(exc, "logout", address)
            raise
        issuer = self._settings.oidc.issuer
        return await self._catalog.sessions.end_external(issuer, logout.subject, logout.session, ACTOR)

    async def leave_url(self) -> str | None:
        """Where a browser signs out at the provider too; None if it has no such page."""
        endpoint = (await self._provider.description()).end_session_endpoint
        if not endpoint:
            return None
        page = {"client_id": self._settings.oidc.client_id, "post_logout_redirect_uri": f"{self._settings.page_url}/"}
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{QueryParams(page)}"

    async def _check(self, answer: Answer) -> None:
        """Refuse an error, and the answer of a provider that is not the one that was asked (RFC 9207)."""
        description = await self._provider.description()
        demanded = description.authorization_response_iss_parameter_supported
        if (answer.iss or demanded) and answer.iss != description.issuer:
            raise ProviderRefused(detail=Phrase.SIGN_IN_ISSUER)
        if answer.error or not answer.code:
            said = "".join(each for each in answer.error if each.isascii() and each.isprintable())
            raise ProviderRefused(detail=Phrase.SIGN_IN_ENDED, said=said[:60])

    async def _user(self, person: Person) -> User:
        """The user of a person, made at the first sign-in, with the groups and roles that the provider says."""
        users = self._catalog.users
        user = await users.by_identity(person.issuer, person.subject)
        if user is not None and user.disabled_at is not None:
            raise ProviderRefused(detail=Phrase.SIGN_IN_DISABLED)
        user = user or await self._create(person)
        changes: dict[str, Any] = {}
        if person.roles is not None and set(person.roles) != set(user.roles):
            changes["roles"] = list(person.roles)
        if person.display_name != user.display_name:
            changes["display_name"] = person.display_name
        if changes:
            user = await users.change(user.name, changes, ACTOR)
        if person.groups is not None:
            await self._catalog.groups.set_external(user.id, person.groups, ACTOR)
        return user

    async def _create(self, person: Person) -> User:
        for name in names_for(person):
            new = NewUser(name=name, display_name=person.display_name, issuer=person.issuer, subject=person.subject)
            try:
                return await self._catalog.users.create(new, ACTOR)
            except NameInUse:  # of another user, or this person signs in twice at once
                found = await self._catalog.users.by_identity(person.issuer, person.subject)
                if found is not None:
                    return found
        raise ProviderRefused(detail=Phrase.TOKEN_CLAIM, claim="preferred_username")

    def _use(self, id: str) -> None:
        """Note a logout token; they are only valid for some minutes. Raises ProviderRefused for one that was used."""
        now = time.time()
        self._used = {each: until for each, until in self._used.items() if until > now}
        if id in self._used or len(self._used) >= REMEMBERED:
            raise ProviderRefused(detail=Phrase.TOKEN_REPLAYED)
        self._used[id] = now + tokens.LOGOUT_SECONDS + tokens.LEEWAY_SECONDS

    async def _refused(self, refusal: ProviderRefused, what: str, address: str) -> None:
        """Record a refusal with its reason. Raises TooManyRequests for an address that was refused too often."""
        self._refusals.take(address)
        reason = refusal.reason.params
        detail = {name: reason[name] for name in ("claim", "said") if name in reason}
        await self._catalog.audit.note(
            "anonymous",
            "session.refused",
            None,
            method="oidc",
            what=what,
            reason=reason["@detail"],
            address=address,
            **detail,
        )


def names_for(person: Person) -> list[str]:
    """Names for the user of a person, best first; all can be names of users."""
    suffix = hashlib.sha256(f"{person.issuer} {person.subject}".encode()).hexdigest()[:12]
    kept = "".join(each if each.isalnum() or each in ".-@+_" else "-" for each in person.name).strip(".-@+_")
    base = "user"
    for name in (person.name, kept[: MAX_USER_NAME - 20], "user"):
        with suppress(InvalidName):
            base = user_name(name)
            break
    return [base, *(f"{base[: MAX_USER_NAME - 20]}-{number}" for number in range(2, TRIES)), f"user-{suffix}"]


def _session_of(claims: Mapping[str, Any]) -> str:
    """The provider's id of its session; ``NO_SID`` where it has none, so that a subject's sessions are still found."""
    sid = claims.get("sid")
    return sid if isinstance(sid, str) and len(sid) <= tokens.MAX_SUBJECT else NO_SID


def _logout(token: str, keys: Any, expected: tokens.Expected) -> tokens.Logout:
    return tokens.logout_token(token, keys, expected, time.time())
