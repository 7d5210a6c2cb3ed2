"""The states of a version: which transitions exist, what each requires of the run, and that only they set a state."""

from __future__ import annotations

import ast
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from activities.contracts.ingest import DocumentToIngest, VersionRun
from activities.contracts.stages import PENDING, DocumentState
from activities.errors import Reason, WrongState
from activities.settings import Settings
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import KnowledgeBase, PendingVersion, RunProgress, Upload
from activities.stores.catalog.tables import VersionRow
from activities.stores.catalog.transitions import ALLOWED, COLUMNS
from tests.stores.catalog.conftest import ONE, TWO, accepted, publishing, sql

PACKAGE = Path(__file__).resolve().parents[3] / "activities" / "stores" / "catalog"

STATES: tuple[DocumentState, ...] = ("queued", "running", "waiting", "paused", "ready", "failed", "canceled")

DAMAGED = Reason("damaged", {"format": "PDF", "detail": "cut off"})
LATER = datetime.now(UTC) + timedelta(days=1)


class Version:
    """The first version of a document, in a batch, with the transitions that tests request."""

    def __init__(self, settings: Settings, catalog: Catalog, kb: KnowledgeBase, id: str, batch_id: str) -> None:
        self.settings, self.catalog, self.kb, self.id, self.batch_id = settings, catalog, kb, id, batch_id

    @classmethod
    async def single(cls, settings: Settings, catalog: Catalog, kb: KnowledgeBase) -> Version:
        """A version that was just uploaded without a batch."""
        return cls(settings, catalog, kb, await accepted(catalog, kb), "")

    @classmethod
    async def taken(cls, settings: Settings, catalog: Catalog, kb: KnowledgeBase) -> Version:
        """A version that was just uploaded."""
        batch = await catalog.batches.create(kb.id, "files", 4, "ann", closed=True)
        upload = Upload(knowledge_base_id=kb.id, name="a.pdf", sha256=ONE, bytes=7, actor="ann", batch_id=batch.id)
        (taken,) = await catalog.intake.accept([upload])
        assert not isinstance(taken, Exception)
        return cls(settings, catalog, kb, taken.document.id, batch.id)

    async def put(self, **columns: object) -> None:
        """Set columns directly in the database, past the catalogue."""
        await sql(self.settings, update(VersionRow).where(VersionRow.version == 1).values(**columns))

    async def row(self) -> dict[str, object]:
        """All its columns."""
        (row,) = await sql(self.settings, select(VersionRow.__table__).where(VersionRow.version == 1))
        return dict(row._mapping)

    async def read(self) -> PendingVersion:
        """As reconciliation reads it, also when it is not pending."""
        row = await self.row()
        return PendingVersion(
            document_id=self.id, version=1, name="a.pdf", state=row["state"], awaits_batch=False,  # type: ignore[arg-type]
            updated_at=row["updated_at"],  # type: ignore[arg-type]
        )  # fmt: skip

    async def dispatched(self, page: str | None = None) -> DocumentToIngest:
        """The input of its next run, as the dispatcher or its batch starts it."""
        if page is None:
            (found,) = await self.catalog.intake.undispatched(10)
            await self.catalog.intake.dispatched([found])
        else:
            (found,) = (await self.catalog.batches.next_documents(self.batch_id, page, 10))[0]
        return found

    async def failed(self) -> None:
        """End its run as failed."""
        await self.catalog.documents.finish(self.id, 1, "failed", DAMAGED)


# --- the step that a retry asks for ---------------------------------------------------------------------------


async def _retried(version: Version) -> DocumentToIngest:
    await version.failed()
    assert await version.catalog.intake.retry(version.id, 1, None, "ann")
    return await version.dispatched()


async def _retried_with_its_batch(version: Version) -> DocumentToIngest:
    await version.failed()
    assert await version.catalog.batches.requeue_failed(version.batch_id) == 1
    return await version.dispatched("again")


async def _canceled_and_retried_with_its_batch(version: Version) -> DocumentToIngest:
    await version.catalog.documents.finish(version.id, 1, "canceled", Reason("canceled"))
    assert await version.catalog.batches.requeue_failed(version.batch_id) == 1
    return await version.dispatched("again")


