"""Evidence: which sentences of the passages speak to a question, and whether they are enough to answer it."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from activities.contracts import Citation, Source
from activities.passage_vectors import PassageVectors
from activities.stores.triton import ModelCard, Vectors
from activities.text.lexicon import gives_what_is_asked
from activities.text.scripts import is_han
from activities.text.sentences import TABLE_ROW, spans
from activities.text.terms import rare_shares, share, topic_words, words_of

#: Passages whose sentences are weighed, and sentences that an answer quotes at most.
PASSAGES = 3
QUOTES = 2

#: Sentences that are embedded: those with the most words in common with the question, and as many as these of
#: those in the other script, in which there can be none in common.
SHORTLIST = 10
OTHER_SCRIPT = 24

#: The best sentences, which are looked at once more together with their neighbours, and how much that counts.
LOOKED_AT_TWICE = 4
NEIGHBOURS = 0.3

#: Weights of a sentence's score beside its cosine: its passage's rank score, the question's words in it, those in
#: it and its neighbours, and whether it has a number or a time when the question asks for one.
PASSAGE_WEIGHT = 0.05
WORD_WEIGHT = 0.1
NEAR_WEIGHT = 0.1
ASKED_WEIGHT = 0.02

#: Weight of the share of the question's words in a passage, when it is decided whether there is an answer at all.
COMMON_WEIGHT = 0.1

#: The threshold of questions whose passages are in another script, and the share of a threshold that the best
#: passage must reach alone to be clear.
CROSS = "cross"
CLEAR = 0.52

#: Words (pairs of characters in Chinese) that a quote has at least, unless it is a row of a table.
MIN_WORDS = 4

#: A second quote must come this close to the first, and say something else: not this share of the same words.
CLOSE = 0.12
SAME = 0.8

#: A sentence that speaks of what the one before it names. With that one it is the answer, when it is this far ahead.
_REFERS_BACK = re.compile(r"(?:He|She|They|It|His|Her|Their|Its|This|These|Those|Such)\b|[他她它这该其此那]")
AHEAD = 0.05

_LABELLED = re.compile(r"[^:：|]{1,80}[:：]\s*\S")


class Sentence(msgspec.Struct, frozen=True):
    """A sentence of a passage: ``source`` and ``position`` are places in the list and in the passage.

    ``start`` and ``end`` are offsets in the passage's text, ``lead`` is that of the sentence before it in its line;
    ``before`` and ``after`` are the sentences beside it.
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

    @property
    def around(self) -> str:
        """The sentence between its neighbours."""
        space = "" if is_han(self.text) else " "
        return space.join(part for part in (self.before, self.text, self.after) if part)


def sentences_of(texts: Sequence[str], sources: Sequence[Source]) -> list[Sentence]:
    """The sentences of the first passages, in reading order; headings and repetitions are left out."""
    seen: set[str] = set()
    found: list[Sentence] = []
    for place, text in enumerate(texts[:PASSAGES]):
        headings = set(sources[place].section.split(" › "))
        places = spans(text)
        parts = ["", *(text[start:end] for start, end in places), ""]
        for position, (start, end) in enumerate(places):
            before, sentence, after = parts[position : position + 3]
            if sentence not in seen and sentence not in headings and _says_something(sentence):
                seen.add(sentence)
                lead = places[position - 1][0] if position else start
                lead = start if "\n" in text[lead:start] else lead
                found.append(
                    Sentence(sentence, place, position, start=start, end=end, lead=lead, before=before, after=after)
                )
    return found


def _says_something(sentence: str) -> bool:
    """Not a mere label, a number or the caption of a list; few words do in a table, where they have a name."""
    words = len(words_of(sentence))
    return words >= MIN_WORDS or (words > 1 and bool(TABLE_ROW.search(sentence) or _LABELLED.match(sentence)))


async def weigh(
    vectors: PassageVectors,
    card: ModelCard,
    question: str,
    vector: Vectors,
    texts: Sequence[str],
    sources: Sequence[Source],
) -> list[Sentence]:
    """The sentences of the passages that were looked at, with their scores, best first."""
    scored = _shortlist(question, sentences_of(texts, sources), sources)
    if not scored:
        return []
    cosines = await vectors.of(card, [sentence.text for sentence in scored]) @ vector
    scored = [
        msgspec.structs.replace(sentence, cosine=float(cosine), score=sentence.score + float(cosine))
        for sentence, cosine in zip(scored, cosines, strict=True)
    ]
    scored.sort(key=lambda sentence: -sentence.score)
    best = scored[:LOOKED_AT_TWICE]
    around = await vectors.of(card, [sentence.around for sentence in best]) @ vector
    for at, (sentence, cosine) in enumerate(zip(best, around, strict=True)):
        closer = NEIGHBOURS * (float(cosine) - sentence.cosine)
        scored[at] = msgspec.structs.replace(sentence, score=sentence.score + closer)
    # What was looked at once stays behind what was looked at twice: windows are closer to a question, or farther.
    return sorted(scored[:LOOKED_AT_TWICE], key=lambda sentence: -sentence.score) + scored[LOOKED_AT_TWICE:]


