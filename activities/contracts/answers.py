"""Parts of an answer: its mode, its sources and its citations."""

from __future__ import annotations

from typing import Literal

from activities.contracts import Contract

AnswerMode = Literal["extractive", "generative"]

#: What the asker thought of an answer.
Rating = Literal["up", "down"]

#: Why an answer is extractive although ``generative`` was requested: the model does not write the language, or its
#: text is not supported by the sources.
Fallback = Literal["language", "unsupported"]


class Source(Contract, frozen=True):
    """A passage that an answer may quote; its text is stored in a blob, not here."""

    n: int
    document_id: str
    document_name: str
    version: int
    chunk_id: str
    score: float
    page: int | None = None
    section: str = ""


class Citation(Contract, frozen=True):
    """One quote of an answer; ``n`` is the number of its marker ``[n]`` in the answer's text."""

    n: int
    document_id: str
    document_name: str
    quote: str
    version: int = 0
    chunk_id: str = ""
    page: int | None = None
    section: str = ""
