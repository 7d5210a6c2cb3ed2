"""What the tools do: the same services as those of the HTTP API, for the caller of a request."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from litestar.types import Scope

from activities.contracts.answers import Citation
from activities.contracts.events import DeltaEvent, DoneEvent, QuestionEvent, SourcesEvent, StateEvent
from activities.errors import InvalidRequest, Language
from activities.phrases import Bilingual, Phrase
from activities.retrieval.passages import Passage
from activities.settings import Settings
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Document, KnowledgeBase, Principal
from activities.stores.milvus import ID, ROW_ID, row_id
from activities.text.scripts import reply_language
from api.documents.passages import live_chunks
from api.http.access import GRANTED, Access, needs, visible
from api.mcp.schemas import (
    MOST_SEARCHED,
    AskArguments,
    AskResult,
    FetchArguments,
    FetchResult,
    KnowledgeBaseResult,
    KnowledgeBaseResults,
    ListArguments,
    SearchArguments,
    SearchResult,
    SearchResults,
    SourceResult,
)
from api.mcp.windows import around
from api.questions.asking import Asking
from api.questions.searching import Searching
from api.questions.source_list import document_link

READS: Final = needs("reader", "knowledge_base", recent=True)
ASKS: Final = needs("reader", "knowledge_base")
FETCHES: Final = needs("reader", "document")

#: Knowledge bases that a list shows, and names in an error.
MOST_LISTED: Final = 1000

Report = Callable[[str], Awaitable[None]]


class Stage(Bilingual):
    """What a question's run does, for those who wait."""

    WAIT_FOR_INDEX = ("Waiting for documents to be indexed", "正在等待文档完成索引")
    RETRIEVE = ("Searching the documents", "正在检索文档")
    SOURCES = ("{count} passages found", "找到 {count} 个段落")
    GENERATE = ("Composing the answer", "正在组织回答")
    WRITING = ("Writing the answer", "正在撰写回答")
    RECORD = ("Recording the answer", "正在记录回答")
    DOWN = ("Waiting for {dependency}", "正在等待 {dependency}")


@dataclass(frozen=True)
class Caller:
    """Who calls, in which request, and how it hears of progress."""

    principal: Principal
    scope: Scope
    report: Report


