"""Wire types of the page's sessions."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from api.http.schemas import Request, Schema


class BrowserSignIn(Request, frozen=True):
    """User name and password; ``keep`` keeps the session after the browser is closed."""

    username: Annotated[str, Meta(max_length=200)]
    password: Annotated[str, Meta(max_length=1024)]
    keep: bool = False


class BrowserTokens(Schema, frozen=True):
    """The access token of a session; its refresh token is in a cookie."""

    access_token: str
    token_type: str
    expires_in: int


class SignedOut(Schema, frozen=True):
    """Where the browser also signs out at the company's provider; null if there is nothing to do there."""

    provider_url: str | None
