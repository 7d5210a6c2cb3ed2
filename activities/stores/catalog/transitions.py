"""The state machine of a version: the only module that sets ``VersionRow.state`` and the columns that depend on it.

::

    accept
      │      ┌── progress ──┐
      ▼      ▼              │              pause
    queued ──────▶ running ◀──▶ waiting ────────▶ paused
      ▲  ▲ └─────────────┬──────────┘ ◀──────────── │
      │  │               │             resume       │   return to queue: queued (or paused) without a run
      │  │       ┌───────┼─────────────────┬────────┘
      │  │    publish  finish     finish, cancel, supersede
      │  │       ▼       ▼                 ▼
      │  └──── ready   failed          canceled
      │ ingest again     │                 │
      └────────── requeue (retry) ─────────┘

=================  ================================================================================================
accept             a new row: ``queued``, with ``batch_id``, and ``supersedes`` if the older version was pending
supersede          sets ``reason``: a newer version was accepted, or was published first
list               keeps the state; sets ``batch_page``: the version's batch is going to start it
dispatch           keeps the state; sets ``dispatched_at``: the version has a run
begin              by the run itself, unless the version is not to be ingested any more; sets ``dispatched_at``
pause, resume      by a user (before the version has a run) or by the run; the latter clears the wait and ``reason``
progress           ``running`` or ``waiting``, with the progress of the run: ``stage`` … ``eta_seconds``, ``reason``
publish            sets ``published_at`` once; ends the run, unless a version that it replaces is still to be purged
end                keeps the state; sets ``ending``: the run removes what it wrote, and publishes no more
finish, cancel     sets ``reason``; ends the run; a canceled version keeps its first reason. A user's cancel counts at
                   once, also while the version has a run
requeue            clears the progress, ``ending`` and ``dispatched_at``; counts up ``run``; sets ``retry_from`` to the
                   stage that the retry asks for
return to queue    like requeue, but keeps ``retry_from``: the run that was to start there did not complete
ingest again       like requeue, and clears ``published_at``, so that the version is published again
=================  ================================================================================================

"Ends the run" clears ``waiting_for``, ``next_attempt_at``, ``eta_seconds`` and ``retry_from``.

Functions that take a row modify it; the caller holds the lock of its document. The others return statements whose
conditions turn a transition that is not allowed into a no-op.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Update, and_, bindparam, func, null, or_, select, tuple_, update

from activities.contracts.stages import PENDING, DocumentState
from activities.errors import Canceled, Reason, Superseded
from activities.stores.catalog.records import PendingVersion, RunProgress, Upload
from activities.stores.catalog.tables import DocumentRow, VersionRow, now

#: The ``batch_page`` of a version that the dispatcher starts, whether or not it belongs to a batch.
BY_DISPATCHER = "alone"

#: The columns that only this module sets.
COLUMNS = frozenset(
    {
        "state", "reason", "stage", "done", "total", "attempt", "waiting_for", "next_attempt_at", "eta_seconds",
        "run", "ending", "dispatched_at", "batch_page", "retry_from", "supersedes", "published_at",
    }
)  # fmt: skip


class Transition(msgspec.Struct, frozen=True):
    """A transition from any of the states ``sources`` to one of ``targets``."""

    sources: tuple[DocumentState, ...]
    targets: tuple[DocumentState, ...]


#: Every transition of an existing version, by the name of its function (``record_progress`` is ``NOTE``).
ALLOWED: dict[str, Transition] = {
    "supersede": Transition(PENDING, ("canceled",)),
    "supersede_late": Transition((*PENDING, "ready"), ("canceled",)),
    "begin": Transition(("queued", "running", "waiting"), ("running",)),
    "pause_undispatched": Transition(("queued",), ("paused",)),
    "resume_undispatched": Transition(("paused",), ("queued",)),
    "cancel": Transition(PENDING, ("canceled",)),
    "pause_run": Transition(PENDING, ("paused",)),
    "resume_run": Transition(PENDING, ("queued",)),
    "record_progress": Transition(("queued", "running", "waiting"), ("running", "waiting")),
    "publish": Transition((*PENDING, "ready"), ("ready",)),
    "finish": Transition((*PENDING, "failed"), ("failed", "canceled")),
    "cancel_batch": Transition(("queued", "paused"), ("canceled",)),
    "requeue": Transition(("failed", "canceled", "queued", "paused"), ("queued",)),
    "requeue_batch": Transition(("failed", "canceled"), ("queued",)),
    "return_to_queue": Transition(PENDING, ("queued", "paused")),
    "ingest_again": Transition(("ready",), ("queued",)),
}

#: Clears the wait columns, of a run that is paused or over.
_NO_WAIT: dict[str, Any] = {"waiting_for": None, "next_attempt_at": None, "eta_seconds": None}

#: Ends a run: also clears ``retry_from``, since the requested retry is done.
_OVER: dict[str, Any] = {**_NO_WAIT, "retry_from": None}

#: Clears everything recorded of a run, so that a new run starts from the row.
_WITHOUT_A_RUN: dict[str, Any] = {
    **_NO_WAIT, "stage": "", "done": 0, "total": None, "attempt": 1, "reason": None, "dispatched_at": None,
    "run": VersionRow.run + 1, "ending": False,
}  # fmt: skip


# --- on a row whose document is locked ----------------------------------------------------------------


def accept(
    upload: Upload, document_id: str, version: int, supersedes: int | None, at: datetime, batch_id: str | None
) -> VersionRow:
    """The new row of an accepted upload."""
    return VersionRow(
        document_id=document_id,
        version=version,
        knowledge_base_id=upload.knowledge_base_id,
        state="queued",
        sha256=upload.sha256,
        bytes=upload.bytes,
        actor=upload.actor,
        batch_id=batch_id,
        supersedes=supersedes,
        stage="",
        done=0,
        attempt=1,
        created_at=at,
        updated_at=at,
    )


def supersede(row: VersionRow) -> bool:
    """Cancels the version because a newer one was accepted; whether this one was pending, and not yet live."""
    if not _allows("supersede", row) or row.published_at is not None:
        return False
    _set(row, state="canceled", reason={"code": Superseded.code}, retry_from=None)
    return True


def supersede_late(row: VersionRow) -> None:
    """Cancels the version because a newer one was published before its own run reached publishing."""
    if _allows("supersede_late", row):
        _set(row, state="canceled", reason={"code": Superseded.code}, **_OVER)


def publish(row: VersionRow, *, is_ready: bool = True) -> bool:
    """Publishes the version, unless it was canceled (``is_publishable``); whether it is its first publishing.

    Unless it ``is_ready``, its run is not over: the rows of the version that it replaces are to be purged first.
    """
    first = row.published_at is None
    if _allows("publish", row):
        _set(row, published_at=now() if first else row.published_at)
        if is_ready:
            _set(row, state="ready", reason=None, **_OVER)
    return first


def is_publishable(row: VersionRow) -> bool:
    """Whether the version may become live: it is neither canceled nor failed, nor is its run removing its rows."""
    return _allows("publish", row) and not row.ending


def begin(row: VersionRow, run: int) -> bool:
    """Begins this run of the version; False if the version is not to be ingested, or by another run.

    A run may begin several times: whenever its first activity is tried again.
    """
    if row.run != run or row.ending or not _allows("begin", row):
        return False
    _set(row, state="running", dispatched_at=row.dispatched_at or now())
    return True


def end(row: VersionRow, run: int) -> bool:
    """Announces the end of a run, after which it publishes no more; False if its rows must be kept.

    That is so when they are published, or are those of a later run (``run`` is 0 when it is not known).
    """
    if row.published_at is not None or (run and row.run != run):
        return False
    _set(row, ending=True, dispatched_at=row.dispatched_at or now())
    return True


def finish(row: VersionRow, state: DocumentState, reason: Reason) -> bool:
    """Records that the version's run failed or was canceled; whether the version was still pending.

    A version that was canceled before keeps its reason: ``superseded`` is more specific than ``canceled``.
    """
    first = row.state in PENDING
    if _allows("finish", row):
        _set(row, state=state, reason=msgspec.to_builtins(reason))
    _set(row, **_OVER, ending=False)
    return first


def requeue(row: VersionRow, from_step: str | None) -> bool:
    """Requeues the version for the dispatcher; output from ``from_step`` on is rebuilt. False if not allowed.

    A pending version must not have a run yet, nor wait for just this one already.
    """
    waits = (row.state, row.batch_page, row.retry_from) == ("queued", BY_DISPATCHER, from_step)
    if not _allows("requeue", row) or waits or (row.state in PENDING and row.dispatched_at is not None):
        return False
    values = {**_WITHOUT_A_RUN, "run": row.run + 1}
    _set(row, **values, state="queued", batch_page=BY_DISPATCHER, retry_from=from_step)
    return True


# --- as statements ------------------------------------------------------------------------------------


def mark_listed(versions: Collection[tuple[str, int]], page: str) -> Update:
    """Records that a batch got these (document, version) as ``page``, to start them."""
    change = update(VersionRow).where(are(versions))
    return change.values(batch_page=page).execution_options(synchronize_session=False)


def mark_dispatched(runs: Collection[tuple[str, int, int]]) -> Update:
    """Records that these (document, version, run) have started.

    Changes nothing where the version was paused, canceled or requeued in the meantime, or its run has begun.
    """
    change = update(VersionRow).where(
        tuple_(VersionRow.document_id, VersionRow.version, VersionRow.run).in_(list(runs)),
        VersionRow.state == "queued",
        VersionRow.dispatched_at.is_(None),
    )
    return change.values(dispatched_at=now()).execution_options(synchronize_session=False)


def are(versions: Collection[tuple[str, int]]) -> ColumnElement[bool]:
    """Condition that a version is one of these (document, version).

    The documents are named by themselves too, for SQLite: it reads a whole table for a list of pairs.
    """
    pairs = tuple_(VersionRow.document_id, VersionRow.version).in_(list(versions))
    return VersionRow.document_id.in_({document for document, _ in versions}) & pairs


def pause_undispatched(document_id: str, version: int) -> Update:
    """Pauses a version that has no run yet."""
    return _undispatched("pause_undispatched", document_id, version, state="paused")


def resume_undispatched(document_id: str, version: int) -> Update:
    """Resumes a version that was paused before it had a run."""
    return _undispatched("resume_undispatched", document_id, version, state="queued", batch_page=BY_DISPATCHER)


def cancel(document_id: str, version: int) -> Update:
    """Cancels a version that is not published yet: from now on, its run can do no more than remove what it wrote."""
    unpublished = VersionRow.published_at.is_(None)
    return _changing(_is(document_id, version), _from("cancel"), unpublished, **_NO_WAIT, **_canceled())


def pause_run(document_id: str, version: int, *, paused: bool) -> Update:
    """Records that the run of a version was paused or resumed; it may not have begun yet."""
    allowed = _from("pause_run" if paused else "resume_run")
    state = "paused" if paused else "queued"
    dispatched_at = func.coalesce(VersionRow.dispatched_at, now())
    return _changing(
        _is(document_id, version), allowed, **_NO_WAIT, state=state, reason=None, dispatched_at=dispatched_at
    )


#: Records the progress of a run: compiled once and executed for many versions at once, since workers write often.
NOTE: Update = update(VersionRow).where(
    VersionRow.document_id == bindparam("note_document_id"),
    VersionRow.version == bindparam("note_version"),
    or_(*(VersionRow.state == state for state in ALLOWED["record_progress"].sources)),  # a list has no fixed length
    VersionRow.updated_at <= bindparam("note_at"),  # workers of different queues may write out of order
    VersionRow.dispatched_at.is_not(None),  # ignore late progress of a run that was reset
)


def noted(note: RunProgress) -> dict[str, Any]:
    """The parameters of ``NOTE``: the version, the time, and the columns to set."""
    return {
        "note_document_id": note.document_id,
        "note_version": note.version,
        "note_at": note.at,
        "updated_at": note.at,
        "state": note.state,
        "stage": note.stage,
        "done": note.done,
        "total": note.total,
        "attempt": note.attempt,
        "waiting_for": note.waiting_for,
        "reason": msgspec.to_builtins(note.reason) if note.reason else null(),
        "next_attempt_at": note.next_attempt_at,
        "eta_seconds": note.eta_seconds,
    }


def cancel_batch(batch_id: str, running: Collection[tuple[str, int]] = ()) -> Update:
    """Cancels the versions of a batch that have no run yet; the batch has started those that are ``running``."""
    return _changing(
        VersionRow.batch_id == batch_id,
        _from("cancel_batch"),
        VersionRow.dispatched_at.is_(None),
        tuple_(VersionRow.document_id, VersionRow.version).not_in(list(running)),
        **_canceled(),
    )


def requeue_batch(batch_id: str) -> Update:
    """Requeues the failed and canceled versions of a batch, for the batch, unless a newer version exists."""
    latest_version = (
        select(DocumentRow.latest_version)
        .where(DocumentRow.id == VersionRow.document_id, DocumentRow.deleted_at.is_(None))
        .scalar_subquery()
    )
    return _changing(
        VersionRow.batch_id == batch_id,
        _from("requeue_batch"),
        VersionRow.version == latest_version,
        **_WITHOUT_A_RUN,
        state="queued",
        batch_page=None,
        retry_from=None,
        supersedes=None,
    )


def is_as_read(version: PendingVersion) -> ColumnElement[bool]:
    """Condition that the version is unchanged since it was read."""
    return and_(
        _is(version.document_id, version.version),
        VersionRow.state == version.state,
        VersionRow.updated_at == version.updated_at,
    )


def return_to_queue(version: PendingVersion, *, by_dispatcher: bool) -> Update:
    """Returns a version whose run is lost to the queue of the dispatcher (a paused one stays paused) or its batch."""
    state = "paused" if by_dispatcher and version.state == "paused" else "queued"
    page = BY_DISPATCHER if by_dispatcher else None
    return _changing(is_as_read(version), _from("return_to_queue"), **_WITHOUT_A_RUN, state=state, batch_page=page)


def ingest_again(document_id: str, version: int) -> Update:
    """Requeues the live version, to be ingested again from its original."""
    live = select(DocumentRow.live_version).where(DocumentRow.id == document_id).scalar_subquery()
    return _changing(
        _is(document_id, version),
        _from("ingest_again"),
        VersionRow.version == live,
        **_WITHOUT_A_RUN,
        state="queued",
        batch_page=BY_DISPATCHER,
        published_at=None,
        retry_from=None,
        supersedes=None,
    )


def _canceled() -> dict[str, Any]:
    return {"state": "canceled", "reason": msgspec.to_builtins(Canceled().reason), "retry_from": None}


def _undispatched(name: str, document_id: str, version: int, **values: Any) -> Update:
    return _changing(_is(document_id, version), _from(name), VersionRow.dispatched_at.is_(None), **values)


def _changing(*conditions: ColumnElement[bool], **values: Any) -> Update:
    if values.get("reason", ...) is None:
        values["reason"] = null()  # None would be stored as JSON null
    return update(VersionRow).where(*conditions).values(**values, updated_at=now())


def _is(document_id: str, version: int) -> ColumnElement[bool]:
    return (VersionRow.document_id == document_id) & (VersionRow.version == version)


def _from(name: str) -> ColumnElement[bool]:
    return VersionRow.state.in_(ALLOWED[name].sources)


def _allows(name: str, row: VersionRow) -> bool:
    return row.state in ALLOWED[name].sources


def _set(row: VersionRow, **values: Any) -> None:
    for column, value in values.items():
        setattr(row, column, value)