async def _ingested_again(version: Version) -> DocumentToIngest:
    await version.catalog.documents.publish(publishing(version.id, 1))
    assert await version.catalog.stalled_runs.ingest_again(version.id, 1)
    return await version.dispatched()


@pytest.mark.parametrize(
    "again", [_retried, _retried_with_its_batch, _canceled_and_retried_with_its_batch, _ingested_again]
)
async def test_a_retry_from_a_step_is_for_one_run(
    settings: Settings, catalog: Catalog, kb: KnowledgeBase, again: Callable[[Version], Awaitable[DocumentToIngest]]
) -> None:
    """The run after it, whatever its cause, reuses earlier results."""
    version = await Version.taken(settings, catalog, kb)
    await version.dispatched("first")
    await version.failed()
    assert await catalog.intake.retry(version.id, 1, "parse", "ann")
    assert (await version.dispatched()).retry_from == "parse"
    assert (await again(version)).retry_from is None


async def test_the_end_of_a_run_is_the_end_of_its_retry(
    settings: Settings, catalog: Catalog, kb: KnowledgeBase
) -> None:
    """The requested step is cleared when the run ends, not when its input is first read."""
    version = await Version.taken(settings, catalog, kb)
    running = {"state": "running", "retry_from": "parse", "waiting_for": "triton", "eta_seconds": 4.0}
    for end in (version.failed, lambda: catalog.documents.publish(publishing(version.id, 1))):
        await version.put(**running, dispatched_at=LATER)
        await end()
        row = await version.row()
        assert (row["retry_from"], row["waiting_for"], row["eta_seconds"]) == (None, None, None)


async def test_a_lost_run_restarts_from_its_retrys_step(
    settings: Settings, catalog: Catalog, kb: KnowledgeBase
) -> None:
    """A retry from a step whose run was lost still has to happen."""
    version = await Version.taken(settings, catalog, kb)
    await version.failed()
    await catalog.intake.retry(version.id, 1, "chunk", "ann")
    await version.dispatched()
    assert await catalog.stalled_runs.return_to_queue(await version.read())
    assert (await version.dispatched()).retry_from == "chunk"


# --- the transitions ---------------------------------------------------------------------


async def _supersede(version: Version) -> None:
    await version.catalog.documents.accept(version.kb.id, "a.pdf", TWO, 7, "ann")


async def _supersede_late(version: Version) -> None:
    before = await version.row()
    await _supersede(version)
    await version.put(**before)
    await version.catalog.documents.publish(publishing(version.id, 2))
    await version.catalog.documents.publish(publishing(version.id, 1))


async def _note(version: Version) -> None:
    await version.put(dispatched_at=datetime(2020, 1, 1, tzinfo=UTC))
    note = RunProgress(document_id=version.id, version=1, at=LATER, state="waiting", stage="embed")
    await version.catalog.documents.record_progress([note])


async def _begin(version: Version) -> None:
    with suppress(WrongState):
        await version.catalog.documents.begin_run(VersionRun(document_id=version.id, version=1, run=1))


async def _put_back(version: Version) -> None:
    await version.catalog.stalled_runs.return_to_queue(await version.read())


async def _ingest_again(version: Version) -> None:
    await sql(version.settings, "UPDATE documents SET live_version = 1")
    await version.catalog.stalled_runs.ingest_again(version.id, 1)


#: How a test requests each transition, by its name in the table.
ASKED: dict[str, Callable[[Version], Awaitable[object]]] = {
    "supersede": _supersede,
    "supersede_late": _supersede_late,
    "begin": _begin,
    "pause_undispatched": lambda version: version.catalog.intake.pause(version.id, 1, "ann"),
    "resume_undispatched": lambda version: version.catalog.intake.resume(version.id, 1, "ann"),
    "cancel": lambda version: version.catalog.intake.cancel(version.id, 1, "ann"),
    "pause_run": lambda version: version.catalog.documents.record_pause(version.id, 1, paused=True),
    "resume_run": lambda version: version.catalog.documents.record_pause(version.id, 1, paused=False),
    "record_progress": _note,
    "publish": lambda version: version.catalog.documents.publish(publishing(version.id, 1)),
    "finish": Version.failed,
    "cancel_batch": lambda version: version.catalog.batches.cancel_queued(version.batch_id),
    "requeue": lambda version: version.catalog.intake.retry(version.id, 1, None, "ann"),
    "requeue_batch": lambda version: version.catalog.batches.requeue_failed(version.batch_id),
    "return_to_queue": _put_back,
    "ingest_again": _ingest_again,
}


