"""What workflows and activities say to each other: it arrives as it was sent, and the two sides agree on it."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta, timezone
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any, get_args

import msgspec
import pytest
from temporalio import activity
from temporalio.api.common.v1 import Payload

from activities import contracts
from activities.contracts import Contract, signatures
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
from activities.contracts.queues import Queue
from activities.contracts.search import PageRange, SearchFilter, TimeRange
from activities.errors import Reason
from activities.registry import activities_of
from activities.runtime.converter import data_converter
from activities.settings import load
from activities.stores.connections import Stores

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
    """A value after the way through Temporal's payloads."""
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
async def test_an_event_arrives_as_what_it_is(event: QuestionEvent) -> None:
    """The tag tells which of the events it is, alone and in a list."""
    arrived = await through(event, QuestionEvent)
    assert arrived == event
    assert type(arrived) is type(event)
    assert await through(EVENTS, list[QuestionEvent]) == EVENTS


def test_every_event_is_tested() -> None:
    """An event that is added is added above."""
    assert {type(event) for event in EVENTS} == set(get_args(QuestionEvent))


async def test_temporals_ui_shows_the_values() -> None:
    """Structs are JSON for it; defaults are left out, so that histories stay small; bytes stay bytes."""
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
    """An old worker reads what a newer one wrote: a field that it does not know is passed over."""
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


# --- signatures and implementations ----------------------------------------------------------------


def definition(function: Callable[..., Any]) -> tuple[str | None, list[type] | None, type | None]:
    """Name, input types and output type of an activity, as Temporal reads them from it."""
    found = activity._Definition.must_from_callable(function)
    return found.name, found.arg_types, found.ret_type


SIGNATURES = {
    str(definition(function)[0]): definition(function)
    for _, function in inspect.getmembers(signatures, inspect.isfunction)
    if function.__module__ == signatures.__name__
}


@pytest.fixture
async def implemented(tmp_path: Path) -> AsyncIterator[list[tuple[str, Callable[..., Any]]]]:
    """Every registered activity with its queue; no store is connected to."""
    settings = load({"HOLDFAST_DATA": str(tmp_path)})
    async with Stores.open(settings) as stores:
        yield [
            (queue, function)
            for queue in Queue.ALL
            if queue != Queue.WORKFLOWS
            for function in activities_of(queue, stores, settings)
        ]


async def test_every_signature_is_implemented_exactly_once(implemented: list[tuple[str, Callable[..., Any]]]) -> None:
    """Same names, nothing more and nothing less, over all queues."""
    names = [str(definition(function)[0]) for _, function in implemented]
    assert sorted(names) == sorted(SIGNATURES)


async def test_implementations_take_and_give_what_their_signature_says(
    implemented: list[tuple[str, Callable[..., Any]]],
) -> None:
    """One Struct in and one out (or nothing), of the very same types."""
    for _, function in implemented:
        name, inputs, output = definition(function)
        assert definition(function) == SIGNATURES[str(name)]
        assert inputs is not None
        (taken,) = inputs
        assert issubclass(taken, Contract)
        assert output is type(None) or (isinstance(output, type) and issubclass(output, Contract))


async def test_a_workflow_runs_no_activity_of_its_own(tmp_path: Path) -> None:
    """The queue of workflows and an unknown queue have no activities."""
    settings = load({"HOLDFAST_DATA": str(tmp_path)})
    async with Stores.open(settings) as stores:
        for queue in (Queue.WORKFLOWS, "unknown"):
            with pytest.raises(ValueError, match=queue):
                activities_of(queue, stores, settings)


def test_contracts_are_immutable_and_short() -> None:
    """Every contract is frozen, leaves out its defaults, and passes over fields that it does not know."""
    modules = [import_module(found.name) for found in walk_packages(contracts.__path__, f"{contracts.__name__}.")]
    members = [kind for module in modules for _, kind in inspect.getmembers(module, inspect.isclass)]
    kinds = {kind for kind in members if issubclass(kind, Contract)}
    assert len(kinds) > 50
    assert {SearchFilter, PageRange, TimeRange} <= kinds
    for kind in kinds:
        config = kind.__struct_config__
        assert (config.frozen, config.omit_defaults, config.forbid_unknown_fields) == (True, True, False), kind
