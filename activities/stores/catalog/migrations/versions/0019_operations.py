"""Indexes of what operators see: started and waiting documents, what was published lately, and failures"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0017"
branch_labels = None
depends_on = None

PENDING = "state IN ('queued', 'running', 'waiting', 'paused')"

#: Columns and condition of each index, by name.
INDEXES = {
    "ix_versions_started": (["dispatched_at", "document_id"], f"{PENDING} AND dispatched_at IS NOT NULL"),
    "ix_versions_not_started": (["updated_at", "document_id", "state"], f"{PENDING} AND dispatched_at IS NULL"),
    "ix_versions_published": (["published_at", "chunks"], "published_at IS NOT NULL"),
    "ix_versions_failed": (["updated_at", "document_id"], "state = 'failed' AND replaced_at IS NULL"),
}


def upgrade() -> None:
    """Make them."""
    for name, (columns, condition) in INDEXES.items():
        where = sa.text(condition)
        op.create_index(name, "versions", columns, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    """Drop them."""
    for name in INDEXES:
        op.drop_index(name, "versions")
