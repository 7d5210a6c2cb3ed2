"""Wire types of conversations."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from api.http.schemas import Request, Schema
from api.questions.schemas import QuestionInfo


class ConversationInfo(Schema, frozen=True):
    """A conversation; ``questions`` is how many it has, ``updated_at`` when the last one was asked."""

    id: str
    title: str
    knowledge_base: str
    questions: int
    created_at: datetime
    updated_at: datetime


class ConversationDetail(ConversationInfo, frozen=True):
    """A conversation with its questions, oldest first."""

    turns: list[QuestionInfo]


class RenameConversation(Request, frozen=True):
    title: Annotated[str, Meta(min_length=1, max_length=200)]
