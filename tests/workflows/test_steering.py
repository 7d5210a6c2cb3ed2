"""Controls reach a run whatever it is doing: no request is lost, and what was to be stopped has not failed.

The workflows are real, on a real Temporal server; their activities are stand-ins that wait for what a test wants.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.contracts.batches import (
    BatchCount,
    BatchInput,
    CancelQueuedInput,
    DocumentVersion,
    Finished,
    FinishedInput,
    NextDocuments,
    NextDocumentsInput,
    QueuedCanceled,
    RecordBatchStateInput,
    Unpacked,
    UnpackInput,
)
from activities.contracts.documents import Chunking
from activities.contracts.ids import batch_workflow_id, ingest_id
from activities.contracts.ingest import (
    Chunked,
    DocumentToIngest,
    Embedded,
    EmbedInput,
    EndRunInput,
    Indexed,
    Parsed,
    ParseInput,
    PauseInput,
    Published,
    RunEnded,
)
from activities.contracts.queues import Queue
from activities.errors import CatalogUnavailable, DamagedDocument, WrongState
from activities.runtime.failures import to_application_error
from activities.runtime.temporal import connect
from activities.settings import TemporalSettings
from tests.conftest import assert_eventually
from tests.workflows.test_replay import replayer
from workflows.batch import IngestBatch
from workflows.client.jobs import Jobs
from workflows.contracts import BatchJob, IngestJob, IngestResult
from workflows.ingest import IngestDocument
from workflows.policies import LONG_STEP

SECONDS = 50
"""After this, a run counts as stuck."""

HEARTBEATS, DEAD_AFTER = timedelta(seconds=0.2), timedelta(seconds=3)
"""How often a worker reports, and so hears of a cancel request; after which silence it counts as dead."""

PARSED = Parsed(
    parsed_key="parsed", elements=1, characters=9, media_type="text/plain",
    chunked=Chunked(chunks_key="chunks", chunks=1, tokens=3),
)  # fmt: skip

EMBEDDED = Embedded(
    vectors_key="vectors", model="m", model_fingerprint="f", dimension=3, vectors=1, embedded=1, reused=0,
    indexed=Indexed(rows=1, published=Published(live=True)),
)  # fmt: skip

Stop = Callable[[], Awaitable[None]]


class Steps:
    """The activities. ``hold`` keeps one of them waiting until ``release``; ``calls`` lists what was called."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, object]] = []
        self.begun: dict[str, asyncio.Event] = {}
        self.gates: dict[str, asyncio.Event] = {}
        self.parsing: Callable[[ParseInput], Awaitable[Parsed]] | None = None
        self.unpacking: Stop | None = None
        self.listed: list[DocumentToIngest] = []
        self.elsewhere = 0
        self.not_begun: list[DocumentVersion] = []

    def hold(self, name: str) -> asyncio.Event:
        """Keep the activity waiting; the event is set when it has begun."""
        self.gates[name], self.begun[name] = asyncio.Event(), asyncio.Event()
        return self.begun[name]

    def release(self, name: str) -> None:
        """Let the activity, and all later ones of its name, go on."""
        self.gates.pop(name).set()

    def named(self, name: str) -> list[Any]:
        """The inputs of the calls of an activity."""
        return [input for called, input in self.calls if called == name]

    @property
    def states(self) -> list[str]:
        """The states that the batch recorded."""
        return [input.state for input in self.named("settle_batch")]

    async def _call(self, name: str, input: object) -> None:
        self.calls.append((name, input))
        if (gate := self.gates.get(name)) is not None:
            self.begun[name].set()
            await gate.wait()

    @activity.defn(name="parse")
    async def parse(self, input: ParseInput) -> Parsed:
        """What the test says, or nothing much."""
        await self._call("parse", input)
        return PARSED if self.parsing is None else await self.parsing(input)

    @activity.defn(name="embed")
    async def embed(self, input: EmbedInput) -> Embedded:
        """Completes, even when it is to be canceled."""
        await asyncio.shield(self._call("embed", input))
        return EMBEDDED

    @activity.defn(name="hold")
    async def record_pause(self, input: PauseInput) -> None:
        """Records a pause or its end."""
        await self._call("hold" if input.paused else "resume", input)

    @activity.defn(name="end_run")
    async def end_run(self, input: EndRunInput) -> RunEnded:
        """The last activity of a run that is not published."""
        await self._call("end_run", input)
        return RunEnded(live=False)

    @activity.defn(name="unpack")
    async def unpack(self, input: UnpackInput) -> Unpacked:
        """What the test says, or nothing much."""
        await self._call("unpack", input)
        if self.unpacking is not None:
            await self.unpacking()
        return Unpacked(documents=0, skipped=0)

    @activity.defn(name="next_documents")
    async def next_documents(self, input: NextDocumentsInput) -> NextDocuments:
        """The listed documents, once."""
        await self._call("next_documents", input)
        found, self.listed = self.listed, []
        return NextDocuments(documents=found, closed=True, elsewhere=self.elsewhere)

    @activity.defn(name="finished_documents")
    async def finished_documents(self, input: FinishedInput) -> Finished:
        """None has ended."""
        await self._call("finished_documents", input)
        return Finished(versions=[], not_begun=self.not_begun)

    @activity.defn(name="settle_batch")
    async def record_batch_state(self, input: RecordBatchStateInput) -> None:
        """Records the state of the batch."""
        await self._call("settle_batch", input)

    @activity.defn(name="cancel_queued")
    async def cancel_queued(self, input: CancelQueuedInput) -> QueuedCanceled:
        """Nothing was queued."""
        await self._call("cancel_queued", input)
        return QueuedCanceled(documents=0)

    @activity.defn(name="requeue_failed")
    async def requeue_failed(self, input: BatchInput) -> BatchCount:
        """Nothing had failed."""
        await self._call("requeue_failed", input)
        return BatchCount(documents=0)


