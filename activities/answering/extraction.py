"""Extraction: scores the sentences of the passages, decides whether they answer the question, and quotes the best."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from activities.answering.context import AnswerContext
from activities.answering.sentence_vectors import SentenceVectors
from activities.answering.topics import new_words
from activities.contracts.answers import Citation, Source
from activities.stores.triton import ModelCard
from activities.text.asking import ASKING_WORDS, LISTING_WORDS, asks_for_items, compares, qualities, subject
from activities.text.blocks import headings, items_above, listings, tables
from activities.text.lexicon import distinctions, gives_what_is_asked
from activities.text.scripts import is_han
from activities.text.sentences import TABLE_ROW, spans
from activities.text.terms import rare_shares, share, topic_words, words_of

#: Passages whose sentences are scored, and sentences that an answer quotes at most.
PASSAGES = 3
QUOTES = 2

#: Sentences that are embedded: those with the most words in common with the question, and as many as these of
#: those in the other script, in which there can be none in common.
SHORTLIST = 10
OTHER_SCRIPT = 24

#: The best sentences are scored again together with their neighbours: how many, and the weight of that cosine.
RESCORED = 4
NEIGHBOURS_WEIGHT = 0.3

#: Weights of a sentence's score beside its cosine: its passage's rank score, the question's words in it, those in
#: it and its neighbours, and whether it has a number or a time when the question asks for one.
PASSAGE_WEIGHT = 0.05
WORD_WEIGHT = 0.1
NEAR_WEIGHT = 0.1
ASKED_WEIGHT = 0.02

#: Weight of what an item of a nested list is below, and of words there that are not in the question.
ABOVE_WEIGHT = 0.1
BESIDE = 0.5

#: In a follow-up: weight of the words that only it has, and what a sentence loses that was quoted before without them.
NEW_WEIGHT = 0.2
AGAIN = 0.2

#: Weight of the passage's rank score beside the question's words when sentences are shortlisted.
SHORTLIST_PASSAGE_WEIGHT = 0.3

#: Weight of the share of the question's words in a passage in the decision whether there is an answer at all.
COMMON_WEIGHT = 0.1

#: A sentence restates a question of at least so many topic words when it has this share of them; of fewer, all.
FEW = 3
RESTATED = 0.75

#: The threshold of questions whose passages are in another script, and the share of a threshold that the best
#: passage must reach alone to be clear.
CROSS = "cross"
CLEAR = 0.52

#: Words (pairs of characters in Chinese) that a quote has at least, unless it is a row of a table; one less in a
#: label with its number.
MIN_WORDS = 4

#: A second quote must come this close to the first, and say something else: not this share of the same words.
CLOSE = 0.12
SAME = 0.8

#: A second quote from another document without more words of the question must come as close as this, and the two
#: sides of a comparison have this share of words in common.
EQUAL = 0.03
COUNTERPART = 0.5

#: A sentence that begins with a pronoun is quoted with the one before it when it is this far ahead of all others.
_REFERS_BACK = re.compile(r"(?:He|She|They|It|His|Her|Their|Its|This|These|Those|Such)\b|[他她它这该其此那]")
AHEAD = 0.05

_NUMBERED = re.compile(r"^[^.:;!?。：；！？\d]++\d[\d /+-]*")
_LABELLED = re.compile(r"[^:：|]{1,80}[:：]\s*\S")

#: Lines without prose: encoded data, markup, what a page says of its cookies, and fields of a mail's head.
_NO_PROSE = re.compile(
    r"[A-Za-z0-9+/=_-]{56}|^\s*<[^>]*>\s*$|^--\S{8,}\s*$|\bcookies?\b.{0,80}\b(?:accept|reject|settings|consent)\b",
    re.I,
)
_MAIL_FIELD = re.compile(
    r"(?:Subject|Date|From|To|Cc|Bcc|Sent|Reply-To|Received|Return-Path|Message-ID|MIME-Version|Content-[\w-]+|X-[\w-]+"
    r"|发件人|收件人|抄送|主题|日期|发送时间)[:：]|From \S+@\S+ ",
    re.I,
)
_ASKS_MAIL = re.compile(
    r"\b(?:e-?mails?|mails?|messages?|send|sent|sender|subject|recipients?|wrote)\b|邮件|郵件|发件|收件|谁发|主题|发送",
    re.I,
)


class Sentence(msgspec.Struct, frozen=True):
    """A sentence of a passage: ``source`` and ``position`` are places in the list and in the passage.

    ``start`` and ``end`` are offsets in the passage's text, ``lead`` is that of the sentence before it in its line;
    ``before`` and ``after`` are the sentences beside it, ``header`` is that of the table whose row it is, ``above`` are
    the items of a nested list that it is below.
    """

    text: str
    source: int
    position: int
    cosine: float = 0.0
    score: float = 0.0
    start: int = 0
    end: int = 0
    lead: int = 0
    before: str = ""
    after: str = ""
    header: str = ""
    above: str = ""

    @property
    def whole(self) -> str:
        """The sentence as it is understood: a row of a table below its header."""
        return f"{self.header}\n{self.text}" if self.header else self.text

    @property
    def around(self) -> str:
        """The sentence between its neighbours."""
        if self.header:
            return self.whole
        space = "" if is_han(self.text) else " "
        return space.join(part for part in (self.before, self.text, self.after) if part)


async def score_sentences(context: AnswerContext, vectors: SentenceVectors) -> list[Sentence]:
    """The shortlisted sentences of the first passages with their scores, best first.

    Empty when the passages have no sentence, or the question no vector (after a search by keywords).
    """
    if not context.vector.size:
        return []
    scored = _shortlist(context.question, sentences_of(context.texts, context.sources), context.sources)
    if not scored:
        return []
    cosines = await vectors.embed(context.card, [sentence.whole for sentence in scored]) @ context.vector
    scored = [
        msgspec.structs.replace(sentence, cosine=float(cosine), score=sentence.score + float(cosine))
        for sentence, cosine in zip(scored, cosines, strict=True)
    ]
    scored.sort(key=lambda sentence: -sentence.score)
    best = scored[:RESCORED]
    around = await vectors.embed(context.card, [sentence.around for sentence in best]) @ context.vector
    for at, (sentence, cosine) in enumerate(zip(best, around, strict=True)):
        closer = NEIGHBOURS_WEIGHT * (float(cosine) - sentence.cosine)
        scored[at] = msgspec.structs.replace(sentence, score=sentence.score + closer)
    # The others stay behind: scores with neighbours are higher or lower as a whole, and cannot be compared.
    ranked = sorted(scored[:RESCORED], key=lambda sentence: -sentence.score) + scored[RESCORED:]
    return _going_on(context, ranked) if context.found.asked else ranked


def _going_on(context: AnswerContext, ranked: Sequence[Sentence]) -> list[Sentence]:
    """The sentences in the order for a follow-up: its own words weigh more, and what was quoted before less."""
    new = new_words(context.found.asked)
    shares = [share(new, sentence.text) for sentence in ranked]
    if not any(shares):
        return list(ranked)
    moved = [
        msgspec.structs.replace(
            sentence,
            score=sentence.score
            + NEW_WEIGHT * held
            - (AGAIN if not held and sentence.text in context.found.said else 0),
        )
        for sentence, held in zip(ranked, shares, strict=True)
    ]
    return sorted(moved, key=lambda sentence: -sentence.score)


def sentences_of(texts: Sequence[str], sources: Sequence[Source]) -> list[Sentence]:
    """The sentences of the first passages, in reading order, without titles, headers of tables and repetitions."""
    seen: set[tuple[str, str]] = set()
    found: list[Sentence] = []
    for place, text in enumerate(texts[:PASSAGES]):
        above = items_above(text)
        headers = {row.start: table.header.text for table in tables(text) if table.header for row in table.rows}
        titles = {*sources[place].section.split(" › "), *headers.values(), *(line.text for line in headings(text))}
        places = spans(text)
        parts = ["", *(text[start:end] for start, end in places), ""]
        for position, (start, end) in enumerate(places):
            before, sentence, after = parts[position : position + 3]
            if start in above:  # an item of a nested list is understood with those that it is below
                before, after = above[start], ""
            if (sentence, above.get(start, "")) not in seen and sentence not in titles and _is_quotable(sentence):
                seen.add((sentence, above.get(start, "")))
                lead = places[position - 1][0] if position else start
                lead = start if "\n" in text[lead:start] else lead
                found.append(
                    Sentence(
                        sentence,
                        place,
                        position,
                        start=start,
                        end=end,
                        lead=lead,
                        before=before,
                        after=after,
                        header=headers.get(start, ""),
                        above=above.get(start, ""),
                    )
                )
    return found


def _is_quotable(sentence: str) -> bool:
    """Not a mere label, a number or the caption of a list; few words are enough in a table, where they have a name."""
    words = len(words_of(sentence))
    if _NO_PROSE.search(sentence):
        return False
    least = MIN_WORDS - (_NUMBERED.fullmatch(sentence) is not None)
    return words >= least or (words > 1 and bool(TABLE_ROW.search(sentence) or _LABELLED.match(sentence)))


def _shortlist(question: str, found: Sequence[Sentence], sources: Sequence[Source]) -> list[Sentence]:
    """The sentences that are embedded, scored by words alone."""
    wanted, han = topic_words(question), is_han(question)
    wanted |= {word for word in qualities(question) if any(word in topic_words(one.text) for one in found)}
    asks_mail = _ASKS_MAIL.search(question) is not None
    own = rare_shares(wanted, [sentence.whole for sentence in found])
    near = rare_shares(wanted, [f"{sentence.around} {named(sources[sentence.source])}" for sentence in found])
    ranked: list[tuple[float, Sentence]] = []
    others: list[Sentence] = []
    for sentence, word, beside in zip(found, own, near, strict=True):
        score = (
            PASSAGE_WEIGHT * sources[sentence.source].score
            + WORD_WEIGHT * word
            + NEAR_WEIGHT * beside
            + ASKED_WEIGHT * gives_what_is_asked(question, sentence.text)
            + ABOVE_WEIGHT * _named_above(wanted, sentence, sources[sentence.source])
        )
        scored = msgspec.structs.replace(sentence, score=score)
        if _MAIL_FIELD.match(sentence.text) and not asks_mail:
            continue
        if is_han(sentence.text) is han:
            ranked.append((SHORTLIST_PASSAGE_WEIGHT * sources[sentence.source].score + word + beside, scored))
        else:
            others.append(scored)
    ranked.sort(key=lambda pair: -pair[0])
    return [sentence for _, sentence in ranked[:SHORTLIST]] + others[:OTHER_SCRIPT]


def _named_above(wanted: set[str], sentence: Sentence, source: Source) -> float:
    """How well the items above one of a nested list fit a question: the words in them, less those beside."""
    above = topic_words(sentence.above)
    if not above & wanted:
        return 0.0
    held = share(wanted - ASKING_WORDS, f"{sentence.above} {sentence.text} {named(source)}")
    return held - BESIDE * len(above - wanted) / len(above)


def common_words(context: AnswerContext) -> float:
    """The largest share (0–1) of the question's topic words that one of the first passages has."""
    wanted = topic_words(context.question) - ASKING_WORDS
    return max((share(wanted, text) for text in context.texts[:PASSAGES]), default=0.0)


