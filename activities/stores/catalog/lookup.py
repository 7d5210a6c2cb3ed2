"""Lookup by what a person types: a name, or the beginning of a name or of an id."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, and_, false, func, literal, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from activities.stores.catalog.engine import Engine, repeats_conflicts
from activities.stores.catalog.tables import (
    BatchRow,
    ConversationRow,
    DocumentRow,
    KnowledgeBaseRow,
    QuestionRow,
    ReindexRow,
    VersionRow,
)

#: The beginning of an id, of at least four digits: shorter ones are names.
ID = re.compile(r"[0-9a-f]{4,32}")

#: No name has it, and every name that begins with a text sorts before the text with it.
LAST = "\U0010ffff"


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """What a text may stand for; ``state`` is empty for what has none, ``name`` for what is not the caller's."""

    id: str
    name: str
    knowledge_base: str
    state: str
    created_at: datetime


class _Bytewise(ColumnElement[str]):
    """A column that is compared by its bytes, as SQLite does, whatever the collation of the database."""

    inherit_cache = True

    def __init__(self, column: Any) -> None:
        self.column, self.type = column, column.type


@compiles(_Bytewise)
def _bytewise(element: _Bytewise, compiler: SQLCompiler, **kw: Any) -> str:
    return compiler.process(element.column, **kw)


@compiles(_Bytewise, "postgresql")
def _bytewise_in_postgresql(element: _Bytewise, compiler: SQLCompiler, **kw: Any) -> str:
    return f'({compiler.process(element.column, **kw)} COLLATE "C")'


@repeats_conflicts
class Lookup:
    """Finds at most ``limit`` things that a text stands for, newest first; ``scope``: ids of knowledge bases.

    The one with the whole id is the only match; without one, those with the whole name are; without any, those whose id
    or name begins with the text.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def documents(self, scope: Collection[str], text: str, limit: int) -> list[Match]:
        """Documents that are not deleted, with the states of their latest versions."""
        query = (
            select(DocumentRow.id, DocumentRow.name, KnowledgeBaseRow.name, VersionRow.state, DocumentRow.created_at)
            .join(KnowledgeBaseRow, KnowledgeBaseRow.id == DocumentRow.knowledge_base_id)
            .join(
                VersionRow,
                and_(VersionRow.document_id == DocumentRow.id, VersionRow.version == DocumentRow.latest_version),
            )
            .where(DocumentRow.knowledge_base_id.in_(scope), DocumentRow.deleted_at.is_(None))
        )
        return await self._find(query, DocumentRow.id, DocumentRow.name, text, limit)

    async def batches(self, scope: Collection[str], text: str, limit: int) -> list[Match]:
        """Batches by the names of their folders or archives."""
        query = (
            select(BatchRow.id, BatchRow.name, KnowledgeBaseRow.name, BatchRow.state, BatchRow.created_at)
            .join(KnowledgeBaseRow, KnowledgeBaseRow.id == BatchRow.knowledge_base_id)
            .where(BatchRow.knowledge_base_id.in_(scope))
        )
        return await self._find(query, BatchRow.id, BatchRow.name, text, limit)

    async def reindexes(self, scope: Collection[str], text: str, limit: int) -> list[Match]:
        """Re-indexes; the name of a knowledge base stands for its newest one that is no plan."""
        newest = select(func.max(ReindexRow.id)).where(ReindexRow.plan_only.is_(False))
        newest = newest.group_by(ReindexRow.knowledge_base_id)
        query = (
            select(ReindexRow.id, KnowledgeBaseRow.name, KnowledgeBaseRow.name, ReindexRow.state, ReindexRow.created_at)
            .join(KnowledgeBaseRow, KnowledgeBaseRow.id == ReindexRow.knowledge_base_id)
            .where(ReindexRow.knowledge_base_id.in_(scope))
        )
        named = ReindexRow.id.in_(newest.where(ReindexRow.knowledge_base_id.in_(scope)))
        return await self._find(query, ReindexRow.id, KnowledgeBaseRow.name, text, limit, named)

    async def conversations(self, scope: Collection[str], text: str, limit: int, owner: str) -> list[Match]:
        """The owner's conversations; those that are not listed have no name."""
        query = (
            select(
                ConversationRow.id,
                ConversationRow.title,
                KnowledgeBaseRow.name,
                literal(""),
                ConversationRow.created_at,
            )
            .join(KnowledgeBaseRow, KnowledgeBaseRow.id == ConversationRow.knowledge_base_id)
            .where(
                ConversationRow.knowledge_base_id.in_(scope),
                ConversationRow.actor == owner,
                ConversationRow.deleted_at.is_(None),
            )
        )
        return await self._find(query, ConversationRow.id, ConversationRow.title, text, limit, ConversationRow.listed)

    async def questions(self, scope: Collection[str], text: str, limit: int, asker: str | None) -> list[Match]:
        """Questions by their ids alone. Without an ``asker`` those of all users, without their texts."""
        query = (
            select(
                QuestionRow.id,
                QuestionRow.question if asker is not None else literal(""),
                KnowledgeBaseRow.name,
                QuestionRow.state,
                QuestionRow.created_at,
            )
            .join(KnowledgeBaseRow, KnowledgeBaseRow.id == QuestionRow.knowledge_base_id)
            .where(QuestionRow.knowledge_base_id.in_(scope))
        )
        query = query if asker is None else query.where(QuestionRow.actor == asker)
        return await self._find(query, QuestionRow.id, QuestionRow.question, text, limit, false())

    async def _find(
        self,
        query: Select[Any, Any, Any, Any, Any],
        id: Any,
        name: Any,
        text: str,
        limit: int,
        named: ColumnElement[bool] | Any = None,
    ) -> list[Match]:
        """``named`` is what has a name at all; None: everything."""
        of_names = query if named is None else query.where(named)
        steps = [
            [query.where(id == text)],
            [of_names.where(name == text)],
            [of_names.where(_Bytewise(name) >= text, _Bytewise(name) < text + LAST)],
        ]
        if ID.fullmatch(text):
            steps[2].insert(0, query.where(id >= text, id < text + "g"))  # ids are hexadecimal: g sorts after them
        async with self._engine.read() as session:
            for step in steps:
                found: dict[str, Match] = {}
                for each in step:
                    for row in await session.execute(each.order_by(id.desc()).limit(limit)):
                        found.setdefault(row[0], Match(**dict(zip(Match.__struct_fields__, row, strict=True))))
                if found:
                    return list(found.values())[:limit]
        return []
