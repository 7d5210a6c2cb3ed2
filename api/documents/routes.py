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

from activities.contracts.names import MAX_NAME, clean_tags, only_tag
from activities.contracts.selection import DocumentFilter, DocumentSort, Order
from activities.contracts.stages import DocumentState
from activities.errors import FileLost, InvalidRequest
from activities.phrases import Phrase
from activities.stores.blob_keys import original_key
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Document, KnowledgeBase, Principal
from api.background.watches import DocumentWatches
from api.documents.control import DocumentControl
from api.documents.passages import live_chunks
from api.documents.schemas import (
    ChangeDocument,
    ChunkInfo,
    DocumentInfo,
    DocumentJob,
    DocumentPage,
    RetryRequest,
    UploadAccepted,
)
from api.documents.status import DocumentStatus, state_of
from api.documents.uploads import Uploads
from api.documents.views import chunk_info, document_info, document_job, job_state_info
from api.http.access import needs
from api.http.admission import UploadGate
from api.http.auth import PROTOCOL
from api.http.described import DOWNLOAD, JOB_STREAM
from api.http.language import language_of
from api.http.ranges import content_response
from api.http.schemas import JobAccepted, JobStateInfo, Page
from api.http.sockets import until_left
from api.http.sse import Event, after, event_stream
from workflows.client.jobs import Jobs
from workflows.contracts import JobState

AnyRequest = Request[Any, Any, Any]
AnySocket = WebSocket[Any, Any, Any]
Limit = Annotated[int, Parameter(ge=1, le=1000, description="Maximum number of items on a page.")]

Search = Annotated[
    str, Parameter(max_length=MAX_NAME, description="Words that are all parts of the name, in any case.")
]

Offset = Annotated[int, Parameter(ge=0, description="Number of passages to skip.")]

#: Longest Idempotency-Key, in characters.
MAX_KEY_CHARACTERS = 200

READS = needs("reader", "document")
CONTROLS = needs("contributor", "document", also=("operator",))


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
            OpenAPIParameter(
                name="batch", param_in="query", schema=text, description="Id of an open batch to add the documents to."
            ),
            OpenAPIParameter(
                name="tags",
                param_in="query",
                schema=Schema(type=OpenAPIType.ARRAY, items=text),
                description="A tag for the documents; repeatable. The tags replace the earlier ones.",
            ),
            OpenAPIParameter(
                name="Idempotency-Key",
                param_in="header",
                schema=Schema(type=OpenAPIType.STRING, max_length=MAX_KEY_CHARACTERS),
                description="Repeating a request with the same key and files returns the first answer.",
            ),
        ]


class DocumentsOfKnowledgeBase(Controller):
    path = "/api/v1/knowledge-bases/{kb:str}/documents"
    tags = ["Documents"]

    @post(
        status_code=202,
        access=needs("contributor", "knowledge_base", recent=True),
        summary="Upload one or many files, or a zip archive of them",
        middleware=[UploadGate()],
        operation_class=UploadOperation,
        query=("batch", "tags"),
    )
    async def upload(self, knowledge_base: KnowledgeBase, request: AnyRequest, uploads: Uploads) -> UploadAccepted:
        query, key = request.query_params, request.headers.get("idempotency-key")
        if key is not None and len(key) > MAX_KEY_CHARACTERS:
            raise InvalidRequest(detail=Phrase.KEY_TOO_LONG, limit=MAX_KEY_CHARACTERS)
        files = [each for each in (await request.form()).getall("files", []) if isinstance(each, UploadFile)]
        if not files:
            raise InvalidRequest(detail=Phrase.NO_FILES_IN_FORM)
        tags = clean_tags(query.getall("tags")) if "tags" in query else None
        return await uploads.accept(knowledge_base, files, request.user.subject, query.get("batch"), key, tags)

    @get(access=needs("reader", "knowledge_base"), summary="List documents, newest first, or sorted and filtered")
    async def index(
        self,
        knowledge_base: KnowledgeBase,
        request: AnyRequest,
        catalog: Catalog,
        document_state: Annotated[DocumentState | None, Parameter(query="state")] = None,
        search: Search = "",
        tag: Annotated[str | None, Parameter(description="A tag that the documents have.")] = None,
        uploader: Annotated[
            str | None, Parameter(query="source", description="Who uploaded the latest version.")
        ] = None,
        batch_id: Annotated[str | None, Parameter(query="batch")] = None,
        ids: Annotated[list[str] | None, Parameter(query="id", max_items=100, description="Only these.")] = None,
        sort: DocumentSort = "created_at",
        order: Order | None = None,
        counts: Annotated[bool, Parameter(description="Whether to count the documents by state.")] = False,
        cursor: str | None = None,
        limit: Limit = 100,
    ) -> DocumentPage:
        wanted = DocumentFilter(
            state=document_state,
            search=search,
            tag=only_tag(tag) if tag else None,
            source=uploader or None,
            batch_id=batch_id or None,
        )
        if ids:
            named = await catalog.document_list.named(knowledge_base.id, ids)
            return DocumentPage(items=[document_info(document, language_of(request)) for document in named])
        found = await catalog.document_list.page(knowledge_base.id, wanted, sort, order, cursor, limit)
        counted = await catalog.document_list.counts(knowledge_base.id, wanted) if counts else None
        return DocumentPage(
            items=[document_info(document, language_of(request)) for document in found.documents],
            next_cursor=found.next_cursor,
            counts={"total": sum(counted.values()), **counted} if counted is not None else None,
        )


