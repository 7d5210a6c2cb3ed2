"""Conversations as rows of their own, and feedback on answers"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

#: Every question already has a conversation id; the first question of a conversation becomes its title.
BEGUN = """
INSERT INTO conversations (id, knowledge_base_id, title, listed, actor, created_at, updated_at)
SELECT first.conversation_id, first.knowledge_base_id, substr(first.question, 1, 80), TRUE, first.actor,
       first.created_at,
       (SELECT max(last.created_at) FROM questions AS last WHERE last.conversation_id = first.conversation_id)
FROM questions AS first
WHERE first.id = (SELECT min(each.id) FROM questions AS each WHERE each.conversation_id = first.conversation_id)
"""


def upgrade() -> None:
    op.create_table(
        "conversations",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("knowledge_base_id", sa.String(length=32), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("listed", sa.Boolean(), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_by", sa.String(length=200), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["knowledge_base_id"], ["knowledge_bases.id"], name=op.f("fk_conversations_knowledge_base_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversations")),
    )
    with op.batch_alter_table("conversations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_conversations_knowledge_base_id"), ["knowledge_base_id"], unique=False)
        batch_op.create_index("ix_conversations_actor_updated_at", ["actor", "updated_at"], unique=False)
    op.execute(BEGUN)

    with op.batch_alter_table("questions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("feedback_rating", sa.String(length=8), nullable=True))
        batch_op.add_column(sa.Column("feedback_comment", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("feedback_by", sa.String(length=200), nullable=True))
        batch_op.add_column(sa.Column("feedback_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_questions_conversation_id"), "conversations", ["conversation_id"], ["id"]
        )


def downgrade() -> None:
    with op.batch_alter_table("questions", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_questions_conversation_id"), type_="foreignkey")
        for column in ("feedback_at", "feedback_by", "feedback_comment", "feedback_rating"):
            batch_op.drop_column(column)
    op.drop_table("conversations")
