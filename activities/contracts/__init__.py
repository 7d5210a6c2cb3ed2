"""The base of what workflows and activities say to each other."""

from __future__ import annotations

import msgspec


class Contract(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of all contracts: immutable values; defaults are left out, so that histories stay small."""
