"""The embedding model that a re-index builds with"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it; re-indexes so far used the only model that was served."""
    op.add_column("reindexes", sa.Column("model", sa.String(300), nullable=True))
    op.add_column("reindexes", sa.Column("model_fingerprint", sa.String(64), nullable=True))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("reindexes", "model_fingerprint")
    op.drop_column("reindexes", "model")