@dataclass(frozen=True)
class Tools:
    """The tools. They raise HoldfastErrors, and note in the request's scope which objects were granted to it."""

    settings: Settings
    catalog: Catalog
    blobs: Blobs
    access: Access
    searching: Searching
    asking: Asking

    async def list_knowledge_bases(self, caller: Caller, _: ListArguments) -> KnowledgeBaseResults:
        """Those that the caller may see, by name."""
        found = await self._visible(caller, MOST_LISTED)
        listed = [KnowledgeBaseResult(name=kb.name, title=kb.title, description=kb.description) for kb in found]
        return KnowledgeBaseResults(knowledge_bases=listed)

    async def searched(self, caller: Caller, names: list[str]) -> list[KnowledgeBase]:
        """The named knowledge bases, or all that the caller may see. Raises NotFound, and InvalidRequest for many."""
        if names:
            return [await self.access.named(caller.principal, READS, name) for name in dict.fromkeys(names)]
        found = await self._visible(caller, MOST_SEARCHED + 1)
        if len(found) > MOST_SEARCHED:
            raise InvalidRequest(detail=Phrase.NAME_SOME, limit=MOST_SEARCHED, names=_names(found))
        return found

    async def search(self, caller: Caller, given: SearchArguments, among: list[KnowledgeBase]) -> SearchResults:
        """The best passages of all these knowledge bases."""
        found = await asyncio.gather(
            *(
                self.searching.passages(caller.scope, each, given.query, given.limit, filter=given.filter)
                for each in among
            )
        )
        pairs = [(passage, each) for each, passages in zip(among, found, strict=True) for passage in passages]
        pairs.sort(key=lambda pair: -pair[0].score)
        return SearchResults(results=[self._result(*pair) for pair in pairs[: given.limit]])

    async def fetch(self, caller: Caller, given: FetchArguments) -> FetchResult:
        """The text around a passage of a live version, or from the beginning of a document."""
        document_id, version, place = _place(given.id)
        granted = await self.access.granted(caller.principal, FETCHES, document_id)
        caller.scope["state"][GRANTED] = granted
        document, knowledge_base = granted["document"], granted["knowledge_base"]
        assert isinstance(document, Document)  # noqa: S101 - what FETCHES names
        assert isinstance(knowledge_base, KnowledgeBase)  # noqa: S101
        chunks = await live_chunks(document, self.catalog, self.blobs)
        if not chunks:
            raise InvalidRequest(detail=Phrase.NOTHING_LIVE)
        if place is not None and (version != document.live_version or place >= len(chunks)):
            raise InvalidRequest(detail=Phrase.OLD_PASSAGE)
        first, end = around(chunks, place)
        shown = chunks[first:end]
        live = document.live_version or 0
        metadata = {
            "knowledge_base": knowledge_base.name,
            "document_id": document.id,
            "version": live,
            "tags": document.tags,
            "page": chunks[place].page if place is not None else None,
            "section": chunks[place].section if place is not None else "",
            "pages": sorted({chunk.page for chunk in shown if chunk.page}),
            "complete": len(shown) == len(chunks),
            "before": row_id(document.id, live, first - 1) if first else None,
            "after": row_id(document.id, live, end) if end < len(chunks) else None,
        }
        return FetchResult(
            id=given.id,
            title=document.name,
            text="\n\n".join(chunk.text for chunk in shown),
            url=self._link(knowledge_base, document.name),
            metadata=metadata,
        )

    async def asked(self, caller: Caller, given: AskArguments) -> KnowledgeBase:
        """The knowledge base of a question. Raises NotFound, and InvalidRequest where it has to be named."""
        if given.knowledge_base is not None:
            return await self.access.named(caller.principal, ASKS, given.knowledge_base)
        if given.conversation_id is not None:
            found = await self.access.granted(caller.principal, needs("reader", "conversation"), given.conversation_id)
            knowledge_base = found["knowledge_base"]
            assert isinstance(knowledge_base, KnowledgeBase)  # noqa: S101 - that of the conversation
            return knowledge_base
        shown = await self._visible(caller, MOST_LISTED)
        if len(shown) != 1:
            raise InvalidRequest(detail=Phrase.NAME_ONE, names=_names(shown))
        return shown[0]

    async def ask(self, caller: Caller, given: AskArguments, knowledge_base: KnowledgeBase) -> AskResult:
        """The answer; when the caller leaves before, the question is canceled."""
        query = await self.asking.check(knowledge_base, given.question)
        await self.asking.ensure_available()
        question = await self.asking.ask(query, caller.principal.subject, conversation_id=given.conversation_id)
        language = reply_language(given.question)
        said = ""
        async for event in self.asking.attend(question):
            if isinstance(event, DoneEvent):
                return AskResult(
                    answer=event.answer,
                    found=event.found,
                    sources=[self._source(citation, knowledge_base) for citation in event.citations],
                    knowledge_base=knowledge_base.name,
                    conversation_id=question.conversation_id,
                    question_id=question.id,
                    mode=event.mode,
                )
            text = _told(event, language)
            if text and text != said:
                said = text
                await caller.report(text)
        raise AssertionError("attend() ends with an answer or an error")

    async def _visible(self, caller: Caller, limit: int) -> list[KnowledgeBase]:
        found = await self.catalog.knowledge_bases.page(None, limit, visible(caller.principal))
        return await self.access.readable(caller.principal, found)

    def _result(self, passage: Passage, knowledge_base: KnowledgeBase) -> SearchResult:
        row = passage.row
        return SearchResult(
            id=row.id,
            title=passage.document_name,
            url=self._link(knowledge_base, passage.document_name),
            text=row.text,
            score=passage.score,
            knowledge_base=knowledge_base.name,
            document_id=row.document_id,
            version=row.version,
            page=row.page or None,
            section=row.section,
        )

    def _source(self, citation: Citation, knowledge_base: KnowledgeBase) -> SourceResult:
        return SourceResult(
            n=citation.n,
            id=citation.chunk_id or citation.document_id,
            title=citation.document_name,
            url=self._link(knowledge_base, citation.document_name),
            quote=citation.quote,
            document_id=citation.document_id,
            page=citation.page,
            section=citation.section,
        )

    def _link(self, knowledge_base: KnowledgeBase, document_name: str) -> str:
        return document_link(self.settings.page_url, knowledge_base.name, document_name)


def _told(event: QuestionEvent, language: Language) -> str:
    """What a waiting client is told at an event; nothing new at most of them."""
    match event:
        case StateEvent(waiting_for=str(dependency)):
            return Stage.DOWN.render(language, dependency=dependency)
        case StateEvent():
            stage = Stage.of_code(event.stage)
            return stage.render(language) if stage is not None else ""
        case SourcesEvent():
            return Stage.SOURCES.render(language, count=len(event.sources))
        case DeltaEvent():
            return Stage.WRITING.render(language)
    return ""


def _place(id: str) -> tuple[str, int, int | None]:
    """The document, version and ordinal of an id; no ordinal for that of a document. Raises InvalidRequest."""
    if re.fullmatch(ID, id):
        return id, 0, None
    if not re.fullmatch(ROW_ID, id) or not id.isascii():
        raise InvalidRequest(detail=Phrase.PASSAGE_ID)
    document_id, version, ordinal = id.split(":")
    return document_id, int(version), int(ordinal)


def _names(found: list[KnowledgeBase]) -> str:
    return ", ".join(kb.name for kb in found) or "-"
