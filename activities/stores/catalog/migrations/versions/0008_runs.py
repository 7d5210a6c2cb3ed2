"""Runs of a version are counted, their end is announced, and batches know how far their archive is unpacked"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

#: Archives were unpacked as a whole before anything else happened to their batch, unless that failed.
UNPACKED = """
UPDATE batches SET unpacked = true WHERE archive_sha256 IS NOT NULL AND (
    state IN ('ready', 'canceled') OR EXISTS (
        SELECT 1 FROM versions WHERE versions.batch_id = batches.id AND versions.dispatched_at IS NOT NULL))
"""


def upgrade() -> None:
    op.add_column("versions", sa.Column("run", sa.BigInteger(), server_default="1", nullable=False))
    op.add_column("versions", sa.Column("ending", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("batches", sa.Column("unpacked_files", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("batches", sa.Column("unpacked", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.execute(UNPACKED)
    op.create_index(op.f("ix_audit_events_object_id"), "audit_events", ["object_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_audit_events_object_id"), table_name="audit_events")
    for table, columns in (("versions", ("ending", "run")), ("batches", ("unpacked", "unpacked_files"))):
        for column in columns:
            op.drop_column(table, column)
