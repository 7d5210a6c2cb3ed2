"""Tables of archived histories, and of what was told of runs already."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from activities.stores.catalog.tables import Table, now


class ArchivedRunRow(Table):
    """A run whose history is in the blob store. Its audit event ``run.archive`` has the blob's hash too."""

    __tablename__ = "archived_runs"
    run_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    workflow_id: Mapped[str] = mapped_column(String(1000), index=True)
    type: Mapped[str] = mapped_column(String(64))
    knowledge_base: Mapped[str | None] = mapped_column(String(63), index=True)
    document_id: Mapped[str | None] = mapped_column(String(32), index=True)
    actor: Mapped[str] = mapped_column(String(200))
    stage: Mapped[str] = mapped_column(String(32))
    status: Mapped[str] = mapped_column(String(20))
    started_at: Mapped[datetime]
    closed_at: Mapped[datetime] = mapped_column(index=True)
    events: Mapped[int]
    bytes: Mapped[int]
    blob_key: Mapped[str] = mapped_column(String(200))
    sha256: Mapped[str] = mapped_column(String(64))
    archived_at: Mapped[datetime] = mapped_column(default=now)


class OutsideActionRow(Table):
    """An event of a run's history that was told in the audit trail as an action around the API."""

    __tablename__ = "outside_actions"
    run_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    event_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    told_at: Mapped[datetime] = mapped_column(default=now)


class RunMarkRow(Table):
    """The time up to which a scan has seen the closed runs."""

    __tablename__ = "run_marks"
    scan: Mapped[str] = mapped_column(String(16), primary_key=True)
    at: Mapped[datetime]
