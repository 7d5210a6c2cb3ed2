"""Finds the document that a question names: by the words of its file name."""

from __future__ import annotations

import re
from collections.abc import Sequence

from activities.stores.catalog.records import ShownDocument
from activities.text.asking import ASKING_WORDS
from activities.text.lexicon import numbers
from activities.text.scripts import HAN_RUN
from activities.text.terms import close_to, topic_words
from activities.text.variants import canonical

#: Share of a name's words that a question has at least.
NAMED = 0.6

_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,8}$")
_LETTERS = re.compile(r"[\W_]+")


def named_document(question: str, documents: Sequence[ShownDocument]) -> ShownDocument | None:
    """The document whose name a question has most of; None when it has too little of any, or of two alike."""
    words, text = topic_words(question), canonical(question)
    scored = sorted(((_share(one.name, words, text), one) for one in documents), key=lambda pair: -pair[0])
    if not scored or scored[0][0] < NAMED or (len(scored) > 1 and scored[0][0] == scored[1][0]):
        return None
    return scored[0][1]


def names_only(text: str, document: ShownDocument) -> bool:
    """Whether a text has no other topic than the document's name: “the espresso machine”, not its warranty."""
    name = topic_words(_LETTERS.sub(" ", _EXTENSION.sub("", document.name.rsplit("/", 1)[-1])))
    return all(close_to(word, name) for word in topic_words(text) - ASKING_WORDS)


def _share(name: str, words: set[str], text: str) -> float:
    stem = _EXTENSION.sub("", name.rsplit("/", 1)[-1])
    plain = canonical(stem)
    wanted = topic_words(_LETTERS.sub(" ", stem))
    if not wanted or (numbers(stem) and not numbers(stem) & numbers(text) and numbers(text)):
        return 0.0
    if HAN_RUN.search(plain) and plain in text:
        return 1.0 + len(plain) / 1000  # the longest name that the question has as a whole
    share = len(wanted & words) / len(wanted)
    return share + len(wanted) / 1000 if share == 1 else share
