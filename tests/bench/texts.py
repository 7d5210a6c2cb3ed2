"""Texts to measure with: prose-like English and Chinese from a seeded vocabulary, or files of the user."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from pathlib import Path

import docx

SMALL = 4096
"""Bytes of a small document."""

LONG = 300_000
"""Characters of a made-up long document."""

PAGE_PARAGRAPHS = 3
CHAPTER_PAGES = 10

SUBJECTS = """the annual leave request|the travel report|a signed contract|the visitor badge|the spare laptop
the quarterly budget|an incident report|the parental leave|the night shift|the fire drill|a supplier invoice
the training course|the medical certificate|the parking permit|the company phone|the remote work agreement
the onboarding plan|a customer complaint|the security audit|the maintenance window|the archive key
the delivery note|the overtime sheet|the exit interview|a data request|the warehouse inventory""".replace("\n", "|")
VERBS = """must be sent to|is checked by|has to be signed by|is usually returned by|may be refused by|is filed with
is discussed with|will be forwarded to|cannot be changed by|was handed over to|is kept for|has been approved by
""".strip().replace("\n", "|")
PEOPLE = """the head of the department|the payroll office|the works council|an external auditor|the regional manager
the legal team in Lisbon|the reception desk|two senior engineers|the data protection officer|the plant in Ostrava
the finance director|the archive in Leeds|the helpdesk|the project sponsor|a licensed physician""".replace("\n", "|")
ENDINGS = """within {n} working days|before the end of the {n}th week|after {n} hours at the latest
unless more than {n} people object|for at least {n} months|together with {n} printed copies|once every {n} weeks
if the amount is above {n} euros|in room {n} of the old building|as paragraph {n} of the rules says""".replace(
    "\n", "|"
)

ZH_SUBJECTS = """年假申请|差旅报告|劳动合同|访客证件|备用电脑|季度预算|事故报告
育儿假|夜班安排|消防演习|供应商发票|培训课程|停车许可|远程办公协议""".replace("\n", "|")
ZH_VERBS = "必须提交给|应当交由|由专人转交给|经审核后退回|不得擅自转给|需要抄送|统一保存在|最终归档于"
ZH_PEOPLE = """部门负责人|财务办公室|职工代表大会|外部审计机构|区域经理|法务团队
前台|数据保护专员|档案室|项目发起人|信息技术支持中心""".replace("\n", "|")
ZH_ENDINGS = """期限为{n}个工作日|逾期超过{n}天的不予受理|并附上{n}份复印件|每{n}周检查一次
金额超过{n}元时需要复核|至少保存{n}个月|详见制度第{n}条""".replace("\n", "|")


def made_up(seed: int, characters: int) -> str:
    """This many characters in alternating chapters of English and Chinese (English first for odd seeds); repeatable."""
    dice = random.Random(seed)
    parts: list[str] = []
    length = chapter = 0
    while length < characters:
        chapter += 1
        english = (chapter + seed) % 2 == 0
        parts.append(f"CHAPTER {chapter}" if english else f"第{chapter}章")
        parts += [_paragraph(dice, english) for _ in range(dice.randint(12, 30))]
        length = sum(map(len, parts)) + 2 * len(parts)
    return "\n\n".join(parts)[:characters]


def _paragraph(dice: random.Random, english: bool) -> str:
    sentence = _english if english else _chinese
    return (" " if english else "").join(sentence(dice) for _ in range(dice.randint(3, 8)))


def _english(dice: random.Random) -> str:
    subject, verb, people, ending = (dice.choice(words.split("|")) for words in (SUBJECTS, VERBS, PEOPLE, ENDINGS))
    return f"{subject} {verb} {people} {ending.format(n=dice.randint(2, 9999))}.".capitalize()


def _chinese(dice: random.Random) -> str:
    words = (ZH_SUBJECTS, ZH_VERBS, ZH_PEOPLE, ZH_ENDINGS)
    subject, verb, people, ending = (dice.choice(some.split("|")) for some in words)
    return f"{subject}{verb}{people}，{ending.format(n=dice.randint(2, 9999))}。"


def book(pages: int) -> bytes:
    """A Word document: chapters of ten pages, every fourth one Chinese; the same for the same length."""
    dice, document = random.Random(pages), docx.Document()
    for page in range(pages):
        chapter, within = divmod(page, CHAPTER_PAGES)
        english = chapter % 4 != 3
        if within == 0:
            document.add_heading(f"Chapter {chapter + 1}" if english else f"第{chapter + 1}章", 1)
        added = [document.add_paragraph(_paragraph(dice, english)) for _ in range(PAGE_PARAGRAPHS)]
        added[0].paragraph_format.page_break_before = True
    return _saved(document)


def words_of(content: bytes) -> str:
    """The text of a Word document's paragraphs."""
    return "\n\n".join(paragraph.text for paragraph in docx.Document(io.BytesIO(content)).paragraphs if paragraph.text)


def _saved(document: docx.document.Document) -> bytes:
    target = io.BytesIO()
    document.save(target)
    return target.getvalue()


class Library:
    """The source of the benches' texts."""

    def __init__(self, data: Path | None, file: Path | None) -> None:
        files = [file] if file else sorted([*data.rglob("*.txt"), *data.rglob("*.md")]) if data else []
        texts = map(_text, files)
        self._texts = sorted((text for text in texts if text.strip()), key=len, reverse=True)
        self.file = file
        if (data or file) and not self._texts:
            raise SystemExit(f"no text in {data or file}: a .txt, .md or .docx file is needed")

    def long(self, characters: int | None) -> str:
        """One long document of at most this many characters: the largest file, or a made-up text."""
        if self._texts:
            return self._texts[0][:characters]
        return made_up(1, characters or LONG)

    def small(self, count: int) -> list[str]:
        """This many small documents, cut from the files, or made up."""
        if not self._texts:
            return [next(_cut(made_up(1000 + number, SMALL))) for number in range(count)]
        pieces = [piece for text in self._texts for piece in _cut(text)]
        if len(pieces) < count:
            raise SystemExit(f"the files have text for {len(pieces)} documents of {SMALL} bytes, not for {count}")
        return pieces[:count]


def _text(path: Path) -> str:
    content = path.read_bytes()
    return words_of(content) if path.suffix == ".docx" else content.decode("utf-8", errors="replace")


def _cut(text: str) -> Iterator[str]:
    content = text.encode()
    whole = range(0, len(content) - SMALL + 1, SMALL)
    return (content[start : start + SMALL].decode(errors="ignore") for start in whole)


def edited(content: bytes, name: str, place: float) -> bytes:
    """The document with some words added to one paragraph: the first one of some length after ``place`` (0–1)."""
    news = f" [this was revised on {int(place * 100)} May] "
    if not name.endswith(".docx"):
        paragraphs = content.decode(errors="replace").split("\n\n")
        at = _first_long(paragraphs, place)
        paragraphs[at] = _with(paragraphs[at], news)
        return "\n\n".join(paragraphs).encode()
    document = docx.Document(io.BytesIO(content))
    paragraph = document.paragraphs[_first_long([each.text for each in document.paragraphs], place)]
    run = max(paragraph.runs, key=lambda run: len(run.text))
    run.text = _with(run.text, news)
    return _saved(document)


def _first_long(paragraphs: list[str], place: float) -> int:
    at = int(place * len(paragraphs))
    while at < len(paragraphs) - 1 and len(paragraphs[at]) < 100:
        at += 1
    return at


def _with(text: str, news: str) -> str:
    middle = text.find(" ", len(text) // 2)
    middle = middle if middle >= 0 else len(text) // 2
    return text[:middle] + news + text[middle:]
