"""Asking: what kind of answer a question wants, in English and Chinese."""

from __future__ import annotations

import re

from activities.text.blocks import han_number
from activities.text.terms import topic_words

_ITEMS = re.compile(
    r"\b(?:list|name|enumerate)\b(?: \w+){0,3} \w+s\b|\bwhat are\b|\b(?:steps|items)\b"
    r"|\b(?:which|what)(?: \w+){0,2}? (?!does\b|is\b|was\b|has\b)\w+s\b(?<!ss)(?<!us)"
    r"|\bwhat (?:must|should|shall|can|do) (?:i|we|you|one) do\b|怎么办|怎麼辦"
    r"|哪些|哪[几一二三四五六七八九十\d]{1,3}[个種种类類項项條条步点點]|步骤|步驟|列出|列举|列舉|包括什么|分别是",
    re.I,
)
_ORDINALS = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
]
_STEP = r"(?:step|item|point|stage|phase|rule|condition)"
_PLACE = re.compile(
    rf"\b(?:(?P<word>{'|'.join(_ORDINALS)}|last)|(?P<nth>\d{{1,2}})(?:st|nd|rd|th)) {_STEP}\b"
    rf"|\b{_STEP}(?: number| no\.?)? (?P<number>\d{{1,2}})\b"
    r"|第(?P<han>[一二三四五六七八九十\d]{1,3})(?:个|個|项|項)?(?:步|项|項|条|條|点|點)|(?P<end>最后一?(?:个|個)?步)",
    re.I,
)
_YES_NO = re.compile(
    r"^\W{0,9}(?:is|are|was|were|do|does|did|can|could|may|must|should|will|has|have|am)\b"
    r"|[吗嗎]\s?[？?]|[吗嗎]$|是否|能否|能不能|可不可以|是不是|有没有",
    re.I,
)
_SEVERAL = re.compile(r"\b(?:and|or|both|versus|vs|between|each|respectively)\b|[和与與、及]|分别|\?.+\?|？.+？", re.I)
_COMPARES = re.compile(
    r"\b(?:difference|compared?|versus|vs|between|differs?|changed?)\b"
    r"|区别|區別|差别|差異|差异|相差|对比|比较|比較|不同",
    re.I,
)

#: What Chinese questions ask with; joined to the words beside it, it would make pairs of characters of its own.
_HAN_ASKING = re.compile(
    r"(?:都|一共|总共|總共|主要|具体|具體)?(?:有|包括|包含|分为|分為|分成|含有)?(?:了)?(?:哪些|哪[几幾一二三四五六七八九十\d]{1,3}[个個种種类類项項条條步点點]"
    r"|(?:分别|分別)?是(?:什么|什麼|哪些)|什么|什麼)"
    r"|可不可以|可以|能不能|能否|是否|是不是|有没有|有沒有|[吗嗎](?=\W*$)"
)

#: Words that ask for a list and name nothing.
LISTING_WORDS = topic_words(
    "list name all every each item items step steps please following give show tell me many complete full there can you"
) | topic_words("哪些 有哪 列出 步骤 所有 全部")

#: Words that ask, and are not part of what is asked about.
ASKING_WORDS = topic_words(
    "say says said about according mention mentioned tell tells know please i me my we us our you your can could may"
    " must should would will need any happen happens happened mean means meaning"
)

_QUALITIES = [
    (re.compile(rf"\bhow (?:{english})\b|{chinese}", re.I), topic_words(f"{words} {han}"))
    for english, chinese, words, han in (
        ("heavy", "多重", "weight weighs", "重量"),
        ("tall|high", "多高", "height", "高度"),
        ("wide|broad", "多宽", "width", "宽度"),
        ("deep", "多深", "depth", "深度"),
        ("fast|quick", "多快", "speed", "速度"),
        ("old", "多大年纪", "age", "年龄"),
        ("far", "多远", "distance", "距离"),
        ("hot|warm|cold", "多热|多冷", "temperature", "温度"),
        ("expensive", "多贵", "price cost", "价格"),
    )
]
_HOW = re.compile(
    r"\bhow (?:do|can|should|must|does) (?:i|we|you|one|a|an|the)\b|\bhow to\b"
    r"|如何|怎么(?!办|样)|怎麼(?!辦|樣)|怎样|怎樣",
    re.I,
)
_SINGLE = re.compile(
    r"\b(?:who|whom|whose|when|where|how (?:much|many|long|often|quickly|soon|fast|far|old|high|large|big))\b"
    r"|谁|何时|什么时候|多少|多久|多长|多大|多高|哪里|哪儿",
    re.I,
)


def subject(question: str) -> str:
    """A question without what Chinese ones ask with, for several things or for yes and no."""
    return _HAN_ASKING.sub(" ", question)


def asks_for_one(question: str) -> bool:
    """Whether a question asks for a person, a time, a place or a number."""
    return _SINGLE.search(question) is not None


def qualities(question: str) -> set[str]:
    """What a question for a degree asks for by another word: “how heavy” is the weight."""
    return {word for pattern, words in _QUALITIES for word in words if pattern.search(question)}


def asks_how(question: str) -> bool:
    """Whether a question asks how something is done."""
    return _HOW.search(question) is not None


def asks_for_items(question: str) -> bool:
    """Whether a question asks for all of several things."""
    return _ITEMS.search(question) is not None


def asked_place(question: str) -> int | None:
    """The place in a list that a question asks for (“the third step”); -1 is the last."""
    found = _PLACE.search(question)
    if found is None:
        return None
    if found["end"] or (found["word"] or "").lower() == "last":
        return -1
    if found["word"]:
        return _ORDINALS.index(found["word"].lower()) + 1
    written = found["nth"] or found["number"] or found["han"]
    return int(written) if written.isdigit() else han_number(written)


def asks_yes_or_no(question: str) -> bool:
    """Whether a question can be answered with yes or no."""
    return _YES_NO.search(question) is not None


def asks_several(question: str) -> bool:
    """Whether a question has several parts, or names several things."""
    return _SEVERAL.search(question) is not None


def compares(question: str) -> bool:
    """Whether a question asks for the difference of two things."""
    return _COMPARES.search(question) is not None
