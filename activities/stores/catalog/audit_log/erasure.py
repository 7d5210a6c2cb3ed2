"""Erases the texts of events that are in the log, so that their leaves can still be proven."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select

from activities.audit_log.entries import TEXTS, hash_of_text
from activities.stores.catalog.audit_log.log import entry_of
from activities.stores.catalog.engine import Transaction
from activities.stores.catalog.tables import AuditRow

#: Objects that are looked up together.
AT_ONCE = 500


async def erase_texts(session: Transaction, object_ids: Collection[str]) -> list[str]:
    """Removes text and salt of the events of these objects; their ids, which the erasing event has to name."""
    erased: list[str] = []
    ids = list(object_ids)
    for start in range(0, len(ids), AT_ONCE):
        query = select(AuditRow).where(AuditRow.object_id.in_(ids[start : start + AT_ONCE])).order_by(AuditRow.id)
        for row in await session.scalars(query.with_for_update()):
            texts = [name for name in TEXTS if getattr(row, name, None) is not None]
            if not texts:
                continue
            entry = entry_of(row)
            if row.log_index is not None and entry.text is not None and entry.text_salt is not None:
                row.text_hash, row.text_salt = hash_of_text(entry.text, entry.text_salt), None
            for name in texts:
                setattr(row, name, None)
            erased.append(row.id)
    return erased
