"""Filters of requests: strict where a client writes them, the same for retrieval and for workflows."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from activities.contracts import search
from activities.errors import InvalidRequest
from api.questions.schemas import SearchFilter
from api.questions.views import search_filter

FILTERS: list[dict[str, Any]] = [
    {},
    {"name": "*.md"},
    {"pages": {}},
    {"pages": {"from": 2}},
    {"pages": {"from": 2, "to": 5}, "tags": ["HR", " annual  leave "]},
    {"uploaded": {"since": "2026-11-30", "until": "2026-11-30T12:30:00+08:00"}},
    {"name": None, "pages": None, "uploaded": None, "tags": []},
]


@pytest.mark.parametrize("given", FILTERS, ids=repr)
def test_a_filter_is_handed_on_as_it_was_given(given: dict[str, Any]) -> None:
    """What a workflow's history keeps is what it kept before the two were told apart."""
    taken = msgspec.convert(given, SearchFilter)
    contract = search_filter(taken)
    assert contract == msgspec.convert(given, search.SearchFilter)
    assert msgspec.json.encode(contract) == msgspec.json.encode(taken)


def test_no_filter_is_none() -> None:
    """A request without a filter searches everything."""
    assert search_filter(None) is None


@pytest.mark.parametrize(
    "given",
    [
        {"colour": "red"},
        {"pages": {"first": 1}},
        {"pages": {"from": 0}},
        {"pages": {"to": 1_000_001}},
        {"uploaded": {"before": "2026-11-30"}},
        {"uploaded": {"since": "2" * 41}},
        {"name": ""},
        {"name": "x" * 256},
        {"tags": [""]},
        {"tags": ["x" * 65]},
        {"tags": ["x"] * 21},
    ],
    ids=repr,
)
def test_what_is_not_understood_is_refused(given: dict[str, Any]) -> None:
    """Leaving it out would find more than was asked for."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(given, SearchFilter)


@pytest.mark.parametrize("given", [{"uploaded": {"since": "yesterday"}}, {"uploaded": {"until": "9999-12-31"}},
                                   {"tags": ["  "]}, {"tags": ["a\0"]}], ids=repr)  # fmt: skip
def test_what_cannot_be_is_refused(given: dict[str, Any]) -> None:
    """Dates that are none, and tags that no document can have."""
    with pytest.raises(InvalidRequest):
        msgspec.convert(given, SearchFilter)
