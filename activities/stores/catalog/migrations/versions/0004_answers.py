"""Provenance of answers, and answer settings of knowledge bases"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

COLUMNS = (
    ("standalone", sa.Text()),
    ("generation", sa.BigInteger()),
    ("embedding_model", sa.String(length=300)),
    ("embedding_fingerprint", sa.String(length=64)),
    ("language_model", sa.String(length=300)),
    ("prompt_version", sa.String(length=16)),
    ("milliseconds", sa.JSON()),
    ("fallback", sa.String(length=16)),
)


def upgrade() -> None:
    with op.batch_alter_table("questions", schema=None) as batch_op:
        for name, kind in COLUMNS:
            batch_op.add_column(sa.Column(name, kind, nullable=True))
        batch_op.add_column(sa.Column("withheld", sa.BigInteger(), nullable=False, server_default="0"))
    with op.batch_alter_table("knowledge_bases", schema=None) as batch_op:
        batch_op.add_column(sa.Column("answers", sa.JSON(), nullable=True))
    op.create_index("ix_versions_published_at", "versions", ["published_at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_versions_published_at", table_name="versions")
    with op.batch_alter_table("knowledge_bases", schema=None) as batch_op:
        batch_op.drop_column("answers")
    with op.batch_alter_table("questions", schema=None) as batch_op:
        batch_op.drop_column("withheld")
        for name, _ in reversed(COLUMNS):
            batch_op.drop_column(name)
