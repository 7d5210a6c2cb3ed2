"""Audit events say where they come from and how they ended; the versions that answers used are found by document"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def _columns() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("object_type", sa.String(32), nullable=True),
        sa.Column("object_name", sa.String(255), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.String(8), nullable=False, server_default="done"),
        sa.Column("code", sa.String(64), nullable=True),
        sa.Column("key_id", sa.String(64), nullable=True),
        sa.Column("address", sa.String(64), nullable=True),
        sa.Column("request_id", sa.String(64), nullable=True),
        sa.Column("workflow_id", sa.Text(), nullable=True),
        sa.Column("run_id", sa.String(64), nullable=True),
    )


#: Each document and version among the passages of a question, with their number and whether the answer cites it.
_SOURCES = {
    "sqlite": """
        INSERT INTO answer_sources (document_id, question_id, version, passages, cited)
        SELECT json_extract(s.value, '$.document_id'), q.id, json_extract(s.value, '$.version'), count(*),
            max(json_extract(s.value, '$.chunk_id') IN
                (SELECT json_extract(c.value, '$.chunk_id') FROM json_each(coalesce(q.citations, '[]')) c))
        FROM questions q, json_each(q.sources) s WHERE json_type(q.sources) = 'array'
        GROUP BY 1, 2, 3
    """,
    "postgresql": """
        INSERT INTO answer_sources (document_id, question_id, version, passages, cited)
        SELECT s.value->>'document_id', q.id, (s.value->>'version')::bigint, count(*),
            bool_or(json_typeof(q.citations) = 'array' AND EXISTS (
                SELECT 1 FROM json_array_elements(
                    CASE WHEN json_typeof(q.citations) = 'array' THEN q.citations ELSE '[]'::json END) c
                WHERE c.value->>'chunk_id' = s.value->>'chunk_id'))
        FROM questions q, json_array_elements(
            CASE WHEN json_typeof(q.sources) = 'array' THEN q.sources ELSE '[]'::json END) s
        GROUP BY 1, 2, 3
    """,
}

#: Names, versions and codes of earlier events stand in their details.
_NAMED = {
    "sqlite": """
        UPDATE audit_events SET object_name = substr(json_extract(detail, '$.name'), 1, 255),
            version = json_extract(detail, '$.version'), code = substr(json_extract(detail, '$.code'), 1, 64)
        WHERE json_type(detail) = 'object'
    """,
    "postgresql": """
        UPDATE audit_events SET object_name = left(detail->>'name', 255), version = (detail->>'version')::bigint,
            code = left(detail->>'code', 64)
        WHERE json_typeof(detail) = 'object'
    """,
}

_OF_DOCUMENTS = """
    UPDATE audit_events SET object_name = (SELECT name FROM documents WHERE documents.id = audit_events.object_id)
    WHERE object_name IS NULL AND action LIKE 'document.%'
"""


def upgrade() -> None:
    for column in _columns():
        op.add_column("audit_events", column)
    op.create_table(
        "answer_sources",
        sa.Column("document_id", sa.String(32), nullable=False),
        sa.Column("question_id", sa.String(32), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("passages", sa.BigInteger(), nullable=False),
        sa.Column("cited", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["question_id"], ["questions.id"], name="fk_answer_sources_question_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("document_id", "question_id", "version", name="pk_answer_sources"),
    )
    op.create_index("ix_answer_sources_question_id", "answer_sources", ["question_id"])
    dialect = op.get_bind().dialect.name
    for statement in (_NAMED[dialect], _OF_DOCUMENTS, "UPDATE audit_events SET outcome = 'failed' "
                      "WHERE action LIKE '%.fail'", _SOURCES[dialect]):  # fmt: skip
        op.execute(sa.text(statement))
    op.drop_index("ix_audit_events_object_id", "audit_events")
    op.create_index("ix_audit_events_object_id_action", "audit_events", ["object_id", "action"])
    op.create_index("ix_audit_events_object_name", "audit_events", ["object_name"])
    is_not_done = sa.text("outcome <> 'done'")
    op.create_index(
        "ix_audit_events_not_done", "audit_events", ["id"], sqlite_where=is_not_done, postgresql_where=is_not_done
    )


def downgrade() -> None:
    op.drop_index("ix_audit_events_not_done", "audit_events")
    op.drop_index("ix_audit_events_object_name", "audit_events")
    op.drop_index("ix_audit_events_object_id_action", "audit_events")
    op.create_index("ix_audit_events_object_id", "audit_events", ["object_id"])
    op.drop_table("answer_sources")
    for column in _columns():
        op.drop_column("audit_events", column.name)
