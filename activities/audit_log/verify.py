"""Verifies the export of a log, offline, with the public key and what was kept outside of the catalogue.

The leaves that the log signed are trusted where they lead to the root of a checkpoint: those of the file of checkpoints
first, those of the export beyond. The events are then compared with them. Where an export was changed together with
its leaves, and no leaves are known from outside, the checkpoints on both sides of the change are all that is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from activities.audit_log.comparison import Finding, Kind, compare
from activities.audit_log.continuations import Continuation, Declared, Lost, continuation_of, note_in, places
from activities.audit_log.entries import Entry, erasures_of, names_of
from activities.audit_log.export import End, Gap, Header, NotAnExport, Signed, lines_of
from activities.audit_log.notes import Checkpoint, NoteInvalid, PublicKey, checkpoint_of
from activities.audit_log.tree import Frontier

#: Events between two calls of ``progress``.
STEP = 20_000

#: Findings of one kind whose events are named.
NAMED = 200

CONTRADICT = "two signed checkpoints contradict each other"

Progress = Callable[[int, int], None]


class Content(msgspec.Struct):
    """What an export has: the leaves by the contents of its events, and those that it says the tree has."""

    header: Header
    events: list[bytes] = []
    stored: dict[int, bytes] = {}
    erased: dict[str, int] = {}
    named: set[str] = set()
    declared: list[Declared] = []
    checkpoints: list[Signed] = []
    newest: int = 0
    whole: bool = False


class Report(msgspec.Struct):
    """The result: ``covered`` events of ``events`` are under the signature of the newest checkpoint."""

    origin: str
    events: int
    covered: int
    checkpoints: int
    outside: int
    findings: list[Finding] = []

    @property
    def tampered(self) -> bool:
        """Whether anything is wrong."""
        return any(finding.tampered for finding in self.findings)


def read(path: Path, progress: Progress = lambda done, total: None) -> Content:
    """The content of an export. Raises NotAnExport."""
    lines = lines_of(path)
    header = next(lines, None)
    if not isinstance(header, Header):
        raise NotAnExport("line 1")
    content = Content(header)
    for line in lines:
        match line:
            case Entry():
                add(content, line)
                if len(content.events) % STEP == 0:
                    progress(len(content.events), header.size - header.first)
            case Gap():
                content.stored[line.index] = _hash(line.leaf)
            case Signed():
                content.checkpoints.append(line)
            case End():
                content.whole = True
            case Header():
                raise NotAnExport("a second header")
    return content


def add(content: Content, entry: Entry) -> None:
    """Take an event into the content."""
    try:
        leaf = entry.computed()
    except ValueError:
        leaf = b"malformed %d" % len(content.events)
    content.events.append(leaf)
    content.stored.setdefault(entry.index, _hash(entry.leaf))
    if entry.erased:
        content.erased[str(names_of(entry).get("id", ""))] = len(content.events) - 1
    content.named.update(erasures_of(entry))
    note = note_in(entry)
    if note is not None:
        content.declared.append(Declared(len(content.events) - 1, leaf, note))


def _hash(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


class Trusted(msgspec.Struct):
    """The leaves from ``first`` on that signatures cover, and what is wrong with the signatures."""

    first: int
    leaves: list[bytes]
    findings: list[Finding] = []
    outside: int = 0
    whole: bool = True
    lost: list[Lost] = []

    @property
    def size(self) -> int:
        """The size of the log up to which leaves are trusted."""
        return self.first + len(self.leaves)


def opened(
    records: Iterable[Signed], keys: Sequence[PublicKey], origin: str
) -> tuple[list[tuple[Checkpoint, Signed]], list[Finding]]:
    """The checkpoints of the log that are signed, the smallest first, and a finding for each other one."""
    found, wrong = [], []
    for record in records:
        try:
            checkpoint = checkpoint_of(record.note, keys)
        except NoteInvalid as exc:
            wrong.append(Finding("forged", detail=str(exc)))
            continue
        if checkpoint.origin != origin:
            wrong.append(Finding("forged", detail=f"it is of the log {checkpoint.origin}"))
            continue
        found.append((checkpoint, record))
    return sorted(found, key=lambda each: each[0].size), wrong


def trusted(content: Content, keys: Sequence[PublicKey], outside: Iterable[Signed] = ()) -> Trusted:
    """The leaves that signatures cover, by the checkpoints from outside and those of the export."""
    header = content.header
    origin = header.origin
    kept, wrong = opened(outside, keys, origin)
    own, also_wrong = opened(content.checkpoints, keys, origin)
    content.newest = own[-1][0].size if own else 0
    found = Trusted(header.first, [], wrong + also_wrong, kept[-1][0].size if kept else 0)
    declared = _declared(content, keys, found)
    tree = _beginning(content, keys, found)
    beginning = Frontier(tree.size, tree.subtrees)
    kept_leaves: dict[int, bytes] = {}
    for checkpoint, record in kept:
        added = record.added()
        if record.first + len(added) == checkpoint.size:
            kept_leaves.update(enumerate(added, record.first))
    before = len(found.findings)
    for checkpoint in _distinct(kept, own):
        if checkpoint.size < max(header.first, 1):
            continue
        if not _extend(tree, found, content, kept_leaves, checkpoint):
            break
    if len(found.findings) > before and own:
        _name_fork(beginning, found, content, own[-1][0], before)
    _require_in_place(declared, found)
    return found


def _declared(content: Content, keys: Sequence[PublicKey], found: Trusted) -> list[tuple[Declared, Continuation]]:
    """The declarations that are signed, as they name events lost that are not in the export; findings for others."""
    declared = []
    for each in content.declared:
        try:
            declared.append((each, continuation_of(each.note, keys, content.header.origin)))
        except NoteInvalid as exc:
            found.findings.append(Finding("misdeclared", line=each.line, detail=str(exc)))
    end = content.header.first
    for _, continuation in sorted(declared, key=lambda pair: pair[1].size):
        if continuation.size > end:
            why = f"{continuation.actor}, {continuation.at:%Y-%m-%d %H:%M}: {continuation.reason}"
            found.lost.append(Lost(max(continuation.kept, end), continuation.size, why))
            end = continuation.size
    return declared


def _require_in_place(declared: list[tuple[Declared, Continuation]], found: Trusted) -> None:
    """Only the event after the lost ones declares them: a declaration at another place was copied there."""
    valid = set()
    for each, continuation in declared:
        at = continuation.size - found.first
        if 0 <= at < len(found.leaves) and found.leaves[at] != each.leaf:
            found.findings.append(Finding("misdeclared", line=each.line, detail="it stands at another place"))
        else:
            valid.add(continuation.size)
    found.lost = [each for each in found.lost if each.end in valid]


def _name_fork(tree: Frontier, found: Trusted, content: Content, newest: Checkpoint, before: int) -> None:
    """Where the export's hashes lead to its own newest checkpoint, it went on by itself from an older state."""
    for index in range(found.first, newest.size):
        leaf = content.stored.get(index)
        if not leaf:
            return
        tree.append(leaf)
    differ = (index for index, leaf in enumerate(found.leaves, found.first) if content.stored.get(index) != leaf)
    at = next(differ, found.size)
    if tree.root() == newest.root and found.first < at < newest.size:
        found.findings[before:] = [Finding("forked", at, newest.size)]
        found.leaves, found.whole = found.leaves[: at - found.first], False


