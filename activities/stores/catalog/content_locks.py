"""Content locks: coordinate uploads and removals of bytes that several documents may share.

The row of a content is the lock. An upload locks the row and is rejected while a removal is marked in it. A removal
locks the row, checks that no document uses the content, and marks the removal before it deletes blobs. Accepted bytes
are therefore never removed while a document uses them.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from activities.contracts.stages import ACTIVE
from activities.stores.catalog.engine import Engine, repeats_conflicts
from activities.stores.catalog.tables import BatchRow, ContentRow, DocumentRow, VersionRow


@repeats_conflicts
class ContentLocks:
    """Locks on contents, identified by SHA-256."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def begin_removal(self, sha256: str, document_id: str) -> bool:
        """Locks a content for the removal of its blobs with a deleted document; whether the lock was acquired.

        False while another document that is not deleted uses the content, or another removal holds the lock.
        """
        other = (
            select(VersionRow.version)
            .join(DocumentRow, DocumentRow.id == VersionRow.document_id)
            .where(VersionRow.sha256 == sha256, DocumentRow.id != document_id, DocumentRow.deleted_at.is_(None))
        )
        async with self._engine.write() as session:
            row = await session.get(ContentRow, sha256, with_for_update=True)
            if row is None or row.removing_by not in (None, document_id):
                return False  # removed already, or another removal holds the lock
            if row.removing_by is None and await session.scalar(other.limit(1)) is not None:
                return False
            row.removing_by = document_id
        return True

    async def begin_stray_removal(self, sha256: str, holder: str) -> bool:
        """Locks a content for the removal of unreferenced blobs; whether the lock was acquired.

        False while a document (also a deleted one) or an active batch's archive uses the content, or another removal
        holds the lock.
        """
        used = select(VersionRow.version).where(VersionRow.sha256 == sha256)
        unpacked = select(BatchRow.id).where(BatchRow.archive_sha256 == sha256, BatchRow.state.in_(ACTIVE))
        try:
            async with self._engine.write() as session:
                row = await session.get(ContentRow, sha256, with_for_update=True)
                if row is None:  # unknown content: the new row blocks uploads of it
                    row = ContentRow(sha256=sha256)
                    session.add(row)
                    await session.flush()
                if row.removing_by not in (None, holder):
                    return False
                if (await session.execute(used.limit(1))).first() or (await session.execute(unpacked.limit(1))).first():
                    return False
                row.removing_by = holder
        except IntegrityError:
            return False  # it was accepted concurrently
        return True

    async def end_removal(self, sha256: str) -> None:
        """Releases the lock after the blobs were deleted; the content can then be uploaded again."""
        async with self._engine.write() as session:
            row = await session.get(ContentRow, sha256)
            if row is not None:
                await session.delete(row)
