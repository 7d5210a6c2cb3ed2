"""Wire types of the tamper-evident log. Hashes are hexadecimal digits."""

from __future__ import annotations

from datetime import datetime

from api.http.schemas import Schema


class CheckpointInfo(Schema, frozen=True):
    """A signed checkpoint; ``note`` is in the form of C2SP tlog-checkpoint."""

    size: int
    at: datetime
    note: str


class LogInfo(Schema, frozen=True):
    """How the log stands. ``waiting`` events are committed and not in it yet.

    ``problem`` says that it was tampered with. ``checked`` of its events were compared with its tree since
    ``check_began_at``; ``check_ended_at`` is when all were, the last time. ``public_key`` verifies its checkpoints.
    """

    public_key: str | None
    size: int
    first: int
    waiting: int
    problem: str | None
    checked: int
    check_began_at: datetime | None
    check_ended_at: datetime | None


class ContinuationInfo(Schema, frozen=True):
    """The log had ``kept`` events again and goes on from ``size``; the events between are declared lost.

    ``root`` is that of the newest checkpoint outside, as hexadecimal digits.
    """

    origin: str
    kept: int
    size: int
    root: str
    at: datetime
    actor: str
    reason: str


class HoldInfo(Schema, frozen=True):
    """A legal hold: who set it, when, and why."""

    knowledge_base: str
    reason: str
    actor: str
    at: datetime


class EntryInfo(Schema, frozen=True):
    """An event as it is in the log, with its salts.

    ``text`` and ``text_salt`` of an erased event are null, and ``text_hash`` is there instead.
    """

    index: int
    facts: str
    salt: str
    text: str | None
    text_salt: str | None
    text_hash: str | None


class ProofInfo(Schema, frozen=True):
    """Events with the proof that they are in the tree of a signed checkpoint; ``docs/verify_proof.py`` checks it.

    ``hashes`` are those of the subtrees beside the events, from left to right, in base64. ``left_out`` events of the
    question are not proven, as the file would have more than 20 KB: reads come last. Each has a proof of its own.
    """

    format: str
    public_key_id: str
    question: str | None
    checkpoint: str
    entries: list[EntryInfo]
    hashes: list[str]
    left_out: int
