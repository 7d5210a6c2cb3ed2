"""Tamperings of a large audit log, each judged by the product's verification; and the time to verify a whole export.

    python -m tests.bench.audit_log --events 100000 --tamperings 2000
    python -m tests.bench.audit_log --events 1000000 --time

The untouched events are hashed once; a tampering hashes only the events that it touches. Everything else is done anew
for each tampering: what is trusted, the comparison and the judgement.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from activities.audit_log.entries import ERASED, Entry
from activities.audit_log.export import End, Header, Signed, encoded
from activities.audit_log.notes import Checkpoint, SigningKey, new_signing_key
from activities.audit_log.verify import Content, judge, trusted, verify
from tests.activities.audit_log import logs
from tests.activities.audit_log.logs import ORIGIN, Log

KINDS = (
    *("changed", "missing", "inserted", "reordered", "cut", "rewritten", "old_backup", "erased_unrecorded", "forged"),
)
EVERY = 1000
ERASURES = 100
RESTORES = 5


class Bench:
    """A log of which the last event records the erasure of 100 others, and in which 5 backups were restored.

    Its content has all leaves hashed. A line is the position of an event among those that are not lost.
    """

    def __init__(self, size: int) -> None:
        dice = random.Random(1)
        self.size, self.dice = size, dice
        ends = [size * (2 * number + 1) // (2 * RESTORES + 1) for number in range(RESTORES)]
        restores = {end: end - dice.randrange(1, EVERY) for end in ends}
        lost = {index for end, kept in restores.items() for index in range(kept, end + 1)}
        self.gone = set(dice.sample([index for index in range(size - EVERY) if index not in lost], ERASURES))
        named = [f"{number:032x}" for number in sorted(self.gone)]
        events = {size - 1: {"action": "conversation.delete", "detail": {ERASED: named}}}
        self.log = Log(size, EVERY, events, restores)
        self.entries = [logs.erase(each) if each.index in self.gone else each for each in self.log.entries]
        self.untouched = [
            line for line, each in enumerate(self.entries) if each.index not in self.gone | set(restores) | {size - 1}
        ]
        self.content = self.log.content(self.entries)
        self.trust = trusted(self.content, self.log.keys, self.log.outside)

    def copy(self) -> Content:
        """The content, to tamper with."""
        return msgspec.structs.replace(self.content, events=list(self.content.events), erased=dict(self.content.erased))

    def verdict(self, content: Content, *, whole: bool = False) -> list[tuple[str, int | None]]:
        """The findings that are tampering. ``whole`` also establishes anew what is trusted."""
        trust = trusted(content, self.log.keys, self.log.outside) if whole else self.trust
        return [(each.kind, each.index) for each in judge(content, trust) if each.tampered]

    def tamper(self, kind: str) -> bool:
        """Tamper once; whether it was named rightly, and nothing else was."""
        content, dice = self.copy(), self.dice
        line = dice.choice(self.untouched)
        at = self.entries[line].index
        expected: list[list[tuple[str, int | None]]] = [[(kind, at)]]
        whole = False
        match kind:
            case "changed":
                entry = self.entries[line]
                changed = msgspec.structs.replace(entry, facts=entry.facts.replace("user", "User"))
                content.events[line] = changed.computed()
            case "missing":
                del content.events[line]
            case "inserted":
                content.events.insert(line, logs.entry_of(logs.event(10**9 + at), at).computed())
            case "reordered":
                to = dice.randrange(line + 1, len(self.entries) - 1)
                content.events.insert(to, content.events.pop(line))
                expected.append([(kind, self.entries[line + 1].index)])
            case "cut":
                line = len(self.entries) - dice.randrange(1, EVERY)
                content, expected = self.shorter(line), [[("cut", self.entries[line].index)]]
            case "old_backup":
                record = dice.choice(self.log.outside[:-1])
                at = record.first + len(record.added())
                content, whole = self.before(at), True
                expected = [[("old_backup", at)]]
            case "rewritten":
                content.events = [b"%032d" % (at + index) for index in range(len(self.entries))]
                expected = [[("rewritten", 0)]]
            case "erased_unrecorded":
                content.erased[f"{at:032x}"] = line
                content.events[line] = logs.erase(self.entries[line]).computed()
            case "forged":
                whole, expected = True, [[("forged", None)]]
                content.checkpoints = self.forged(content.checkpoints)
        return self.verdict(content, whole=whole) in expected

    def shorter(self, lines: int) -> Content:
        """The content up to an event; the erasure that the last one records is not in it."""
        content = self.copy()
        del content.events[lines:]
        content.erased = {}
        content.declared = [each for each in content.declared if each.line < lines]
        return content

    def before(self, size: int) -> Content:
        """The content of the catalogue when it had this size: what was lost later is there."""
        lost = [each for each in self.log.lost if each[1] < size]
        gone = {index for start, end in lost for index in range(start, end)}
        content = self.shorter(0)
        content.events = [leaf for index, leaf in enumerate(self.log.leaves[:size]) if index not in gone]
        content.declared = self.content.declared[: len(lost)]
        content.header, content.newest = Header(ORIGIN, size), size
        content.checkpoints = self.log.until(size)
        content.stored = dict(enumerate(self.log.leaves[:size]))
        return content

    def forged(self, notes: list[Signed]) -> list[Signed]:
        """The checkpoints with one by another key, or with a changed number."""
        at = self.dice.randrange(len(notes))
        note = SigningKey(new_signing_key(ORIGIN)).sign(Checkpoint(ORIGIN, (at + 1) * EVERY, b"r" * 32).text)
        return [*notes[:at], Signed(note), *notes[at + 1 :]]


def tamperings(events: int, count: int) -> Counter[str]:
    """Tamper ``count`` times, and print what was named rightly."""
    began = time.monotonic()
    bench = Bench(events)
    made = f"{ERASURES} erasures and {RESTORES} restored backups, in {time.monotonic() - began:.1f} s"
    print(f"a log of {events} events, {len(bench.entries)} of them there, with {made}", flush=True)
    false = bench.verdict(bench.content, whole=True)
    print(f"false alarms on the log itself, with all of these: {len(false)}", flush=True)
    right: Counter[str] = Counter()
    all: Counter[str] = Counter()
    began = time.monotonic()
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        all[kind] += 1
        right[kind] += bench.tamper(kind)
        if (number + 1) % 100 == 0:
            print(f"\r{number + 1} of {count}, {time.monotonic() - began:.0f} s", end="", flush=True)
    print()
    for kind in KINDS:
        print(f"{kind:18} {right[kind]} of {all[kind]} named rightly")
    print(f"{'all':18} {right.total()} of {count}")
    return right


def timed(events: int) -> None:
    """Write an export and verify it."""
    with tempfile.TemporaryDirectory() as folder:
        path, log = Path(folder) / "log.jsonl", Log(events, EVERY)
        with path.open("wb") as file:
            for lines in _export(log.entries, log, events):
                file.write(lines)
        outside, keys = log.outside, log.keys
        del log
        size = path.stat().st_size / 1e6
        for name, records in (("with", outside), ("without", [])):
            began = time.monotonic()
            report = verify(path, keys, records)
            seconds = time.monotonic() - began
            print(
                f"{events} events ({size:.0f} MB) verified in {seconds:.1f} s, {name} leaves from outside", flush=True
            )
            assert report.findings == []


def _export(entries: list[Entry], log: Log, size: int) -> Iterator[bytes]:
    yield encoded([Header(ORIGIN, size)])
    for at in range(0, size, EVERY):
        yield encoded(entries[at : at + EVERY])
    yield encoded([*(Signed(each.note) for each in log.outside), End(size)])


def main() -> None:
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--tamperings", type=int, default=2000)
    parser.add_argument("--time", action="store_true")
    options = parser.parse_args()
    if options.time:
        timed(options.events)
    else:
        tamperings(options.events, options.tamperings)


if __name__ == "__main__":
    main()