@pytest.fixture
def steps() -> Steps:
    """The activities of the running worker."""
    return Steps()


@pytest.fixture
async def client(temporal_server: TemporalSettings, steps: Steps) -> AsyncIterator[Client]:
    """A client of a server with workers for every queue."""
    client = await connect(temporal_server)
    runner, flows = UnsandboxedWorkflowRunner(), [IngestDocument, IngestBatch]
    store: list[Callable[..., Any]] = [
        steps.record_pause, steps.end_run, steps.next_documents, steps.finished_documents,
        steps.record_batch_state, steps.cancel_queued, steps.requeue_failed,
    ]  # fmt: skip
    async with (
        Worker(client, task_queue=Queue.WORKFLOWS, workflows=flows, workflow_runner=runner),
        Worker(
            client,
            task_queue=Queue.CPU,
            activities=[steps.parse, steps.unpack],
            max_heartbeat_throttle_interval=HEARTBEATS,
        ),
        Worker(client, task_queue=Queue.GPU, activities=[steps.embed]),
        Worker(client, task_queue=Queue.STORE, activities=store),
    ):
        yield client


_numbers = iter(range(1, 1000))


def document() -> DocumentToIngest:
    """A short document, another one at each call."""
    return DocumentToIngest(
        knowledge_base_id="k", knowledge_base="kb", document_id=f"d{next(_numbers)}", document_name="a.txt", version=1,
        sha256="0" * 64, bytes=9, chunking=Chunking(), actor="ada", run=1,
    )  # fmt: skip


def job_of(document: DocumentToIngest) -> IngestJob:
    """The input of its run."""
    return IngestJob(**{name: getattr(document, name) for name in DocumentToIngest.__struct_fields__})


def batch(archive: str | None = None) -> BatchJob:
    """A batch, another one at each call."""
    return BatchJob(
        batch_id=f"b{next(_numbers)}", knowledge_base_id="k", knowledge_base="kb", name="files", actor="ada",
        parallelism=2, archive_sha256=archive,
    )  # fmt: skip


async def within(awaitable: Awaitable[Any]) -> Any:
    """Its result, unless it takes too long."""
    return await asyncio.wait_for(asyncio.ensure_future(awaitable), SECONDS)


async def called(steps: Steps, name: str, times: int = 1) -> None:
    """Wait until an activity was called this often."""

    async def wait() -> None:
        while len(steps.named(name)) < times:
            await asyncio.sleep(0.05)

    await within(wait())


async def ends(run: WorkflowHandle[Any, Any]) -> WorkflowExecutionStatus | None:
    """Wait for the end of a run, and of those that it continues as; its status. The history replays."""
    with suppress(WorkflowFailureError):
        await within(run.result())
    history = await run.fetch_history()
    await replayer().replay_workflow(history)
    return (await run.describe()).status


async def until_stopped() -> None:
    """Work that never ends, and stops when it is to."""
    while True:
        activity.heartbeat()
        await asyncio.sleep(0.05)


async def fails_when_stopped() -> None:
    """Work that fails because the catalogue is down, just when it is to stop."""
    try:
        await until_stopped()
    except asyncio.CancelledError:
        raise to_application_error(CatalogUnavailable(detail="gone"), 0) from None


