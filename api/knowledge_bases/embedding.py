"""The embedding models that a knowledge base may have."""

from __future__ import annotations

from litestar import Controller, get

from activities.stores.connections import Stores
from api.http.access import needs
from api.http.schemas import Page
from api.knowledge_bases.schemas import EmbeddingModelInfo


class EmbeddingModelController(Controller):
    path = "/api/v1/embedding-models"
    tags = ["Knowledge bases"]

    @get(access=needs("reader"), summary="List the embedding models, the default one first")
    async def index(self, stores: Stores) -> Page[EmbeddingModelInfo]:
        models = await stores.triton.models()
        return Page(items=[EmbeddingModelInfo(name=model.name, default=model is models[0]) for model in models])
