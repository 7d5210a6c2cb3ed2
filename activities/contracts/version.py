"""The version of this code, which processes tell each other."""

from __future__ import annotations

VERSION = "0.1.0"
