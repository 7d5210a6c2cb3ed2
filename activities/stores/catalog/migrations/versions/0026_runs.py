"""Archived histories of runs, and what was told of runs"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "archived_runs",
        sa.Column("run_id", sa.String(36), nullable=False),
        sa.Column("workflow_id", sa.String(1000), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("knowledge_base", sa.String(63), nullable=True),
        sa.Column("document_id", sa.String(32), nullable=True),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("stage", sa.String(32), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("blob_key", sa.String(200), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_archived_runs")),
    )
    for column in ("workflow_id", "knowledge_base", "document_id", "closed_at"):
        op.create_index(f"ix_archived_runs_{column}", "archived_runs", [column])
    op.create_table(
        "outside_actions",
        sa.Column("run_id", sa.String(36), nullable=False),
        sa.Column("event_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "event_id", name=op.f("pk_outside_actions")),
    )
    marks = op.create_table(
        "run_marks",
        sa.Column("scan", sa.String(16), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("scan", name=op.f("pk_run_marks")),
    )
    op.bulk_insert(marks, [{"scan": "began", "at": datetime.now(UTC)}])


def downgrade() -> None:
    """Drop the tables; the archived blobs stay, and their hashes in the audit trail."""
    op.drop_table("run_marks")
    op.drop_table("outside_actions")
    op.drop_table("archived_runs")
