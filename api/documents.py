"""Documents: upload, list, look at, watch, download, cancel, delete."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, Response, delete, get, post
from litestar.enums import RequestEncodingType
from litestar.params import Body, Parameter
from litestar.response import ServerSentEvent, Stream
from litestar.response.sse import ServerSentEventMessage

from activities.contracts import Chunk
from activities.errors import InvalidRequest
from activities.index import row_id
from activities.stores.blobs import Blobs, original_key
from activities.stores.catalog import Catalog
from activities.stores.catalog.records import DocumentState, Principal
from api.content import content_response
from api.errors import language_of
from api.schemas import ChunkInfo, DocumentInfo, DocumentJob, JobAccepted, JobStateInfo, Page, Upload, UploadAccepted
from api.sse import EventStream, event_stream
from api.status import DocumentStatus, Watches
from api.uploads import Uploads
from workflows.connect import Jobs
from workflows.contracts import DeleteJob, JobState, ingest_id

AnyRequest = Request[Any, Any, Any]
Limit = Annotated[int, Parameter(ge=1, le=1000, description="Items on one page.")]
Form = Annotated[Upload, Body(media_type=RequestEncodingType.MULTI_PART)]


class DocumentsOfKnowledgeBase(Controller):
    path = "/api/v1/knowledge-bases/{kb:str}/documents"
    tags = ["Documents"]

    @post(status_code=202, summary="Upload one or many files")
    async def upload(self, kb: str, data: Form, uploads: Uploads, principal: Principal) -> UploadAccepted:
        if not data.files:
            raise InvalidRequest(detail="the form has no `files`")
        documents = await uploads.accept(kb, data.files, principal.subject)
        return UploadAccepted(documents=[DocumentJob.of(document) for document in documents])

    @get(summary="List documents, newest first")
    async def index(
        self,
        kb: str,
        request: AnyRequest,
        catalog: Catalog,
        status: DocumentStatus,
        document_state: Annotated[DocumentState | None, Parameter(query="state")] = None,
        cursor: str | None = None,
        limit: Limit = 100,
    ) -> Page[DocumentInfo]:
        record = await catalog.knowledge_bases.get(kb)
        found = await catalog.documents.page(record.id, document_state, cursor, limit)
        fresh = await status.running(record.name, found)
        language = language_of(request)
        return Page(
            items=[DocumentInfo.of(document, language, fresh.get(document.id)) for document in found],
            next_cursor=found[-1].id if len(found) == limit else None,
        )


class DocumentController(Controller):
    path = "/api/v1/documents/{document_id:str}"
    tags = ["Documents"]

    @get(summary="Look at a document")
    async def show(
        self, document_id: str, request: AnyRequest, catalog: Catalog, status: DocumentStatus
    ) -> DocumentInfo:
        document = await catalog.documents.get(document_id)
        knowledge_base = await catalog.knowledge_bases.by_id(document.knowledge_base_id)
        fresh = await status.running(knowledge_base.name, [document])
        return DocumentInfo.of(document, language_of(request), fresh.get(document.id))

    @get("/status", summary="The state of the document's job now")
    async def status_now(self, document_id: str, request: AnyRequest, status: DocumentStatus) -> JobStateInfo:
        return JobStateInfo.whole(await status.of(document_id, language_of(request)))

    @get("/events", summary="Every change of the job's state, as server-sent events; ends with the last one")
    async def events(
        self, document_id: str, request: AnyRequest, catalog: Catalog, watches: Watches
    ) -> ServerSentEvent:
        await catalog.documents.get(document_id)
        seen = request.headers.get("last-event-id")

        async def states() -> EventStream:
            async for state in watches.changes(document_id, language_of(request)):
                mark = state_id(state)
                if mark != seen:
                    body = msgspec.json.encode(JobStateInfo.whole(state)).decode()
                    yield ServerSentEventMessage(data=body, event="state", id=mark)

        return event_stream(states())

    @get("/chunks", summary="The passages of the document's live version")
    async def chunks(
        self, document_id: str, catalog: Catalog, blobs: Blobs, cursor: int = 0, limit: Limit = 100
    ) -> Page[ChunkInfo]:
        document = await catalog.documents.get(document_id)
        chunks = await blobs.load(document.chunks_key, list[Chunk]) if document.chunks_key else []
        items = [
            ChunkInfo(
                chunk_id=row_id(document.id, document.version, chunk.ordinal),
                ordinal=chunk.ordinal,
                text=chunk.text,
                tokens=chunk.tokens,
                page=chunk.page,
                section=chunk.section,
            )
            for chunk in chunks[cursor : cursor + limit]
        ]
        return Page(items=items, next_cursor=str(cursor + limit) if cursor + limit < len(chunks) else None)

    @get("/content", summary="The uploaded bytes, also in ranges")
    async def content(
        self, document_id: str, request: AnyRequest, catalog: Catalog, blobs: Blobs
    ) -> Stream | Response[bytes]:
        document = await catalog.documents.get(document_id)
        key = original_key(document.sha256)
        return await content_response(blobs, key, document.name, request.headers.get("range"))

    @post("/cancel", status_code=202, summary="Stop indexing the document's latest version")
    async def cancel(self, document_id: str, catalog: Catalog, jobs: Jobs) -> DocumentJob:
        document = await catalog.documents.get(document_id)
        await jobs.cancel(ingest_id(document.id, document.version))
        return DocumentJob.of(document)

    @delete(status_code=202, summary="Delete a document: at once from every answer, then all that it left")
    async def remove(self, document_id: str, catalog: Catalog, jobs: Jobs, principal: Principal) -> JobAccepted:
        await jobs.ping()
        document = await catalog.documents.get(document_id)
        knowledge_base = await catalog.knowledge_bases.by_id(document.knowledge_base_id)
        await catalog.documents.delete(document_id, principal.subject)
        await jobs.cancel(ingest_id(document.id, document.version))
        job = DeleteJob(
            knowledge_base_id=knowledge_base.id,
            knowledge_base=knowledge_base.name,
            document_id=document.id,
            document_name=document.name,
            actor=principal.subject,
        )
        return JobAccepted(id=document.id, state="running", workflow_id=await jobs.delete(job))


def state_id(state: JobState) -> str:
    """An id that is the same for the same state, so that a reader that comes back is not told twice."""
    return f"{state.stage_number}.{state.done}.{state.attempt}.{state.state}"
