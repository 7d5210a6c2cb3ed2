"""Contents: uploaded bytes that several documents may share, so that removing them needs agreement.

A content's row is the lock between taking it in and removing its blobs: whoever accepts an upload of it
locks the row and sees whether a removal is under way; whoever removes it locks the row, makes sure that no
document uses it, and marks it first. So bytes that were accepted are never removed under their document.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from activities.contracts.stages import ACTIVE
from activities.stores.catalog.engine import Engine
from activities.stores.catalog.tables import BatchRow, ContentRow, DocumentRow, VersionRow


class ContentLocks:
    """What the catalogue knows of contents."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def begin_removal(self, sha256: str, document_id: str) -> bool:
        """Whether the blobs may go: no document uses them that is not deleted. Then none can, until the end."""
        other = (
            select(VersionRow.version)
            .join(DocumentRow, DocumentRow.id == VersionRow.document_id)
            .where(VersionRow.sha256 == sha256, DocumentRow.id != document_id, DocumentRow.deleted_at.is_(None))
        )
        async with self._engine.write() as session:
            row = await session.get(ContentRow, sha256, with_for_update=True)
            if row is None or row.removing_by not in (None, document_id):
                return False  # another deleted document takes them along
            if row.removing_by is None and await session.scalar(other.limit(1)) is not None:
                return False
            row.removing_by = document_id
        return True

    async def begin_stray_removal(self, sha256: str, holder: str) -> bool:
        """Whether blobs that nobody seemed to use may go: no document, and no archive that is unpacked, does."""
        used = select(VersionRow.version).where(VersionRow.sha256 == sha256)
        unpacked = select(BatchRow.id).where(BatchRow.archive_sha256 == sha256, BatchRow.state.in_(ACTIVE))
        try:
            async with self._engine.write() as session:
                row = await session.get(ContentRow, sha256, with_for_update=True)
                if row is None:  # nobody has it, and from here on nobody takes it in
                    row = ContentRow(sha256=sha256)
                    session.add(row)
                    await session.flush()
                if row.removing_by not in (None, holder):
                    return False
                if (await session.execute(used.limit(1))).first() or (await session.execute(unpacked.limit(1))).first():
                    return False
                row.removing_by = holder
        except IntegrityError:
            return False  # it was taken in at this very moment
        return True

    async def end_removal(self, sha256: str) -> None:
        """The blobs are gone; the content may come again."""
        async with self._engine.write() as session:
            row = await session.get(ContentRow, sha256)
            if row is not None:
                await session.delete(row)