async def dies_when_stopped() -> None:
    """Work whose worker is never heard of again, so that Temporal ends it by its heartbeat timeout."""
    try:
        await until_stopped()
    except asyncio.CancelledError:
        await activity.wait_for_worker_shutdown()


STOPS = pytest.mark.parametrize("stop", [until_stopped, fails_when_stopped, dies_when_stopped], indirect=True)


@pytest.fixture
def stop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Stop:
    """How work stops. Where that takes the heartbeat timeout, the timeout is short."""
    chosen: Stop = request.param
    if chosen is dies_when_stopped:
        monkeypatch.setitem(LONG_STEP, "heartbeat_timeout", DEAD_AFTER)
    return chosen


# --- documents --------------------------------------------------------------------------------------------


def parsing(stop: Stop) -> Callable[[ParseInput], Awaitable[Parsed]]:
    """A parse that never completes."""

    async def parse(input: ParseInput) -> Parsed:
        await stop()
        raise AssertionError(input)

    return parse


@STOPS
async def test_a_canceled_document_has_not_failed(client: Client, steps: Steps, stop: Stop) -> None:
    """However its activity stops."""
    steps.parsing, found = parsing(stop), document()
    jobs = Jobs(client)
    assert await jobs.ingest(job_of(found))
    await called(steps, "parse")
    assert await jobs.cancel(ingest_id(found.document_id, 1), "ada")
    assert await ends(jobs.handle(ingest_id(found.document_id, 1))) is WorkflowExecutionStatus.CANCELED
    assert [(input.canceled, input.reason.code) for input in steps.named("end_run")] == [(True, "canceled")]


@STOPS
async def test_a_paused_document_has_not_failed(client: Client, steps: Steps, stop: Stop) -> None:
    """However its activity stops: it goes on when it is resumed."""
    steps.parsing, found = parsing(stop), document()
    jobs, id = Jobs(client), ingest_id(found.document_id, 1)
    await jobs.ingest(job_of(found))
    await called(steps, "parse")
    assert await jobs.signal(id, "pause", "ada")
    await called(steps, "hold")
    steps.parsing = None
    assert await jobs.signal(id, "resume", "ada")
    assert await ends(jobs.handle(id)) is WorkflowExecutionStatus.COMPLETED
    assert steps.named("end_run") == []


@pytest.mark.parametrize("recorded", ["hold", "resume"])
async def test_a_cancel_while_a_pause_is_recorded_is_not_lost(client: Client, steps: Steps, recorded: str) -> None:
    """The activity that records it is not interrupted by Temporal's request, and so consumes it."""
    steps.parsing, found = parsing(until_stopped), document()
    jobs, id = Jobs(client), ingest_id(found.document_id, 1)
    await jobs.ingest(job_of(found))
    await called(steps, "parse")
    begun = steps.hold(recorded)
    await jobs.signal(id, "pause", "ada")
    if recorded == "resume":
        await called(steps, "hold")
        await jobs.signal(id, "resume", "ada")
    await within(begun.wait())
    assert await jobs.cancel(id, "ada")
    await asyncio.sleep(0.5)  # the workflow hears of it while the activity runs
    steps.release(recorded)
    assert await ends(jobs.handle(id)) is WorkflowExecutionStatus.CANCELED
    assert len(steps.named("parse")) == 1


async def test_the_record_of_a_failure_is_the_last_activity(client: Client, steps: Steps) -> None:
    """A cancel request does not cut it off, and the run ends as what it recorded."""

    async def damaged(input: ParseInput) -> Parsed:
        raise to_application_error(DamagedDocument(format="PDF", detail="cut off"), 0)

    steps.parsing, found = damaged, document()
    jobs, id = Jobs(client), ingest_id(found.document_id, 1)
    begun = steps.hold("end_run")
    await jobs.ingest(job_of(found))
    await within(begun.wait())
    assert not await jobs.ingest(job_of(found))  # a retry is not given to a run that is about to end
    assert not await jobs.retry(found.document_id, 1, None, "ada")
    await jobs.cancel(id, "ada")
    await asyncio.sleep(0.5)
    steps.release("end_run")
    assert await ends(jobs.handle(id)) is WorkflowExecutionStatus.FAILED
    assert [name for name, _ in steps.calls] == ["parse", "end_run"]
    assert await jobs.ingest(job_of(found))
    await ends(jobs.handle(id))


