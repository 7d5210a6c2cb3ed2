"""Wire types of conversations."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from activities.errors import Language
from activities.stores.catalog.records import Conversation, Question
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

    @classmethod
    def of(cls, conversation: Conversation) -> ConversationInfo:
        """From the catalogue."""
        return cls(
            id=conversation.id,
            title=conversation.title,
            knowledge_base=conversation.knowledge_base,
            questions=conversation.questions,
            created_at=conversation.created_at,
            updated_at=conversation.updated_at,
        )


class ConversationDetail(ConversationInfo, frozen=True):
    """A conversation with its questions, oldest first."""

    turns: list[QuestionInfo]

    @classmethod
    def whole(cls, conversation: Conversation, turns: list[Question], language: Language) -> ConversationDetail:
        """From the catalogue."""
        about = msgspec.structs.asdict(ConversationInfo.of(conversation))
        return cls(**about, turns=[QuestionInfo.of(question, language) for question in turns])


class RenameConversation(Request, frozen=True):
    title: Annotated[str, Meta(min_length=1, max_length=200)]
