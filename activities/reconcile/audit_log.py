"""Catalogue ↔ audit log: compares each event with the leaf that entered the tree, and the leaves with its root."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog
from temporalio import activity

from activities.audit_log.continuations import Lost, lost_in
from activities.audit_log.entries import Entry
from activities.audit_log.export import Gap
from activities.audit_log.tiles import TileLost
from activities.audit_log.tree import Frontier
from activities.contracts.reconcile import Discrepancies, ScanInput, ScanResult
from activities.reconcile.slices import TimeSlice
from activities.runtime.heartbeat import heartbeating, report
from activities.stores.catalog.audit_log.log import PAGE
from activities.stores.catalog.catalog import Catalog

log = structlog.get_logger()


class _Look(msgspec.Struct):
    """How far a look through the log is. ``first_wrong`` is the first difference, of ``wrong``.

    ``subtrees`` is the tree of the leaves so far, from which its root follows; None where a leaf is lost.
    """

    at: int
    end: int
    began: datetime
    subtrees: list[str] | None
    wrong: int = 0
    first_wrong: str = ""


class AuditLogActivities:
    """Runs on the ``store`` queue."""

    def __init__(self, catalog: Catalog) -> None:
        self._log = catalog.audit_log

    @activity.defn
    @heartbeating
    async def check_audit_log(self, input: ScanInput) -> ScanResult:
        """Finds events that are not those that entered the log; with ``repair`` they are told in the audit trail.

        None of them can be repaired. Events that a signed declaration names as lost are no difference.
        """
        discrepancies, slice = Discrepancies(), TimeSlice()
        look = msgspec.json.decode(input.after, type=_Look) if input.after else await self._begin()
        lost = lost_in(await self._log.continuations())
        while look.at < look.end:
            look = await self._page(look, lost, discrepancies)
            report(look.at, look.end)
            if slice.is_over() and look.at < look.end:
                return ScanResult(findings=discrepancies.list(), next=msgspec.json.encode(look).decode())
        if not look.wrong and not await self._leads_to_root(look):
            _add(look, discrepancies, "the hashes of the events do not lead to the root of the tree")
        if input.repair:
            if look.wrong:
                await log.aerror("the audit events differ from their log", first=look.first_wrong, count=look.wrong)
            await self._log.compared(look.end, look.began, look.wrong, look.first_wrong)
        return ScanResult(findings=discrepancies.list())

    async def _begin(self) -> _Look:
        state = await self._log.state()
        return _Look(state.first, state.size, datetime.now(UTC), await self._tree(state.first))

    async def _tree(self, size: int) -> list[str] | None:
        try:
            return [each.hex() for each in (await self._log.frontier(size)).subtrees]
        except TileLost:
            return None

    async def _page(self, look: _Look, lost: list[Lost], discrepancies: Discrepancies) -> _Look:
        page = await self._log.page(look.at, min(look.at + PAGE, look.end))
        first = (await self._log.state()).first
        if first > look.at:  # retention dropped the beginning meanwhile
            changed: dict[str, Any] = {"at": min(first, look.end), "subtrees": await self._tree(first)}
            return msgspec.structs.replace(look, **changed)
        tree = None if look.subtrees is None else Frontier(look.at, map(bytes.fromhex, look.subtrees))
        for each in page:
            if _differs(each, lost):
                _add(look, discrepancies, f"event {each.index} is not the one that entered the log")
            if tree is not None and each.leaf:
                tree.append(bytes.fromhex(each.leaf))
        whole = tree is not None and tree.size == look.at + len(page)
        look.subtrees = [each.hex() for each in tree.subtrees] if tree is not None and whole else None
        look.at += len(page)
        return look

    async def _leads_to_root(self, look: _Look) -> bool:
        if look.subtrees is None:
            return False
        try:
            return await self._log.root(look.end) == Frontier(look.end, map(bytes.fromhex, look.subtrees)).root()
        except TileLost:
            return False


def _differs(each: Entry | Gap, lost: list[Lost]) -> bool:
    if isinstance(each, Gap):
        return not any(gone.start <= each.index < gone.end for gone in lost)
    try:
        return each.computed().hex() != each.leaf
    except ValueError:
        return True


def _add(look: _Look, discrepancies: Discrepancies, what: str) -> None:
    discrepancies.add("audit_log_differs", what)
    look.wrong, look.first_wrong = look.wrong + 1, look.first_wrong or what
