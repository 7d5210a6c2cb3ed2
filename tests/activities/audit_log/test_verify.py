"""The verification of exports: each kind of tampering is named, and nothing else is."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

from activities.audit_log.entries import ERASED
from activities.audit_log.export import End, Header, NotAnExport, Signed, checkpoints_in, encoded
from activities.audit_log.notes import Checkpoint, SigningKey, new_signing_key
from activities.audit_log.tree import Frontier
from activities.audit_log.verify import judge, trusted, verify
from tests.activities.audit_log import logs
from tests.activities.audit_log.logs import ORIGIN, Log, erase, event, renumber
from tests.bench.audit_log import tamperings

SIZE = 100


@pytest.fixture(scope="module")
def log() -> Log:
    """A log that no test changes."""
    return Log(SIZE)


def verdict(
    log: Log, entries: list[logs.Entry], outside: list[Signed] | None = None, size: int | None = None
) -> list[tuple[str, int | None]]:
    """The findings on an export with these events, by kind and place."""
    content = log.content(entries, size)
    return [(each.kind, each.index) for each in judge(content, trusted(content, log.keys, outside or []))]


def test_a_whole_log_has_no_findings(log: Log) -> None:
    """With and without the checkpoints from outside."""
    assert verdict(log, log.entries) == verdict(log, log.entries, log.outside) == []


def test_an_export_without_its_checkpoints_proves_nothing(log: Log, tmp_path: Path) -> None:
    """Otherwise whoever changes events would only have to leave the checkpoints out."""
    entries = list(log.entries)
    logs.changed(entries, random.Random(2))
    path = tmp_path / "export"
    path.write_bytes(encoded([Header(ORIGIN, SIZE), *entries, End(SIZE)]))
    report = verify(path, log.keys)
    assert [each.kind for each in report.findings] == ["uncovered"]
    assert report.tampered


@pytest.mark.parametrize("kind", ["changed", "missing", "inserted", "reordered", "erased_unrecorded"])
def test_the_event_that_was_tampered_with_is_named(log: Log, kind: str) -> None:
    """In 60 random places each, whether or not the attacker numbered the events anew."""
    dice = random.Random(kind)
    for _ in range(60):
        entries = list(log.entries)
        at = getattr(logs, kind)(entries, dice)
        entries = renumber(entries) if dice.random() < 0.5 else entries
        found = verdict(log, entries, log.outside)
        if kind == "reordered":  # of two neighbours, either may be the one that moved
            assert found in ([("reordered", at)], [("reordered", at + 1)])
        else:
            assert found == [(kind, at)]


def test_an_event_that_stands_twice_is_named_once(log: Log) -> None:
    """Its copy was inserted."""
    dice = random.Random(1)
    for _ in range(20):
        entries = list(log.entries)
        logs.duplicated(entries, dice)
        assert [kind for kind, _ in verdict(log, entries, log.outside)] == ["inserted"]


def test_the_end_that_was_cut_off_is_told_from_an_old_backup(log: Log) -> None:
    """A catalogue whose own newest checkpoint covers its end is an older state of it."""
    assert verdict(log, log.entries[:70], log.outside) == [("cut", 70)]
    assert verdict(log, log.entries[:70], log.outside, size=70) == [("cut", 70)]
    content = log.content(log.entries[:64], 64)
    content.checkpoints = log.until(64)
    for outside in (log.outside, [Signed(each.note) for each in log.outside]):
        (found,) = judge(content, trusted(content, log.keys, outside))
        assert (found.kind, found.index, found.end) in {("old_backup", 64, 100), ("old_backup", 64, 80)}


def test_a_rewritten_log_is_one_finding(log: Log) -> None:
    """New leaves for all events: the checkpoints contradict, from outside or in the export itself."""
    entries = list(log.entries)
    logs.rewritten(entries, random.Random(1))
    assert verdict(log, entries, log.outside) == [("rewritten", 0)]
    assert ("rewritten", 0) in verdict(log, entries)


def test_without_leaves_from_outside_the_checkpoints_bound_the_change(log: Log) -> None:
    """An attacker who also changed the leaf in the tree is caught between two checkpoints."""
    entries = list(log.entries)
    entries[37] = logs.entry_of(event(37, actor="mallory"), 37)
    assert verdict(log, entries) == [("range", 32)]
    assert verdict(log, entries, log.outside) == [("changed", 37)]


def test_a_forged_checkpoint_is_named(log: Log) -> None:
    """Signed by another key, of another log, or with another root."""
    stranger = SigningKey(new_signing_key(ORIGIN))
    for note in (stranger.sign(Checkpoint(ORIGIN, 100, b"r" * 32).text), log.outside[3].note.replace("64", "65")):
        content = log.content()
        content.checkpoints[3] = Signed(note)
        assert [each.kind for each in judge(content, trusted(content, log.keys))] == ["forged"]
    twice = [*log.outside, Signed(logs.key().sign(Checkpoint(ORIGIN, 64, b"r" * 32).text))]
    assert "forged" in [kind for kind, _ in verdict(log, log.entries, twice)]


def test_a_recorded_erasure_is_lawful() -> None:
    """Ten events without their text, which a later event names; an eleventh is not."""
    gone = [f"{number:032x}" for number in range(20, 30)]
    log = Log(50, events={40: {"action": "conversation.delete", "detail": {ERASED: gone}}})
    entries = [erase(entry) if 20 <= entry.index < 30 else entry for entry in log.entries]
    found = judge(content := log.content(entries), trusted(content, log.keys, log.outside))
    assert [(each.kind, each.tampered) for each in found] == [("erased", False)] * 10
    entries[31] = erase(entries[31])
    found = judge(content := log.content(entries), trusted(content, log.keys, log.outside))
    assert [each.index for each in found if each.tampered] == [31]
    entries[22] = msgspec.structs.replace(entries[22], text_hash="00" * 32)
    found = judge(content := log.content(entries), trusted(content, log.keys, log.outside))
    assert [(each.kind, each.index) for each in found if each.tampered] == [("changed", 22), ("erased_unrecorded", 31)]


def test_declared_losses_are_lawful_and_all_else_is_named() -> None:
    """Two restored backups, the second of a state from before the first; and tampering between and after them."""
    log = Log(120, restores={60: 44, 80: 70, 100: 50})
    content = log.content()
    found = judge(content, trusted(content, log.keys, log.outside))
    assert [(each.kind, each.index, each.end, each.tampered) for each in found] == [("lost", 50, 100, False)]
    log = Log(120, restores={60: 44, 100: 70})
    lost = [("lost", 44), ("lost", 70)]
    assert verdict(log, log.entries, log.outside) == verdict(log, log.entries) == lost
    dice = random.Random(1)
    for kind in ("changed", "missing", "inserted", "erased_unrecorded"):
        for _ in range(12):
            entries = list(log.entries)
            line = getattr(logs, kind)(entries, dice)
            at = log.entries[line].index
            found = verdict(log, entries, log.outside)
            if at in (60, 100) and kind != "inserted":  # the declaration itself: its losses are declared no more
                assert {"misdeclared", "missing"} & {each for each, _ in found}
            else:
                assert found == [*lost, (kind, at)]


def test_losses_that_nobody_with_the_key_declared_are_tampering() -> None:
    """Without a declaration, with one by another key, by one of another place, and by a log that forked."""
    log = Log(120, restores={60: 44})
    stranger = SigningKey(new_signing_key(ORIGIN))
    entries = [each for each in log.entries if each.index != 60]
    assert set(verdict(log, entries, log.outside)) == {("missing", at) for at in range(44, 61)}
    forged = {80: logs.declaration(20, 30, b"r" * 32, key=stranger), 90: logs.declaration(20, 30, b"r" * 32)}
    log = Log(120, events=forged)
    entries = [each for each in log.entries if not 20 <= each.index < 30]
    assert {kind for kind, _ in verdict(log, log.entries, log.outside)} == {"misdeclared"}
    found = verdict(log, entries, log.outside)
    assert [kind for kind, _ in found] == ["misdeclared"] * 2 + ["missing"] * 10
    log, other = Log(100), Log(110)
    entries = log.entries[:48] + other.entries[48:]
    tree = Frontier()
    for each in entries:
        tree.append(bytes.fromhex(each.leaf))
    content = other.content(entries)
    note = logs.key().sign(Checkpoint(ORIGIN, 110, tree.root()).text)
    content.checkpoints = [*log.until(48), Signed(note)]
    (only,) = judge(content, trusted(content, log.keys, log.outside))
    assert (only.kind, only.index, only.end) == ("forked", 48, 110)


def test_a_file_is_verified_and_its_events_are_named(log: Log, tmp_path: Path) -> None:
    """From the file of an export and a file of checkpoints; a file without its end was cut off."""
    entries = list(log.entries)
    entries[7] = msgspec.structs.replace(entries[7], facts=entries[7].facts.replace("user", "loser"))
    path, kept = tmp_path / "log.jsonl", tmp_path / "checkpoints"
    lines = [Header(ORIGIN, SIZE), *entries, *map(Signed, (each.note for each in log.outside)), End(SIZE)]
    path.write_bytes(encoded(lines))
    kept.write_bytes(encoded(log.outside))
    report = verify(path, log.keys, checkpoints_in(kept))
    assert [(each.kind, each.index, each.detail) for each in report.findings] == [("changed", 7, f"{7:032x}")]
    assert (report.events, report.covered, report.outside, report.tampered) == (SIZE, SIZE, SIZE, True)
    kept.write_text("\n".join(each.note for each in log.outside))
    assert [each.note for each in checkpoints_in(kept)] == [each.note for each in log.outside]
    path.write_bytes(encoded([Header(ORIGIN, SIZE), *log.entries[:50]]))
    assert [each.kind for each in verify(path, log.keys, log.outside).findings] == ["cut"]
    path.write_text("{}")
    with pytest.raises(NotAnExport):
        verify(path, log.keys)


def test_the_rest_of_a_log_is_verified_after_its_beginning_was_dropped(log: Log) -> None:
    """By the hashes of the dropped subtrees, under a signed anchor; a false anchor is named."""
    tree = Frontier()
    for entry in log.entries[:64]:
        tree.append(bytes.fromhex(entry.leaf))
    content = log.content(log.entries[64:])
    content.header.first, content.header.subtrees = 64, [each.hex() for each in tree.subtrees]
    content.header.anchor = logs.key().sign(Checkpoint(ORIGIN, 64, tree.root()).text)
    content.checkpoints = [each for each in content.checkpoints if each not in log.until(63)]
    assert judge(content, trusted(content, log.keys, log.outside)) == []
    content.events[3] = b"x" * 32
    assert [(each.kind, each.index) for each in judge(content, trusted(content, log.keys))] == [("changed", 67)]
    content.header.anchor = logs.key().sign(Checkpoint(ORIGIN, 64, b"r" * 32).text)
    assert "forged" in [each.kind for each in judge(content, trusted(content, log.keys))]


def test_random_tamperings_of_a_log_with_restores_and_erasures_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    """The bench in small: nine kinds, ten times each, on a log with 100 erasures and 5 restored backups."""
    assert tamperings(6000, 90).total() == 90
    assert "all of these: 0" in capsys.readouterr().out
