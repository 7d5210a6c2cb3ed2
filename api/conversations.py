"""Conversations: list, look at, rename, delete, export. Only the one who began a conversation sees it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import Controller, Request, Response, delete, get, patch
from litestar.params import Parameter

from activities.errors import InvalidRequest
from activities.stores.catalog import Catalog
from activities.stores.catalog.conversations import cursor_after
from activities.stores.catalog.records import Principal
from api.asking import Asking
from api.errors import language_of
from api.schemas import Page
from api.schemas_conversations import ConversationDetail, ConversationInfo, RenameConversation
from api.transcripts import markdown
from workflows.connect import Jobs

AnyRequest = Request[Any, Any, Any]
Limit = Annotated[int, Parameter(ge=1, le=1000, description="Items on one page.")]


class ConversationsController(Controller):
    path = "/api/v1/conversations"
    tags = ["Conversations"]

    @get(summary="List your conversations, those with the newest questions first")
    async def index(
        self,
        catalog: Catalog,
        principal: Principal,
        kb: str | None = None,
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[ConversationInfo]:
        found = await catalog.conversations.page(principal.subject, kb, cursor, limit)
        return Page(
            items=[ConversationInfo.of(conversation) for conversation in found],
            next_cursor=cursor_after(found[-1]) if len(found) == limit else None,
        )


class ConversationController(Controller):
    path = "/api/v1/conversations/{id:str}"
    tags = ["Conversations"]

    @get(summary="A conversation with its questions and answers")
    async def show(self, id: str, request: AnyRequest, catalog: Catalog, principal: Principal) -> ConversationDetail:
        return await _whole(id, request, catalog, principal)

    @patch(summary="Give it another title")
    async def rename(
        self, id: str, data: RenameConversation, catalog: Catalog, principal: Principal
    ) -> ConversationInfo:
        title = " ".join(data.title.split())
        if not title:
            raise InvalidRequest(detail="the title is empty / 标题为空")
        return ConversationInfo.of(await catalog.conversations.rename(id, title, principal.subject))

    @delete(status_code=204, summary="Delete it: what was asked and answered is erased, that it was there is kept")
    async def remove(self, id: str, catalog: Catalog, jobs: Jobs, asking: Asking, principal: Principal) -> None:
        await jobs.answers()
        for question in await catalog.conversations.delete(id, principal.subject):
            await asking.erase(question)

    @get("/export", summary="A conversation with its sources, as a file")
    async def export(
        self,
        id: str,
        request: AnyRequest,
        catalog: Catalog,
        principal: Principal,
        format: Literal["json", "markdown"] = "markdown",
    ) -> Response[bytes]:
        whole = await _whole(id, request, catalog, principal)
        if format == "json":
            return _file(msgspec.json.format(msgspec.json.encode(whole)), "application/json", f"{whole.id}.json")
        text = markdown(whole, language_of(request))
        return _file(text.encode(), "text/markdown; charset=utf-8", f"{whole.id}.md")


async def _whole(id: str, request: AnyRequest, catalog: Catalog, principal: Principal) -> ConversationDetail:
    conversation = await catalog.conversations.get(id, principal.subject)
    turns = await catalog.conversations.turns(id, principal.subject)
    return ConversationDetail.whole(conversation, turns, language_of(request))


def _file(content: bytes, media_type: str, name: str) -> Response[bytes]:
    headers = {"Content-Disposition": f'attachment; filename="conversation-{name}"', "Cache-Control": "no-store"}
    return Response(content, media_type=media_type, headers=headers)