@pytest.mark.parametrize("name", ALLOWED)
@pytest.mark.parametrize("state", STATES)
async def test_a_transition_happens_where_it_is_allowed(
    settings: Settings, catalog: Catalog, kb: KnowledgeBase, name: str, state: DocumentState
) -> None:
    """In every other state the version keeps its state and its reason."""
    version = await Version.taken(settings, catalog, kb)
    await version.put(state=state, reason={"code": "damaged"})
    await ASKED[name](version)
    row = await version.row()
    if state in ALLOWED[name].sources:
        assert row["state"] in ALLOWED[name].targets
    else:
        assert (row["state"], row["reason"]) == (state, {"code": "damaged"})


@pytest.mark.parametrize("name", ["pause_undispatched", "resume_undispatched", "requeue"])
async def test_a_running_version_is_controlled_through_its_run(
    settings: Settings, catalog: Catalog, kb: KnowledgeBase, name: str
) -> None:
    """The catalogue changes nothing of a version that has a run."""
    version = await Version.taken(settings, catalog, kb)
    state = next(state for state in ALLOWED[name].sources if state in PENDING)
    await version.put(state=state, dispatched_at=LATER)
    assert not await ASKED[name](version)
    assert (await version.row())["state"] == state


@pytest.mark.parametrize("published", [False, True])
async def test_what_is_canceled_is_not_published(
    settings: Settings, catalog: Catalog, kb: KnowledgeBase, published: bool
) -> None:
    """Whoever comes first wins, also while the version has a run: a canceled one never becomes live."""
    version = await Version.taken(settings, catalog, kb)
    await version.put(state="running", dispatched_at=LATER)
    if published:
        await catalog.documents.publish(publishing(version.id, 1))
    assert await catalog.intake.cancel(version.id, 1, "ada") is not published
    assert (await catalog.documents.publish(publishing(version.id, 1))).live is published
    assert (await version.row())["state"] == ("ready" if published else "canceled")


@pytest.mark.parametrize("state", STATES)
async def test_starting_a_run_leaves_the_state(
    settings: Settings, catalog: Catalog, kb: KnowledgeBase, state: DocumentState
) -> None:
    """Its start is recorded unless the version has changed since the dispatcher read it."""
    version = await Version.single(settings, catalog, kb)
    found = await catalog.intake.undispatched(10)
    await version.put(state=state)
    await catalog.intake.dispatched(found)
    assert (await version.row())["state"] == state
    assert ((await version.row())["dispatched_at"] is not None) == (state == "queued")


async def test_the_start_of_an_earlier_run_is_not_that_of_the_next(
    settings: Settings, catalog: Catalog, kb: KnowledgeBase
) -> None:
    """A run may fail, and be requeued, before the dispatcher records its start; the next run still starts."""
    version = await Version.single(settings, catalog, kb)
    found = await catalog.intake.undispatched(10)
    await version.failed()
    assert await catalog.intake.retry(version.id, 1, None, "ann")
    await catalog.intake.dispatched(found)
    (again,) = await catalog.intake.undispatched(10)
    assert again.run == found[0].run + 1


# --- the run asks whether it is wanted ----------------------------------------------------------------


async def test_a_run_begins_as_often_as_its_first_activity_is_tried(
    settings: Settings, catalog: Catalog, kb: KnowledgeBase
) -> None:
    """It takes the version out of the outbox, also if the dispatcher could not record the start."""
    version = await Version.single(settings, catalog, kb)
    for _ in range(2):
        await catalog.documents.begin_run(VersionRun(document_id=version.id, version=1, run=1))
        assert (await version.row())["state"] == "running"
    assert await catalog.intake.undispatched(10) == []


