"""The quality gates of re-indexes"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0012"
branch_labels = None
depends_on = None

COLUMNS = ("questions", "questions_key", "gate", "gate_seconds", "overridden_by", "override_reason")


def upgrade() -> None:
    """Add them; re-indexes so far have none."""
    with op.batch_alter_table("reindexes") as reindexes:
        reindexes.add_column(sa.Column("questions", sa.String(16), nullable=False, server_default=""))
        reindexes.add_column(sa.Column("questions_key", sa.String(200), nullable=True))
        reindexes.add_column(sa.Column("gate", sa.JSON(), nullable=True))
        reindexes.add_column(sa.Column("gate_seconds", sa.Double(), nullable=False, server_default="604800"))
        reindexes.add_column(sa.Column("overridden_by", sa.String(200), nullable=True))
        reindexes.add_column(sa.Column("override_reason", sa.String(500), nullable=True))


def downgrade() -> None:
    """Drop them."""
    with op.batch_alter_table("reindexes") as reindexes:
        for name in reversed(COLUMNS):
            reindexes.drop_column(name)
