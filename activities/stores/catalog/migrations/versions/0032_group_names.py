"""The name of a group at the identity provider, beside the one that it has here"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; groups that are there get their name at the next sign-in of one of their members."""
    op.add_column("groups", sa.Column("external_name", sa.String(200), nullable=True))
    op.create_index("ix_groups_external_name", "groups", ["external_name"], unique=True)


def downgrade() -> None:
    """Drop it."""
    op.drop_index("ix_groups_external_name", "groups")
    op.drop_column("groups", "external_name")