@pytest.mark.parametrize("change", ["paused", "canceled", "ready", "deleted", "retried", "ending"])
async def test_a_run_that_is_not_wanted_does_not_begin(
    settings: Settings, catalog: Catalog, kb: KnowledgeBase, change: str
) -> None:
    """Whatever happened between reading the outbox and the start of the run."""
    version = await Version.single(settings, catalog, kb)
    (found,) = await catalog.intake.undispatched(10)
    match change:
        case "paused":
            assert await catalog.intake.pause(version.id, 1, "ann")
        case "canceled":
            assert await catalog.intake.cancel(version.id, 1, "ann")
        case "ready":
            await catalog.documents.publish(publishing(version.id, 1))
        case "deleted":
            await catalog.documents.delete(version.id, "ann")
        case "retried":
            assert await catalog.intake.retry(version.id, 1, "parse", "ann")
        case _:
            assert await catalog.documents.end_run(version.id, 1, 1)
    before = await version.row()
    with pytest.raises(WrongState):
        await catalog.documents.begin_run(VersionRun(document_id=version.id, version=1, run=found.run))
    assert (await version.row()) == before


# --- the end of a run ---------------------------------------------------------------------------------


async def test_a_run_that_ends_publishes_no_more(settings: Settings, catalog: Catalog, kb: KnowledgeBase) -> None:
    """Its rows are purged: an attempt that was believed dead must not make the version live."""
    version = await Version.single(settings, catalog, kb)
    assert await catalog.documents.end_run(version.id, 1, 1)
    for columns in ({"state": "running"}, {"state": "failed", "ending": False}):
        await version.put(**columns)
        assert not (await catalog.documents.publish(publishing(version.id, 1))).live
    assert (await catalog.documents.get(version.id)).live_version is None


async def test_what_is_published_does_not_end(settings: Settings, catalog: Catalog, kb: KnowledgeBase) -> None:
    """The rows of a live version are kept."""
    version = await Version.single(settings, catalog, kb)
    await catalog.documents.publish(publishing(version.id, 1))
    assert not await catalog.documents.end_run(version.id, 1, 1)
    assert (await version.row())["state"] == "ready"


async def test_an_earlier_run_does_not_end_the_next(settings: Settings, catalog: Catalog, kb: KnowledgeBase) -> None:
    """It neither purges rows nor records its reason."""
    version = await Version.single(settings, catalog, kb)
    await catalog.intake.cancel(version.id, 1, "ann")
    assert await catalog.intake.retry(version.id, 1, None, "ann")
    assert not await catalog.documents.end_run(version.id, 1, 1)
    await catalog.documents.finish(version.id, 1, "canceled", Reason("canceled"), run=1)
    assert (await version.row())["state"] == "queued"


# --- batches ------------------------------------------------------------------------------------------


async def test_a_listed_document_can_be_controlled(settings: Settings, catalog: Catalog, kb: KnowledgeBase) -> None:
    """Its batch has yet to start it: pause, resume, cancel and retry change it at once."""
    version = await Version.taken(settings, catalog, kb)
    await version.dispatched("first")
    assert await catalog.intake.pause(version.id, 1, "ann")
    assert await catalog.batches.elsewhere(version.batch_id) == 1
    assert await catalog.intake.resume(version.id, 1, "ann")
    assert await catalog.intake.cancel(version.id, 1, "ann")
    assert await catalog.batches.elsewhere(version.batch_id) == 0
    assert await catalog.intake.retry(version.id, 1, None, "ann")


async def test_canceling_a_batch_leaves_what_runs_to_its_run(
    settings: Settings, catalog: Catalog, kb: KnowledgeBase
) -> None:
    """A document that was started, but has not begun, is canceled by its run; a paused one without a run at once."""
    version = await Version.taken(settings, catalog, kb)
    await version.dispatched("first")
    assert await catalog.batches.cancel_queued(version.batch_id, [(version.id, 1)]) == (0, [(version.id, 1)])
    await catalog.intake.pause(version.id, 1, "ann")
    assert await catalog.batches.cancel_queued(version.batch_id) == (1, [])
    assert (await version.row())["state"] == "canceled"


