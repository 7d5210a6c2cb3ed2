"""What an answer is made of: its mode, the passages it may quote, and its quotes."""

from __future__ import annotations

from typing import Literal

from activities.contracts import Contract

AnswerMode = Literal["extractive", "generative"]

#: What the asker thought of an answer.
Rating = Literal["up", "down"]

#: Why quotes stand where text was to be written: the model does not write the language, or wrote what no source says.
Fallback = Literal["language", "unsupported"]


class Source(Contract, frozen=True):
    """A passage that an answer may quote; its text is looked up, never carried."""

    n: int
    document_id: str
    document_name: str
    version: int
    chunk_id: str
    score: float
    page: int | None = None
    section: str = ""


class Citation(Contract, frozen=True):
    """One quote of an answer; ``n`` is the number that ``[n]`` in the answer refers to."""

    n: int
    document_id: str
    document_name: str
    quote: str
    version: int = 0
    chunk_id: str = ""
    page: int | None = None
    section: str = ""
