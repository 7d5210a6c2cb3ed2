"""The API by resource: each method is one request, and its answer is one of the wire types.

Bodies hold what was given and nothing else: what is left out is left to the API's defaults. All raise ApiError or
Problem.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO, Generic, Literal, TypeVar

import msgspec

from activities.contracts.addresses import PREFIX
from activities.contracts.answers import AnswerMode
from activities.contracts.search import SearchMode
from activities.contracts.stages import DocumentState
from api.audit.log.schemas import ContinuationInfo, HoldInfo, LogInfo
from api.audit.schemas import AnswerUseInfo, AuditEventInfo
from api.batches.schemas import BatchInfo
from api.client.paths import at
from api.client.problems import Problem
from api.conversations.schemas import ConversationDetail, ConversationInfo
from api.documents.schemas import ChunkInfo, DocumentInfo, DocumentJob, UploadAccepted
from api.http.schemas import JobAccepted, JobStateInfo
from api.identity.schemas import IdentityInfo, TokenInfo
from api.knowledge_bases.schemas import KnowledgeBaseInfo
from api.lookup.schemas import Kind, MatchInfo
from api.maintenance.schemas import ReconcileInfo
from api.questions.schemas import QuestionAccepted, QuestionInfo, SearchResponse
from api.reindex_all.schemas import ReindexAllInfo
from api.reindexes.schemas import ReindexInfo
from api.schedules.schemas import BackfillAccepted, RetentionPreview, ScheduleInfo

if TYPE_CHECKING:
    from api.client.client import Api, Event

T = TypeVar("T")

DocumentAction = Literal["pause", "resume", "cancel"]
BatchAction = Literal["pause", "resume", "cancel", "retry-failed", "close"]
ReindexAction = Literal["pause", "resume", "cancel", "approve", "override", "control", "finish", "rollback"]
ReindexAllAction = Literal["pause", "resume", "cancel"]
Step = Literal["parse", "chunk", "embed", "index", "publish"]

#: Items of a page where a whole list is read.
PAGE = 1000


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What the API answered: ``json`` as it came (None if it was empty), ``value`` the same as a wire type.

    ``value`` is made when it is asked for: what only hands the JSON on does not depend on its form. Fields that the
    wire type does not know are passed over.
    """

    json: Any
    kind: type[T]
    url: str

    @cached_property
    def value(self) -> T:
        """Raises Problem for what is not of this kind."""
        try:
            return msgspec.convert(self.json, self.kind)
        except msgspec.ValidationError as exc:
            raise Problem("not-holdfast", url=self.url, detail=exc) from exc


