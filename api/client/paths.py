"""Paths of the API, whatever names have in them."""

from __future__ import annotations

from urllib.parse import quote


def segment(name: str) -> str:
    """A name or id as one segment of a path, whatever a person typed."""
    return quote(name, safe="")


def at(*names: str) -> str:
    """The path of one thing below the API's prefix (``activities.contracts.addresses.PREFIX``)."""
    return "".join(f"/{segment(name)}" for name in names)
