"""A sign-in of a user: its access token is sent, and renewed with the refresh token before it expires."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator

import httpx
import msgspec

from activities.contracts.addresses import PREFIX
from api.client import profiles
from api.client.problems import Problem
from api.client.profiles import Profile
from api.identity.schemas import TokenInfo

#: A token is renewed so many seconds before its end: a request takes time, and clocks differ.
MARGIN_SECONDS = 30.0


def profile_of(url: str, user: str, tokens: TokenInfo) -> Profile:
    """What is kept of a sign-in."""
    return Profile(url, tokens.access_token, user, tokens.refresh_token, time.time() + tokens.expires_in)


class SessionAuth(httpx.Auth):
    """Authorizes requests as the user of the sign-in ``name`` at ``url``.

    A refresh token is used once: one process at a time renews, and keeps the new tokens before it goes on.
    """

    def __init__(self, url: str, name: str) -> None:
        self._url, self._name = url, name
        self._profile: Profile | None = None
        self._turn = asyncio.Lock()

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Sends the request, after one that renews the tokens where it is time."""
        async with self._turn:
            profile = self._profile or self._kept()
            if not _lasts(profile):
                async with profiles.locked():
                    profile = self._kept()  # another process may have renewed it
                    if not _lasts(profile):
                        body = {"refresh_token": profile.refresh_token}
                        response = yield httpx.Request("POST", f"{self._url}{PREFIX}/auth/refresh", json=body)
                        await response.aread()
                        profile = self._renewed(profile, response)
            self._profile = profile
        request.headers["Authorization"] = f"Bearer {profile.key}"
        yield request

    def _kept(self) -> Profile:
        """Raises Problem for a sign-in that is gone."""
        profile = profiles.read().profiles.get(self._name)
        if profile is None or not profiles.same_place(profile.url, self._url):
            raise Problem("login.expired", name=self._name)
        return profile

    def _renewed(self, profile: Profile, response: httpx.Response) -> Profile:
        """The sign-in with its new tokens, which are kept. Raises Problem."""
        if response.status_code == httpx.codes.UNAUTHORIZED:
            raise Problem("login.expired", name=self._name)
        try:
            response.raise_for_status()
            tokens = msgspec.json.decode(response.content, type=TokenInfo)
        except (httpx.HTTPStatusError, msgspec.DecodeError) as exc:
            raise Problem("login.not-renewed", url=self._url, status=response.status_code) from exc
        renewed = profile_of(profile.url, profile.user, tokens)
        profiles.write(profiles.read().keeping(self._name, renewed))
        return renewed


def _lasts(profile: Profile) -> bool:
    return time.time() < profile.expires_at - MARGIN_SECONDS
