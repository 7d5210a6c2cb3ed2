"""An index of the re-indexes of many that have not finished: operators see them"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    unfinished = sa.text("finished_at IS NULL")
    op.create_index(
        "ix_reindex_alls_unfinished", "reindex_alls", ["id"], sqlite_where=unfinished, postgresql_where=unfinished
    )


def downgrade() -> None:
    op.drop_index("ix_reindex_alls_unfinished", "reindex_alls")
