"""“Summarise …”: an extract of a document by section, each heading with its first informative sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from activities.answering.prompts import without_numbers
from activities.contracts.answers import Citation, Source
from activities.contracts.documents import Chunk
from activities.contracts.questions import Answered
from activities.phrases import Bilingual, Language
from activities.stores.catalog.records import ShownDocument
from activities.stores.milvus import row_id
from activities.text.scripts import is_han
from activities.text.sentences import TABLE_ROW, spans
from activities.text.terms import words_of

#: Characters of an extract, sections in it, and characters of a heading.
CHARACTERS = 700
SECTIONS = 10
HEADING_CHARACTERS = 60

#: Begins a subject that is a document only if a document has that name.
UNSURE = "?"

#: Words (pairs of characters in Chinese) of an informative sentence, and characters that are quoted of a longer one.
MIN_WORDS = 4
SENTENCE_CHARACTERS = 160

_ENGLISH = re.compile(
    r"^(?:(?:can|could|would|will) you )?(?:please )?(?:briefly |quickly )?(?:summari[sz]e|sum up|recap"
    r"|outline)\b(?P<a>.*)$"
    r"|^(?:(?:can|could|would) you )?(?:please )?(?:give|show|write|provide|send)(?: me| us)? (?:an? "
    r"|the )?(?:short |brief |quick )?"
    r"(?:summary|overview|outline|synopsis)(?: of)?\b(?P<b>.*)$"
    r"|^(?:i (?:need|want|would like) )?(?:an? |the )?(?:short |brief |quick )?(?:summary|overview|outline"
    r"|tl;?dr)(?: of)\b(?P<c>.*)$"
    r"|^what(?:'s| is| are) (?P<d>.*?) about$|^what (?:does|do) (?P<e>.*?) (?:cover|contain|deal with|say)$"
    r"|^what(?:'s| is) (?:the (?:main )?content of|in) (?P<f>.*)$"
    r"|^what are the (?:main|key|most important) (?:points|topics|contents) (?:of|in) (?P<g>.*)$",
    re.I,
)
_CHINESE = re.compile(
    r"^(?:请|请你|帮我|简要|简单|大致)*(?:地)?(?:总结|概括|概述|归纳|简要介绍|简述|介绍)(?:一下|下)?(?P<a>.+)$"
    r"|^(?:请)?把(?P<b>.+?)(?:简单|简要)?(?:总结|概括|概述|归纳)(?:一下|下)?$"
    r"|^(?:请)?(?:给我|写)(?:一份|一个|一段)?(?P<c>.+?)的?(?:总结|摘要|概要|概述)$"
    r"|^(?P<d>.+?)的?(?:主要内容|内容摘要|大意|要点|重点|摘要|概要|总结)(?:是什么|有哪些|是啥)?$"
    r"|^(?P<e>.+?)(?:里|中|里面)?(?:主要|都|大概)?(?:讲|说|写)了?(?:些|的是|的)?(?:什么|啥)(?:内容)?$"
    r"|^(?P<f>.+?)(?:里面?|中)有(?:些|哪些|什么)内容$"
)
#: The document of which the conversation is, or a word that says that a document is meant.
_A_DOCUMENT = re.compile(
    r"\b(?:document|file|handbook|manual|policy|policies|guide|guidelines|report|contract|statutes|rules|minutes"
    r"|paper|book|page|letter|plan"
    r"|specification|presentation|slides|agreement|regulations|article|terms|brochure|leaflet)s?\b"
    r"|文档|文件|手册|规则|规定|规范|办法|报告|合同|协议|章程|制度|指南|条例|计划|方案|说明书|通知|论文|书",
    re.I,
)
_NEGATED = re.compile(r"\b(?:not|never)\b|n't\b|[不没沒]$", re.I)
_COMPLETE = re.compile(r"^(?:summari[sz]e|sum up|recap|总结|概括|概述|归纳)|(?:总结|概括|归纳)一?下", re.I)
_PUNCTUATED = re.compile(r"[.!?。！？:：;；,，]\s*$")


class Extract(Bilingual):
    """The line before an extract."""

    LEAD = (
        "An extract of {name} (the first sentence of each section), not a summary in own words:",
        "以下是 {name} 的摘录（每节的第一句话），不是重新组织语言的总结：",
    )
    MORE = ("… and {count} more sections", "……另有 {count} 节")


class Section(msgspec.Struct, frozen=True):
    """A heading and the first informative sentence below it; ``place`` is that of its chunk in the list."""

    heading: str
    sentence: str
    place: int


def summarised(question: str) -> str | None:
    """What a question wants a summary of; None for any other question."""
    text = " ".join(question.split()).strip(" ?.!？。！")
    match = (_CHINESE if is_han(text) else _ENGLISH).match(text)
    if match is None:
        return None
    subject = next((part for part in match.groups() if part), "").strip()
    if _NEGATED.search(subject):
        return None
    return subject if _A_DOCUMENT.search(subject) or _COMPLETE.search(text) else f"{UNSURE}{subject}"


def sections_of(chunks: Sequence[Chunk]) -> list[Section]:
    """The top-level sections of a document with their first informative sentences; its paragraphs if it has none."""
    found: list[Section] = []
    seen: set[str] = set()
    for place, chunk in enumerate(chunks):
        top = chunk.section.split(" › ")
        heading = top[min(1, len(top) - 1)]
        for line in filter(None, map(str.strip, chunk.text.splitlines())):
            if _is_heading(line) or line in top:
                heading = line
                continue
            if heading in seen and heading:
                continue
            sentence = _informative(line)
            if sentence:
                seen.add(heading)
                found.append(Section(heading, sentence, place))
    return found


def _is_heading(line: str) -> bool:
    return len(line) <= HEADING_CHARACTERS and not _PUNCTUATED.search(line) and not TABLE_ROW.search(line)


def _informative(line: str) -> str:
    for start, end in spans(line):
        if len(words_of(line[start:end])) >= MIN_WORDS:
            return line[start:end]
    return ""


def extract(
    question: str, document: ShownDocument, chunks: Sequence[Chunk]
) -> tuple[Answered, list[Source], list[str]] | None:
    """The extract of a document, its sources and their texts; None when the document has no sentence."""
    language: Language = "zh" if is_han(question) else "en"
    sections = sections_of(chunks)
    if not sections:
        return None
    lines = [Extract.LEAD.render(language, name=document.name)]
    places: list[int] = []
    citations: list[Citation] = []
    shown = 0
    for section in sections[:SECTIONS]:
        n = places.index(section.place) + 1 if section.place in places else len(places) + 1
        quote = section.sentence if len(section.sentence) <= SENTENCE_CHARACTERS else _cut(section.sentence)
        heading = f"{section.heading}: " if section.heading else ""
        line = f"- {without_numbers(heading + quote)}{'…' if quote != section.sentence else ''} [{n}]"
        if shown and sum(map(len, lines)) + len(line) > CHARACTERS:
            break
        places += [section.place] if section.place not in places else []
        chunk = chunks[section.place]
        citations.append(
            Citation(
                n=n,
                document_id=document.id,
                document_name=document.name,
                quote=quote,
                version=document.version,
                chunk_id=row_id(document.id, document.version, chunk.ordinal),
                page=chunk.page,
                section=chunk.section,
            )
        )
        lines.append(line)
        shown += 1
    if shown < len(sections):
        lines.append(Extract.MORE.render(language, count=len(sections) - shown))
    sources = [
        Source(
            n=n,
            document_id=document.id,
            document_name=document.name,
            version=document.version,
            chunk_id=row_id(document.id, document.version, chunks[place].ordinal),
            score=1.0,
            page=chunks[place].page,
            section=chunks[place].section,
        )
        for n, place in enumerate(places, 1)
    ]
    answered = Answered(answer="\n".join(lines), citations=citations, mode="extractive", found=True)
    return answered, sources, [chunks[place].text for place in places]


def _cut(sentence: str) -> str:
    head = sentence[:SENTENCE_CHARACTERS]
    return head if is_han(head) else head.rsplit(" ", 1)[0]
