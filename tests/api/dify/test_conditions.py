"""Conditions of Dify become the filter that says the same, or an error."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from activities.errors import InvalidRequest
from api.dify.conditions import search_filter
from api.dify.schemas import MetadataCondition


def filtered(*conditions: tuple[str, str, object], operator: str = "and") -> dict[str, Any] | None:
    """The filter of these conditions, as JSON."""
    given = {
        "logical_operator": operator,
        "conditions": [
            {"name": name, "comparison_operator": comparison, "value": value} for name, comparison, value in conditions
        ],
    }
    found = search_filter(msgspec.convert(given, MetadataCondition))
    return None if found is None else msgspec.to_builtins(found)


def test_each_operator_has_its_filter() -> None:
    """Names become patterns, pages a range, dates moments; all conditions hold at once."""
    assert filtered() is None
    assert filtered(("document_name", "is", "a.pdf")) == {"name": "a.pdf"}
    assert filtered(("document_name", "contains", "leave")) == {"name": "*leave*"}
    assert filtered(("document_name", "start with", "hr")) == {"name": "hr*"}
    assert filtered(("document_name", "end with", ".md")) == {"name": "*.md"}
    assert filtered(("tags", "is", "hr"), ("tags", "contains", "2026")) == {"tags": ["hr", "2026"]}
    assert filtered(("page", "=", 3)) == {"pages": {"from": 3, "to": 3}}
    assert filtered(("page", ">", 2), ("page", "≥", 2), ("page", "<", 9)) == {"pages": {"from": 3, "to": 8}}
    assert filtered(("uploaded", "after", "2026-01-01"), ("uploaded", "before", "2026-02-01")) == {
        "uploaded": {"since": "2026-01-01T00:00:00", "until": "2026-02-01T00:00:00"}
    }
    assert filtered(("tags", "is", "hr"), operator="or") == {"tags": ["hr"]}


@pytest.mark.parametrize(
    "condition",
    [
        ("author", "is", "ada"),
        ("document_name", "not contains", "draft"),
        ("document_name", "is", "a*"),
        ("document_name", "is", ["a.pdf"]),
        ("page", "≥", "three"),
        ("page", "≥", 0),
        ("uploaded", "before", "last week"),
        ("tags", "is", " "),
        ("tags", "empty", None),
    ],
    ids=str,
)
def test_what_no_filter_says_is_an_error_with_the_condition(condition: tuple[str, str, object]) -> None:
    """Never left out: a search that ignores a condition shows what it must not."""
    with pytest.raises(InvalidRequest) as raised:
        filtered(condition)
    assert condition[0] in str(raised.value) or str(condition[2]).strip() in str(raised.value)


def test_alternatives_and_a_second_name_are_refused() -> None:
    """A filter has one pattern, and all of it holds."""
    with pytest.raises(InvalidRequest, match="and"):
        filtered(("tags", "is", "hr"), ("tags", "is", "it"), operator="or")
    with pytest.raises(InvalidRequest, match="document_name"):
        filtered(("document_name", "is", "a"), ("document_name", "is", "b"))
