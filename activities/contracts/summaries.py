"""Summaries of runs, activities and timers: what auditors read in Temporal's lists, in clear by design.

``Summary`` marks a text that the payload codec leaves readable. A summary may hold names of knowledge bases, documents,
schedules and people, versions, counts, stages and codes of errors; never the text of a document, a question, a passage,
an answer, a search, the sentence of an error (which may quote a document), or a secret. ``docs/encryption.md`` lists
what else is in clear.
"""

from __future__ import annotations


class Summary(str):
    """A text that stays readable in Temporal."""

    __slots__ = ()
