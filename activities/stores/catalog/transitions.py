"""The life of a version: the only module that sets the state of a ``VersionRow`` and the columns that go with it.

::

    accept
      │      ┌──── note ────┐
      ▼      ▼              │              hold
    queued ──────▶ running ◀──▶ waiting ────────▶ paused
      ▲  ▲ └─────────────┬──────────┘ ◀──────────── │
      │  │               │             release      │   put back: queued (or paused) without a run, as accepted
      │  │       ┌───────┼─────────────────┬────────┘
      │  │    publish  finish     finish, cancel, supersede
      │  │       ▼       ▼                 ▼
      │  └──── ready   failed          canceled
      │ ingest again     │                 │
      └────────── requeue (retry) ─────────┘

=================  ================================================================================================
accept             a new row: ``queued``, with ``batch_id``, and ``supersedes`` where the older version was pending
supersede          ``reason``: a newer version came first, or was published first
dispatch           the state stays; sets ``dispatched_at``, and ``batch_page`` where the batch has asked for it
hold, release      by a person (before there is a run) or by the run; by the run, what was noted of it is cleared
note               ``running`` or ``waiting``, with all that a run notes: ``stage`` … ``eta_seconds``, ``reason``
publish            sets ``published_at`` once; the run is over
finish, cancel     sets ``reason``; the run is over; ``canceled`` keeps the reason that it had first
requeue            clears all that was noted, and ``dispatched_at``; ``retry_from`` is what this retry asks for
put back           the same, but ``retry_from`` stays: the run that was to start there never came to its end
ingest again       the same, and ``published_at`` is cleared, so that it is published anew
=================  ================================================================================================

"The run is over" clears ``waiting_for``, ``next_attempt_at``, ``eta_seconds`` and ``retry_from``.

Functions that take a row change it; their caller holds the lock of its document. The others are statements, whose
conditions make a transition that is not allowed change nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Update, and_, bindparam, null, or_, select, tuple_, update

from activities.contracts.stages import PENDING, DocumentState
from activities.errors import Canceled, Reason, Superseded
from activities.stores.catalog.records import PendingVersion, RunProgress, Upload
from activities.stores.catalog.tables import DocumentRow, VersionRow, now

#: The ``batch_page`` of a version that is started by itself, whether or not it belongs to a batch.
BY_DISPATCHER = "alone"

#: The columns that nothing else sets.
COLUMNS = frozenset(
    {
        "state", "reason", "stage", "done", "total", "attempt", "waiting_for", "next_attempt_at", "eta_seconds",
        "dispatched_at", "batch_page", "retry_from", "supersedes", "published_at",
    }
)  # fmt: skip


class Transition(msgspec.Struct, frozen=True):
    """``sources`` are the states in which it may happen, ``targets`` those that it leads to."""

    sources: tuple[DocumentState, ...]
    targets: tuple[DocumentState, ...]


#: Every transition of a version that is there, by the name of its function.
ALLOWED: dict[str, Transition] = {
    "supersede": Transition(PENDING, ("canceled",)),
    "supersede_late": Transition((*PENDING, "ready", "failed"), ("canceled",)),
    "pause_undispatched": Transition(("queued",), ("paused",)),
    "resume_undispatched": Transition(("paused",), ("queued",)),
    "cancel_undispatched": Transition(("queued", "paused"), ("canceled",)),
    "pause_run": Transition(PENDING, ("paused",)),
    "resume_run": Transition(PENDING, ("queued",)),
    "record_progress": Transition(("queued", "running", "waiting"), ("running", "waiting")),
    "publish": Transition((*PENDING, "ready", "failed"), ("ready",)),
    "finish": Transition((*PENDING, "failed"), ("failed", "canceled")),
    "cancel_batch": Transition(("queued",), ("canceled",)),
    "requeue": Transition(("failed", "canceled"), ("queued",)),
    "requeue_batch": Transition(("failed", "canceled"), ("queued",)),
    "return_to_queue": Transition(PENDING, ("queued", "paused")),
    "ingest_again": Transition(("ready",), ("queued",)),
}

#: What a run that is held or over does not wait for.
_NO_WAIT: dict[str, Any] = {"waiting_for": None, "next_attempt_at": None, "eta_seconds": None}

#: A run that came to its end, whatever it was, has done what a retry asked for.
_OVER: dict[str, Any] = {**_NO_WAIT, "retry_from": None}

#: A version whose run is forgotten, so that it starts again from its row.
_WITHOUT_A_RUN: dict[str, Any] = {
    **_NO_WAIT, "stage": "", "done": 0, "total": None, "attempt": 1, "reason": None, "dispatched_at": None,
}  # fmt: skip


# --- on a row, whose document is locked ---------------------------------------------------------------


def accept(upload: Upload, document_id: str, version: int, supersedes: int | None, at: datetime) -> VersionRow:
    """The row of a version that was just uploaded."""
    return VersionRow(
        document_id=document_id,
        version=version,
        state="queued",
        sha256=upload.sha256,
        bytes=upload.bytes,
        actor=upload.actor,
        batch_id=upload.batch_id,
        supersedes=supersedes,
        stage="",
        done=0,
        attempt=1,
        created_at=at,
        updated_at=at,
    )


def supersede(row: VersionRow) -> bool:
    """A newer version was accepted; whether this one was pending."""
    if not _allows("supersede", row):
        return False
    _set(row, state="canceled", reason={"code": Superseded.code}, retry_from=None)
    return True


def supersede_late(row: VersionRow) -> None:
    """It is ready to be published, after a newer version was."""
    if _allows("supersede_late", row):
        _set(row, state="canceled", reason={"code": Superseded.code}, **_OVER)


def publish(row: VersionRow) -> bool:
    """It is live; whether it is for the first time. Unless it was canceled (``is_publishable``)."""
    first = row.published_at is None
    if _allows("publish", row):
        _set(row, state="ready", reason=None, published_at=now() if first else row.published_at, **_OVER)
    return first


def is_publishable(row: VersionRow) -> bool:
    """Whether it may become live: whoever canceled it came first."""
    return _allows("publish", row)


def finish(row: VersionRow, state: DocumentState, reason: Reason) -> bool:
    """Its run failed or was canceled; whether this is the first word of it.

    What was canceled already keeps its reason: ``superseded`` says more than that its run was stopped.
    """
    first = row.state in PENDING
    if _allows("finish", row):
        _set(row, state=state, reason=msgspec.to_builtins(reason))
    _set(row, **_OVER)
    return first


def requeue(row: VersionRow, from_step: str | None) -> bool:
    """Back in line, to be started by itself, with everything from ``from_step`` on made anew; whether it may."""
    if not _allows("requeue", row):
        return False
    _set(row, **_WITHOUT_A_RUN, state="queued", batch_page=BY_DISPATCHER, retry_from=from_step)
    return True


# --- as statements ------------------------------------------------------------------------------------


def dispatch(versions: Collection[tuple[str, int]], page: str | None = None) -> Update:
    """Runs of these (document, version) have started, or are about to for the batch that asked for this ``page``."""
    values: dict[str, Any] = {"dispatched_at": now()}
    if page is not None:
        values["batch_page"] = page
    change = update(VersionRow).where(tuple_(VersionRow.document_id, VersionRow.version).in_(list(versions)))
    return change.values(**values).execution_options(synchronize_session=False)


def pause_undispatched(document_id: str, version: int) -> Update:
    """Pause a version that has no run yet."""
    return _undispatched("pause_undispatched", document_id, version, state="paused")


def resume_undispatched(document_id: str, version: int) -> Update:
    """Let a version go on that was paused before it had a run."""
    return _undispatched("resume_undispatched", document_id, version, state="queued", batch_page=BY_DISPATCHER)


def cancel_undispatched(document_id: str, version: int) -> Update:
    """Cancel a version that has no run yet."""
    return _undispatched("cancel_undispatched", document_id, version, **_canceled())


def pause_run(document_id: str, version: int, *, paused: bool) -> Update:
    """The run of a version holds, or goes on."""
    allowed = _from("pause_run" if paused else "resume_run")
    state = "paused" if paused else "queued"
    return _changing(_is(document_id, version), allowed, **_NO_WAIT, state=state, reason=None)


#: How far a run is: compiled once and sent for many notes at once, for workers write these all the time.
NOTE: Update = update(VersionRow).where(
    VersionRow.document_id == bindparam("note_document_id"),
    VersionRow.version == bindparam("note_version"),
    or_(*(VersionRow.state == state for state in ALLOWED["record_progress"].sources)),  # a list has no fixed length
    VersionRow.updated_at <= bindparam("note_at"),  # workers of different queues write at different times
    VersionRow.dispatched_at.is_not(None),  # the last word of a run that was cut off says nothing
)


def noted(note: RunProgress) -> dict[str, Any]:
    """The parameters of ``NOTE``: whose note it is, and the columns that it sets."""
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


def cancel_batch(batch_id: str) -> Update:
    """Cancel the versions of a batch that have not begun."""
    return _changing(VersionRow.batch_id == batch_id, _from("cancel_batch"), **_canceled())


def requeue_batch(batch_id: str) -> Update:
    """Put the failed and canceled versions of a batch back in line for it, as far as no newer version came."""
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
    """Nothing has happened to the version since it was read."""
    return and_(
        _is(version.document_id, version.version),
        VersionRow.state == version.state,
        VersionRow.updated_at == version.updated_at,
    )


def return_to_queue(version: PendingVersion, *, by_dispatcher: bool) -> Update:
    """A version whose run is lost goes back in line: for the dispatcher (a paused one stays paused), or its batch."""
    state = "paused" if by_dispatcher and version.state == "paused" else "queued"
    page = BY_DISPATCHER if by_dispatcher else None
    return _changing(is_as_read(version), _from("return_to_queue"), **_WITHOUT_A_RUN, state=state, batch_page=page)


def ingest_again(document_id: str, version: int) -> Update:
    """The live version goes back in line, to be made anew from its original."""
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
        values["reason"] = null()  # None would be the JSON value
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