class DocumentController(Controller):
    path = "/api/v1/documents/{document_id:str}"
    tags = ["Documents"]

    @get(access=READS, summary="Get a document")
    async def show(self, document: Document, request: AnyRequest) -> DocumentInfo:
        return document_info(document, language_of(request))

    @patch(access=needs("contributor", "document"), summary="Replace a document's tags")
    async def change(
        self, document: Document, data: ChangeDocument, request: AnyRequest, catalog: Catalog, principal: Principal
    ) -> DocumentInfo:
        tagged = await catalog.documents.tag(document.id, clean_tags(data.tags), principal.subject)
        return document_info(tagged, language_of(request))

    @get("/status", access=READS, summary="Get the state of a document's indexing job")
    async def status_now(self, document: Document, request: AnyRequest, status: DocumentStatus) -> JobStateInfo:
        return job_state_info(await status.of(document, language_of(request)))

    @get(
        "/events",
        access=READS,
        summary="Stream a document's job states as server-sent events until the job ends",
        responses=JOB_STREAM,
    )
    async def events(self, document: Document, request: AnyRequest, watches: DocumentWatches) -> Stream:
        language = language_of(request)

        def show(document: Document) -> Event:
            state = state_of(document, language)
            return Event("state", job_state_info(state), state_id(state))

        states = watches.events(document.id, language, show)
        return event_stream(after(request.headers.get("last-event-id"), states))

    @get("/chunks", access=READS, summary="List the passages of a document's live version")
    async def chunks(
        self, document: Document, catalog: Catalog, blobs: Blobs, cursor: Offset = 0, limit: Limit = 100
    ) -> Page[ChunkInfo]:
        chunks = await live_chunks(document, catalog, blobs)
        version = document.live_version or 0
        items = [chunk_info(document.id, version, chunk) for chunk in chunks[cursor : cursor + limit]]
        return Page(items=items, next_cursor=str(cursor + limit) if cursor + limit < len(chunks) else None)

    @get("/content", access=READS, summary="Download the uploaded file; supports ranges", responses=DOWNLOAD)
    async def content(self, document: Document, request: AnyRequest, blobs: Blobs) -> Stream | Response[bytes]:
        key = original_key(document.sha256)
        try:
            return await content_response(blobs, key, document.name, request.headers.get("range"))
        except KeyError as exc:
            raise FileLost(name=document.name) from exc

    @post("/pause", status_code=202, access=CONTROLS, summary="Pause indexing")
    async def pause(self, document: Document, control: DocumentControl, principal: Principal) -> DocumentJob:
        return document_job(await control.pause(document, principal.subject))

    @post("/resume", status_code=202, access=CONTROLS, summary="Resume indexing")
    async def resume(self, document: Document, control: DocumentControl, principal: Principal) -> DocumentJob:
        return document_job(await control.resume(document, principal.subject))

    @post(
        "/cancel",
        status_code=202,
        access=CONTROLS,
        summary="Cancel indexing; an earlier version stays live",
    )
    async def cancel(self, document: Document, control: DocumentControl, principal: Principal) -> DocumentJob:
        return document_job(await control.cancel(document, principal.subject))

    @post(
        "/retry",
        status_code=202,
        access=CONTROLS,
        summary="Retry indexing; completed steps are kept unless `from_step` redoes them",
    )
    async def retry(
        self, document: Document, control: DocumentControl, principal: Principal, data: RetryRequest | None = None
    ) -> DocumentJob:
        return document_job(await control.retry(document, data.from_step if data else None, principal.subject))

    @delete(
        status_code=202,
        access=needs("manager", "document"),
        summary="Delete a document; it leaves all answers at once, and its data soon after",
    )
    async def remove(
        self, document: Document, jobs: Jobs, control: DocumentControl, principal: Principal
    ) -> JobAccepted:
        await jobs.ensure_available()
        workflow_id = await control.delete(document, principal.subject)
        return JobAccepted(id=document.id, state="running", workflow_id=workflow_id)


@websocket("/api/v1/documents/{document_id:str}/ws", access=READS)
async def document_socket(socket: AnySocket, document: Document, watches: DocumentWatches) -> None:
    """Every change of the job's state as a JSON text, then the close; the same states as ``/events``."""
    await socket.accept(subprotocols=PROTOCOL if PROTOCOL in socket.headers.get("sec-websocket-protocol", "") else None)

    async def send_states() -> None:
        with suppress(WebSocketDisconnect):
            async for changed in watches.changes(document.id):
                state = state_of(changed, language_of(socket))
                await socket.send_text(msgspec.json.encode(job_state_info(state)).decode())
            await socket.close()

    await until_left(socket, send_states())


def state_id(state: JobState) -> str:
    """An id that is the same for the same state, so that a reader that comes back is not told twice."""
    return f"{state.stage_number}.{state.done}.{state.attempt}.{state.state}"