async def test_a_run_that_is_not_wanted_does_nothing(client: Client, steps: Steps) -> None:
    """A stale start of a version that is ready, canceled or paused without a run has no effect."""

    async def refused(input: ParseInput) -> Parsed:
        assert input.begins is not None
        raise to_application_error(WrongState(state="ready"), 0)

    steps.parsing, found = refused, document()
    jobs = Jobs(client)
    await jobs.ingest(job_of(found))
    run = client.get_workflow_handle(ingest_id(found.document_id, 1), result_type=IngestResult)
    assert not (await within(run.result())).begun
    assert [name for name, _ in steps.calls] == ["parse"]
    await replayer().replay_workflow(await run.fetch_history())


async def test_a_retry_after_publishing_is_refused(client: Client, steps: Steps) -> None:
    """It is answered when the run has been sent back, and refused when the run reached its end first."""
    found, begun = document(), steps.hold("embed")
    jobs, id = Jobs(client), ingest_id(found.document_id, 1)
    await jobs.ingest(job_of(found))
    await within(begun.wait())
    retried = asyncio.create_task(jobs.retry(found.document_id, 1, "parse", "ada"))
    await asyncio.sleep(1)
    steps.release("embed")
    assert not await within(retried)
    assert await ends(jobs.handle(id)) is WorkflowExecutionStatus.COMPLETED


# --- batches ----------------------------------------------------------------------------------------------


async def test_a_batch_starts_a_document_whose_earlier_run_had_to_end_first(client: Client, steps: Steps) -> None:
    """It neither joins that run, nor waits for ever."""

    async def damaged(input: ParseInput) -> Parsed:
        raise to_application_error(DamagedDocument(format="PDF", detail="cut off"), 0)

    steps.parsing, found, made = damaged, document(), batch()
    jobs = Jobs(client)
    begun = steps.hold("end_run")
    await jobs.ingest(job_of(found))
    await within(begun.wait())
    steps.parsing, steps.listed = None, [found]
    steps.not_begun = [DocumentVersion(document_id=found.document_id, version=1)]
    await jobs.batch(made, "more")
    await called(steps, "finished_documents")
    steps.release("end_run")
    assert await ends(jobs.handle(batch_workflow_id(made.batch_id))) is WorkflowExecutionStatus.COMPLETED
    assert len(steps.named("parse")) == 2
    assert steps.states == ["running", "ready"]


@pytest.mark.parametrize("last", ["cancel_queued", "settle_batch"])
async def test_a_retry_while_a_batch_is_ending_is_not_lost(client: Client, steps: Steps, last: str) -> None:
    """The batch goes on with its failed and canceled documents, and is ready."""
    made, jobs = batch(), Jobs(client)
    run = jobs.handle(batch_workflow_id(made.batch_id))
    listing = steps.hold("next_documents")
    await jobs.batch(made, "more")
    await within(listing.wait())
    begun = steps.hold(last)
    if last == "cancel_queued":
        await jobs.signal(run.id, "cancel", "ada")
    steps.release("next_documents")
    await within(begun.wait())
    await jobs.batch(made, "retry_failed", "ada")
    steps.release(last)
    assert await ends(run) is WorkflowExecutionStatus.COMPLETED
    assert len(steps.named("requeue_failed")) == 1
    assert steps.states == ["running", "canceled" if last == "cancel_queued" else "ready", "running", "ready"]


async def test_a_pause_after_a_retry_is_of_the_retry(client: Client, steps: Steps) -> None:
    """A batch that is canceled, retried and paused at once is paused; an earlier pause ends with the cancel."""
    made, jobs = batch(), Jobs(client)
    run = jobs.handle(batch_workflow_id(made.batch_id))
    listing = steps.hold("next_documents")
    await jobs.batch(made, "more")
    await within(listing.wait())
    begun = steps.hold("cancel_queued")
    await jobs.signal(run.id, "cancel", "ada")
    steps.release("next_documents")
    await within(begun.wait())
    await jobs.batch(made, "retry_failed", "ada")
    await jobs.signal(run.id, "pause", "ada")
    steps.release("cancel_queued")

    async def paused() -> bool:
        return steps.states[-1] == "paused"

    await assert_eventually(paused)
    await jobs.signal(run.id, "resume", "ada")
    assert await ends(run) is WorkflowExecutionStatus.COMPLETED
    assert len(steps.named("requeue_failed")) == 1


