"""Wire types of knowledge bases (DESIGN §6)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from activities.contracts.answers import AnswerMode
from activities.contracts.questions import AnswerSettings
from activities.stores.catalog.roles import Role
from api.http.schemas import Request, Schema

KnowledgeBaseName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9-]{0,62}$(?!\n)",
        description="Lower-case letters, digits and hyphens, up to 63, not beginning with a hyphen.",
    ),
]


EmbeddingModelName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=300,
        description="The default embedding model, or one that `HOLDFAST_EMBED_MODELS` names beside it.",
    ),
]


class ChunkingSettings(Request, frozen=True):
    """How documents are cut, in tokens of the embedding model."""

    max_tokens: Annotated[int, Meta(ge=32, le=2048)] = 350
    overlap_tokens: Annotated[int, Meta(ge=0, le=512)] = 0


class CreateKnowledgeBase(Request, frozen=True):
    """``embedding_model`` is by default the one that is the default when the first document is indexed."""

    name: KnowledgeBaseName
    title: Annotated[str, Meta(max_length=200)] = ""
    description: Annotated[str, Meta(max_length=4000)] = ""
    chunking: ChunkingSettings = ChunkingSettings()
    embedding_model: EmbeddingModelName | None = None


class EmbeddingModelInfo(Schema, frozen=True):
    """``default`` is the model of knowledge bases that name none."""

    name: str
    default: bool


class AnswerChanges(Request, frozen=True):
    """How questions on a knowledge base are answered; null is as the platform's settings say."""

    mode: AnswerMode | msgspec.UnsetType | None = msgspec.UNSET
    instructions: Annotated[str, Meta(max_length=2000)] | msgspec.UnsetType | None = msgspec.UNSET
    temperature: Annotated[float, Meta(ge=0, le=2)] | msgspec.UnsetType | None = msgspec.UNSET
    top_p: Annotated[float, Meta(gt=0, le=1)] | msgspec.UnsetType | None = msgspec.UNSET
    max_tokens: Annotated[int, Meta(ge=1, le=4096)] | msgspec.UnsetType | None = msgspec.UNSET


class AnswersInfo(AnswerSettings, frozen=True, omit_defaults=False):
    """How questions on a knowledge base are answered, with every field there."""


class ChangeKnowledgeBase(Request, frozen=True):
    """Fields that are left out stay as they are."""

    title: Annotated[str, Meta(max_length=200)] | msgspec.UnsetType = msgspec.UNSET
    description: Annotated[str, Meta(max_length=4000)] | msgspec.UnsetType = msgspec.UNSET
    answers: AnswerChanges | msgspec.UnsetType = msgspec.UNSET


class KnowledgeBaseInfo(Schema, frozen=True):
    """A knowledge base with its documents counted by state; ``documents.total`` is their sum.

    ``role`` is the caller's role in it, where one knowledge base is asked for.
    ``embedding_model`` is null until the first document is indexed, unless one was named.
    """

    name: str
    title: str
    description: str
    chunking: ChunkingSettings
    documents: dict[str, int]
    created_by: str
    created_at: datetime
    updated_at: datetime
    answers: AnswersInfo
    embedding_model: str | None
    role: Role | None = None