class Resource:
    """Base of the resources: a part of the API behind one connection."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def _ask(self, kind: type[T], method: str, *path: str, **request: Any) -> Answer[T]:
        address = at(*path)
        return Answer(await self._api.call(method, address, **request), kind, self._url(address))

    async def _page(self, kind: type[T], /, *path: str, **params: Any) -> list[Answer[T]]:
        """The first page of a list."""
        address = at(*path)
        page = await self._api.call("GET", address, params=_given(**params))
        return [Answer(item, kind, self._url(address)) for item in page["items"]]

    async def _all(self, kind: type[T], *path: str, **params: Any) -> AsyncIterator[Answer[T]]:
        """A whole list, page by page."""
        address = at(*path)
        async for item in self._api.pages(address, **{name: str(value) for name, value in _given(**params).items()}):
            yield Answer(item, kind, self._url(address))

    def _url(self, address: str) -> str:
        return f"{self._api.url}{PREFIX}{address}"


class KnowledgeBases(Resource):
    async def create(
        self,
        name: str,
        title: str | None = None,
        description: str | None = None,
        embedding_model: str | None = None,
    ) -> Answer[KnowledgeBaseInfo]:
        body = _given(name=name, title=title, description=description, embedding_model=embedding_model)
        return await self._ask(KnowledgeBaseInfo, "POST", "knowledge-bases", json=body)

    def all(self) -> AsyncIterator[Answer[KnowledgeBaseInfo]]:
        return self._all(KnowledgeBaseInfo, "knowledge-bases")

    async def page(self, limit: int) -> list[Answer[KnowledgeBaseInfo]]:
        """The first ones by name."""
        return await self._page(KnowledgeBaseInfo, "knowledge-bases", limit=limit)

    async def get(self, name: str) -> Answer[KnowledgeBaseInfo]:
        return await self._ask(KnowledgeBaseInfo, "GET", "knowledge-bases", name)

    async def change(self, name: str, changes: Mapping[str, Any]) -> Answer[KnowledgeBaseInfo]:
        """``changes`` as the API takes them; what is left out stays as it is."""
        return await self._ask(KnowledgeBaseInfo, "PATCH", "knowledge-bases", name, json=changes)

    async def delete(self, name: str) -> Answer[JobAccepted]:
        return await self._ask(JobAccepted, "DELETE", "knowledge-bases", name)


class Documents(Resource):
    def all(
        self,
        kb: str,
        *,
        state: DocumentState | None = None,
        batch: str | None = None,
        limit: int | None = None,
        **chosen: str | None,
    ) -> AsyncIterator[Answer[DocumentInfo]]:
        """Those of a knowledge base, newest first; ``limit`` is the length of a page.

        ``chosen`` by search, tag and source, in another sort and order.
        """
        params = {"batch": batch, "state": state, "limit": limit, **chosen}
        return self._all(DocumentInfo, "knowledge-bases", kb, "documents", **params)

    async def page(self, kb: str, **chosen: Any) -> tuple[list[Answer[DocumentInfo]], str | None]:
        """One page, chosen as by ``all`` and by ``limit`` and ``cursor``, and the cursor of the next one."""
        address = at("knowledge-bases", kb, "documents")
        page = await self._api.call("GET", address, params=_given(**chosen))
        url = self._url(address)
        return [Answer(item, DocumentInfo, url) for item in page["items"]], page.get("next_cursor")

    async def get(self, id: str) -> Answer[DocumentInfo]:
        return await self._ask(DocumentInfo, "GET", "documents", id)

    async def status(self, id: str) -> Answer[JobStateInfo]:
        return await self._ask(JobStateInfo, "GET", "documents", id, "status")

    def chunks(self, id: str) -> AsyncIterator[Answer[ChunkInfo]]:
        """The passages of the live version."""
        return self._all(ChunkInfo, "documents", id, "chunks", limit=PAGE)

    async def control(self, id: str, action: DocumentAction) -> Answer[DocumentJob]:
        return await self._ask(DocumentJob, "POST", "documents", id, action)

    async def retry(self, id: str, from_step: Step | None = None) -> Answer[DocumentJob]:
        return await self._ask(DocumentJob, "POST", "documents", id, "retry", json=_given(from_step=from_step))

    async def delete(self, id: str) -> Answer[JobAccepted]:
        return await self._ask(JobAccepted, "DELETE", "documents", id)

    async def upload(
        self,
        kb: str,
        files: Sequence[tuple[str, BinaryIO]],
        idempotency_key: str,
        batch: str | None = None,
        tags: Sequence[str] = (),
    ) -> Answer[UploadAccepted]:
        """Send (name, file) pairs in one request, into an open batch if one is given, read from disk as it goes."""
        json = await self._api.upload(kb, files, idempotency_key, batch, tags)
        return Answer(json, UploadAccepted, self._url(at("knowledge-bases", kb, "documents")))


class Batches(Resource):
    async def create(self, kb: str, name: str, parallelism: int | None = None) -> Answer[BatchInfo]:
        body = _given(name=name, parallelism=parallelism)
        return await self._ask(BatchInfo, "POST", "knowledge-bases", kb, "batches", json=body)

    async def page(self, kb: str, limit: int) -> list[Answer[BatchInfo]]:
        """The newest ones."""
        return await self._page(BatchInfo, "knowledge-bases", kb, "batches", limit=limit)

    async def get(self, id: str) -> Answer[BatchInfo]:
        return await self._ask(BatchInfo, "GET", "batches", id)

    async def control(self, id: str, action: BatchAction) -> Answer[JobAccepted]:
        return await self._ask(JobAccepted, "POST", "batches", id, action)

    async def set_parallelism(self, id: str, documents: int) -> Answer[JobAccepted]:
        body = {"parallelism": documents}
        return await self._ask(JobAccepted, "POST", "batches", id, "set-parallelism", json=body)


class Reindexes(Resource):
    async def start(self, kb: str, **settings: Any) -> Answer[JobAccepted]:
        """``settings`` as the API takes them; those that are None are left to it."""
        return await self._ask(JobAccepted, "POST", "knowledge-bases", kb, "reindex", json=_given(**settings))

    async def plan(self, kb: str, **settings: Any) -> Answer[JobAccepted]:
        return await self._ask(JobAccepted, "POST", "knowledge-bases", kb, "reindex-plan", json=_given(**settings))

    async def page(self, kb: str, limit: int) -> list[Answer[ReindexInfo]]:
        """The newest ones."""
        return await self._page(ReindexInfo, "knowledge-bases", kb, "reindexes", limit=limit)

    async def get(self, id: str) -> Answer[ReindexInfo]:
        return await self._ask(ReindexInfo, "GET", "reindexes", id)

    async def control(self, id: str, action: ReindexAction, **settings: Any) -> Answer[JobAccepted]:
        """``settings`` belong to the actions ``control`` and ``override``."""
        json = _given(**settings) if action in ("control", "override") else None
        return await self._ask(JobAccepted, "POST", "reindexes", id, action, **({"json": json} if json else {}))


class Schedules(Resource):
    async def create(self, name: str, **settings: Any) -> Answer[ScheduleInfo]:
        """``settings`` as the API takes them; those that are None are left to it."""
        return await self._ask(ScheduleInfo, "POST", "schedules", json=_given(name=name, **settings))

    async def page(self, kb: str | None = None) -> list[Answer[ScheduleInfo]]:
        """All of them, or those of a knowledge base."""
        return await self._page(ScheduleInfo, "schedules", kb=kb)

    async def get(self, name: str) -> Answer[ScheduleInfo]:
        return await self._ask(ScheduleInfo, "GET", "schedules", name)

    async def change(self, name: str, **settings: Any) -> Answer[ScheduleInfo]:
        return await self._ask(ScheduleInfo, "PATCH", "schedules", name, json=_given(**settings))

    async def pause(self, name: str, note: str = "") -> Answer[ScheduleInfo]:
        return await self._ask(ScheduleInfo, "POST", "schedules", name, "pause", json={"note": note})

    async def resume(self, name: str) -> Answer[ScheduleInfo]:
        return await self._ask(ScheduleInfo, "POST", "schedules", name, "resume")

    async def run(self, name: str) -> Answer[JobAccepted]:
        return await self._ask(JobAccepted, "POST", "schedules", name, "run")

    async def cancel(self, name: str) -> Answer[JobAccepted]:
        return await self._ask(JobAccepted, "POST", "schedules", name, "cancel")

    async def confirm(self, name: str, documents: int | None = None) -> Answer[JobAccepted]:
        json = _given(documents=documents)
        return await self._ask(JobAccepted, "POST", "schedules", name, "confirm", json=json)

    async def backfill(self, name: str, start: str, end: str) -> Answer[BackfillAccepted]:
        json = {"start": start, "end": end}
        return await self._ask(BackfillAccepted, "POST", "schedules", name, "backfill", json=json)

    async def delete(self, name: str) -> None:
        await self._api.call("DELETE", at("schedules", name))

    async def preview_retention(self, kb: str, options: Mapping[str, Any]) -> Answer[RetentionPreview]:
        """What a retention with these options would delete now."""
        path = ("knowledge-bases", kb, "retention-preview")
        return await self._ask(RetentionPreview, "POST", *path, json=dict(options))


class ReindexAll(Resource):
    async def start(self, **settings: Any) -> Answer[JobAccepted]:
        """``settings`` as the API takes them; those that are None are left to it."""
        return await self._ask(JobAccepted, "POST", "reindex-all", json=_given(**settings))

    async def page(self, limit: int) -> list[Answer[ReindexAllInfo]]:
        """The newest ones, without their items."""
        return await self._page(ReindexAllInfo, "reindex-all", limit=limit)

    async def get(self, id: str) -> Answer[ReindexAllInfo]:
        return await self._ask(ReindexAllInfo, "GET", "reindex-all", id)

    async def control(self, id: str, action: ReindexAllAction) -> Answer[JobAccepted]:
        return await self._ask(JobAccepted, "POST", "reindex-all", id, action)


class Questions(Resource):
    async def search(
        self,
        kb: str,
        query: str,
        *,
        limit: int | None = None,
        mode: SearchMode | None = None,
        filter: Mapping[str, Any] | None = None,
    ) -> Answer[SearchResponse]:
        """``filter`` as the API takes it; what is wrong with it the API says."""
        body = _given(query=query, limit=limit, mode=mode, filter=filter)
        return await self._ask(SearchResponse, "POST", "knowledge-bases", kb, "search", json=body)

    async def ask(
        self,
        kb: str,
        question: str,
        *,
        mode: AnswerMode | None = None,
        conversation_id: str | None = None,
        listed: bool | None = None,
    ) -> Answer[QuestionAccepted]:
        body = _given(question=question, mode=mode, conversation_id=conversation_id, listed=listed)
        return await self._ask(QuestionAccepted, "POST", "knowledge-bases", kb, "questions", json=body)

    async def get(self, id: str) -> Answer[QuestionInfo]:
        return await self._ask(QuestionInfo, "GET", "questions", id)

    async def cancel(self, id: str) -> Answer[QuestionInfo]:
        return await self._ask(QuestionInfo, "POST", "questions", id, "cancel")

    def events(self, id: str) -> AsyncGenerator[Event, None]:
        """The answer as it is written; see ``Api.events``."""
        return self._api.events(PREFIX + at("questions", id, "events"))


class Conversations(Resource):
    async def page(self, limit: int, kb: str | None = None) -> list[Answer[ConversationInfo]]:
        """The newest ones."""
        return await self._page(ConversationInfo, "conversations", limit=limit, kb=kb)

    async def get(self, id: str) -> Answer[ConversationDetail]:
        return await self._ask(ConversationDetail, "GET", "conversations", id)

    async def rename(self, id: str, title: str) -> Answer[ConversationInfo]:
        return await self._ask(ConversationInfo, "PATCH", "conversations", id, json={"title": title})

    async def delete(self, id: str) -> None:
        await self._api.call("DELETE", at("conversations", id))

    async def export(self, id: str, format: str) -> bytes:
        """``markdown`` or ``json``, as a file."""
        return await self._api.content(at("conversations", id, "export"), params={"format": format})


class Audit(Resource):
    async def page(self, limit: int, **chosen: str) -> list[Answer[AuditEventInfo]]:
        """The newest events; ``chosen`` by kb, actor, action, since."""
        return await self._page(AuditEventInfo, "audit", "events", **chosen, limit=limit)

    async def question(self, id: str) -> dict[str, Any]:
        """The whole record of a question: its columns by their names."""
        return await self._api.call("GET", at("audit", "questions", id))  # type: ignore[no-any-return]

    def export(self, format: str, **chosen: str) -> AsyncGenerator[bytes, None]:
        """All events, oldest first, each on a line: ``jsonl``, ``csv`` (with a header) or ``ocsf``."""
        return self._api.pieces(at("audit", "export"), params={"format": format} | chosen)

    async def answers(self, document_id: str, limit: int, version: int | None) -> list[Answer[AnswerUseInfo]]:
        """The newest answers that used a document, or a version of it."""
        return await self._page(
            AnswerUseInfo, "audit", "documents", document_id, "answers", limit=limit, version=version
        )

    async def log(self) -> Answer[LogInfo]:
        """How the tamper-evident log stands."""
        return await self._ask(LogInfo, "GET", "audit", "log")

    async def continue_log(self, reason: str) -> Answer[ContinuationInfo]:
        """Declare lost what a restored backup does not have."""
        return await self._ask(ContinuationInfo, "POST", "audit", "log", "continue", json={"reason": reason})

    def log_export(self) -> AsyncGenerator[bytes, None]:
        """The export of the whole log."""
        return self._api.pieces(at("audit", "log", "export"))

    async def holds(self) -> list[Answer[HoldInfo]]:
        """The knowledge bases under a legal hold."""
        return await self._page(HoldInfo, "audit", "holds")

    async def hold(self, knowledge_base: str, reason: str) -> Answer[HoldInfo]:
        """Put a knowledge base under a legal hold."""
        body = {"knowledge_base": knowledge_base, "reason": reason}
        return await self._ask(HoldInfo, "POST", "audit", "holds", json=body)

    async def end_hold(self, knowledge_base: str, reason: str) -> None:
        """End a legal hold."""
        body = {"knowledge_base": knowledge_base, "reason": reason}
        await self._api.call("POST", at("audit", "holds", "end"), json=body)

    async def question_proof(self, id: str) -> bytes:
        """The file that proves the events of a question."""
        return await self._api.content(at("audit", "questions", id, "proof"))


class Reconciliations(Resource):
    async def start(self, repair: bool = True, all_files: bool = False) -> Answer[JobAccepted]:
        body = {"repair": repair, "all_files": all_files}
        return await self._ask(JobAccepted, "POST", "reconcile", json=body)

    async def get(self, id: str) -> Answer[ReconcileInfo]:
        return await self._ask(ReconcileInfo, "GET", "reconcile", id)


class Lookup(Resource):
    async def find(self, kind: Kind, text: str, limit: int, kb: str | None = None) -> list[Answer[MatchInfo]]:
        """What a name, or the beginning of a name or an id, stands for."""
        return await self._page(MatchInfo, "lookup", kind=kind, text=text, kb=kb, limit=limit)


class Identity(Resource):
    async def me(self) -> Answer[IdentityInfo]:
        """As whom the key acts."""
        return await self._ask(IdentityInfo, "GET", "me")

    async def sign_in(self, user: str, password: str) -> Answer[TokenInfo]:
        """The tokens of a new session."""
        return await self._ask(TokenInfo, "POST", "auth", "token", json={"username": user, "password": password})

    async def sign_out(self) -> None:
        """End the session."""
        await self._api.call("POST", at("auth", "logout"))


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
