"""Conversations as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from activities.errors import Language
from activities.stores.catalog.records import Conversation, Question
from api.conversations.schemas import ConversationDetail, ConversationInfo
from api.questions.views import question_info


def conversation_info(conversation: Conversation) -> ConversationInfo:
    """A conversation without its questions."""
    return ConversationInfo(
        id=conversation.id,
        title=conversation.title,
        knowledge_base=conversation.knowledge_base,
        questions=conversation.questions,
        created_at=conversation.created_at,
        updated_at=conversation.updated_at,
    )


def conversation_detail(
    conversation: Conversation, turns: Sequence[Question], language: Language
) -> ConversationDetail:
    """A conversation with its questions."""
    about = msgspec.structs.asdict(conversation_info(conversation))
    return ConversationDetail(**about, turns=[question_info(question, language) for question in turns])
