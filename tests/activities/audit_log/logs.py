"""Small logs made of the product's own parts, and the ways to tamper with their exports."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache

import msgspec

from activities.audit_log import entries
from activities.audit_log.continuations import ACTION, DECLARATION, Continuation
from activities.audit_log.entries import Entry
from activities.audit_log.export import Header, Signed, signed
from activities.audit_log.notes import Checkpoint, PublicKey, SigningKey, new_signing_key
from activities.audit_log.tree import Frontier
from activities.audit_log.verify import Content, add

ORIGIN = "holdfast.test/audit"


@cache
def key() -> SigningKey:
    """The key of all these logs."""
    return SigningKey(new_signing_key(ORIGIN))


def event(number: int, **more: object) -> dict[str, object]:
    """An audit event."""
    at = datetime(2026, 1, 2, tzinfo=UTC) + timedelta(seconds=number)
    found = {"id": f"{number:032x}", "at": at, "actor": f"user {number % 7}", "action": "document.upload"}
    return {**found, "object_id": f"{number // 3:032x}", "detail": {"name": f"文件 {number}.pdf", "version": 1}, **more}


def entry_of(event: dict[str, object], index: int) -> Entry:
    """An event as the log takes it."""
    facts, text = entries.facts_of(event), entries.text_of(event)
    made = Entry(index, facts, entries.new_salt(), text, entries.new_salt())
    made.leaf = made.computed().hex()
    return made


def erase(entry: Entry) -> Entry:
    """The event without its text."""
    assert entry.text is not None
    assert entry.text_salt is not None
    hash = entries.hash_of_text(entry.text, entry.text_salt)
    return msgspec.structs.replace(entry, text=None, text_salt=None, text_hash=hash)


def declaration(kept: int, size: int, root: bytes, **more: object) -> dict[str, object]:
    """The event that declares events lost; ``key`` may sign in place of the log's key."""
    by = more.get("key")
    at = datetime(2026, 1, 3, tzinfo=UTC)
    declared = Continuation(ORIGIN, kept, size, root.hex(), at, "ann", "the disk broke")
    note = declared.signed(by if isinstance(by, SigningKey) else key())
    return {"action": ACTION, "actor": "ann", "object_id": None, "detail": {"reason": "a disk", DECLARATION: note}}


class Log:
    """A log of ``size`` events with a checkpoint after each ``every``; events with ``erased`` record an erasure.

    ``restores`` has the size to which the catalogue was set back when the log had another one, which is signed.
    """

    def __init__(
        self,
        size: int,
        every: int = 16,
        events: dict[int, dict[str, object]] | None = None,
        restores: dict[int, int] | None = None,
    ) -> None:
        self.entries: list[Entry] = []
        self.all: list[Entry] = []
        self.outside: list[Signed] = []
        self.leaves: list[bytes] = []
        self.lost: list[tuple[int, int]] = []
        tree, since, back = Frontier(), 0, restores or {}
        for index in range(size):
            more = (events or {}).get(index, {})
            if index in back:
                self._set_back(back[index], index)
                more = declaration(back[index], index, tree.root())
            entry = entry_of(event(index, **more), index)
            self.entries.append(entry)
            self.all.append(entry)
            self.leaves.append(bytes.fromhex(entry.leaf))
            tree.append(self.leaves[-1])
            if tree.size % every == 0 or tree.size == size or tree.size in back:
                note = key().sign(Checkpoint(ORIGIN, tree.size, tree.root(), datetime(2026, 1, 3, tzinfo=UTC)).text)
                self.outside.append(signed(note, since, self.leaves[since:]))
                since = tree.size

    def _set_back(self, kept: int, size: int) -> None:
        before = [(start, end) for start, end in self.lost if end < kept]
        gone = {index for start, end in before for index in range(start, end)}
        self.lost = [*before, (kept, size)]
        self.entries = [each for each in self.all[:kept] if each.index not in gone]

    @property
    def keys(self) -> list[PublicKey]:
        return [key().public]

    def content(self, entries: list[Entry] | None = None, size: int | None = None) -> Content:
        """What an export with these entries has."""
        entries = self.entries if entries is None else entries
        content = Content(Header(ORIGIN, len(self.leaves) if size is None else size))
        for start, end in self.lost:
            content.stored.update(enumerate(self.leaves[start:end], start))
        for entry in entries:
            add(content, entry)
        content.checkpoints = [Signed(each.note) for each in self.outside]
        content.whole = True
        return content

    def until(self, size: int) -> list[Signed]:
        """The notes of the checkpoints up to a size."""
        return [Signed(each.note) for each in self.outside if each.first + len(each.added()) <= size]


Tampering = Callable[[list[Entry], random.Random], int]


def changed(entries: list[Entry], dice: random.Random) -> int:
    """One character of an event."""
    at = dice.randrange(len(entries))
    entry = entries[at]
    if dice.random() < 0.5:
        entry = msgspec.structs.replace(entry, facts=entry.facts.replace("document", "documint"))
    else:
        entry = msgspec.structs.replace(entry, salt=entries_salt(entry.salt))
    entries[at] = entry
    return at


def entries_salt(salt: str) -> str:
    """Another salt."""
    return salt[:-1] + ("0" if salt[-1] != "0" else "1")


def missing(entries: list[Entry], dice: random.Random) -> int:
    """An event before the last one."""
    at = dice.randrange(len(entries) - 1)
    del entries[at]
    return at


def inserted(entries: list[Entry], dice: random.Random) -> int:
    """A new event."""
    at = dice.randrange(len(entries))
    entries.insert(at, entry_of(event(10_000_000 + at), at))
    return at


def duplicated(entries: list[Entry], dice: random.Random) -> int:
    """An event once more, somewhere else."""
    at = dice.randrange(len(entries) - 1)
    entries.insert(dice.randrange(at + 1, len(entries)), entries[at])
    return at


def reordered(entries: list[Entry], dice: random.Random) -> int:
    """An event at another place."""
    at = dice.randrange(len(entries) - 2)
    entry = entries.pop(at)
    entries.insert(dice.randrange(at + 1, len(entries)) + 1, entry)
    return at


def cut(entries: list[Entry], dice: random.Random) -> int:
    """The last events."""
    at = len(entries) - dice.randrange(1, min(50, len(entries) // 2))
    del entries[at:]
    return at


def erased_unrecorded(entries: list[Entry], dice: random.Random) -> int:
    """The text of an event, although no event says so."""
    at = dice.randrange(len(entries))
    entries[at] = erase(entries[at])
    return at


def rewritten(entries: list[Entry], dice: random.Random) -> int:
    """All events, with new salts and leaves."""
    for at, entry in enumerate(entries):
        entries[at] = entry_of(event(at, actor="mallory"), entry.index)
    return 0


def renumber(entries: list[Entry]) -> list[Entry]:
    """The events with indexes in their order."""
    return [msgspec.structs.replace(entry, index=index) for index, entry in enumerate(entries)]
