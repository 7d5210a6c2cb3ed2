"""Calls to Temporal: every status of the server has one meaning, and a missing run is no outage."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from temporalio.api.workflowservice.v1 import GetSystemInfoResponse
from temporalio.client import Client
from temporalio.service import RetryConfig, RPCStatusCode

from activities.contracts import search_attributes
from activities.contracts.deletion import DeleteJob
from activities.errors import TemporalRefused, TemporalUnavailable
from activities.runtime import temporal
from activities.runtime.temporal import ERRORS, RunNotFound, connect
from activities.settings import TemporalSettings
from tests.ports import free_port
from workflows.client.jobs import Jobs

#: Calls fail at once instead of trying for ten seconds.
ONCE = RetryConfig(initial_interval_millis=1, max_retries=1, max_elapsed_time_millis=1)


@pytest.fixture
async def refusing() -> AsyncIterator[tuple[Client, list[grpc.StatusCode]]]:
    """A client, and the status with which its server answers every call but the first handshake."""
    answers: list[grpc.StatusCode] = []

    async def answer(request: bytes, context: Any) -> bytes:
        await context.abort(answers[0], "the reason\nand more")
        raise AssertionError

    async def greet(request: bytes, context: Any) -> bytes:
        return GetSystemInfoResponse().SerializeToString()

    class Refuse(grpc.GenericRpcHandler):  # type: ignore[misc]
        def service(self, details: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(greet if details.method.endswith("GetSystemInfo") else answer)

    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Refuse(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield await Client.connect(f"127.0.0.1:{port}", retry_config=ONCE), answers
    await server.stop(None)


def test_the_error_table_is_complete() -> None:
    """Every status of the SDK but OK is in the table."""
    assert set(ERRORS) == set(RPCStatusCode) - {RPCStatusCode.OK}


@pytest.mark.parametrize("status", list(ERRORS), ids=lambda status: status.name)
async def test_each_status_is_translated(refusing: tuple[Client, list[grpc.StatusCode]], status: RPCStatusCode) -> None:
    """The error has the table's type; a refusal repeats the first line of the server's message."""
    client, answers = refusing
    answers.append(grpc.StatusCode[status.name])
    with pytest.raises((TemporalUnavailable, TemporalRefused, RunNotFound)) as caught:
        async with temporal.translated():
            await client.get_workflow_handle("any").describe()
    assert type(caught.value) is ERRORS[status]
    if isinstance(caught.value, TemporalRefused):
        assert caught.value.reason.params == {"detail": "the reason"}


async def test_an_unreachable_server_is_an_outage() -> None:
    """Also at the first call of a client that connects lazily."""
    nowhere = TemporalSettings(address=f"127.0.0.1:{free_port()}")
    with pytest.raises(TemporalUnavailable):
        await connect(nowhere)
    with pytest.raises(TemporalUnavailable):
        await temporal.is_running(await connect(nowhere, lazy=True), "any")
    with pytest.raises(TemporalUnavailable):
        await Jobs(await connect(nowhere, lazy=True)).ensure_available()


async def test_a_missing_run_is_no_outage(temporal_server: TemporalSettings) -> None:
    """Describe, cancel, signal and query report it in their results."""
    client = await connect(temporal_server)
    assert await temporal.describe(client, "no/such") is None
    assert not await temporal.is_running(client, "no/such")
    assert not await temporal.cancel(client, "no/such")
    assert not await temporal.signal(client, "no/such", "pause")
    assert await temporal.query(client, "no/such", "state", dict) is None


async def test_a_missing_namespace_is_not_a_missing_run(temporal_server: TemporalSettings) -> None:
    """Otherwise a misspelt namespace would make all runs look ended."""
    client = await connect(TemporalSettings(address=temporal_server.address, namespace="elsewhere"))
    with pytest.raises(TemporalRefused, match="elsewhere"):
        await temporal.describe(client, "any")


async def test_a_start_joins_a_running_run(temporal_server: TemporalSettings) -> None:
    """The same id is the same run; a signal reaches it in either case, and a canceled run can start again."""
    client = await connect(temporal_server)
    job = DeleteJob(knowledge_base_id="k", knowledge_base="kb", document_id="d", document_name="a.txt", actor="ada")

    async def start() -> str:
        attributes = search_attributes.attributes(None, "ada")
        return await temporal.start(
            client, "DeleteDocument", job, "delete/d", "Delete" * 100, attributes, first_signal="more"
        )

    assert await start() == await start() == "delete/d"
    run = await temporal.describe(client, "delete/d")
    assert run is not None
    assert run.typed_search_attributes == search_attributes.attributes(None, "ada")
    signals = [event async for event in client.get_workflow_handle("delete/d").fetch_history_events()]
    assert sum(event.HasField("workflow_execution_signaled_event_attributes") for event in signals) == 2
    await client.get_workflow_handle("delete/d").terminate()
    assert not await temporal.is_running(client, "delete/d")
    assert not await temporal.signal(client, "delete/d", "more")
    await start()
    assert await temporal.cancel(client, "delete/d")
