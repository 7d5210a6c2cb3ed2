"""Missing: names, numbers and keys that a question asks about, and that the best sentence and its context have not.

A sentence near to the question may be about another thing of the same kind: its value is no answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from activities.answering.context import AnswerContext
from activities.answering.excerpts import table_of
from activities.answering.extraction import CLOSE, RESCORED, Sentence, named
from activities.text.asking import asks_yes_or_no
from activities.text.blocks import Table
from activities.text.contrasts import contradicts, denies_otherwise
from activities.text.lexicon import asks_when, has_range, times
from activities.text.scripts import HAN, is_han
from activities.text.sentences import TABLE_ROW
from activities.text.terms import close_to, share, topic_words, words_of
from activities.text.variants import expanded

#: Values of a table's first column that an answer names.
NAMED_ROWS = 6

_YEAR = re.compile(r"(?<![\d.,])(?:1[5-9]|20)\d\d(?![\d.,]\d|\d)")
_NUMBER = re.compile(r"(?<![\w.,:/-])\d+(?:[.,]\d+)*(?![A-Za-z\d])")
_ANY_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")

_CODE = re.compile(
    r"(?<![\w-])(?=[A-Z\d-]{0,19}\d)(?=[A-Z\d-]{0,19}[A-Z])[A-Z\d]{1,20}(?:-[A-Z\d]{1,20}){0,4}(?![A-Za-z\d-])", re.A
)

#: Characters that a key in a Chinese question does not go beyond.
_HAN_BOUND = re.compile(r"[的在于是和与及吗呢，、。？?\s]|请问|多少|什么|哪个|哪些|每个|一个|所有|年|月|日")
_HAN_KEY = 6

#: “A 的 B 是多少”: what has the amount that is asked for.
_POSSESSOR = re.compile(
    r"(?:请问|那么?|那)?(?P<key>(?!我|你|他|她|它|这|那|该|其|公司|本)[\u4e00-\u9fff]{2,6})的[\u4e00-\u9fff]{1,8}?(?:是|为)?(?:多少|几|多[大高长久])"
)

#: Letters of a name, and characters of a code, at least: shorter ones are often abbreviations.
_SHORT = 4
_WORD = re.compile(rf"[^\W_{HAN}]+(?:[.-][^\W_{HAN}]+)*")
_NAME = re.compile(rf"[^\W_{HAN}]+")
_HAN_YEAR = re.compile(r"[零〇一二三四五六七八九]{4}")
_LEADS = words_of("the a an of for in at on to with from by our your my this that which what any per")

#: Adjectives of countries, whose name a text may write in another form, and words that are capitals by custom.
_ADJECTIVE = re.compile(r"(?:ish|ese|utch|ench|zech|[ie]ans?|cans?)$")
_CUSTOMARY = words_of(
    "january february march april may june july august september october november december monday tuesday wednesday"
    " thursday friday saturday sunday internet company department"
)
_GENERAL = topic_words(
    "annual total current exact new standard regular daily weekly monthly yearly average main own same normal official"
    " whole full maximum minimum overall actual present different original respective common specific certain english"
    " first second third fourth last"
)
_LABEL = re.compile(r"[^:：|]{1,80}[:：]\s*")


#: Words of languages that write all nouns with capitals.
_CAPITALS = words_of(
    "der die das den dem ist und für wie wer wo wann welche welcher welches welchen im mit von zu ein eine einen einem"
    " sind wird werden kann darf muss gibt hat man kostet"
)


class Missing(msgspec.Struct, frozen=True):
    """What a question asks about that is not there, as the question writes it, and what is there in its place.

    ``contrary``: the best sentence says the contrary of it.
    """

    words: list[str]
    there: list[str] = []
    contrary: bool = False


def most_fitting(context: AnswerContext, scored: Sequence[Sentence]) -> Sequence[Sentence]:
    """The sentences, first of all one that has what the best one lacks, where there is such among the next ones."""
    lacking = missing(context, scored)
    if lacking is None or not lacking.words:
        return scored
    if lacking.contrary:
        return _not_contrary(context, scored)
    wanted = words_of(" ".join(lacking.words))
    for at, one in enumerate(scored[:RESCORED]):
        there = words_of(f"{one.around} {named(context.sources[one.source])}")
        turned = [one, *scored[:at], *scored[at + 1 :]]
        close = scored[0].score - one.score <= CLOSE
        if close and all(close_to(word, there) for word in wanted) and missing(context, turned) is None:
            return turned
    return scored


def _not_contrary(context: AnswerContext, scored: Sequence[Sentence]) -> Sequence[Sentence]:
    """The sentences, first of all one that says no other thing and has as many words of the question as the best."""
    wanted = topic_words(context.question)
    least = share(wanted, f"{scored[0].text} {named(context.sources[scored[0].source])}")
    for at, one in enumerate(scored[1:RESCORED], 1):
        turned = [one, *scored[:at], *scored[at + 1 :]]
        held = share(wanted, f"{one.text} {named(context.sources[one.source])}")
        if scored[0].score - one.score <= CLOSE and held >= least and missing(context, turned) is None:
            return turned
    return scored


def missing(context: AnswerContext, scored: Sequence[Sentence]) -> Missing | None:
    """What the best sentence lacks of the question; None when it may answer."""
    if not scored or is_han(scored[0].text) is not is_han(context.question):
        return None
    best, question = scored[0], context.question
    row = TABLE_ROW.search(best.text) is not None
    lacking = _lacking(context, best, row=row)
    if lacking:
        table = table_of(context.texts[best.source], best) if row else None
        return Missing(lacking, _rows(table) if table else [])
    if not row and not asks_yes_or_no(question):
        around = f"{best.around} {named(context.sources[best.source])}"
        if words := contradicts(question, best.text, around):
            return Missing(sorted(words), contrary=True)
        if denies_otherwise(question, around):
            return Missing([])
    told = not asks_when(question) or any(times(one.around, beside=question) for one in scored[:2])
    return None if told else Missing([])


def _lacking(context: AnswerContext, best: Sentence, *, row: bool) -> list[str]:
    """Names, numbers and keys of the question that are not in the passage, or nowhere in its document."""
    question, source = context.question, context.sources[best.source]
    passage = f"{context.texts[best.source]} {named(source)}"
    document = " ".join(
        f"{text} {named(context.sources[at])}"
        for at, text in enumerate(context.texts)
        if context.sources[at].document_id == source.document_id
    )
    table = table_of(context.texts[best.source], best)
    found = [*_names(question, document, strict=row), *_codes(question, document)]
    found += _numbers(question, passage, best.text)
    if table is None:
        found += _han_possessor(question, document)
    else:
        found += _han_keys(question, table, document) if is_han(question) else _keys(question, document)
    return list(dict.fromkeys(found))


def _names(question: str, known: str, *, strict: bool) -> list[str]:
    """Names and codes of the question that the text has not, in any form.

    Of a name of several words one may be written otherwise, unless ``strict``.
    """
    words = words_of(known)
    han = is_han(question)
    long = [word for word in _NAME.findall(question) if len(word) >= _SHORT]
    titled = len(long) >= _SHORT and all(word[0].isupper() for word in long)
    capitals = titled or bool(words_of(question) & _CAPITALS)
    found: list[str] = []
    run: list[tuple[str, bool]] = []
    names = list(_NAME.finditer(question))
    for at, match in enumerate(names):
        word = match[0]
        named = (at > 0 or han) and word[0].isupper() and not word.isupper() and not capitals
        if named:
            there = word.lower() in _CUSTOMARY or _ADJECTIVE.search(word) or close_to(word, words)
            run.append((word, bool(there) or len(word) < _SHORT))
        following = names[at + 1] if at + 1 < len(names) else None
        if run and (not named or following is None or following.start() - match.end() > 1):
            lacking = [one for one, there in run if not there]
            joined = "".join(one for one, _ in run).lower() in words
            if not joined and (strict or 2 * len(lacking) > len(run)):
                found += lacking
            run = []
    return found


def _codes(question: str, known: str) -> list[str]:
    """Codes of the question, such as those of parts, that the text has not."""
    joined = known.replace("-", "").replace(" ", "").lower()
    codes = [code for code in _CODE.findall(question) if len(code) >= _SHORT]
    return [code for code in codes if code.replace("-", "").lower() not in joined]


def _numbers(question: str, known: str, sentence: str) -> list[str]:
    """Years and numbers of the question that the passage has not; a number may lie in a range."""
    there = {number.replace(",", "") for number in _ANY_NUMBER.findall(known)}
    spelt = _HAN_YEAR.search(known) is not None
    found = [number for number in _NUMBER.findall(question) if len(number) > 1]
    found = [number for number in found if number.replace(",", "") not in there and number not in known]
    return [number for number in found if not (spelt if _YEAR.fullmatch(number) else has_range(sentence))]


def _keys(question: str, known: str) -> list[str]:
    """Words before a word of the table (the *Gold* tariff) that neither the table nor its context has."""
    words, there = _WORD.findall(question), words_of(known) | topic_words(known)
    found = []
    for before, word, after in zip(words, words[1:], words[2:], strict=False):
        topic = topic_words(word)
        if before.lower() not in _LEADS or not topic or topic & _GENERAL or words_of(word) & _CUSTOMARY:
            continue
        has_it, follows = all(close_to(one, there) for one in topic), topic_words(after)
        if not has_it and follows and not after.isdigit() and all(close_to(one, there) for one in follows):
            found.append(word)
    return found


def _han_keys(question: str, table: Table, known: str) -> list[str]:
    """What stands before the name of a column in a Chinese question (*黄金*套餐), and nowhere in the text."""
    head = table.header.text if table.header else table.rows[0].text
    labels = {re.split("[:：]", cell)[0].strip() for cell in head.split(" | ")}
    found = []
    for label in labels:
        before, there, _ = question.partition(label)
        key = _HAN_BOUND.split(before)[-1] if there and is_han(label) else ""
        if 1 < len(key) <= _HAN_KEY and is_han(key) and not words_of(key) & words_of(known):
            found.append(key)
    firsts = [_LABEL.sub("", row.text.split(" | ")[0]) for row in table.rows]
    for label in labels:
        key = _HAN_BOUND.split(question.partition(f"的{label}")[0])[-1]
        alike = key and any(first[-1:] == key[-1] for first in firsts)  # of the same kind, such as …号库
        if alike and key != question and len(key) <= _HAN_KEY and key not in known:
            found.append(key)
    return list(dict.fromkeys(found))


def _han_possessor(question: str, known: str) -> list[str]:
    """What a Chinese question asks an amount of (*车位*的租金是多少), when no pair of its characters is known."""
    found = _POSSESSOR.match(question)
    key = found["key"] if found else ""
    return [key] if key and not words_of(expanded(key)) & words_of(known) else []


def _rows(table: Table) -> list[str]:
    """What the rows of a table are about: the values of its first column."""
    firsts = [_LABEL.sub("", row.text.split(" | ")[0]) for row in table.rows]
    return list(dict.fromkeys(first for first in firsts if first and not first[0].isdigit()))