def is_clearly_answerable(context: AnswerContext) -> bool:
    """Whether the best passage alone is similar enough: then the first words of an answer need not wait for scores."""
    threshold = _threshold(context.card, context.language)
    return threshold is not None and context.similarity + COMMON_WEIGHT * common_words(context) >= CLEAR * threshold


def is_answerable(context: AnswerContext, scored: Sequence[Sentence]) -> bool:
    """Whether the documents hold the answer, by the best passage, the best sentence and words in common.

    The thresholds belong to the embedding model, by the question's language (its card); without a threshold every
    question is answerable. Texts in another script share no words with the question, and have a threshold of their
    own (``cross``).
    """
    if not scored:
        return False
    best = max(scored, key=lambda sentence: sentence.cosine)
    cross = is_han(best.text) is not is_han(context.question)
    threshold = _threshold(context.card, CROSS if cross else context.language)
    if threshold is None:
        return True
    if cross:
        return context.similarity + best.cosine >= threshold
    near = context.similarity + best.cosine + COMMON_WEIGHT * common_words(context) >= threshold
    below = next((one for one in scored[:RESCORED] if one.above), None)
    restated = any(_is_restated(context, one) for one in (scored[0], below) if one is not None)
    return near or restated or _is_listed(context)


def _is_listed(context: AnswerContext) -> bool:
    """Whether a list has all words of a question for several things in its introduction."""
    wanted = topic_words(subject(context.question)) - ASKING_WORDS - LISTING_WORDS
    if len(wanted) < 2 or not asks_for_items(context.question):
        return False
    lists = (one for text in context.texts[:PASSAGES] for one in listings(text))
    return any(share(wanted, one.intro.text) == 1.0 for one in lists if one.intro is not None)


