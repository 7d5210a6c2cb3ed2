"""Documents, their passages, their jobs and the formats of files as the API shows them."""

from __future__ import annotations

import msgspec

from activities.contracts import addresses
from activities.contracts.documents import Chunk, Remark
from activities.contracts.ids import ingest_id
from activities.contracts.stages import INGEST_STAGES, number_of
from activities.errors import Language
from activities.phrases import RemarkText
from activities.readers.formats import Format
from activities.stores.catalog.records import Document
from activities.stores.milvus import row_id
from api.batches.views import batch_job
from api.documents.schemas import ChunkInfo, DocumentInfo, DocumentJob, FormatInfo, UploadAccepted
from api.http.schemas import JobStateInfo
from workflows.contracts import JobState


def format_info(format: Format, language: Language) -> FormatInfo:
    """A format, called as people call it in ``language``."""
    return FormatInfo(
        name=format.name,
        media_type=format.media_type,
        extensions=list(format.extensions),
        title=format.title(language),
    )


def document_job(document: Document, *, unchanged: bool = False) -> DocumentJob:
    """An accepted document and where to watch it."""
    return DocumentJob(
        id=document.id,
        name=document.name,
        version=document.version,
        state=document.state,
        workflow_id=ingest_id(document.id, document.version),
        status_url=addresses.document_status(document.id),
        events_url=addresses.document_events(document.id),
        batch_id=document.batch_id,
        unchanged=unchanged,
    )


def upload_accepted(documents: list[DocumentJob], batch_id: str | None) -> UploadAccepted:
    """What was accepted, and the batch that it is in."""
    return UploadAccepted(documents=documents, batch_id=batch_id, batch=batch_job(batch_id) if batch_id else None)


def document_info(document: Document, language: Language) -> DocumentInfo:
    """A document with its latest version."""
    return DocumentInfo(
        id=document.id,
        name=document.name,
        version=document.version,
        live_version=document.live_version,
        state=document.state,
        reason=document.reason.render(language) if document.reason else None,
        reason_code=document.reason.code if document.reason else None,
        remarks=remarks_of(document, language),
        chunks=document.chunks,
        pages=document.pages,
        bytes=document.bytes,
        media_type=document.media_type,
        actor=document.actor,
        created_at=document.created_at,
        updated_at=document.updated_at,
        stage=document.stage,
        stage_number=number_of(document.stage, INGEST_STAGES),
        stage_count=len(INGEST_STAGES),
        done=document.done,
        total=document.total,
        attempt=document.attempt,
        waiting_for=document.waiting_for,
        eta_seconds=document.eta_seconds,
        batch_id=document.batch_id,
        tags=document.tags,
        workflow_id=ingest_id(document.id, document.version),
        status_url=addresses.document_status(document.id),
        events_url=addresses.document_events(document.id),
    )


def remarks_of(document: Document, language: Language) -> list[Remark]:
    """The document's remarks with their texts; those that only another version of Holdfast knows are left out."""
    known = ((remark, RemarkText.of_code(remark.kind)) for remark in document.remarks)
    return [
        msgspec.structs.replace(remark, text=text.render(language, count=remark.count))
        for remark, text in known
        if text is not None
    ]


def chunk_info(document_id: str, version: int, chunk: Chunk) -> ChunkInfo:
    """A passage of a document's version."""
    return ChunkInfo(
        chunk_id=row_id(document_id, version, chunk.ordinal),
        ordinal=chunk.ordinal,
        text=chunk.text,
        tokens=chunk.tokens,
        page=chunk.page,
        section=chunk.section,
    )


def job_state_info(state: JobState) -> JobStateInfo:
    """The state of a job with every field, also those that a contract leaves out."""
    return JobStateInfo(**msgspec.structs.asdict(state))
