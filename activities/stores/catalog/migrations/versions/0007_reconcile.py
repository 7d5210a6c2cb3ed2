"""Who deleted a knowledge base, and indexes for what Reconcile looks up"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

#: The audit trail knows who deleted the knowledge bases that are deleted already.
DELETED_BY = """
UPDATE knowledge_bases SET deleted_by = (
    SELECT max(audit_events.actor) FROM audit_events
    WHERE audit_events.action = 'knowledge_base.delete' AND audit_events.object_id = knowledge_bases.id
)
WHERE deleted_at IS NOT NULL
"""

RUNNING = sa.text("state = 'running'")


def upgrade() -> None:
    op.add_column("knowledge_bases", sa.Column("deleted_by", sa.String(length=200), nullable=True))
    op.execute(DELETED_BY)
    op.create_index("ix_questions_running", "questions", ["id"], sqlite_where=RUNNING, postgresql_where=RUNNING)
    op.create_index("ix_indexed_versions_chunks_key", "indexed_versions", ["chunks_key"])
    op.create_index("ix_indexed_versions_vectors_key", "indexed_versions", ["vectors_key"])


def downgrade() -> None:
    op.drop_index("ix_indexed_versions_vectors_key", table_name="indexed_versions")
    op.drop_index("ix_indexed_versions_chunks_key", table_name="indexed_versions")
    op.drop_index("ix_questions_running", table_name="questions")
    op.drop_column("knowledge_bases", "deleted_by")
