"""Entries of the log: what of an audit event is hashed, and how it travels.

A leaf is a commitment to two texts, each with a salt of its own::

    leaf = SHA-256(0x00 ‖ "holdfast audit event v1\\n" ‖ SHA-256(salt ‖ facts) ‖ SHA-256(text_salt ‖ text))

``facts`` and ``text`` are JSON objects with sorted keys, without spaces and null fields. ``text`` has the fields that a
lawful erasure removes together with their salt; their hash stays, so that the leaf can still be proven.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import msgspec

PREFIX = b"holdfast audit event v1\n"
SALT_BYTES = 16

#: Columns of an event that are facts, and those that an erasure removes. A column of neither is not in the log.
FACTS = (
    *("id", "at", "actor", "action", "knowledge_base_id", "object_id", "object_type", "version", "outcome", "code"),
    *("key_id", "address", "request_id", "workflow_id", "run_id"),
)
TEXTS = ("object_name", "detail")

#: The field of an erasing event's detail that names the events which lost their texts.
ERASED = "erased_events"

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


class Entry(msgspec.Struct, tag="event", tag_field="kind", omit_defaults=True):
    """An event with its salts. Erased: ``text`` and ``text_salt`` are None, and ``text_hash`` is there instead.

    ``leaf`` is the hash that the log's tree has at ``index``.
    """

    index: int
    facts: str
    salt: str
    text: str | None = None
    text_salt: str | None = None
    text_hash: str | None = None
    leaf: str = ""

    def computed(self) -> bytes:
        """The hash of its leaf, by its contents. Raises ValueError for malformed salts."""
        if self.text is not None and self.text_salt is not None:
            text = sha256(bytes.fromhex(self.text_salt) + self.text.encode()).digest()
        else:
            text = bytes.fromhex(self.text_hash or "")
        facts = sha256(bytes.fromhex(self.salt) + self.facts.encode()).digest()
        return sha256(b"\x00" + PREFIX + facts + text).digest()

    @property
    def erased(self) -> bool:
        """Whether its text is gone."""
        return self.text is None


def new_salt() -> str:
    """A salt that nobody can guess."""
    return os.urandom(SALT_BYTES).hex()


def hash_of_text(text: str, salt: str) -> str:
    """What stays of an erased text."""
    return sha256(bytes.fromhex(salt) + text.encode()).hexdigest()


def facts_of(event: Mapping[str, Any]) -> str:
    """The facts of an event, by the names of its columns."""
    return _encode({name: _plain(event[name]) for name in FACTS if event.get(name) is not None})


def text_of(event: Mapping[str, Any]) -> str:
    """The erasable part of an event."""
    return _encode({name: event[name] for name in TEXTS if event.get(name) is not None})


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return value


def names_of(entry: Entry) -> dict[str, Any]:
    """The facts of an entry; empty if they are no JSON."""
    try:
        found = json.loads(entry.facts)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def erasures_of(entry: Entry) -> Iterator[str]:
    """The ids of the events whose erasure this event records."""
    if entry.text is None or ERASED not in entry.text:
        return
    try:
        detail = json.loads(entry.text).get("detail") or {}
    except (ValueError, AttributeError):
        return
    yield from (str(id) for id in detail.get(ERASED) or ())
