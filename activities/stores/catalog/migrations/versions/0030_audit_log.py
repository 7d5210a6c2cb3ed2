"""The tamper-evident log of audit events: places and salts, tiles of its tree, checkpoints; legal holds"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and tables; the events that are there enter the log after the start, the oldest first."""
    op.add_column("audit_events", sa.Column("log_index", sa.BigInteger(), nullable=True))
    op.add_column("audit_events", sa.Column("salt", sa.String(32), nullable=True))
    op.add_column("audit_events", sa.Column("text_salt", sa.String(32), nullable=True))
    op.add_column("audit_events", sa.Column("text_hash", sa.String(64), nullable=True))
    op.create_index("ix_audit_events_log_index", "audit_events", ["log_index"], unique=True)
    waiting = sa.text("log_index IS NULL")
    op.create_index("ix_audit_events_unlogged", "audit_events", ["id"], sqlite_where=waiting, postgresql_where=waiting)
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("anchor", sa.Text(), nullable=True),
        sa.Column("keeper", sa.String(64), nullable=True),
        sa.Column("kept_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("checked", sa.BigInteger(), nullable=False),
        sa.Column("check_began_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("check_ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_table(
        "audit_tiles",
        sa.Column("level", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "position", name=op.f("pk_audit_tiles")),
    )
    op.create_table(
        "audit_checkpoints",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_audit_checkpoints")),
    )
    op.create_table(
        "audit_holds",
        sa.Column("knowledge_base_id", sa.String(32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("knowledge_base_id", name=op.f("pk_audit_holds")),
    )


def downgrade() -> None:
    """Drop them; the checkpoints outside of the catalogue stay."""
    for table in ("audit_holds", "audit_checkpoints", "audit_tiles", "audit_log"):
        op.drop_table(table)
    op.drop_index("ix_audit_events_unlogged", "audit_events")
    op.drop_index("ix_audit_events_log_index", "audit_events")
    for column in ("text_hash", "text_salt", "salt", "log_index"):
        op.drop_column("audit_events", column)
