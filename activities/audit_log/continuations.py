"""Declarations that a log goes on after an older state of its catalogue was restored.

The tree never forks: the hashes of the lost events, which are kept outside with the checkpoints, enter it again at
their places, and the event of the declaration is the next one. So every checkpoint that was signed before stays valid.
The event's detail has the declaration as a note, signed by the key of the log: whoever can write to the catalogue, and
has no key, cannot declare events lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from activities.audit_log.entries import Entry, names_of
from activities.audit_log.notes import NoteInvalid, PublicKey, SigningKey, opened

#: The action of the event, and the field of its detail that has the note.
ACTION = "audit.continue"
DECLARATION = "declaration"

_TITLE = "holdfast audit continuation v1"


class Continuation(msgspec.Struct, frozen=True):
    """The log had ``kept`` events again, and goes on from ``size``, whose tree was signed with ``root`` (hexadecimal).

    The events between are lost.
    """

    origin: str
    kept: int
    size: int
    root: str
    at: datetime
    actor: str
    reason: str

    def signed(self, key: SigningKey) -> str:
        """Its note. In ASCII, so that no text in it is taken for an end of line."""
        return key.sign(f"{_TITLE}\n{json.dumps(msgspec.to_builtins(self), sort_keys=True)}\n")


def continuation_of(note: str, keys: Sequence[PublicKey], origin: str) -> Continuation:
    """The declaration of a note that one of the keys signed for this log. Raises NoteInvalid."""
    title, _, body = opened(note, keys).partition("\n")
    try:
        found = msgspec.json.decode(body, type=Continuation)
    except msgspec.DecodeError as exc:
        raise NoteInvalid("it is no declaration of a restored backup") from exc
    if title != _TITLE or not 0 <= found.kept < found.size:
        raise NoteInvalid("it is no declaration of a restored backup")
    if found.origin != origin:
        raise NoteInvalid(f"it is of the log {found.origin}")
    return found


class Declared(NamedTuple):
    """A declaration in an export: the position and the leaf of its event, and its note."""

    line: int
    leaf: bytes
    note: str


def note_in(entry: Entry) -> str | None:
    """The note of an event that declares a continuation, empty if it has none; None for any other event.

    An attempt that was refused, or failed, declares nothing.
    """
    if ACTION not in entry.facts or entry.text is None:
        return None
    facts = names_of(entry)
    if facts.get("action") != ACTION or facts.get("outcome", "done") != "done":
        return None
    try:
        return str(json.loads(entry.text)["detail"][DECLARATION])
    except (ValueError, LookupError, TypeError):
        return ""


class Lost(NamedTuple):
    """Events that a declaration names as lost; ``end`` is exclusive."""

    start: int
    end: int
    why: str = ""


def lost_in(entries: Iterable[Entry]) -> list[Lost]:
    """What the events of a log that declare a continuation name as lost, each at its place.

    Their signatures are not verified: whoever keeps the log has let in none but his own.
    """
    found = []
    for entry in entries:
        body = (note_in(entry) or "").partition("\n")[2].partition("\n")[0]
        try:
            declared = msgspec.json.decode(body, type=Continuation)
        except msgspec.DecodeError:
            continue
        if entry.index == declared.size:
            found.append(Lost(declared.kept, declared.size))
    return found


def places(index: int, lost: Iterable[Lost]) -> int:
    """The place in the log of what has this place among the events that are not lost."""
    for each in lost:
        if index >= each.start:
            index += each.end - each.start
    return index
