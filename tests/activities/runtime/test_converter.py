"""Payloads between workflows and activities: values keep their type, and additions stay compatible."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_args

import msgspec
import pytest
from temporalio.api.common.v1 import Payload

from activities.contracts.answers import Citation, Source
from activities.contracts.deletion import PurgeInput
from activities.contracts.documents import Chunk, Chunking
from activities.contracts.events import (
    DeltaEvent,
    DoneEvent,
    ErrorEvent,
    QuestionEvent,
    ResetEvent,
    SourcesEvent,
    StateEvent,
)
from activities.contracts.questions import Answered
from activities.contracts.search import PageRange, SearchFilter, TimeRange
from activities.errors import Reason
from activities.runtime.converter import data_converter

SOURCE = Source(n=1, document_id="a" * 32, document_name="手册.pdf", version=2, chunk_id="c", score=0.25, page=3)
CITATION = Citation(n=1, document_id="a" * 32, document_name="手册.pdf", quote="“五天” 🐉\n", version=2)
EVENTS: list[QuestionEvent] = [
    StateEvent(stage="retrieve"),
    SourcesEvent(sources=[SOURCE]),
    DeltaEvent(text=" 一个 piece\n"),
    ResetEvent(),
    DoneEvent(answer="五天 [1]", citations=[CITATION], mode="extractive", found=True),
    ErrorEvent(reason=Reason("triton-unavailable", {"detail": "gone"})),
]


async def through(value: object, kind: Any) -> Any:
    """The value, encoded to Temporal payloads and decoded again."""
    (payload,) = await data_converter.encode([value])
    (arrived,) = await data_converter.decode([Payload.FromString(payload.SerializeToString())], [kind])
    return arrived


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (Chunk(ordinal=0, text='文字\n"quoted"', tokens=3, section="A › B"), Chunk),
        (Answered(answer="", citations=[CITATION, CITATION], mode="generative", found=False), Answered),
        (PurgeInput(knowledge_base_id="a", document_id="b"), PurgeInput),
        (PurgeInput(knowledge_base_id="a", document_id="b", versions=[]), PurgeInput),
        ([SOURCE, SOURCE], list[Source]),
        ({"a": [CITATION]}, dict[str, list[Citation]]),
        (datetime(2026, 2, 28, 23, 59, 59, 123456, UTC), datetime),
        (datetime(2026, 2, 28, tzinfo=timezone(timedelta(hours=8))), datetime),
        (None, type(None)),
        (None, Chunk | None),
        ("text", str),
        (2**53 + 1, int),
        (0.1, float),
        (b"\x00\xff bytes", bytes),
        (b"", bytes),
        ([b"\x00", b"\xff"], list[bytes]),
    ],
    ids=repr,
)
async def test_a_value_arrives_as_it_was_sent(value: object, kind: Any) -> None:
    """Equal, and of the same type."""
    arrived = await through(value, kind)
    assert arrived == value
    assert type(arrived) is type(value)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
async def test_an_event_keeps_its_type(event: QuestionEvent) -> None:
    """Its tag identifies it, alone and in a list."""
    arrived = await through(event, QuestionEvent)
    assert arrived == event
    assert type(arrived) is type(event)
    assert await through(EVENTS, list[QuestionEvent]) == EVENTS


def test_every_event_is_tested() -> None:
    """A new event belongs in the list above."""
    assert {type(event) for event in EVENTS} == set(get_args(QuestionEvent))


async def test_temporals_ui_shows_the_values() -> None:
    """Structs are JSON; defaults are left out, so histories stay small; bytes stay bytes."""
    chunking, raw, nothing = await data_converter.encode([Chunking(max_tokens=100), b"\xff", None])
    assert chunking.metadata["encoding"] == b"json/plain"
    assert chunking.data == b'{"max_tokens":100}'
    assert (raw.metadata["encoding"], raw.data) == (b"binary/plain", b"\xff")
    assert nothing.metadata["encoding"] == b"binary/null"


async def test_a_value_that_does_not_fit_is_refused() -> None:
    """A wrong type is an error, never a half-filled Struct."""
    (payload,) = await data_converter.encode([{"ordinal": "first", "text": "x", "tokens": 1}])
    with pytest.raises((msgspec.ValidationError, RuntimeError)):
        await data_converter.decode([payload], [Chunk])


async def test_a_field_can_be_added() -> None:
    """An old worker ignores unknown fields that a newer one wrote."""
    (payload,) = await data_converter.encode([{"max_tokens": 10, "from_the_future": True}])
    assert await data_converter.decode([payload], [Chunking]) == [Chunking(max_tokens=10)]


async def test_a_filter_of_a_newer_history_is_read() -> None:
    """The API refuses a filter that it does not know; a worker passes over what a later API may have let in."""
    newer = {
        "name": "*.md",
        "pages": {"from": 2, "chapter": 3},
        "uploaded": {"since": "2026-11-30", "calendar": "lunar"},
        "tags": ["hr"],
        "language": "zh",
    }
    expected = SearchFilter(name="*.md", pages=PageRange(first=2), uploaded=TimeRange(since="2026-11-30"), tags=["hr"])
    assert await through(newer, SearchFilter) == expected
    assert await through(expected, SearchFilter) == expected
