"""Dify's external knowledge API: a knowledge base as one of its sources of passages.

In Dify, register ``<address of Holdfast>/api/v1/dify`` with a key of a reader; the external knowledge's id is the name
of the knowledge base. Dify appends ``/retrieval``. Errors are problem+json, whose text it shows.
"""

from __future__ import annotations

from typing import Any, Final

from litestar import Controller, Request, post

from activities.retrieval.passages import Passage
from activities.stores.catalog.records import Principal
from api.dify.conditions import search_filter
from api.dify.schemas import PassageRecord, RetrievalRequest, Retrieved
from api.http.access import Access, needs
from api.questions.searching import Searching

SEARCHES: Final = needs("reader", "knowledge_base", recent=True)


class DifyController(Controller):
    path = "/api/v1/dify"
    tags = ["Search and questions"]

    @post(
        "/retrieval",
        status_code=200,
        access=needs("reader"),  # … and SEARCHES, of the knowledge base that the body names
        summary="Search for passages, as Dify's external knowledge",
    )
    async def retrieve(
        self,
        request: Request[Any, Any, Any],
        data: RetrievalRequest,
        access: Access,
        searching: Searching,
        principal: Principal,
    ) -> Retrieved:
        knowledge_base = await access.named(principal, SEARCHES, data.knowledge_id)
        access.note(request.scope, knowledge_base)
        setting = data.retrieval_setting
        found = await searching.passages(
            request.scope,
            knowledge_base,
            data.query,
            setting.top_k,
            filter=search_filter(data.metadata_condition),
            least_score=setting.score_threshold or 0.0,
        )
        return Retrieved(records=[_record(passage) for passage in found])


def _record(passage: Passage) -> PassageRecord:
    row = passage.row
    metadata = {
        "document_id": row.document_id,
        "version": row.version,
        "chunk_id": row.id,
        "page": row.page or None,
        "section": row.section,
    }
    return PassageRecord(content=row.text, score=passage.score, title=passage.document_name, metadata=metadata)
