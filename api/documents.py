"""Documents: upload, list, look at, watch, download, pause, resume, cancel, retry, delete."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, Response, WebSocket, delete, get, patch, post, websocket
from litestar.datastructures import UploadFile
from litestar.exceptions import WebSocketDisconnect
from litestar.openapi.spec import OpenAPIFormat, OpenAPIMediaType, OpenAPIType, Operation, RequestBody, Schema
from litestar.openapi.spec import Parameter as OpenAPIParameter
from litestar.params import Parameter
from litestar.response import Stream

from activities.contracts import Chunk
from activities.errors import InvalidRequest
from activities.index import row_id
from activities.names import clean_tags
from activities.stores.blobs import Blobs, original_key
from activities.stores.catalog import Catalog
from activities.stores.catalog.records import Document, DocumentState, Principal
from api.auth import PROTOCOL
from api.backpressure import UploadGate
from api.content import content_response
from api.control import DocumentControl
from api.errors import language_of
from api.schemas import (
    ChangeDocument,
    ChunkInfo,
    DocumentInfo,
    DocumentJob,
    JobAccepted,
    JobStateInfo,
    Page,
    RetryRequest,
    UploadAccepted,
)
from api.sse import Event, after, event_stream
from api.status import DocumentStatus, state_of
from api.uploads import Uploads
from api.watches import DocumentWatches
from workflows.connect import Jobs
from workflows.contracts import DeleteJob, JobState

AnyRequest = Request[Any, Any, Any]
AnySocket = WebSocket[Any, Any, Any]
Limit = Annotated[int, Parameter(ge=1, le=1000, description="Items on one page.")]


@dataclass
class UploadOperation(Operation):
    """What an upload takes, for the API's reference: the handler reads the request itself, which is faster."""

    def __post_init__(self) -> None:
        """Called by Litestar when it writes the reference."""
        files = Schema(type=OpenAPIType.ARRAY, items=Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY))
        form = Schema(type=OpenAPIType.OBJECT, properties={"files": files}, required=["files"])
        self.request_body = RequestBody(content={"multipart/form-data": OpenAPIMediaType(schema=form)}, required=True)
        text = Schema(type=OpenAPIType.STRING)
        self.parameters = [
            *(self.parameters or []),
            OpenAPIParameter(name="batch", param_in="query", schema=text, description="An open batch to add to."),
            OpenAPIParameter(
                name="tags",
                param_in="query",
                schema=Schema(type=OpenAPIType.ARRAY, items=text),
                description="A tag of the documents, repeatable; it takes the place of those that they had.",
            ),
            OpenAPIParameter(
                name="Idempotency-Key",
                param_in="header",
                schema=text,
                description="The same key with the same files gets the same answer.",
            ),
        ]


class DocumentsOfKnowledgeBase(Controller):
    path = "/api/v1/knowledge-bases/{kb:str}/documents"
    tags = ["Documents"]

    @post(
        status_code=202,
        summary="Upload one or many files, or a zip archive of them",
        middleware=[UploadGate()],
        operation_class=UploadOperation,
    )
    async def upload(self, kb: str, request: AnyRequest, uploads: Uploads) -> UploadAccepted:
        files = [each for each in (await request.form()).getall("files", []) if isinstance(each, UploadFile)]
        if not files:
            raise InvalidRequest(detail="the form has no `files`")
        query, key = request.query_params, request.headers.get("idempotency-key")
        tags = clean_tags(query.getall("tags")) if "tags" in query else None
        return await uploads.accept(kb, files, request.user.subject, query.get("batch"), key, tags)

    @get(summary="List documents, newest first")
    async def index(
        self,
        kb: str,
        request: AnyRequest,
        catalog: Catalog,
        document_state: Annotated[DocumentState | None, Parameter(query="state")] = None,
        batch_id: Annotated[str | None, Parameter(query="batch")] = None,
        cursor: str | None = None,
        limit: Limit = 100,
    ) -> Page[DocumentInfo]:
        record = await catalog.knowledge_bases.get(kb)
        found = await catalog.documents.page(record.id, document_state, cursor, limit, batch_id)
        return Page(
            items=[DocumentInfo.of(document, language_of(request)) for document in found],
            next_cursor=found[-1].id if len(found) == limit else None,
        )


