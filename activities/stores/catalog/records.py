"""Records that the catalogue takes and returns: plain, immutable values instead of database rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal, TypedDict

import msgspec

from activities.contracts.answers import AnswerMode, Citation, Fallback, Rating, Source
from activities.contracts.documents import Chunking, Remark
from activities.contracts.embedding import EmbeddingModel, embedding_of
from activities.contracts.gate import Gate, QuestionsFrom
from activities.contracts.questions import AnswerSettings
from activities.contracts.reindex import GenerationPhase, ReindexPlan, ReindexToRun, Verified
from activities.contracts.stages import BatchState, DocumentState, JobStateName, QuestionState
from activities.errors import Reason
from activities.stores.catalog.roles import KnowledgeBaseRole, Role, SystemRole
from activities.telemetry import carried, origin
from activities.telemetry.origin import Origin


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all records."""


class Principal(Record, frozen=True):
    """Who acts, with which rights: the owner of a valid API key, or the user of a session.

    ``everywhere`` is the role in every knowledge base, ``granted`` those in single ones by id; a key with a scope acts
    ``within`` these knowledge bases only. ``platform`` has the roles of the platform, ``role`` the strongest of all.
    """

    subject: str
    role: Role
    key_id: str = ""
    session_id: str = ""
    user_id: str = ""
    platform: tuple[SystemRole, ...] = ()
    everywhere: KnowledgeBaseRole | None = None
    granted: dict[str, KnowledgeBaseRole] = {}
    within: frozenset[str] | None = None
    must_change_password: bool = False


class ApiKey(Record, frozen=True):
    """An API key without its secret; ``role`` is the effective role, ``revoked_at`` None while the key is valid.

    ``owner`` is the name of the user whose rights it has, at most those of its role; None for a key that has its role
    in every knowledge base. ``knowledge_bases`` (ids) limits it to these.
    """

    id: str
    subject: str
    role: Role
    created_at: datetime
    revoked_at: datetime | None
    owner: str | None = None
    name: str = ""
    knowledge_bases: list[str] | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None


class Generation(Record, frozen=True):
    """One index generation of a knowledge base; ``model_fingerprint`` is None until its first document is indexed."""

    knowledge_base_id: str
    generation: int
    collection: str
    model: str | None
    model_fingerprint: str | None
    phase: GenerationPhase = "live"

    @property
    def embedding(self) -> EmbeddingModel | None:
        """Its embedding model."""
        return embedding_of(self.model, self.model_fingerprint)


class LivePlan(Record, frozen=True):
    """A live version, and what it was made from in an index generation; ``rows`` is 0 if it is not in it."""

    document_id: str
    name: str
    version: int
    sha256: str
    bytes: int
    parsed_key: str | None
    chunks_key: str | None
    vectors_key: str | None
    rows: int


class Reindex(Record, frozen=True):
    """A re-index; see ``activities.contracts.reindex.ReindexToRun`` for its settings."""

    id: str
    knowledge_base_id: str
    knowledge_base: str
    generation: int
    previous: int
    state: JobStateName
    stage: str
    chunking: Chunking
    plan_only: bool
    approve: bool
    approved_by: str | None
    canceled_by: str | None
    parallelism: int
    throttle: float
    window: str
    soak_seconds: float
    questions: QuestionsFrom
    questions_key: str | None
    gate: Gate | None
    gate_seconds: float
    overridden_by: str | None
    override_reason: str | None
    done: int
    total: int | None
    plan: ReindexPlan | None
    verified: Verified | None
    reason: Reason | None
    actor: str
    created_at: datetime
    updated_at: datetime
    built_since: datetime | None
    switched_at: datetime | None
    rolled_back_at: datetime | None
    finished_at: datetime | None
    embedding: EmbeddingModel | None = None

    def to_run(self) -> ReindexToRun:
        """The input of its workflow."""
        return ReindexToRun(
            reindex_id=self.id,
            knowledge_base_id=self.knowledge_base_id,
            knowledge_base=self.knowledge_base,
            generation=self.generation,
            previous=self.previous,
            chunking=self.chunking,
            embedding=self.embedding,
            actor=self.actor,
            plan_only=self.plan_only,
            approve=self.approve,
            parallelism=self.parallelism,
            throttle=self.throttle,
            window=self.window,
            soak_seconds=self.soak_seconds,
            questions=self.questions,
            questions_key=self.questions_key,
            gate_seconds=self.gate_seconds,
            overridden_by=self.overridden_by,
            switched=self.switched_at is not None,
            rolled_back=self.rolled_back_at is not None,
            canceled_by=self.canceled_by,
        )


class KnowledgeBase(Record, frozen=True):
    id: str
    name: str
    title: str
    description: str
    chunking: Chunking
    created_by: str
    created_at: datetime
    updated_at: datetime
    answers: AnswerSettings = AnswerSettings()


