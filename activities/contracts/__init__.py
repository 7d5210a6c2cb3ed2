"""Inputs and results of workflows and activities: everything that crosses Temporal."""

from __future__ import annotations

import msgspec


class Contract(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of all contracts: immutable values; defaults are not serialized, which keeps histories small."""