def _is_restated(context: AnswerContext, best: Sentence) -> bool:
    """Whether a sentence, with its neighbours and what it stands under, has almost all words of the question."""
    wanted = topic_words(context.question) - ASKING_WORDS
    text = f"{best.around} {named(context.sources[best.source])}" if context.sources else ""
    return len(wanted) > 1 and share(wanted, text) >= (RESTATED if len(wanted) >= FEW else 1.0)


def _threshold(card: ModelCard, language: str) -> float | None:
    thresholds = card.found_threshold or {}
    return thresholds.get(language, thresholds.get("*"))


def named(source: Source) -> str:
    """What a passage stands under: its headings and its document's name."""
    return f"{source.section} {source.document_name}"


def quotes(context: AnswerContext, scored: Sequence[Sentence]) -> list[Citation]:
    """A citation for each selected sentence, or for two that follow one another in a line.

    Each quote is a part of its passage's text, character by character.
    """
    found: list[Citation] = []
    before: Sentence | None = None
    for sentence in select_quotes(scored, context):
        start, text = sentence.start, context.texts[sentence.source]
        neighbours = before and (before.source, before.position + 1) == (sentence.source, sentence.position)
        if before and neighbours and "\n" not in text[before.end : start]:
            start = before.start
            found.pop()
        found.append(context.citation(sentence.source, text[start : sentence.end]))
        before = msgspec.structs.replace(sentence, start=start)
    return found


