"""The log of audit events: grows by what was committed, is read as a whole, and gives proofs in few reads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, case, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from activities.audit_log import entries, tree
from activities.audit_log.continuations import ACTION, DECLARATION, Continuation
from activities.audit_log.entries import Entry
from activities.audit_log.export import End, Gap, Header, Line, Signed
from activities.audit_log.notes import Checkpoint
from activities.audit_log.tiles import BYTES, WIDTH, Place, Tiles, edge, places, split
from activities.audit_log.tree import Node
from activities.errors import NotFound, NotSignedYet
from activities.stores.catalog.audit.events import audit_row
from activities.stores.catalog.audit_log.tables import ONLY, AuditCheckpointRow, AuditLogRow, AuditTileRow
from activities.stores.catalog.engine import Engine, repeats_conflicts
from activities.stores.catalog.records import Record
from activities.stores.catalog.tables import SYSTEM, AuditRow, now

#: Events that one transaction takes into the log, which bounds how long it holds up other writers.
GROUP = 256

#: Events of a page of an export.
PAGE = 4 * WIDTH

_COLUMNS = tuple(AuditRow.__mapper__.column_attrs.keys())


class LogState(Record, frozen=True):
    """How the log stands; ``waiting`` events are committed and not in it yet.

    ``problem`` is what its keeper found, ``difference`` what Reconcile did.
    """

    size: int = 0
    first: int = 0
    anchor: str | None = None
    problem: str | None = None
    difference: str | None = None
    waiting: int = 0
    checked: int = 0
    check_began_at: datetime | None = None
    check_ended_at: datetime | None = None


class Undeclarable(Exception):
    """An event declares others lost, and was not written by this platform. The text is for operators."""


class Proof(Record, frozen=True):
    """Events with the hashes that prove that they are in the tree of ``note``, the newest checkpoint.

    ``left_out`` events of a question are not among them.
    """

    note: str
    size: int
    entries: list[Entry]
    hashes: list[bytes]
    left_out: int = 0


@repeats_conflicts
class AuditLog:
    """The tamper-evident log in the catalogue."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def keep(self, keeper: str, seconds: float) -> bool:
        """Whether ``keeper`` keeps the log for the next seconds; False while another one does.

        A time that is further away than these seconds is of a clock that went back since, and does not count.
        """
        async with self._engine.read() as session:
            known = await session.get(AuditLogRow, ONLY)
        until = known.kept_until if known is not None and known.keeper == keeper else None
        if until is not None and timedelta(seconds=seconds / 2) < until - now() <= timedelta(seconds=seconds):
            return True  # without a write, which would hold up others each time
        async with self._engine.write() as session:
            row = await _locked(session)
            until = row.kept_until if row.keeper not in (None, keeper) else None
            if until is not None and now() < until <= now() + timedelta(seconds=seconds):
                return False
            row.keeper, row.kept_until = keeper, now() + timedelta(seconds=seconds)
        return True

    async def state(self) -> LogState:
        """How the log stands."""
        waiting = select(func.count()).select_from(AuditRow).where(AuditRow.log_index.is_(None))
        async with self._engine.read() as session:
            row = await session.get(AuditLogRow, ONLY)
            count = int(await session.scalar(waiting) or 0)
        if row is None:
            return LogState(waiting=count)
        names = (name for name in LogState.__struct_fields__ if name != "waiting")
        return LogState(waiting=count, **{name: getattr(row, name) for name in names})

    async def problem(self) -> str | None:
        """What is wrong with the log."""
        found = func.coalesce(AuditLogRow.problem, AuditLogRow.difference)
        async with self._engine.read() as session:
            return await session.scalar(select(found).where(AuditLogRow.id == ONLY))

    async def append(self, limit: int = GROUP) -> int:
        """Take committed events into the log, at most ``limit``; their number.

        Raises Undeclarable for an event that declares others lost: ``go_on`` writes these at their places.
        """
        query = select(AuditRow).where(AuditRow.log_index.is_(None)).order_by(AuditRow.id).limit(limit)
        async with self._engine.write() as session:
            log = await _locked(session)
            rows = list(await session.scalars(query))
            if not rows:
                return 0
            forged = next((row.id for row in rows if (row.action, row.outcome) == (ACTION, "done")), None)
            if forged is not None:
                raise Undeclarable(f"the event {forged} declares others lost, and was not written by Holdfast")
            tiles = Tiles(await _tiles(session, edge(log.size)))
            for row in rows:
                row.salt, row.text_salt = entries.new_salt(), entries.new_salt()
                row.log_index = log.size
                tiles.append(log.size, entry_of(row).computed())
                log.size += 1
            for (level, position), hashes in tiles.changed.items():
                await session.merge(AuditTileRow(level=level, position=position, hashes=hashes))
        return len(rows)

    async def go_on(self, declared: Continuation, note: str, leaves: Sequence[bytes]) -> bool:
        """Take the leaves of lost events into the log, and after them the event that declares it; ``note`` is signed.

        False if the log has grown meanwhile. Raises ``tiles.TileLost``.
        """
        detail = {"kept": declared.kept, "size": declared.size, "reason": declared.reason, DECLARATION: note}
        async with self._engine.write() as session:
            log = await _locked(session)
            if log.size != declared.kept:
                return False
            row = audit_row(declared.actor, ACTION, None, None, detail)
            row.salt, row.text_salt, row.log_index = entries.new_salt(), entries.new_salt(), declared.size
            session.add(row)
            tiles = Tiles(await _tiles(session, edge(log.size)))
            for leaf in (*leaves, entry_of(row).computed()):
                tiles.append(log.size, leaf)
                log.size += 1
            for (level, position), hashes in tiles.changed.items():
                await session.merge(AuditTileRow(level=level, position=position, hashes=hashes))
        return True

    async def frontier(self, size: int) -> tree.Frontier:
        """The tree of the first ``size`` leaves, to be extended. Raises ``tiles.TileLost``."""
        nodes = list(tree.covering(0, size))
        async with self._engine.read() as session:
            return tree.Frontier(size, map(await _nodes(session, nodes), nodes))

    async def continuations(self) -> list[Entry]:
        """The events that declare others lost, in their order."""
        query = select(AuditRow).where(AuditRow.action == ACTION, AuditRow.log_index.is_not(None))
        async with self._engine.read() as session:
            return [entry_of(row) for row in await session.scalars(query.order_by(AuditRow.log_index))]

    async def root(self, size: int) -> bytes:
        """The root of the tree of the first ``size`` leaves. Raises ``tiles.TileLost``."""
        if not size:
            return tree.EMPTY
        async with self._engine.read() as session:
            return (await _hashes(session, [(0, size)]))[0]

    async def leaves(self, start: int, end: int) -> list[bytes]:
        """The leaves of the tree from ``start`` up to ``end``; fewer if tiles are lost."""
        async with self._engine.read() as session:
            found = await _leaves(session, start, end)
        return [found[index] for index in range(start, end) if index in found]

    async def record(self, checkpoint: Checkpoint, note: str) -> None:
        """Stores a signed checkpoint."""
        async with self._engine.write() as session:
            await session.merge(AuditCheckpointRow(size=checkpoint.size, note=note, at=checkpoint.at or now()))

    async def checkpoints(self, after: int, limit: int) -> list[tuple[int, str, datetime]]:
        """At most ``limit`` checkpoints larger than ``after``, the smallest first: size, note and time."""
        query = select(AuditCheckpointRow).where(AuditCheckpointRow.size > after).order_by(AuditCheckpointRow.size)
        async with self._engine.read() as session:
            return [(row.size, row.note, row.at) for row in await session.scalars(query.limit(limit))]

    async def newest(self) -> tuple[int, str]:
        """Size and note of the newest checkpoint. Raises NotSignedYet before the first one."""
        async with self._engine.read() as session:
            return await _newest(session)

    async def report(self, problem: str | None) -> None:
        """Stores what is wrong with the log, for all processes."""
        async with self._engine.write() as session:
            row = await _locked(session)
            if row.problem != problem:
                row.problem = problem

    async def compared(self, checked: int, began_at: datetime, wrong: int, first: str) -> None:
        """Stores that ``checked`` events were compared with the tree; a new difference is an event in the trail."""
        difference = f"{first} ({wrong} in all); verify an export" if wrong else None
        async with self._engine.write() as session:
            row = await _locked(session)
            row.checked, row.check_began_at, row.check_ended_at = checked, began_at, now()
            if difference not in (None, row.difference):
                session.audit(SYSTEM, "audit.differ", None, None, difference=difference)
            row.difference = difference

    async def page(self, start: int, end: int) -> list[Entry | Gap]:
        """The entries from ``start`` up to ``end``, with a gap for each leaf without an event."""
        query = select(AuditRow).where(AuditRow.log_index >= start, AuditRow.log_index < end)
        async with self._engine.read() as session:
            rows = {row.log_index: row for row in await session.scalars(query)}
            leaves = await _leaves(session, start, end)
        found: list[Entry | Gap] = []
        for index in range(start, end):
            leaf = leaves.get(index, b"").hex()
            row = rows.get(index)
            found.append(Gap(index, leaf) if row is None else _with_leaf(row, leaf))
        return found

    async def export(self, origin: str) -> AsyncIterator[Sequence[Line]]:
        """Yields the lines of an export: all events up to the newest checkpoint. Raises NotSignedYet before."""
        size, _ = await self.newest()
        state = await self.state()
        async with self._engine.read() as session:
            nodes = list(tree.covering(0, state.first))
            subtrees = await _nodes(session, nodes)
        yield [Header(origin, size, state.first, [subtrees(node).hex() for node in nodes], state.anchor)]
        events = 0
        for start in range(state.first, size, PAGE):
            page = await self.page(start, min(start + PAGE, size))
            events += sum(isinstance(each, Entry) for each in page)
            yield page
        after = 0
        while found := [each for each in await self.checkpoints(after, PAGE) if each[0] <= size]:
            yield [Signed(note) for _, note, _ in found]
            after = found[-1][0]
        yield [End(events)]

    async def prove(self, *, event_id: str | None = None, question_id: str | None = None, limit: int = 1) -> Proof:
        """Events that the newest checkpoint covers, with their proof: one, or at most ``limit`` of a question.

        Of a question, what was done comes before reads, and the newest first. Raises NotFound for an unknown event,
        and NotSignedYet for those that no checkpoint covers.
        """
        wanted = AuditRow.id == event_id if event_id else _of_question(question_id)
        async with self._engine.read() as session:
            size, note = await _newest(session)
            covered = select(AuditRow).where(wanted, AuditRow.log_index < size)
            count = int(await session.scalar(covered.with_only_columns(func.count())) or 0)
            if not count and event_id and await session.get(AuditRow, event_id) is None:
                raise NotFound(kind="event", id=event_id)
            if not count:
                raise NotSignedYet()
            reads = case((AuditRow.action == "question.ask", 0), (AuditRow.action == "question.read", 2), else_=1)
            rows = await session.scalars(covered.order_by(reads, AuditRow.log_index.desc()).limit(limit))
            found = sorted((_with_leaf(row, "") for row in rows), key=lambda each: each.index)
            ranges = tree.proof_ranges([each.index for each in found], size)
            hashes = await _hashes(session, ranges)
        return Proof(note=note, size=size, entries=found, hashes=hashes, left_out=count - len(found))


