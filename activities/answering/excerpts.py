"""Excerpts: what answers a question: sentences, a list with its introduction, rows of a table with their header.

Each quote is a part of its passage, character by character.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from activities.answering.context import AnswerContext
from activities.answering.extraction import CLOSE, PASSAGES, Sentence, quotes
from activities.contracts.answers import Citation
from activities.text.asking import (
    ASKING_WORDS,
    LISTING_WORDS,
    asked_place,
    asks_for_items,
    asks_for_one,
    asks_several,
    asks_yes_or_no,
    subject,
)
from activities.text.blocks import Line, Listing, Table, continuation, introduces, lines_of, listings, tables
from activities.text.lexicon import denies
from activities.text.sentences import TABLE_ROW
from activities.text.terms import kin, rare_shares, share, topic_words

#: Characters of the items or rows of an answer; the others are counted.
CHARACTERS = 640

#: A list answers a question of which its introduction and heading have this share of words.
NAMED = 0.6

#: Best sentences among which a list may stand, beside the first one.
LOOKED_AT = 4


_CELL = re.compile(r"[^:|]{1,80}: ")


class Excerpt(msgspec.Struct, frozen=True):
    """Quotes of one passage that are shown together, a line each; ``more`` items follow that are not shown.

    ``lines`` are shown in place of the whole quotes: of rows, the cells that are asked for.
    """

    citations: list[Citation]
    more: int = 0
    lines: list[str] = []


class _Candidate(msgspec.Struct, frozen=True):
    """A list, the place of its passage, and how well it fits a question.

    One of the best sentences stands in it (``linked``), or the very best one. Its ``items`` are those that the question
    means, ``named`` when they have words of it that the best sentence lacks. ``covers`` is the share of the question's
    words in all of this and what it stands under, ``label`` that in its introduction and heading alone.
    """

    place: int
    listing: Listing
    linked: bool
    best: bool
    named: bool
    items: list[Line]
    covers: float
    label: float
    agrees: bool


def excerpts(context: AnswerContext, scored: Sequence[Sentence]) -> list[Excerpt]:
    """What answers the question.

    A line that only introduces a list does not answer who, when, where or how much.
    """
    if asks_for_one(context.question) and not asks_for_items(context.question):
        scored = [one for one in scored if not introduces(one.text)] or scored
    return (
        _of_lists(context, scored)
        or _of_tables(context, scored)
        or [Excerpt([citation]) for citation in quotes(context, scored)]
    )


# --- lists -------------------------------------------------------------------------------------------


def _of_lists(context: AnswerContext, scored: Sequence[Sentence]) -> list[Excerpt]:
    question, place = context.question, asked_place(context.question)
    wants = asks_for_items(question)
    fitting = list(_candidates(context, scored, everywhere=wants or place is not None))
    if place is not None:
        for one in sorted(fitting, key=_fit, reverse=True):
            if (item := one.listing.numbered(place)) is not None and (one.linked or one.covers >= NAMED):
                return [_items(context, one, [item])]
        return []
    if wants:
        fitting = [one for one in fitting if one.covers >= NAMED or (one.linked and one.covers)]
    elif any(one.best for one in fitting):
        fitting = [one for one in fitting if one.linked]
    else:
        fitting = [one for one in fitting if one.named and one.covers >= NAMED and asks_yes_or_no(question)]
    if not fitting:
        return []
    best = max(fitting, key=_fit)
    if not wants and not best.items and _is_elsewhere(context, scored, best):
        return []
    if best.items and not wants:
        alone = not asks_yes_or_no(question) and all(len(topic_words(item.text)) > 3 for item in best.items)
        return [_items(context, best, best.items, introduced=best.listing.is_below or not alone)]
    return _whole(context, best)


def _candidates(context: AnswerContext, scored: Sequence[Sentence], *, everywhere: bool) -> Iterator[_Candidate]:
    """The lists of the passages: of the first ones, or of all that a question for items may mean."""
    close = [one for one in scored[:LOOKED_AT] if scored[0].score - one.score <= CLOSE]
    question = context.question
    wanted = topic_words(subject(question)) - LISTING_WORDS
    refuses = denies(question)
    told = topic_words(scored[0].text) if scored else set()
    for place, text in enumerate(context.texts if everywhere else context.texts[:PASSAGES]):
        for listing in listings(text):
            intro, heading = listing.intro, listing.heading
            label = " ".join(line.text for line in (heading, intro) if line)
            named = f"{label} {context.sources[place].section} {context.sources[place].document_name}"
            linked = [one for one in close if one.source == place and _is_in(one, listing)]
            if not listing.marked and not (everywhere and share(wanted, named) >= NAMED):
                continue
            left = {word for word in wanted if not kin(word, topic_words(label))}
            chosen = [item for item in listing.items if any(kin(word, topic_words(item.text)) for word in left)]
            chosen = chosen if len(chosen) < len(listing.items) else []
            lacking = {word for word in left if not kin(word, told)}
            named_items = any(kin(word, topic_words(item.text)) for item in chosen for word in lacking)
            best = bool(linked) and linked[0] == scored[0]
            if not chosen and best and not (listing.is_below and _names(question, wanted, listing)):
                chosen = [item for item in listing.items if item.start <= scored[0].start < item.end]
            yield _Candidate(
                place=place,
                listing=listing,
                linked=bool(linked),
                best=best,
                named=named_items,
                items=chosen,
                covers=_covered(wanted, f"{named} {' '.join(item.text for item in chosen)}"),
                label=_covered(wanted, label),
                agrees=refuses is denies(label),
            )


def _is_elsewhere(context: AnswerContext, scored: Sequence[Sentence], one: _Candidate) -> bool:
    """Whether another close sentence has words of the question that a list lacks."""
    text = context.texts[one.place]
    held = topic_words(text[(one.listing.intro or one.listing.items[0]).start : one.listing.items[-1].end])
    left = topic_words(context.question) - held
    close = [other for other in scored if scored[0].score - other.score <= CLOSE and not _is_in(other, one.listing)]
    return any(left & topic_words(other.text) for other in close)


def _names(question: str, wanted: set[str], listing: Listing) -> bool:
    """Whether a question means all that is below an item, not one thing of it."""
    intro = listing.intro.text if listing.intro else ""
    return not asks_for_one(question) and _covered(wanted - ASKING_WORDS, intro) >= NAMED


def _fit(one: _Candidate) -> tuple[float, bool, float, bool, int]:
    return (round(one.covers, 3), one.agrees, round(one.label, 3) * one.listing.nested, one.linked, -one.place)


def _covered(wanted: set[str], text: str) -> float:
    words = topic_words(text)
    return sum(kin(word, words) for word in wanted) / len(wanted) if wanted else 0.0


def _is_in(sentence: Sentence, listing: Listing) -> bool:
    first = (listing.heading or listing.intro or listing.items[0]).start
    return first <= sentence.start < listing.items[-1].end


def _whole(context: AnswerContext, one: _Candidate) -> list[Excerpt]:
    """The introduction with its items, and those that the next chunk of the document holds."""
    items, text = one.listing.items, context.texts[one.place]
    excerpt = _items(context, one, items, introduced=True)
    following = _next_place(context, one.place)
    if following is None or lines_of(text)[-1].end != items[-1].end:
        return [excerpt]
    known = {item.own.text for item in items}  # the next chunk of an outline begins with the list itself
    rest = [item.own for item in continuation(context.texts[following], items) if item.own.text not in known]
    shown = sum(len(citation.quote) for citation in excerpt.citations)
    taken = [] if excerpt.more else _fitting(rest, CHARACTERS - shown, least=0)
    if not taken:
        return [msgspec.structs.replace(excerpt, more=excerpt.more + len(rest))]
    continued = _excerpt(context, following, taken, len(rest) - len(taken))
    return [excerpt, msgspec.structs.replace(continued, lines=_indented(taken)) if one.listing.nested else continued]


def _items(context: AnswerContext, one: _Candidate, items: Sequence[Line], *, introduced: bool = False) -> Excerpt:
    """Items of a list as far as they fit, those of a nested one with the levels below them that fit too."""
    intro = [one.listing.intro.own] if introduced and one.listing.intro else []
    shown = _levels(items) if one.listing.nested else _fitting(items, CHARACTERS)
    more = len(items) - sum(item.start in {line.start for line in shown} for item in items)
    excerpt = _excerpt(context, one.place, [*intro, *shown], more)
    if not one.listing.nested:
        return excerpt
    return msgspec.structs.replace(excerpt, lines=_indented([*intro, *shown]))


def _levels(items: Sequence[Line]) -> list[Line]:
    """The items one by one, and as many levels of those below them as fit; only the first items when not all fit."""
    shown = [item.own for item in items]
    level = list(items)
    while level and _length(shown) <= CHARACTERS:
        level = [one for item in level for one in item.below]
        deeper = sorted([*shown, *(one.own for one in level)], key=lambda line: line.start)
        shown = deeper if _length(deeper) <= CHARACTERS else shown
        level = level if shown is deeper else []
    return _fitting(shown, CHARACTERS)


def _length(lines: Sequence[Line]) -> int:
    return sum(len(line.text) + 1 for line in lines)


def _indented(lines: Sequence[Line]) -> list[str]:
    """Lines with what they are indented by, beside the first of them."""
    margin = min((line.indent for line in lines), default=0)
    return [" " * (line.indent - margin) + line.text for line in lines]


def _next_place(context: AnswerContext, place: int) -> int | None:
    """The place of the next chunk of the same document among the passages."""
    prefix, _, ordinal = context.sources[place].chunk_id.rpartition(":")
    if not ordinal.isdigit():
        return None
    wanted = f"{prefix}:{int(ordinal) + 1}"
    return next((at for at, source in enumerate(context.sources) if source.chunk_id == wanted), None)


# --- tables ------------------------------------------------------------------------------------------


def _of_tables(context: AnswerContext, scored: Sequence[Sentence]) -> list[Excerpt]:
    if not scored or not TABLE_ROW.search(scored[0].text):
        return []
    place = scored[0].source
    table = table_of(context.texts[place], scored[0])
    if table is None:
        return []
    rows, more = asked_rows(context.question, table, scored[0])
    if table.header:
        return [_excerpt(context, place, [table.header, *rows], more)]
    excerpt = _excerpt(context, place, rows, more)
    return [msgspec.structs.replace(excerpt, lines=[asked_cells(context.question, row.text) for row in rows])]


def table_of(text: str, sentence: Sentence) -> Table | None:
    """The table of a passage that has this sentence as a row or as its header."""
    return next((one for one in tables(text) if any(_holds(line, sentence) for line in _lines(one))), None)


def asked_rows(question: str, table: Table, best: Sentence) -> tuple[list[Line], int]:
    """The rows that a question asks for, and how many others it asks for that are too many to be shown.

    Words that some rows have and others have not tell which; a question that names several things may mean a row
    for each of them.
    """
    wanted = topic_words(question)
    words = [topic_words(row.text) for row in table.rows]
    telling = {word for word in wanted if 0 < sum(word in row for row in words) < len(words)}
    if not telling:
        if asks_for_items(question) or not any(_holds(row, best) for row in table.rows):
            shown = _fitting(table.rows, CHARACTERS)
            return shown, len(table.rows) - len(shown)
        return [row for row in table.rows if _holds(row, best)][:1], 0
    shares = rare_shares(telling, [row.text for row in table.rows])
    most = max(shares)
    first = [row for row, value in zip(table.rows, shares, strict=True) if value == most]
    if not asks_for_items(question) and not asks_several(question):
        first = [row for row in first if _holds(row, best)][:1] or first[:1]
    chosen = list(first)
    if asks_several(question):
        known = set().union(*(topic_words(row.text) for row in first)) & telling
        for _, row, held in sorted(
            zip([-value for value in shares], table.rows, words, strict=True), key=lambda each: each[0]
        ):
            if row not in chosen and (held & telling) - known:
                chosen.append(row)
                known |= held & telling
    chosen.sort(key=lambda row: row.start)
    shown = _fitting(chosen, CHARACTERS)
    return shown, len(chosen) - len(shown)


def asked_cells(question: str, row: str) -> str:
    """The cells of a row (``Column: value``) that a question asks for, after those by which it finds the row.

    The whole row, unless the question names a column better than the others.
    """
    wanted, cells = topic_words(question), row.split(" | ")
    names = [cell.partition(":")[0] if _CELL.match(cell) else "" for cell in cells]
    keys = [at for at, cell in enumerate(cells) if wanted & topic_words(cell[len(names[at]) :])]
    fits = rare_shares(wanted, ["" if at in keys else name for at, name in enumerate(names)])
    asked = [at for at, fit in enumerate(fits) if fit and fit == max(fits)]
    if not 0 < len(asked) <= len(cells) / 3:
        return row
    return " | ".join(cells[at] for at in sorted({*(keys or [0]), *asked}))


def _lines(table: Table) -> list[Line]:
    return [*([table.header] if table.header else []), *table.rows]


def _holds(line: Line, sentence: Sentence) -> bool:
    return line.start <= sentence.start < line.end


# --- both --------------------------------------------------------------------------------------------


def _fitting(lines: Sequence[Line], characters: int, least: int = 1) -> list[Line]:
    """The first lines that fit into so many characters."""
    shown: list[Line] = []
    for line in lines:
        characters -= len(line.text) + 1
        if characters < 0 and len(shown) >= least:
            break
        shown.append(line)
    return shown


def _excerpt(context: AnswerContext, place: int, lines: Sequence[Line], more: int = 0) -> Excerpt:
    """Quotes of these lines; lines that follow one another are one quote."""
    text, spans = context.texts[place], list[tuple[int, int]]()
    for line in lines:
        if spans and not text[spans[-1][1] : line.start].strip():
            spans[-1] = (spans[-1][0], line.end)
        else:
            spans.append((line.start, line.end))
    return Excerpt([context.citation(place, text[start:end]) for start, end in spans], more)
