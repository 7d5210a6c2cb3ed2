"""Texts to measure with: prose-like English and Chinese from a seeded vocabulary, or somebody's own files."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

SMALL = 4096
"""Characters of a small document."""

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
    """So many characters: chapters in turns English (an odd seed begins so) and Chinese; the same for a seed."""
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


class Library:
    """Where the benches take their texts from."""

    def __init__(self, data: Path | None, file: Path | None) -> None:
        files = [file] if file else sorted([*data.rglob("*.txt"), *data.rglob("*.md")]) if data else []
        texts = [path.read_text(encoding="utf-8", errors="replace") for path in files]
        self._texts = sorted((text for text in texts if text.strip()), key=len, reverse=True)
        if (data or file) and not self._texts:
            raise SystemExit(f"no text in {data or file}: a .txt or .md file is needed")

    def long(self, characters: int | None) -> str:
        """One long document of at most so many characters: the largest file, or a made-up text."""
        if self._texts:
            return self._texts[0][:characters]
        return made_up(1, characters or 400_000)

    def small(self, count: int) -> list[str]:
        """So many small documents, cut from the files, or made up."""
        if not self._texts:
            return [made_up(1000 + number, SMALL) for number in range(count)]
        pieces = [piece for text in self._texts for piece in _cut(text)]
        if len(pieces) < count:
            raise SystemExit(f"the files have text for {len(pieces)} documents of {SMALL} characters, not for {count}")
        return pieces[:count]


def _cut(text: str) -> Iterator[str]:
    whole = range(0, len(text) - SMALL + 1, SMALL)
    return (text[start : start + SMALL] for start in whole)


def edited(text: str, place: float) -> str:
    """The text with one paragraph changed: the first one of some length after ``place`` (0–1)."""
    paragraphs = text.split("\n\n")
    at = int(place * len(paragraphs))
    while at < len(paragraphs) - 1 and len(paragraphs[at]) < 100:
        at += 1
    words = paragraphs[at]
    middle = words.find(" ", len(words) // 2)
    middle = middle if middle >= 0 else len(words) // 2
    paragraphs[at] = f"{words[:middle]} [this was revised on {int(place * 100)} May]{words[middle:]}"
    return "\n\n".join(paragraphs)
