"""The language in which a caller is answered."""

from __future__ import annotations

from typing import Any

from litestar.connection import ASGIConnection

from activities.errors import (
    Language,
)


def language_of(request: ASGIConnection[Any, Any, Any, Any]) -> Language:
    """English unless the client prefers Chinese (the first language of Accept-Language)."""
    return "zh" if request.headers.get("accept-language", "").strip().lower().startswith("zh") else "en"
