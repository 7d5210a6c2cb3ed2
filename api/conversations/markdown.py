"""A conversation as Markdown, for people: questions, answers, and where each answer stands."""

from __future__ import annotations

import re
from collections.abc import Iterator

from activities.errors import Language
from activities.phrases import Bilingual
from api.conversations.schemas import ConversationDetail
from api.http.markup import end_of_code, harmless
from api.questions.schemas import CitationInfo, QuestionInfo


class Label(Bilingual):
    """What is written around questions and answers."""

    KNOWLEDGE_BASE = ("Knowledge base", "知识库")
    SOURCES = ("Sources", "来源")
    NEAREST = ("Nearest passages", "最接近的段落")
    PAGE = ("page {page}", "第 {page} 页")
    VERSION = ("version {version}", "版本 {version}")
    UNANSWERED = ("There is no answer: {reason}", "没有回答：{reason}")
    RUNNING = ("The answer is not complete yet.", "回答尚未完成。")


#: What a name or a quote could use to be taken for markup.
_MARKUP = re.compile(r"([\\`*_\[\]<>#|~])")


def markdown(conversation: ConversationDetail, language: Language) -> str:
    """The whole conversation; what documents and people wrote is shown as they wrote it, never as markup."""
    head = [
        f"# {_plain(conversation.title)}",
        f"{Label.KNOWLEDGE_BASE.render(language)}: {conversation.knowledge_base} · "
        f"{conversation.created_at:%Y-%m-%d %H:%M} UTC",
    ]
    turns = [part for number, turn in enumerate(conversation.turns, 1) for part in _turn(number, turn, language)]
    return "\n\n".join([*head, *turns]) + "\n"


def _turn(number: int, turn: QuestionInfo, language: Language) -> Iterator[str]:
    yield f"## {number}"
    yield "\n".join(f"> {_plain(line)}" for line in turn.question.splitlines())
    if turn.answer is not None:
        yield harmless(turn.answer) + end_of_code(turn.answer)
    elif turn.state == "running":
        yield f"*{Label.RUNNING.render(language)}*"
    else:
        yield f"*{Label.UNANSWERED.render(language, reason=turn.reason or turn.state)}*"
    if turn.citations:
        yield f"**{(Label.SOURCES if turn.found else Label.NEAREST).render(language)}**"
        yield "\n".join(_source(citation, language) for citation in turn.citations)


def _source(citation: CitationInfo, language: Language) -> str:
    page = Label.PAGE.render(language, page=citation.page) if citation.page is not None else ""
    version = Label.VERSION.render(language, version=citation.version)
    where = " · ".join(filter(None, (_plain(citation.document_name), version, page, _plain(citation.section))))
    return f"* [{citation.n}] {where}: “{_plain(citation.quote)}”"


def _plain(text: str) -> str:
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))
