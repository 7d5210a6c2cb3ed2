"""Documents that were uploaded long ago: counted, listed, and taken out of search, for a retention.

A retention's filter is compared here and not in the database, whose patterns differ in upper and lower case.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from sqlalchemy import ColumnElement, Select, case, func, literal, select, tuple_

from activities.contracts.retention import Expired, ExpiredDocument, ExpiredInput, ExpiredPage, UnpublishExpiredInput
from activities.contracts.schedules import RetentionOptions
from activities.stores.catalog.audit_log.holds import require_not_held
from activities.stores.catalog.engine import Engine, repeats_conflicts
from activities.stores.catalog.mapping import by_index, lock_latest
from activities.stores.catalog.tables import DocumentRow, TagRow, UtcDateTime, VersionRow, now

#: Rows of one query, at most.
PAGE = 5000


@repeats_conflicts
class OldDocuments:
    """Documents by the time at which their latest version was uploaded."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def count(self, input: ExpiredInput) -> Expired:
        """How many documents there are, match, and are to go: the newest ``keep_at_least`` that match stay."""
        of_knowledge_base = DocumentRow.knowledge_base_id == input.knowledge_base_id
        query = select(func.count()).select_from(DocumentRow).where(of_knowledge_base, DocumentRow.deleted_at.is_(None))
        async with self._engine.read() as session:
            documents = await session.scalar(query) or 0
        matching, expired = await (self._count_by_name(input) if input.options.names else self._count(input))
        allowed = max(0, matching - input.options.keep_at_least)
        return Expired(documents=documents, matching=matching, expired=min(expired, allowed))

    async def _count(self, input: ExpiredInput) -> tuple[int, int]:
        old = func.coalesce(func.sum(case((VersionRow.created_at < input.cutoff, 1), else_=0)), 0)
        query = _latest(input).with_only_columns(func.count(), old)
        async with self._engine.read() as session:
            matching, expired = (await session.execute(query)).one()
        return matching, int(expired)

    async def _count_by_name(self, input: ExpiredInput) -> tuple[int, int]:
        matching = expired = 0
        async for _, name, uploaded_at in self._walk(input, PAGE):
            if matches(input.options, name):
                matching += 1
                expired += uploaded_at < input.cutoff
        return matching, expired

    async def page(self, input: ExpiredInput) -> ExpiredPage:
        """The next documents that are to go, oldest first.

        Only the newest ones that stay are looked at beside them, however many documents there are.
        """
        stays = await self._first_that_stays(input)
        found = list[ExpiredDocument]()
        moment, _, last = input.after.partition(" ")
        async for id, name, uploaded_at in self._walk(input, input.limit, (moment, last), input.cutoff):
            if stays and (uploaded_at, id) >= stays:
                break
            if matches(input.options, name):
                found.append(ExpiredDocument(document_id=id, name=name, uploaded_at=uploaded_at))
            if len(found) == input.limit:
                return ExpiredPage(documents=found, next=f"{_moment(uploaded_at)} {id}")
        return ExpiredPage(documents=found)

    async def _first_that_stays(self, input: ExpiredInput) -> tuple[datetime, str] | None:
        """The oldest of the newest ``keep_at_least`` documents that match; before all others if there are no more."""
        left = input.options.keep_at_least
        if not left:
            return None
        async for id, name, uploaded_at in self._walk(input, left, newest=True):
            left -= matches(input.options, name)
            if not left:
                return uploaded_at, id
        return datetime.min.replace(tzinfo=UTC), ""

    async def _walk(
        self,
        input: ExpiredInput,
        first: int,
        after: tuple[str, str] = ("", ""),
        before: datetime | None = None,
        *,
        newest: bool = False,
    ) -> AsyncIterator[tuple[str, str, datetime]]:
        """All that `_rows` gives, ``first`` by the first query; they grow, as few of the names may match."""
        limit = min(first, PAGE)
        while rows := await self._rows(input, after, before, limit, newest=newest):
            for row in rows:
                yield row
            if len(rows) < limit:
                return
            after, limit = (_moment(rows[-1][2]), rows[-1][0]), min(2 * limit, PAGE)

    async def unpublish(self, input: UnpublishExpiredInput) -> list[tuple[str, str]]:
        """Marks documents as deleted that are still to go; (id, name) of those, and of those that were so before.

        Idempotent: documents that the same actor has deleted meanwhile are named again.
        """
        async with self._engine.write() as session:
            await require_not_held(session, input.knowledge_base_id)
            gone = select(DocumentRow.id, DocumentRow.name).where(
                DocumentRow.id.in_(input.document_ids),
                DocumentRow.deleted_by == input.actor,
                DocumentRow.deleted_at.is_not(None),
            )
            deleted = [(id, name) for id, name in await session.execute(gone)]
            for document, version in await lock_latest(
                session,
                DocumentRow.id.in_(input.document_ids),
                DocumentRow.knowledge_base_id == input.knowledge_base_id,
                DocumentRow.source_id.is_(None),
                *_tagged(input.options),
            ):
                if version.created_at < input.cutoff and matches(input.options, document.name):
                    document.deleted_at, document.deleted_by, document.live_version = now(), input.actor, None
                    detail = {"name": document.name, "retention_days": input.options.days}
                    session.audit(input.actor, "document.delete", document.knowledge_base_id, document.id, **detail)
                    deleted.append((document.id, document.name))
        return deleted

    async def _rows(
        self,
        input: ExpiredInput,
        after: tuple[str, str],
        before: datetime | None,
        limit: int,
        *,
        newest: bool,
    ) -> Sequence[tuple[str, str, datetime]]:
        """(id, name, upload) of the documents with the tag, oldest upload first: the index is walked from ``after``.

        With ``newest`` it is walked the other way.
        """
        key = (VersionRow.created_at, VersionRow.document_id)
        query = by_index(_latest(input), "ix_versions_created_at").limit(limit)
        query = query.order_by(*(column.desc() if newest else column for column in key))
        query = query.where(VersionRow.created_at < before) if before else query
        if after[0]:
            at = tuple_(literal(datetime.fromisoformat(after[0]), UtcDateTime()), after[1])
            query = query.where(tuple_(*key) < at if newest else tuple_(*key) > at)
        async with self._engine.read() as session:
            return [(id, name, uploaded_at) for id, name, uploaded_at in await session.execute(query)]


def _latest(input: ExpiredInput) -> Select[str, str, datetime]:
    """(id, name, upload) of the documents with the tag; a document of a source stays as long as its file."""
    return (
        # A hint is left out of an explicit join.
        select(DocumentRow.id, DocumentRow.name, VersionRow.created_at).where(
            VersionRow.document_id == DocumentRow.id,
            DocumentRow.knowledge_base_id == input.knowledge_base_id,
            VersionRow.knowledge_base_id == input.knowledge_base_id,
            VersionRow.version == DocumentRow.latest_version,
            VersionRow.replaced_at.is_(None),
            DocumentRow.deleted_at.is_(None),
            DocumentRow.source_id.is_(None),
            *_tagged(input.options),
        )
    )


def matches(options: RetentionOptions, name: str) -> bool:
    """Whether a document's name matches the glob; folders are part of the name, and `*` spans them."""
    return not options.names or fnmatchcase(name, options.names)


def _tagged(options: RetentionOptions) -> Collection[ColumnElement[bool]]:
    if not options.tag:
        return ()
    return (DocumentRow.id.in_(select(TagRow.document_id).where(TagRow.tag == options.tag)),)


def _moment(at: datetime) -> str:
    return at.isoformat()
