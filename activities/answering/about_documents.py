"""Questions about the documents themselves, answered from the catalogue: how many, which, when uploaded, by whom.

Only questions that name nothing but documents, a format or one document's name are told apart: “How many documents
must be signed?” is a question on contents.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import msgspec

from activities.answering.document_names import named_document
from activities.contracts.questions import Answered
from activities.phrases import Bilingual, Language
from activities.stores.catalog.records import ShownDocument
from activities.text.scripts import is_han

Kind = Literal["count", "list", "upload", "version", "last", "exists"]

#: Names that an answer lists.
LISTED = 20

_FORMAT = r"(?:pdf|docx?|xlsx?|pptx?|csv|md|markdown|html?|txt|eml|epub|rtf|odt|json|word|excel|powerpoint)"
_DOCUMENTS = rf"(?:{_FORMAT} )?(?:documents|files|pdfs)"
_HERE = (
    r"(?: (?:are )?(?:there|here|stored|indexed|uploaded|available|do (?:you|we) (?:have|know)|have you got"
    r"|(?:are )?in (?:this|the|your) (?:knowledge base|collection|library|system|database)|can (?:you|i) search"
    r"|in total|now))*"
)
_HAN_DOCUMENTS = rf"(?:{_FORMAT})?(?:格式的?|类型的?)?(?:文档|文件|资料)"
_HAN_HERE = (
    r"(?:(?:这个|本|该|你的?|我们的?)?(?:知识库|资料库|系统)(?:里面|里|中|内)?|你们?|我们|这里|现在|目前)?"
    r"(?:现在|目前)?，?(?:一共|总共|共|都)?"
)

_KINDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    (
        "count",
        re.compile(
            rf"^(?:how many|(?:what is|what's) the (?:total )?number of) {_DOCUMENTS}{_HERE}$"
            rf"|^{_HAN_HERE}有?(?:几|多少)(?:个|份|篇|种)?{_HAN_DOCUMENTS}$|^{_HAN_HERE}{_HAN_DOCUMENTS}有?(?:几|多少)(?:个|份"
            rf"|篇)?$",
            re.I,
        ),
    ),
    (
        "list",
        re.compile(
            rf"^(?:which|what) {_DOCUMENTS}{_HERE}$|^(?:please )?(?:list|show)(?: me)?(?: all)?(?: of)?(?: the"
            rf"| your)? {_DOCUMENTS}{_HERE}$"
            rf"|^{_HAN_HERE}有?(?:哪些|什么){_HAN_DOCUMENTS}$|^(?:请|帮我)?(?:列出|显示)(?:一下)?(?:所有|全部)?的?{_HAN_DOCUMENTS}$"
            rf"|^{_HAN_DOCUMENTS}有哪些$",
            re.I,
        ),
    ),
    (
        "last",
        re.compile(
            rf"^(?:which|what) (?:document|file) was (?:uploaded|added) (?:last|most recently)$"
            rf"|^(?:what|which) (?:is|was) the (?:last|latest|newest|most recent|most recently) (?:uploaded "
            rf"|added )?(?:document|file)(?: uploaded)?$"
            rf"|^(?:最新|最近|最后)(?:一?次)?(?:上传|添加)的(?:{_HAN_DOCUMENTS})?(?:是哪一?[个份]|是什么)$",
            re.I,
        ),
    ),
)
_UPLOAD = re.compile(
    r"^(?:when (?:was|were)|who (?:has )?(?:uploaded|added)|by whom was|since when)\b(?P<en>.*)$"
    r"|^(?P<zh>.*?)(?:是?(?:在)?(?:什么时[候间]|何时|哪天)(?:被)?(?:上传|添加)的?|是?(?:由)?谁(?:上传|添加)的?)(?:，|,|$)(?:.{0,4}谁上传的?)?$",
    re.I,
)
_UPLOADED = re.compile(r"\b(?:uploaded|added)\b|上传|添加", re.I)
_VERSION = re.compile(
    r"^(?:what|which) (?:is|version is) (?:the )?(?:latest|current|newest|live|last) version of (?P<a>.*)$"
    r"|^how many versions (?:does|of|has) (?P<b>.*?)(?: have| are there| got)?$"
    r"|^which version of (?P<d>.*) is (?:live|current|the latest)$"
    r"|^(?P<c>.*?)的?(?:最新|当前)的?版本(?:是哪一?个|是什么|是多少|号是多少)?$|^(?P<e>.*?)(?:一共|总共)?有(?:几|多少)个版本$",
    re.I,
)
_EXISTS = re.compile(
    r"^(?:do you have|is there) an? (?:document|file) (?:called|named|with the name) (?P<a>.*)$|^有没有(?:叫|名为"
    r"|名叫)(?P<b>.*?)的?(?:文档|文件)?$",
    re.I,
)
_ASKED_FORMAT = re.compile(rf"(?<![a-z]){_FORMAT}(?=s?(?![a-z]))", re.I)
_EXTENSIONS = {
    "word": ("doc", "docx", "docm"), "excel": ("xls", "xlsx", "xlsm"), "powerpoint": ("ppt", "pptx"),
    "markdown": ("md", "markdown"), "doc": ("doc", "docx"), "xls": ("xls", "xlsx"), "htm": ("htm", "html"),
    "html": ("htm", "html"), "ppt": ("ppt", "pptx"),
}  # fmt: skip


class About(Bilingual):
    """Answers from the catalogue."""

    COUNT = (
        "According to the catalogue (not to the text of a document): {count} documents can be searched here.",
        "根据目录（而非文档内容）：这里可以检索的文档共 {count} 个。",
    )
    COUNT_FORMAT = (
        "According to the catalogue (not to the text of a document): {count} documents of the format {format} can be"
        " searched here.",
        "根据目录（而非文档内容）：这里可以检索的 {format} 文档共 {count} 个。",
    )
    MORE = ("… and {count} more", "……另有 {count} 个")
    LAST = (
        "According to the catalogue, the document uploaded last is {name} (version {version}, uploaded on {date} by"
        " {actor}).",
        "根据目录，最近上传的文档是 {name}（版本 {version}，由 {actor} 于 {date} 上传）。",
    )
    UPLOAD = (
        "According to the catalogue, version {version} of {name}, the one that is searched, was uploaded on {date} by"
        " {actor}.",
        "根据目录，{name} 当前检索的版本 {version} 由 {actor} 于 {date} 上传。",
    )
    VERSION = (
        "According to the catalogue, the latest version of {name} that can be searched is version {version}, uploaded"
        " on {date} by {actor}.",
        "根据目录，{name} 可检索的最新版本是版本 {version}，由 {actor} 于 {date} 上传。",
    )
    EXISTS = (
        "According to the catalogue, there is {name} (version {version}, uploaded on {date} by {actor}).",
        "根据目录，有文档 {name}（版本 {version}，由 {actor} 于 {date} 上传）。",
    )


class Asked(msgspec.Struct, frozen=True):
    """A question about documents; ``name`` is the part of it that names one."""

    kind: Kind
    name: str = ""
    format: str = ""


def about_documents(question: str) -> Asked | None:
    """What a question asks about documents; None for a question on their contents."""
    text = " ".join(question.split()).strip(" ?.!？。！")
    for kind, pattern in _KINDS:
        if pattern.match(text):
            named = _ASKED_FORMAT.search(text)
            return Asked(kind, format=named[0].lower() if named else "")
    if _UPLOADED.search(text) and (match := _UPLOAD.match(text)):
        return Asked("upload", name=match["en"] or match["zh"] or "")
    if match := _VERSION.match(text):
        return Asked("version", name=next((part for part in match.groups() if part), ""))
    if match := _EXISTS.match(text):
        return Asked("exists", name=match["a"] or match["b"] or "")
    return None


def answer_about(asked: Asked, question: str, count: int, documents: Sequence[ShownDocument]) -> Answered | None:
    """The answer to a question about the ``documents``, last uploaded first; None when it names none of them.

    ``count`` is the number of all documents, of which ``documents`` may be a part.
    """
    language: Language = "zh" if is_han(question) else "en"
    if asked.kind in ("count", "list"):
        if asked.format:
            wanted = _EXTENSIONS.get(asked.format, (asked.format,))
            if count > len(documents):
                return None
            documents = [one for one in documents if one.name.lower().rpartition(".")[2] in wanted]
            count = len(documents)
            lines = [About.COUNT_FORMAT.render(language, count=count, format=asked.format.upper())]
        else:
            lines = [About.COUNT.render(language, count=count)]
        if asked.kind == "list":
            lines += [f"- {one.name}" for one in documents[:LISTED]]
            if count > LISTED:
                lines.append(About.MORE.render(language, count=count - LISTED))
        return Answered(answer="\n".join(lines), citations=[], mode="extractive", found=True)
    one = next(iter(documents), None) if asked.kind == "last" else named_document(asked.name, documents)
    if one is None:
        return None
    text = About[asked.kind.upper()].render(
        language, name=one.name, version=one.version, date=f"{one.uploaded_at:%Y-%m-%d %H:%M} UTC", actor=one.actor
    )
    return Answered(answer=text, citations=[], mode="extractive", found=True)
