"""Changes of one document within a transaction that changes many: delete, retry, tag, untag."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Select, func, select

from activities.contracts.bulk import BulkAction
from activities.contracts.names import clean_tags
from activities.contracts.selection import DocumentFilter
from activities.stores.catalog import transitions
from activities.stores.catalog.document_list import is_in
from activities.stores.catalog.engine import Transaction
from activities.stores.catalog.mapping import IS_PENDING, document_record, lock_latest, set_tags
from activities.stores.catalog.tables import DocumentRow, VersionRow, now

#: States of documents that a retry of many applies to.
RETRIED = ("failed", "canceled")

Pair = tuple[DocumentRow, VersionRow]


async def locked_documents(session: Transaction, knowledge_base_id: str, ids: Sequence[str]) -> dict[str, Pair]:
    """The documents among ``ids`` that are in the knowledge base, locked, with their latest versions."""
    if not ids:
        return {}
    pairs = await lock_latest(session, DocumentRow.knowledge_base_id == knowledge_base_id, DocumentRow.id.in_(ids))
    return {document.id: (document, version) for document, version in pairs}


async def retried(session: Transaction, knowledge_base_id: str) -> int:
    """The number of documents of the knowledge base that were retried one by one and have not ended."""
    query = select(func.count()).where(
        VersionRow.knowledge_base_id == knowledge_base_id,
        IS_PENDING,
        VersionRow.batch_page == transitions.BY_DISPATCHER,
    )
    return await session.scalar(query) or 0


def change_document(
    session: Transaction,
    pair: Pair,
    filter: DocumentFilter,
    action: BulkAction,
    tag: str | None,
    actor: str,
    bulk_id: str,
) -> bool:
    """Makes the change; False if the document does not match any more, or is as it would be.

    Raises InvalidRequest for one tag too many.
    """
    document, version = pair
    if not is_in(filter, document_record(document, version)):
        return False
    detail: dict[str, object] = {"bulk": bulk_id}
    tags = {each.tag for each in document.tags}
    match action:
        case "delete":
            document.deleted_at, document.deleted_by, document.live_version = now(), actor, None
            detail["name"] = document.name
        case "retry":
            if version.state not in RETRIED or not transitions.requeue(version, None):
                return False
            detail["version"] = version.version
        case "tag" | "untag":
            wanted = clean_tags(tags | {tag or ""} if action == "tag" else tags - {tag or ""})
            if set(wanted) == tags:
                return False
            set_tags(document, wanted)
            detail["tags"] = wanted
    done = "tag" if action == "untag" else action
    session.audit(actor, f"document.{done}", document.knowledge_base_id, document.id, **detail)
    return True


def deleted_by(knowledge_base_id: str, actor: str, since: datetime) -> Select[str, str]:
    """Ids and names of documents that the actor deleted since then, and whose data are not removed yet."""
    return (
        select(DocumentRow.id, DocumentRow.name)
        .where(
            DocumentRow.knowledge_base_id == knowledge_base_id,
            DocumentRow.deleted_at.is_not(None),
            DocumentRow.deleted_at >= since,
            DocumentRow.deleted_by == actor,
        )
        .order_by(DocumentRow.id)
    )
