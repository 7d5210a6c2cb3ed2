"""Conditions of Dify as the filter of a search."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from activities.errors import InvalidRequest
from activities.phrases import Phrase
from api.dify.schemas import Condition, MetadataCondition
from api.questions.schemas import SearchFilter

#: The fields that conditions can name.
FIELDS: Final = ("document_name", "page", "tags", "uploaded")

#: Patterns of a document's name by operator.
_NAMES: Final = {"is": "{}", "contains": "*{}*", "start with": "{}*", "end with": "*{}"}

#: Bounds of pages by operator: which one, and by how much it differs from the value.
_PAGES: Final = {"≥": ("from", 0), ">": ("from", 1), "≤": ("to", 0), "<": ("to", -1)}

_MOMENTS: Final = {"after": "since", "before": "until"}


def search_filter(given: MetadataCondition | None) -> SearchFilter | None:
    """The filter that says the same. Raises InvalidRequest, with the condition, where none does."""
    if given is None or not given.conditions:
        return None
    if given.logical_operator == "or" and len(given.conditions) > 1:
        raise InvalidRequest(detail=Phrase.DIFY_OR)
    found: dict[str, Any] = {}
    for condition in given.conditions:
        _add(found, condition)
        try:
            msgspec.convert(found, SearchFilter)
        except msgspec.ValidationError as exc:
            raise _refusal(condition) from exc
    return msgspec.convert(found, SearchFilter)


def _add(found: dict[str, Any], condition: Condition) -> None:
    operator, value = condition.comparison_operator, condition.value
    match condition.name:
        case "document_name" if operator in _NAMES and isinstance(value, str) and "name" not in found:
            if "*" in value or "?" in value:  # a pattern would read them as wildcards
                raise _refusal(condition)
            found["name"] = _NAMES[operator].format(value)
        case "tags" if operator in ("is", "contains") and isinstance(value, str):
            found.setdefault("tags", []).append(value)
        case "page" if operator in ("=", *_PAGES) and isinstance(value, int):
            pages = found.setdefault("pages", {})
            bounds = [("from", 0), ("to", 0)] if operator == "=" else [_PAGES[operator]]
            for bound, step in bounds:
                tighter = max if bound == "from" else min
                pages[bound] = tighter(value + step, pages.get(bound, value + step))
        case "uploaded" if operator in _MOMENTS and isinstance(value, str):
            # A date stands for its first moment here; in the filter it would include the day.
            moment = f"{value}T00:00:00" if len(value) == len("2026-11-30") else value
            found.setdefault("uploaded", {})[_MOMENTS[operator]] = moment
        case _:
            raise _refusal(condition)


def _refusal(condition: Condition) -> InvalidRequest:
    shown = f"{condition.name} {condition.comparison_operator} {condition.value}"
    return InvalidRequest(detail=Phrase.DIFY_CONDITION, condition=shown[:200], fields=", ".join(FIELDS))
