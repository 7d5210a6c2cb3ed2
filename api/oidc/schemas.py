"""Wire types of the ways to sign in."""

from __future__ import annotations

from api.http.schemas import Schema


class SignInMethods(Schema, frozen=True):
    """How people may sign in, beside with a password: ``provider`` is the name of the company's provider."""

    provider: str | None
