"""The language of responses."""

from __future__ import annotations

from typing import Any

from litestar.connection import ASGIConnection

from activities.errors import (
    Language,
)


def language_of(request: ASGIConnection[Any, Any, Any, Any]) -> Language:
    """English, unless the first language of Accept-Language is Chinese."""
    return "zh" if request.headers.get("accept-language", "").strip().lower().startswith("zh") else "en"
