"""A retention reads the oldest uploads by an index; changes of many documents can be canceled"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("bulk_changes", sa.Column("canceled_by", sa.String(200), nullable=True))
    latest = sa.text("replaced_at IS NULL")
    op.create_index(
        "ix_versions_created_at",
        "versions",
        ["knowledge_base_id", "created_at", "document_id"],
        sqlite_where=latest,
        postgresql_where=latest,
    )


def downgrade() -> None:
    op.drop_index("ix_versions_created_at", "versions")
    op.drop_column("bulk_changes", "canceled_by")