def _of_question(id: str | None) -> ColumnElement[bool]:
    return (AuditRow.object_id == id) & AuditRow.action.startswith("question.")


async def _locked(session: AsyncSession) -> AuditLogRow:
    row = await session.get(AuditLogRow, ONLY, with_for_update=True)
    if row is None:
        row = AuditLogRow(id=ONLY, size=0, first=0, checked=0)
        session.add(row)
        await session.flush()
    return row


async def _newest(session: AsyncSession) -> tuple[int, str]:
    query = select(AuditCheckpointRow).order_by(AuditCheckpointRow.size.desc()).limit(1)
    row = await session.scalar(query)
    if row is None:
        raise NotSignedYet()
    return row.size, row.note


async def _tiles(session: AsyncSession, wanted: Iterable[Place]) -> dict[Place, bytes]:
    query = select(AuditTileRow).where(tuple_(AuditTileRow.level, AuditTileRow.position).in_(list(wanted)))
    return {(row.level, row.position): row.hashes for row in await session.scalars(query)}


async def _nodes(session: AsyncSession, nodes: Iterable[Node]) -> tree.Nodes:
    return Tiles(await _tiles(session, places(nodes))).node


async def _hashes(session: AsyncSession, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
    nodes = [node for each in ranges for node in tree.covering(*each)]
    return tree.hashes(ranges, await _nodes(session, nodes))


async def _leaves(session: AsyncSession, start: int, end: int) -> dict[int, bytes]:
    query = select(AuditTileRow).where(
        AuditTileRow.level == 0, AuditTileRow.position >= start // WIDTH, AuditTileRow.position * WIDTH < end
    )
    found: dict[int, bytes] = {}
    for row in await session.scalars(query):
        found |= enumerate(split(row.hashes[: WIDTH * BYTES]), row.position * WIDTH)
    return found


def entry_of(row: AuditRow) -> Entry:
    """An event as it is in the log, by its columns."""
    values: dict[str, Any] = {name: getattr(row, name) for name in _COLUMNS}
    facts = entries.facts_of(values)
    index = row.log_index if row.log_index is not None else -1
    if row.text_hash is not None:
        return Entry(index, facts, row.salt or "", text_hash=row.text_hash)
    return Entry(index, facts, row.salt or "", entries.text_of(values), row.text_salt)


def _with_leaf(row: AuditRow, leaf: str) -> Entry:
    return msgspec.structs.replace(entry_of(row), leaf=leaf)