def _distinct(kept: list[tuple[Checkpoint, Signed]], own: list[tuple[Checkpoint, Signed]]) -> list[Checkpoint]:
    """The checkpoints of both, the smallest first, each once; from outside before the export's own."""
    found: dict[tuple[int, bytes], Checkpoint] = {}
    for checkpoint, _ in kept + own:
        found.setdefault((checkpoint.size, checkpoint.root), checkpoint)
    return sorted(found.values(), key=lambda each: each.size)


def _beginning(content: Content, keys: Sequence[PublicKey], found: Trusted) -> Frontier:
    """The tree of what was dropped, if its anchor is signed and has its root."""
    header = content.header
    if not header.first:
        return Frontier()
    try:
        tree = Frontier(header.first, [bytes.fromhex(each) for each in header.subtrees])
        anchor = checkpoint_of(header.anchor or "", keys)
    except ValueError as exc:
        found.findings.append(Finding("forged", header.first, detail=str(exc)))
        return Frontier(header.first, [b""] * header.first.bit_count())
    if (anchor.origin, anchor.size, anchor.root) != (header.origin, header.first, tree.root()):
        found.findings.append(Finding("forged", header.first, detail="the anchor is of another tree"))
    return tree


def _extend(
    tree: Frontier,
    found: Trusted,
    content: Content,
    kept: dict[int, bytes],
    checkpoint: Checkpoint,
) -> bool:
    """Trust the leaves up to the checkpoint if they lead to its root; otherwise say what is known, and end there."""
    if checkpoint.size < tree.size:
        found.findings.append(Finding("forged", checkpoint.size, detail=CONTRADICT))
        return True
    trial, leaves = Frontier(tree.size, tree.subtrees), []
    for index in range(tree.size, checkpoint.size):
        leaf = kept.get(index) or content.stored.get(index)
        if not leaf:
            break
        leaves.append(leaf)
        trial.append(leaf)
    if trial.size == checkpoint.size and trial.root() == checkpoint.root:
        tree.size, tree.subtrees = trial.size, trial.subtrees
        found.leaves += leaves
        return True
    found.whole = False
    if tree.size == checkpoint.size:
        found.findings.append(Finding("forged", tree.size, detail=CONTRADICT))
        return True
    found.findings += _untrusted(content, found, tree.size, trial.size, checkpoint.size)
    return False