class Document(Record, frozen=True):
    """A document with its latest version; ``live_version`` is the version visible to search, if any."""

    id: str
    knowledge_base_id: str
    name: str
    live_version: int | None
    version: int
    state: DocumentState
    sha256: str
    bytes: int
    media_type: str
    pages: int | None
    chunks: int
    reason: Reason | None
    actor: str
    created_at: datetime
    updated_at: datetime
    stage: str = ""
    done: int = 0
    total: int | None = None
    attempt: int = 1
    waiting_for: str | None = None
    next_attempt_at: datetime | None = None
    eta_seconds: float | None = None
    batch_id: str | None = None
    tags: list[str] = []
    remarks: list[Remark] = []


class SourceFile(Record, frozen=True):
    """A file of a source; ``stamp`` changes when its content does. A document that it makes gets ``tags``."""

    source_id: str
    stamp: str
    tags: list[str] = []


class Upload(Record, frozen=True):
    """Stored bytes that become the next version of the document ``name``; ``tags`` None keeps the document's tags.

    A sync names the ``source_file``: it is refused for a document that is not its source's. Without one, the document
    no longer belongs to any source.
    """

    knowledge_base_id: str
    name: str
    sha256: str
    bytes: int
    actor: str
    batch_id: str | None = None
    tags: list[str] | None = None
    source_file: SourceFile | None = None


class NewBatch(Record, frozen=True):
    """A closed batch that an upload makes: of its files, or of those in its archive, which get ``tags``."""

    name: str
    parallelism: int
    archive_sha256: str | None = None
    tags: list[str] | None = None


class IdempotencyKey(Record, frozen=True):
    """A key that a client gives a request and its repetitions; another request has another ``fingerprint``."""

    actor: str
    key: str
    fingerprint: str


class UploadRequest(Record, frozen=True):
    """Uploads that are accepted together or not at all, as files of an open batch, of a new one, or of none.

    ``respond`` makes the answer from what was accepted and the id of the batch. A repetition of a request with ``key``
    gets the first answer. ``origin`` and ``carried`` are those of where it is made: another task may accept it.
    """

    knowledge_base_id: str
    actor: str
    uploads: list[Upload]
    respond: Callable[[list[Accepted], str | None], object]
    open_batch: str | None = None
    new_batch: NewBatch | None = None
    key: IdempotencyKey | None = None
    origin: Origin = msgspec.field(default_factory=origin.current)
    carried: str | None = msgspec.field(default_factory=carried.current)


class Answered(Record, frozen=True):
    """The answer to an upload request: as ``respond`` made it or, ``repeated``, as it is stored for the key.

    ``batch_id`` is the batch of ``created`` new versions or of an archive.
    """

    answer: Any
    repeated: bool = False
    created: int = 0
    batch_id: str | None = None


class RunProgress(Record, frozen=True):
    """Progress of a version's run at the time ``at``, as recorded by its worker (columns of ``versions``)."""

    document_id: str
    version: int
    at: datetime
    state: DocumentState
    stage: str
    done: int = 0
    total: int | None = None
    attempt: int = 1
    waiting_for: str | None = None
    reason: Reason | None = None
    next_attempt_at: datetime | None = None
    eta_seconds: float | None = None


class LeftOut(Record, frozen=True):
    """A member of an archive that is no document: not meant to be one, or unusable for a ``reason``."""

    name: str
    reason: Reason | None = None


class Batch(Record, frozen=True):
    id: str
    knowledge_base_id: str
    name: str
    state: BatchState
    closed: bool
    parallelism: int
    archive_sha256: str | None
    unpacked_files: int
    unpacked: bool
    tags: list[str] | None
    skipped: list[LeftOut]
    reason: Reason | None
    actor: str
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    request: str | None = None


class Tally(Record, frozen=True):
    """Progress of a batch: documents by state, documents finished in the last minute, and what some wait for."""

    counts: dict[str, int]
    finished_lately: int
    waiting_for: str | None
    reason: Reason | None


class Accepted(Record, frozen=True):
    """An accepted upload; ``created`` is False when the latest version already has the same content."""

    document: Document
    created: bool


class Overdue(Record, frozen=True):
    """What waits too long for a run: how many documents and batches, and since when the oldest."""

    count: int
    since: datetime | None


class LiveDocument(Record, frozen=True):
    """Name and live version of a document that search may show."""

    name: str
    version: int


class ShownDocument(Record, frozen=True):
    """A live document with its live version, when that was uploaded and by whom."""

    id: str
    name: str
    version: int
    uploaded_at: datetime
    actor: str


class IndexedVersion(Record, frozen=True):
    """A version in one index generation: the blobs its rows were written from, and the number of rows."""

    generation: int
    chunks_key: str
    vectors_key: str
    rows: int