class DocumentController(Controller):
    path = "/api/v1/documents/{document_id:str}"
    tags = ["Documents"]

    @get(summary="Look at a document")
    async def show(self, document_id: str, request: AnyRequest, catalog: Catalog) -> DocumentInfo:
        return DocumentInfo.of(await catalog.documents.get(document_id), language_of(request))

    @patch(summary="Change its tags")
    async def change(
        self, document_id: str, data: ChangeDocument, request: AnyRequest, catalog: Catalog, principal: Principal
    ) -> DocumentInfo:
        document = await catalog.documents.tag(document_id, clean_tags(data.tags), principal.subject)
        return DocumentInfo.of(document, language_of(request))

    @get("/status", summary="The state of the document's job now")
    async def status_now(self, document_id: str, request: AnyRequest, status: DocumentStatus) -> JobStateInfo:
        return JobStateInfo.whole(await status.of(document_id, language_of(request)))

    @get("/events", summary="Every change of the job's state, as server-sent events; ends with the last one")
    async def events(self, document_id: str, request: AnyRequest, catalog: Catalog, watches: DocumentWatches) -> Stream:
        await catalog.documents.get(document_id)
        language = language_of(request)

        def show(document: Document) -> Event:
            state = state_of(document, language)
            return Event("state", JobStateInfo.whole(state), state_id(state))

        states = watches.events(document_id, language, show)
        return event_stream(after(request.headers.get("last-event-id"), states))

    @get("/chunks", summary="The passages of the document's live version")
    async def chunks(
        self, document_id: str, catalog: Catalog, blobs: Blobs, cursor: int = 0, limit: Limit = 100
    ) -> Page[ChunkInfo]:
        document = await catalog.documents.get(document_id)
        indexed = await catalog.documents.indexed(document.id, document.version)
        chunks = await blobs.load(indexed.chunks_key, list[Chunk]) if indexed is not None else []
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

    @post("/pause", status_code=202, summary="Hold the indexing of the latest version")
    async def pause(self, document_id: str, catalog: Catalog, control: DocumentControl) -> DocumentJob:
        return DocumentJob.of(await control.pause(await catalog.documents.get(document_id)))

    @post("/resume", status_code=202, summary="Go on where it was paused")
    async def resume(self, document_id: str, catalog: Catalog, control: DocumentControl) -> DocumentJob:
        return DocumentJob.of(await control.resume(await catalog.documents.get(document_id)))

    @post("/cancel", status_code=202, summary="Stop indexing the latest version; an earlier one stays live")
    async def cancel(self, document_id: str, catalog: Catalog, control: DocumentControl) -> DocumentJob:
        return DocumentJob.of(await control.cancel(await catalog.documents.get(document_id)))

    @post("/retry", status_code=202, summary="Try again, with what is done kept, or made anew from a step on")
    async def retry(
        self, document_id: str, catalog: Catalog, control: DocumentControl, data: RetryRequest | None = None
    ) -> DocumentJob:
        document = await catalog.documents.get(document_id)
        return DocumentJob.of(await control.retry(document, data.from_step if data else None))

    @delete(status_code=202, summary="Delete a document: at once from every answer, then all that it left")
    async def remove(self, document_id: str, catalog: Catalog, jobs: Jobs, principal: Principal) -> JobAccepted:
        await jobs.answers()
        document = await catalog.documents.get(document_id)
        knowledge_base = await catalog.knowledge_bases.by_id(document.knowledge_base_id)
        await catalog.documents.delete(document_id, principal.subject)
        job = DeleteJob(
            knowledge_base_id=knowledge_base.id,
            knowledge_base=knowledge_base.name,
            document_id=document.id,
            document_name=document.name,
            actor=principal.subject,
        )
        return JobAccepted(id=document.id, state="running", workflow_id=await jobs.delete(job))


@websocket("/api/v1/documents/{document_id:str}/ws")
async def document_socket(socket: AnySocket, document_id: str, catalog: Catalog, watches: DocumentWatches) -> None:
    """Every change of the job's state as a JSON text, then the close; the same states as ``/events``."""
    await catalog.documents.get(document_id)
    await socket.accept(subprotocols=PROTOCOL if PROTOCOL in socket.headers.get("sec-websocket-protocol", "") else None)
    with suppress(WebSocketDisconnect):
        async for document in watches.changes(document_id):
            state = state_of(document, language_of(socket))
            await socket.send_text(msgspec.json.encode(JobStateInfo.whole(state)).decode())
        await socket.close()


def state_id(state: JobState) -> str:
    """An id that is the same for the same state, so that a reader that comes back is not told twice."""
    return f"{state.stage_number}.{state.done}.{state.attempt}.{state.state}"