@pytest.mark.parametrize("name", ["settle_batch", "next_documents", "parse", "requeue_failed", "cancel_queued"])
async def test_temporals_cancel_of_a_batch_is_not_lost(client: Client, steps: Steps, name: str) -> None:
    """Whatever runs when it comes: the batch ends as canceled, in the catalogue and in Temporal."""
    made, jobs = batch(), Jobs(client)
    run, begun = jobs.handle(batch_workflow_id(made.batch_id)), steps.hold(name)
    if name == "parse":
        steps.parsing, steps.listed = parsing(until_stopped), [document()]
    await jobs.batch(made, "retry_failed" if name == "requeue_failed" else "more")
    if name == "cancel_queued":
        await jobs.signal(run.id, "cancel")
    await within(begun.wait())
    await run.cancel()
    await asyncio.sleep(0.5)
    steps.release(name)
    assert await ends(run) is WorkflowExecutionStatus.CANCELED
    assert steps.states[-1] == "canceled"


@STOPS
async def test_an_archive_can_be_canceled_while_it_is_unpacked(client: Client, steps: Steps, stop: Stop) -> None:
    """It is canceled, not failed, however the unpacking stops."""
    steps.unpacking, made, jobs = stop, batch("0" * 64), Jobs(client)
    run = jobs.handle(batch_workflow_id(made.batch_id))
    await jobs.batch(made, "more")
    await called(steps, "unpack")
    await jobs.signal(run.id, "cancel", "ada")
    await ends(run)
    assert steps.states == ["running", "canceled"]


@STOPS
async def test_an_archive_can_be_paused_while_it_is_unpacked(client: Client, steps: Steps, stop: Stop) -> None:
    """It goes on unpacking when it is resumed; a retry meanwhile changes nothing of that."""
    steps.unpacking, made, jobs = stop, batch("0" * 64), Jobs(client)
    run = jobs.handle(batch_workflow_id(made.batch_id))
    await jobs.batch(made, "more")
    await called(steps, "unpack")
    await jobs.signal(run.id, "pause", "ada")
    await called(steps, "settle_batch", 2)
    assert steps.states == ["running", "paused"]
    await jobs.signal(run.id, "retry_failed", "ada")
    await called(steps, "requeue_failed")
    steps.unpacking = None
    await jobs.signal(run.id, "resume", "ada")
    await ends(run)
    assert len(steps.named("unpack")) == 2
    assert steps.states[-1] == "ready"


async def test_an_archive_that_could_not_be_unpacked_is_tried_again(client: Client, steps: Steps) -> None:
    """Also when the retry comes while the failure is being recorded."""

    async def damaged() -> None:
        raise ApplicationError("damaged", type="damaged", non_retryable=True)

    steps.unpacking, made, jobs = damaged, batch("0" * 64), Jobs(client)
    run = jobs.handle(batch_workflow_id(made.batch_id))
    await jobs.batch(made, "more")
    await called(steps, "unpack")
    await ends(run)
    assert steps.states == ["running", "failed"]
    begun = steps.hold("settle_batch")
    await jobs.batch(made, "retry_failed", "ada")
    await within(begun.wait())
    steps.unpacking = None
    steps.release("settle_batch")
    await ends(run)
    assert steps.states[-1] == "ready"


async def test_the_first_request_may_start_a_batch(client: Client, steps: Steps) -> None:
    """A pause that comes before the dispatcher has started it; a batch that has ended is not started by it."""
    made, jobs = batch(), Jobs(client)
    run = jobs.handle(batch_workflow_id(made.batch_id))
    assert await jobs.batch(made, "pause", "ada", again=False)
    await called(steps, "settle_batch")
    assert set(steps.states) == {"paused"}
    await jobs.signal(run.id, "set_parallelism", 7, "ada")

    async def settled() -> bool:
        return bool(steps.named("settle_batch")[-1].parallelism == 7)

    await assert_eventually(settled)
    assert set(steps.states) == {"paused"}
    await jobs.signal(run.id, "cancel", "ada")
    await ends(run)
    assert not await jobs.batch(made, "pause", "ada", again=False)


async def test_a_batch_waits_for_documents_that_it_does_not_start(client: Client, steps: Steps) -> None:
    """One that is paused before it had a run keeps its batch from being ready."""
    made, jobs, steps.elsewhere = batch(), Jobs(client), 1
    run = jobs.handle(batch_workflow_id(made.batch_id))
    await jobs.batch(made, "more")
    await called(steps, "next_documents")
    await jobs.signal(run.id, "more")
    await called(steps, "next_documents", 2)
    steps.elsewhere = 0
    await jobs.signal(run.id, "more")
    assert await ends(run) is WorkflowExecutionStatus.COMPLETED
    assert steps.states == ["running", "ready"]