class VersionBlobs(Record, frozen=True):
    """The blobs of one version; chunks and vectors are those of one index generation."""

    sha256: str
    parsed_key: str | None
    chunks_key: str | None
    vectors_key: str | None


class PendingVersion(Record, frozen=True):
    """A version that should have a run; ``awaits_batch`` if the run of its batch may not have started it yet."""

    document_id: str
    version: int
    name: str
    state: DocumentState
    awaits_batch: bool
    updated_at: datetime


class StalledBatch(Record, frozen=True):
    """A batch that should have a running workflow."""

    id: str
    name: str
    updated_at: datetime


class VersionStatus(Record, frozen=True):
    """Status of a version; ``changed_at`` includes its document's deletion and the publishing of the live version."""

    pending: bool
    live: bool
    deleted: bool
    changed_at: datetime


class LiveVersion(Record, frozen=True):
    """A version that search may show, with its blobs and its number of rows (``chunks``) in an index generation."""

    document_id: str
    version: int
    name: str
    chunks: int
    sha256: str
    parsed_key: str | None
    chunks_key: str | None


class LiveFiles(Record, frozen=True):
    """The blobs that a live version consists of; chunks and vectors are None if it was published before they were."""

    document_id: str
    version: int
    name: str
    knowledge_base: str
    sha256: str
    parsed_key: str | None
    chunks_key: str | None
    vectors_key: str | None


class DeletedDocument(Record, frozen=True):
    id: str
    name: str
    knowledge_base_id: str
    knowledge_base: str
    deleted_by: str


class DeletedKnowledgeBase(Record, frozen=True):
    """A deleted knowledge base that documents or a collection are left of."""

    id: str
    name: str
    deleted_by: str


class AnswerRecord(Record, frozen=True):
    """Provenance of an answer; ``milliseconds`` are by stage, ``standalone`` is the rewritten query."""

    standalone: str | None
    similarity: float | None
    generation: int | None
    embedding_model: str | None
    embedding_fingerprint: str | None
    language_model: str | None
    prompt_version: str | None
    milliseconds: dict[str, int]
    tokens: int


class Feedback(Record, frozen=True):
    """A user's feedback on an answer."""

    rating: Rating
    comment: str | None = None


class Conversation(Record, frozen=True):
    """A sequence of questions; ``updated_at`` is the time of the last question."""

    id: str
    knowledge_base_id: str
    knowledge_base: str
    title: str
    questions: int
    actor: str
    created_at: datetime
    updated_at: datetime


class AuditEvent(Record, frozen=True):
    """An audit event; ``knowledge_base`` is a name, kept also after the knowledge base was deleted."""

    id: str
    at: datetime
    actor: str
    action: str
    outcome: str
    code: str | None
    knowledge_base: str | None
    object_type: str | None
    object_id: str | None
    object_name: str | None
    version: int | None
    key_id: str | None
    address: str | None
    request_id: str | None
    workflow_id: str | None
    run_id: str | None
    detail: dict[str, Any]


class NewEvent(Record, frozen=True):
    """An audit event to be written, of the request or run in which it happened."""

    actor: str
    action: str
    outcome: Literal["done", "refused", "failed"] = "done"
    code: str | None = None
    knowledge_base_id: str | None = None
    object_id: str | None = None
    object_name: str | None = None
    version: int | None = None
    detail: dict[str, Any] = {}
    origin: Origin = Origin()


class EventFilter(TypedDict, total=False):
    """Which audit events are wanted; None does not matter.

    ``knowledge_base`` is a name; deleted knowledge bases of that name match too. ``action`` is an action or its first
    part (``document`` matches ``document.upload`` and others). ``since`` is included, ``until`` is not.
    """

    knowledge_base: str | None
    actor: str | None
    action: str | None
    object_id: str | None
    object_name: str | None
    version: int | None
    outcome: str | None
    since: datetime | None
    until: datetime | None


class AnswerUse(Record, frozen=True):
    """An answer whose search had passages of a version of a document; ``cited`` if it quotes one."""

    question_id: str
    version: int
    passages: int
    cited: bool
    state: str
    actor: str
    at: datetime
    knowledge_base: str
    deleted: bool


class Question(Record, frozen=True):
    id: str
    knowledge_base_id: str
    conversation_id: str
    question: str
    mode: AnswerMode
    state: QuestionState
    answer: str | None
    found: bool | None
    citations: list[Citation]
    sources: list[Source]
    reason: Reason | None
    actor: str
    created_at: datetime
    finished_at: datetime | None
    fallback: Fallback | None = None
    withheld: int = 0
    made: AnswerRecord | None = None
    feedback: Feedback | None = None


class PendingDocuments(Record, frozen=True):
    """The number of pending documents; ``eta_seconds`` is None when it cannot be estimated."""

    documents: int
    eta_seconds: float | None = None
