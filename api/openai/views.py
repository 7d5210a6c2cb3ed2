"""Answers and knowledge bases as a client of the OpenAI API reads them."""

from __future__ import annotations

from activities.stores.catalog.records import KnowledgeBase, Question
from api.openai.schemas import AnswerExtension, Model, Usage
from api.questions.asking import Answer
from api.questions.views import citation_info, source_info


def answer_extension(question: Question, answer: Answer) -> AnswerExtension:
    """What the answer to ``question`` stands on."""
    done = answer.done
    return AnswerExtension(
        question_id=question.id,
        conversation_id=question.conversation_id,
        answer=done.answer,
        found=done.found,
        mode=done.mode,
        fallback=done.fallback,
        withheld=done.withheld,
        citations=[citation_info(citation) for citation in done.citations],
        sources=[source_info(source) for source in answer.sources],
    )


def usage(prompt: int, completion: int) -> Usage:
    """Tokens with their sum."""
    return Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)


def model(record: KnowledgeBase) -> Model:
    """A knowledge base, as something that answers."""
    return Model(id=record.name, created=int(record.created_at.timestamp()), owned_by=record.created_by)
