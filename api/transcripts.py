"""A conversation as Markdown, for people: questions, answers, and where each answer stands."""

from __future__ import annotations

import re
from collections.abc import Iterator

from activities.errors import Language
from api.schemas_conversations import ConversationDetail
from api.schemas_questions import CitationInfo, QuestionInfo

_WORDS: dict[str, tuple[str, str]] = {
    "knowledge_base": ("Knowledge base", "知识库"),
    "sources": ("Sources", "来源"),
    "nearest": ("Nearest passages", "最接近的段落"),
    "page": ("page {page}", "第 {page} 页"),
    "version": ("version {version}", "版本 {version}"),
    "unanswered": ("There is no answer: {reason}", "没有回答：{reason}"),
    "running": ("The answer is not complete yet.", "回答尚未完成。"),
}

#: What a name or a quote could use to be taken for markup.
_MARKUP = re.compile(r"([\\`*_\[\]<>#|~])")


def markdown(conversation: ConversationDetail, language: Language) -> str:
    """The whole conversation; what documents and people wrote is shown as they wrote it, never as markup."""
    head = [
        f"# {_plain(conversation.title)}",
        f"{_say('knowledge_base', language)}: {conversation.knowledge_base} · "
        f"{conversation.created_at:%Y-%m-%d %H:%M} UTC",
    ]
    turns = [part for number, turn in enumerate(conversation.turns, 1) for part in _turn(number, turn, language)]
    return "\n\n".join([*head, *turns]) + "\n"


def _turn(number: int, turn: QuestionInfo, language: Language) -> Iterator[str]:
    yield f"## {number}"
    yield "\n".join(f"> {_plain(line)}" for line in turn.question.splitlines())
    if turn.answer is not None:
        yield turn.answer
    elif turn.state == "running":
        yield f"*{_say('running', language)}*"
    else:
        yield f"*{_say('unanswered', language, reason=turn.reason or turn.state)}*"
    if turn.citations:
        yield f"**{_say('sources' if turn.found else 'nearest', language)}**"
        yield "\n".join(_source(citation, language) for citation in turn.citations)


def _source(citation: CitationInfo, language: Language) -> str:
    page = _say("page", language, page=citation.page) if citation.page is not None else ""
    version = _say("version", language, version=citation.version)
    where = " · ".join(filter(None, (_plain(citation.document_name), version, page, _plain(citation.section))))
    return f"* [{citation.n}] {where}: “{_plain(citation.quote)}”"


def _plain(text: str) -> str:
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))


def _say(key: str, language: Language, **params: object) -> str:
    return _WORDS[key][language == "zh"].format(**params)