def _shortlist(question: str, found: Sequence[Sentence], sources: Sequence[Source]) -> list[Sentence]:
    """What is worth a vector, scored by words alone."""
    wanted, han = topic_words(question), is_han(question)
    own = rare_shares(wanted, [sentence.text for sentence in found])
    near = rare_shares(wanted, [sentence.around for sentence in found])
    ranked: list[tuple[float, Sentence]] = []
    others: list[Sentence] = []
    for sentence, word, beside in zip(found, own, near, strict=True):
        score = (
            PASSAGE_WEIGHT * sources[sentence.source].score
            + WORD_WEIGHT * word
            + NEAR_WEIGHT * beside
            + ASKED_WEIGHT * gives_what_is_asked(question, sentence.text)
        )
        scored = msgspec.structs.replace(sentence, score=score)
        if is_han(sentence.text) is han:
            ranked.append((0.3 * sources[sentence.source].score + word + beside, scored))
        else:
            others.append(scored)
    ranked.sort(key=lambda pair: -pair[0])
    return [sentence for _, sentence in ranked[:SHORTLIST]] + others[:OTHER_SCRIPT]


def common_words(question: str, texts: Sequence[str]) -> float:
    """The share (0–1) of the question's topic words that one of the first passages has."""
    wanted = topic_words(question)
    return max((share(wanted, text) for text in texts[:PASSAGES]), default=0.0)


def is_answerable(
    card: ModelCard, language: str, question: str, similarity: float, common: float, weighed: Sequence[Sentence]
) -> bool:
    """Whether the documents seem to hold the answer at all: best passage, best sentence and words in common.

    The thresholds belong to the embedding model, by the question's language (its card); a model without
    any is given the benefit of the doubt. Texts in another script share no words with the question, and have
    a threshold of their own (``cross``).
    """
    if not weighed:
        return False
    best = max(weighed, key=lambda sentence: sentence.cosine)
    cross = is_han(best.text) is not is_han(question)
    threshold = _threshold(card, CROSS if cross else language)
    if threshold is None:
        return True
    return similarity + best.cosine + (0.0 if cross else COMMON_WEIGHT * common) >= threshold


def is_clearly_answerable(card: ModelCard, language: str, similarity: float, common: float) -> bool:
    """Whether the best passage alone says so: then the first words of an answer need not wait for sentences."""
    threshold = _threshold(card, language)
    return threshold is not None and similarity + COMMON_WEIGHT * common >= CLEAR * threshold


def _threshold(card: ModelCard, language: str) -> float | None:
    thresholds = card.found_threshold or {}
    return thresholds.get(language, thresholds.get("*"))


def choose(weighed: Sequence[Sentence]) -> list[Sentence]:
    """The sentences to quote, in reading order; neighbours become one.

    When the best one begins with “He” or “这”, and no other is close to it, it takes the one before it along.
    """
    chosen: list[Sentence] = []
    if weighed and _needs_its_lead(*weighed[:2]):
        return [msgspec.structs.replace(weighed[0], start=weighed[0].lead)]
    for sentence in weighed:
        close = weighed[0].score - sentence.score <= CLOSE
        if close and not any(_says_the_same(sentence, other) for other in chosen):
            chosen.append(sentence)
        if len(chosen) == QUOTES:
            break
    return sorted(chosen, key=lambda sentence: (sentence.source, sentence.position))


def _needs_its_lead(best: Sentence, second: Sentence | None = None) -> bool:
    ahead = second is None or best.score - second.score >= AHEAD
    return ahead and best.lead < best.start and bool(_REFERS_BACK.match(best.text))


def _says_the_same(one: Sentence, other: Sentence) -> bool:
    mine, theirs = topic_words(one.text), topic_words(other.text)
    return len(mine & theirs) >= SAME * len(mine | theirs)


def quotes(chosen: Sequence[Sentence], texts: Sequence[str], sources: Sequence[Source]) -> list[Citation]:
    """A citation for each sentence, or for two that follow one another in a line; each stands so in its passage."""
    found: list[Citation] = []
    before: Sentence | None = None
    for sentence in chosen:
        source, start, text = sources[sentence.source], sentence.start, texts[sentence.source]
        neighbours = before and (before.source, before.position + 1) == (sentence.source, sentence.position)
        if before and neighbours and "\n" not in text[before.end : start]:
            start = before.start
            found.pop()
        found.append(citation(source, text[start : sentence.end]))
        before = msgspec.structs.replace(sentence, start=start)
    return found


def citation(source: Source, quote: str) -> Citation:
    """A quote with the place it is from."""
    return Citation(
        n=source.n,
        document_id=source.document_id,
        document_name=source.document_name,
        version=source.version,
        chunk_id=source.chunk_id,
        page=source.page,
        section=source.section,
        quote=quote,
    )