def select_quotes(scored: Sequence[Sentence], context: AnswerContext | None = None) -> list[Sentence]:
    """The sentences to quote, in reading order.

    When the best one begins with “He” or “这”, and no other is close to it, it takes the one before it along. A
    question for the difference of two things gets a sentence of two documents or passages, where they are alike.
    """
    chosen: list[Sentence] = []
    if scored and _needs_its_lead(*scored[:2]):
        return [msgspec.structs.replace(scored[0], start=scored[0].lead)]
    if scored and context is not None and compares(context.question):
        other = next((one for one in scored[1:] if _is_counterpart(one, scored[0])), None)
        if other is not None:
            return sorted([scored[0], other], key=lambda sentence: (sentence.source, sentence.position))
    for sentence in scored:
        close = scored[0].score - sentence.score <= CLOSE
        said = any(_says_the_same(sentence, other) for other in chosen)
        if close and not said and (not chosen or context is None or _adds(context, chosen[0], sentence)):
            chosen.append(sentence)
        if len(chosen) == QUOTES:
            break
    return sorted(chosen, key=lambda sentence: (sentence.source, sentence.position))


def _adds(context: AnswerContext, first: Sentence, second: Sentence) -> bool:
    """Whether a second quote says more than the first one of what is asked.

    A sentence of the same document may; a row, or a sentence of another document, must have words of the question
    that the first one lacks, and none of its numbers may be missing that the first one has. Without such words, it
    must stand under what the question names where the first one does.
    """
    wanted = topic_words(context.question)
    one, other = topic_words(first.text), topic_words(second.text)
    sources = context.sources[first.source], context.sources[second.source]
    places = [topic_words(named(source)) for source in sources]
    new = bool(wanted & other - one)
    lost = wanted & (one | places[0]) - other - places[1]
    if lost & places[0] and not new:
        return False
    if sources[0].document_id == sources[1].document_id:
        return new or not TABLE_ROW.search(second.text)
    if any(character.isdigit() for word in lost for character in word):
        return False
    return new or first.score - second.score <= EQUAL


def _is_counterpart(one: Sentence, other: Sentence) -> bool:
    """Whether two passages say the same of two things, with other numbers or names."""
    mine, theirs = topic_words(one.text), topic_words(other.text)
    alike = len(mine & theirs) >= COUNTERPART * min(len(mine), len(theirs))
    return one.source != other.source and alike and mine != theirs


def _needs_its_lead(best: Sentence, second: Sentence | None = None) -> bool:
    ahead = second is None or best.score - second.score >= AHEAD
    return ahead and best.lead < best.start and bool(_REFERS_BACK.match(best.text))


def _says_the_same(one: Sentence, other: Sentence) -> bool:
    mine, theirs = topic_words(one.text), topic_words(other.text)
    same_numbers = distinctions(one.text) == distinctions(other.text)
    return same_numbers and len(mine & theirs) >= SAME * len(mine | theirs)
