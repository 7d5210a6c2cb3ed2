"""Retention: forgets versions that were replaced long ago, so that nothing refers to their blobs any more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Row, Select, delete, select, tuple_
from sqlalchemy.orm import aliased

from activities.contracts.stages import PENDING
from activities.stores.catalog.audit_log.holds import held
from activities.stores.catalog.engine import Engine, Transaction, repeats_conflicts
from activities.stores.catalog.tables import SYSTEM, DocumentRow, VersionRow


@repeats_conflicts
class Retention:
    """Versions that are older than the live one of their document."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def expired(
        self, after: tuple[str, int], limit: int, before: datetime, *, forget: bool
    ) -> list[tuple[str, int, str]]:
        """(document, version, name) of versions replaced before ``before``, ordered, after the pair ``after``.

        ``forget`` removes them, and records each in the audit trail.
        """
        later = tuple_(VersionRow.document_id, VersionRow.version) > tuple_(*after)
        query = _expired(before).where(later).order_by(VersionRow.document_id, VersionRow.version).limit(limit)
        async with self._engine.write() as session:
            query = query.with_for_update(of=DocumentRow) if forget else query
            rows = list(await session.execute(query))
            if forget:
                await _forget(session, rows)
            return [(row.document_id, row.version, document.name) for row, document in rows]


async def _forget(transaction: Transaction, rows: Sequence[Row[VersionRow, DocumentRow]]) -> None:
    for row, document in rows:
        transaction.audit(
            SYSTEM,
            "document.expire",
            document.knowledge_base_id,
            document.id,
            name=document.name,
            version=row.version,
            sha256=row.sha256,
        )
    keys = [(row.document_id, row.version) for row, _ in rows]
    await transaction.execute(delete(VersionRow).where(tuple_(VersionRow.document_id, VersionRow.version).in_(keys)))


def _expired(before: datetime) -> Select[VersionRow, DocumentRow]:
    live = aliased(VersionRow)
    return (
        select(VersionRow, DocumentRow)
        .join(DocumentRow, DocumentRow.id == VersionRow.document_id)
        .join(live, (live.document_id == DocumentRow.id) & (live.version == DocumentRow.live_version))
        .where(
            DocumentRow.deleted_at.is_(None),
            DocumentRow.knowledge_base_id.not_in(held()),
            VersionRow.version < DocumentRow.live_version,
            VersionRow.state.not_in(PENDING),
            live.published_at < before,
        )
    )
