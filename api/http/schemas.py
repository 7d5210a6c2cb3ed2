"""Wire types shared by all subjects. Absent values are null; lists are ``{items, next_cursor}``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

import msgspec

from workflows.contracts import JobState

T = TypeVar("T")


class Schema(msgspec.Struct, kw_only=True, frozen=True):
    """Base of response types."""


class Request(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Base of request types: an unknown field is an error, so that a misspelt one is not ignored."""


class Page(Schema, Generic[T], frozen=True):
    """One page of a list; ``next_cursor`` asks for the next one and is null at the end."""

    items: list[T]
    next_cursor: str | None = None


class Listed(Protocol):
    """A record that a list has."""

    @property
    def id(self) -> str:
        """Its id, by which lists are ordered."""
        ...


R = TypeVar("R", bound=Listed)


def page_of(found: Sequence[R], limit: int, view: Callable[[R], T]) -> Page[T]:
    """The page of at most ``limit`` records, as clients see them; a full one may have another one after it."""
    return Page(items=[view(record) for record in found], next_cursor=found[-1].id if len(found) == limit else None)


class JobAccepted(Schema, frozen=True):
    """A job that goes on by itself."""

    id: str
    state: str
    workflow_id: str
    status_url: str | None = None
    events_url: str | None = None


class JobStateInfo(JobState, frozen=True, omit_defaults=False):
    """The state of a job, with every field there."""
