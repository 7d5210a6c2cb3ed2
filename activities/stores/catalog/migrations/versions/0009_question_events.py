"""Events of questions, which readers of an answer follow"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "question_events",
        sa.Column("question_id", sa.String(length=32), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["question_id"], ["questions.id"], name=op.f("fk_question_events_question_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("question_id", "offset", name=op.f("pk_question_events")),
    )


def downgrade() -> None:
    op.drop_table("question_events")
