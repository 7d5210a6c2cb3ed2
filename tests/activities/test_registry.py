"""The registry: every signature has one implementation with the same types."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity

from activities.contracts import Contract, signatures
from activities.contracts.queues import Queue
from activities.registry import activities_of
from activities.settings import load
from activities.stores.connections import Stores


def definition(function: Callable[..., Any]) -> tuple[str | None, list[type] | None, type | None]:
    """Name, input types and output type of an activity, as Temporal derives them from it."""
    found = activity._Definition.must_from_callable(function)
    return found.name, found.arg_types, found.ret_type


SIGNATURES = {
    str(definition(function)[0]): definition(function)
    for _, function in inspect.getmembers(signatures, inspect.isfunction)
    if function.__module__ == signatures.__name__
}


@pytest.fixture
async def implemented(tmp_path: Path) -> AsyncIterator[list[tuple[str, Callable[..., Any]]]]:
    """Every registered activity with its queue; no store is connected."""
    settings = load({"HOLDFAST_DATA": str(tmp_path)})
    async with Stores.open(settings) as stores:
        yield [(queue, function) for queue in Queue.ALL for function in activities_of(queue, stores, settings)]


async def test_every_signature_is_implemented_exactly_once(implemented: list[tuple[str, Callable[..., Any]]]) -> None:
    """The same names, nothing more and nothing less, over all queues."""
    names = [str(definition(function)[0]) for _, function in implemented]
    assert sorted(names) == sorted(SIGNATURES)


async def test_implementations_have_the_types_of_their_signature(
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


async def test_the_queue_of_workflows_only_tells_of_events(
    implemented: list[tuple[str, Callable[..., Any]]], tmp_path: Path
) -> None:
    """Its worker is the one that reaches out, so it reads no document. An unknown queue has no activities."""
    names = [str(definition(function)[0]) for queue, function in implemented if queue == Queue.WORKFLOWS]
    assert names == ["deliver_webhook"]
    settings = load({"HOLDFAST_DATA": str(tmp_path)})
    async with Stores.open(settings) as stores:
        with pytest.raises(ValueError, match="unknown"):
            activities_of("unknown", stores, settings)
