"""Conversations: list, look at, rename, delete, export. Only the one who began a conversation sees it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import Controller, Request, Response, delete, get, patch
from litestar.openapi import ResponseSpec
from litestar.params import Parameter

from activities.errors import InvalidRequest
from activities.phrases import Phrase
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.conversations import cursor_after
from activities.stores.catalog.records import Conversation, Principal
from api.conversations.markdown import markdown
from api.conversations.schemas import ConversationDetail, ConversationInfo, RenameConversation
from api.conversations.views import conversation_detail, conversation_info
from api.http.access import needs, visible
from api.http.described import AlsoMarkdown
from api.http.language import language_of
from api.http.schemas import Page
from api.questions.asking import Asking
from workflows.client.jobs import Jobs

AnyRequest = Request[Any, Any, Any]
Limit = Annotated[int, Parameter(ge=1, le=1000, description="Maximum number of items on a page.")]


class ConversationsController(Controller):
    path = "/api/v1/conversations"
    tags = ["Conversations"]

    @get(access=needs("reader"), summary="List your conversations, newest question first")
    async def index(
        self,
        catalog: Catalog,
        principal: Principal,
        kb: str | None = None,
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[ConversationInfo]:
        found = await catalog.conversations.page(principal.subject, kb, cursor, limit, visible(principal))
        return Page(
            items=[conversation_info(conversation) for conversation in found],
            next_cursor=cursor_after(found[-1]) if len(found) == limit else None,
        )


class ConversationController(Controller):
    path = "/api/v1/conversations/{id:str}"
    tags = ["Conversations"]

    @get(access=needs("reader", "conversation"), summary="Get a conversation with its questions and answers")
    async def show(self, conversation: Conversation, request: AnyRequest, catalog: Catalog) -> ConversationDetail:
        return await _whole(conversation, request, catalog)

    @patch(access=needs("reader", "conversation"), summary="Rename a conversation")
    async def rename(
        self, conversation: Conversation, data: RenameConversation, catalog: Catalog, principal: Principal
    ) -> ConversationInfo:
        title = " ".join(data.title.split())
        if not title:
            raise InvalidRequest(detail=Phrase.TITLE_EMPTY)
        return conversation_info(await catalog.conversations.rename(conversation.id, title, principal.subject))

    @delete(
        status_code=204,
        access=needs("reader", "conversation"),
        summary="Delete a conversation; its texts are erased, the audit record remains",
    )
    async def remove(
        self, conversation: Conversation, catalog: Catalog, jobs: Jobs, asking: Asking, principal: Principal
    ) -> None:
        await jobs.ensure_available()
        for question in await catalog.conversations.delete(conversation.id, principal.subject):
            await asking.erase(question)

    @get(
        "/export",
        access=needs("reader", "conversation"),
        summary="Download a conversation with its sources",
        responses={200: ResponseSpec(ConversationDetail, generate_examples=False, description="A file to download")},
        operation_class=AlsoMarkdown,
    )
    async def export(
        self,
        conversation: Conversation,
        request: AnyRequest,
        catalog: Catalog,
        format: Literal["json", "markdown"] = "markdown",
    ) -> Response[bytes]:
        whole = await _whole(conversation, request, catalog)
        if format == "json":
            return _file(msgspec.json.format(msgspec.json.encode(whole)), "application/json", f"{whole.id}.json")
        text = markdown(whole, language_of(request))
        return _file(text.encode(), "text/markdown; charset=utf-8", f"{whole.id}.md")


async def _whole(conversation: Conversation, request: AnyRequest, catalog: Catalog) -> ConversationDetail:
    turns = await catalog.conversations.turns(conversation.id, conversation.actor)
    return conversation_detail(conversation, turns, language_of(request))


def _file(content: bytes, media_type: str, name: str) -> Response[bytes]:
    headers = {"Content-Disposition": f'attachment; filename="conversation-{name}"', "Cache-Control": "no-store"}
    return Response(content, media_type=media_type, headers=headers)
