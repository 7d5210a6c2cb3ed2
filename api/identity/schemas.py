"""Wire types of the caller's identity."""

from __future__ import annotations

from api.http.schemas import Schema


class IdentityInfo(Schema, frozen=True):
    """As whom a key acts, with its role outside of knowledge bases, and the id that revokes it."""

    subject: str
    role: str
    key_id: str
