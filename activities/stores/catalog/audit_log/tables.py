"""Tables of the tamper-evident log. The events themselves have their place in it, and their salts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from activities.stores.catalog.tables import Table, now

#: The only row of ``audit_log``.
ONLY = 1


class AuditLogRow(Table):
    """The log, in one row: its size, the process that keeps it, and what is wrong with it.

    ``problem`` is what the keeper found, ``difference`` what Reconcile did. Events before ``first`` were dropped by
    retention; ``anchor`` is the signed checkpoint of that size. ``checked`` events were compared with the tree since
    ``check_began_at``.
    """

    __tablename__ = "audit_log"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    size: Mapped[int] = mapped_column(default=0)
    first: Mapped[int] = mapped_column(default=0)
    anchor: Mapped[str | None] = mapped_column(Text)
    keeper: Mapped[str | None] = mapped_column(String(64))
    kept_until: Mapped[datetime | None]
    problem: Mapped[str | None] = mapped_column(Text)
    difference: Mapped[str | None] = mapped_column(Text)
    checked: Mapped[int] = mapped_column(default=0)
    check_began_at: Mapped[datetime | None]
    check_ended_at: Mapped[datetime | None]


class AuditTileRow(Table):
    """Up to 256 adjacent hashes of one level of the log's tree (``activities.audit_log.tiles``)."""

    __tablename__ = "audit_tiles"
    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hashes: Mapped[bytes] = mapped_column(LargeBinary)


class AuditHoldRow(Table):
    """A legal hold: nothing of the knowledge base is deleted or erased."""

    __tablename__ = "audit_holds"
    knowledge_base_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    reason: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(String(200))
    at: Mapped[datetime] = mapped_column(default=now)


class AuditCheckpointRow(Table):
    """A signed checkpoint."""

    __tablename__ = "audit_checkpoints"
    size: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    note: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(default=now)
