"""Whether a short question in a conversation is about something new: told from the passages that were found."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from activities.text.scripts import is_han
from activities.text.sentences import TABLE_ROW, spans
from activities.text.terms import share, topic_words

#: A paragraph holds a question's new words when it has this share of them.
HOLDS = 0.5

#: Passages whose paragraphs are looked at.
PASSAGES = 4

#: A line of at most this many characters without an end is the heading of the next one.
HEADING_CHARACTERS = 60

_ENDS = re.compile(r"[.!?。！？:：;；,，]\s*$")

#: Words that ask for a property of a topic and name none.
_PROPERTIES = topic_words(
    "cost costs price prices fee fees amount maximum minimum time times date dates number name day days week"
    " weeks month"
    " months year years hour hours long much many phone telephone extension address deadline department departments"
    " people person whom owner reason rule rules exactly limit pay paid charge since until after before about"
    " many early"
    " late latest earliest often which what can could may must shall should will would"
)
_HAN_PROPERTIES = re.compile(
    r"费用|金额|时间|电话|号码|期限|价格|价钱|多少|标准|地点|地址|流程|条件|最[多少高低长短大小早晚]|次数|名字|部门|原因|要求|负责|之后|以后"
    r"|之前|几[个位次天年月日点楼号种条]?|怎么办?|怎样|如何|什么|哪[个些里儿]?|谁|呢|吗|是|的|由|在|有|要|会|能|多[久长大高]|那|和|与"
)


def new_words(question: str, known: Iterable[str] = ()) -> set[str]:
    """The topic words of a question that name something, without those in ``known``."""
    words = topic_words(_HAN_PROPERTIES.sub(" ", question) if is_han(question) else question)
    return words - _PROPERTIES - set(known)


def is_new_topic(question: str, carried: str, texts: Sequence[str], *, goes_on: bool) -> bool:
    """Whether the passages speak of the question's new words apart from the words ``carried`` from earlier turns.

    ``goes_on``: the question begins with “and” or ends in “呢”. When no passage has its words, such a question goes
    on with the former topic, and another one, unless it names nothing, does not.
    """
    old = new_words(carried)
    new = new_words(question, old)
    if not new:
        return False
    holding = [
        paragraph for text in texts[:PASSAGES] for paragraph in _paragraphs(text) if share(new, paragraph) >= HOLDS
    ]
    if not holding:
        return not goes_on
    return not any(old & topic_words(paragraph) for paragraph in holding)


def _paragraphs(text: str) -> list[str]:
    """The lines of a text, each with the heading before it; the rows of a table one by one."""
    found: list[str] = []
    heading = ""
    for line in filter(None, map(str.strip, text.splitlines())):
        if len(line) <= HEADING_CHARACTERS and not _ENDS.search(line) and not TABLE_ROW.search(line):
            heading = line
        else:
            found.append(f"{heading}\n{line}")
    return found or [text[start:end] for start, end in spans(text)]
