"""Lets the log go on after an older state of the catalogue was restored: declares, signed, which events are lost.

Their hashes come from the checkpoints that are kept outside. Only hashes that lead from the tree as it is to the newest
signed root are taken: so the log stays one that nobody can tell from what was signed, except for its lost events.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from activities.audit_log.continuations import Continuation
from activities.audit_log.export import Signed
from activities.audit_log.notes import Checkpoint, NoteInvalid, SigningKey, checkpoint_of
from activities.audit_log.tiles import TileLost
from activities.audit_log.tree import Frontier
from activities.errors import LeavesLost, NothingLost, OtherLog, WrongState
from activities.stores.catalog.audit_log.log import AuditLog
from api.background.audit_log.places import Place


async def declare(log: AuditLog, key: SigningKey, places: Iterable[Place], actor: str, reason: str) -> Continuation:
    """Declare the events lost that are signed outside and not here. Raises Conflict, and DependencyError."""
    kept = (await log.state()).size
    records = [record for place in places for record in await place.since(kept)]
    signed = [(checkpoint, record) for record in records if (checkpoint := _opened(record, key)) is not None]
    newest = max((checkpoint for checkpoint, _ in signed), key=lambda each: each.size, default=None)
    if newest is None or newest.size <= kept:
        raise NothingLost(size=kept)
    try:
        tree = await log.frontier(kept)
        leaves = _led(tree, newest, _leaves(signed))
        declared = Continuation(key.public.name, kept, newest.size, newest.root.hex(), datetime.now(UTC), actor, reason)
        done = await log.go_on(declared, declared.signed(key), leaves)
    except TileLost as exc:
        raise OtherLog(kept=kept, size=newest.size) from exc
    if not done:
        raise WrongState(state="changed")
    return declared


def _opened(record: Signed, key: SigningKey) -> Checkpoint | None:
    try:
        checkpoint = checkpoint_of(record.note, [key.public])
    except NoteInvalid:
        return None
    return checkpoint if checkpoint.origin == key.public.name else None


def _leaves(signed: Iterable[tuple[Checkpoint, Signed]]) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    for checkpoint, record in signed:
        added = record.added()
        if record.first + len(added) == checkpoint.size:
            found.update(enumerate(added, record.first))
    return found


def _led(tree: Frontier, newest: Checkpoint, known: dict[int, bytes]) -> list[bytes]:
    """The leaves that lead from a tree to a signed one. Raises LeavesLost, and OtherLog if they lead elsewhere."""
    leaves, kept = [], tree.size
    for index in range(kept, newest.size):
        if index not in known:
            raise LeavesLost(index=index, size=newest.size)
        leaves.append(known[index])
        tree.append(known[index])
    if tree.root() != newest.root:
        raise OtherLog(kept=kept, size=newest.size)
    return leaves