async def test_a_look_tells_which_documents_no_run_has_begun(
    settings: Settings, catalog: Catalog, kb: KnowledgeBase
) -> None:
    """Their batch starts them again if an earlier run was in the way."""
    version = await Version.taken(settings, catalog, kb)
    await version.dispatched("first")
    assert await catalog.batches.finished([(version.id, 1)]) == ([], [(version.id, 1)])
    await catalog.documents.begin_run(VersionRun(document_id=version.id, version=1, run=1))
    assert await catalog.batches.finished([(version.id, 1)]) == ([], [])
    await version.failed()
    assert await catalog.batches.finished([(version.id, 1)]) == ([(version.id, 1)], [])


async def test_a_requeued_version_has_the_columns_of_a_new_one(
    settings: Settings, catalog: Catalog, kb: KnowledgeBase
) -> None:
    """After a retry, alone or with its batch, and after a lost run."""
    version = await Version.taken(settings, catalog, kb)
    fresh = {column: (await version.row())[column] for column in COLUMNS - {"batch_page", "run"}}
    used = {
        "stage": "embed", "done": 7, "total": 9, "attempt": 3, "waiting_for": "triton", "next_attempt_at": LATER,
        "eta_seconds": 4.0, "reason": {"code": "damaged"}, "dispatched_at": LATER, "ending": True,
    }  # fmt: skip
    for state, name in (("failed", "requeue"), ("failed", "requeue_batch"), ("running", "return_to_queue"),
                        ("ready", "ingest_again")):  # fmt: skip
        await version.put(state=state, **used)
        run = (await version.row())["run"]
        await ASKED[name](version)
        assert (await version.row())["run"] == run + 1  # type: ignore[operator]
        assert {column: (await version.row())[column] for column in fresh} == fresh


# --- no other code sets a state ---------------------------------------------------------------------


def changes_of_versions(tree: ast.Module) -> Iterator[str]:
    """Places where a module creates or changes rows of versions: statements, new rows, columns of a row."""
    knows = any(isinstance(node, ast.alias) and node.name == "VersionRow" for node in ast.walk(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func.id if isinstance(node.func, ast.Name) else ""
            of_versions = any(isinstance(each, ast.Name) and each.id == "VersionRow" for each in node.args)
            if called == "VersionRow" or (called in ("update", "insert") and of_versions):
                yield f"{node.lineno}: {called}"
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and node.attr in COLUMNS and knows:
            yield f"{node.lineno}: {node.attr}"


def test_only_the_transitions_change_a_versions_state() -> None:
    """No other module of the catalogue sets its state or the columns that belong to it."""
    found = {path.name: list(changes_of_versions(ast.parse(path.read_text()))) for path in PACKAGE.glob("*.py")}
    assert found.pop("transitions.py")
    assert {name: places for name, places in found.items() if places} == {}


@pytest.mark.parametrize(
    "line",
    [
        "row.state = 'failed'",
        "row.chunks, row.retry_from = 3, None",
        "row.done += 1",
        "update(VersionRow).values(state='failed')",
        "change = update(VersionRow)",
        "session.add(VersionRow(state='queued'))",
    ],
)
def test_the_check_finds_each_kind_of_change(line: str) -> None:
    """The check above finds statements, new rows and assignments."""
    source = f"from activities.stores.catalog.tables import VersionRow\n{line}\n"
    assert list(changes_of_versions(ast.parse(source)))


async def test_the_table_names_every_transition() -> None:
    """These tests request each of them, by the name of its function."""
    functions = {node.name for node in ast.parse((PACKAGE / "transitions.py").read_text()).body
                 if isinstance(node, ast.FunctionDef)}  # fmt: skip
    assert ASKED.keys() == ALLOWED.keys()
    assert ALLOWED.keys() - functions == {
        "record_progress",
        "resume_run",
    }  # a compiled statement; the other end of pause_run