def _untrusted(content: Content, found: Trusted, start: int, known: int, end: int) -> list[Finding]:
    """What is known of the events from ``start`` to ``end``, whose leaves are known up to ``known`` at most."""
    there = _there(content, found)
    if known < end and there <= known:
        return [Finding(_kind_of_end(content, found), there, end)]
    missing = [index for index in range(start, min(end, there + 1)) if index not in content.stored]
    if missing and len(missing) <= NAMED:
        return [Finding("missing", index) for index in missing]
    return [Finding("rewritten" if start == content.header.first else "range", start, end)]


def _there(content: Content, trust: Trusted) -> int:
    """The place in the log after the last event of the export."""
    return places(content.header.first + len(content.events), trust.lost)


def _kind_of_end(content: Content, trust: Trusted) -> Kind:
    """An export that is whole by its own account, and whose newest checkpoint covers its end, is an older state."""
    there = _there(content, trust)
    return "old_backup" if content.whole and there == content.header.size == content.newest else "cut"


def judge(content: Content, trust: Trusted) -> list[Finding]:
    """What is wrong with the events, by the trusted leaves."""
    events, first = content.events, content.header.first
    findings = list(trust.findings)
    if not trust.leaves:
        if events:
            findings.append(Finding("rewritten" if findings else "uncovered", first, first + len(events)))
        return findings
    leaves = _present(trust)
    if trust.whole and len(events) < len(leaves) and events == leaves[: len(events)]:
        found = [Finding(_kind_of_end(content, trust), first + len(events), first + len(leaves))]
    else:
        found = compare(events if trust.whole else events[: len(leaves)], leaves, first)
    if not found and trust.whole and not content.whole:
        found = [Finding("cut", first + len(events))]
    lost = [Finding("lost", each.start, each.end, detail=each.why) for each in trust.lost if each.end <= trust.size]
    return findings + lost + [_placed(each, trust) for each in found + _erasures(content)]


def _present(trust: Trusted) -> list[bytes]:
    """The trusted leaves without those of events that are lost, as was declared."""
    if not trust.lost:
        return trust.leaves
    found, at = [], 0
    for each in trust.lost:
        found += trust.leaves[at : each.start - trust.first]
        at = each.end - trust.first
    return found + trust.leaves[at:]


def _placed(finding: Finding, trust: Trusted) -> Finding:
    """The finding with places in the log instead of those among the events that are not lost."""
    if not trust.lost or finding.index is None:
        return finding
    end = None if finding.end is None else places(finding.end - 1, trust.lost) + 1
    return msgspec.structs.replace(finding, index=places(finding.index, trust.lost), end=end)


def _erasures(content: Content) -> list[Finding]:
    """Events without their text: lawful if a later event of the log names them."""
    return [
        Finding(
            "erased" if id in content.named else "erased_unrecorded", content.header.first + line, line=line, detail=id
        )
        for id, line in content.erased.items()
    ]


def verify(
    path: Path, keys: Sequence[PublicKey], outside: Iterable[Signed] = (), progress: Progress = lambda done, total: None
) -> Report:
    """What is wrong with an export. Raises NotAnExport."""
    content = read(path, progress)
    trust = trusted(content, keys, outside)
    findings = judge(content, trust)
    return Report(
        origin=content.header.origin,
        events=len(content.events),
        covered=len(trust.leaves),
        checkpoints=len(content.checkpoints),
        outside=trust.outside,
        findings=named(path, findings),
    )


def named(path: Path, findings: list[Finding]) -> list[Finding]:
    """The findings with the ids of their events, where they are in the file."""
    wanted = {finding.line for finding in findings[:NAMED] if finding.line is not None and not finding.detail}
    if not wanted:
        return findings
    ids: dict[int, str] = {}
    line = 0
    for each in lines_of(path):
        if isinstance(each, Entry):
            if line in wanted:
                ids[line] = str(names_of(each).get("id", ""))
            line += 1
    return [
        msgspec.structs.replace(finding, detail=ids[finding.line])
        if finding.line in ids and not finding.detail
        else finding
        for finding in findings
    ]
