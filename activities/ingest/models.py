"""Embedding models that index generations need, and no longer need."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from activities.contracts.embedding import EmbeddingModel
from activities.errors import ModelError, ModelNotLoaded, ModelUnusable, TritonUnavailable
from activities.stores.catalog.catalog import Catalog
from activities.stores.triton import ModelCard, Triton

log = structlog.get_logger()

#: The embedding model of a knowledge base, by its id.
ModelOf = Callable[[str], Awaitable[EmbeddingModel]]


async def usable_card(triton: Triton, model: EmbeddingModel | None) -> ModelCard:
    """The card of a model, which is loaded for it. Raises ModelUnusable for one that cannot be loaded."""
    try:
        return await triton.card(model)
    except ModelNotLoaded as exc:
        raise ModelUnusable(**exc.reason.params) from exc


async def usable_model(triton: Triton, name: str) -> EmbeddingModel:
    """The model of this name, which is loaded to see that it can be. Raises ModelNotServed and ModelUnusable."""
    model = await triton.named(name)
    await usable_card(triton, model)
    return model


async def model_of(catalog: Catalog, triton: Triton, knowledge_base_id: str) -> EmbeddingModel:
    """The model of the index in use, or the default one if that is not served any more."""
    model = (await catalog.knowledge_bases.generation(knowledge_base_id)).embedding
    return model if model is not None and await triton.is_served(model) else (await triton.card()).identity


async def unload_unused(catalog: Catalog, triton: Triton) -> None:
    """Unloads the models that no index generation uses; the default one always stays.

    One that is asked for again is loaded again. Nothing waits for this: Triton starts with the default model only.
    """
    try:
        await triton.keep_loaded(sorted(await catalog.generations.models_in_use()))
    except (TritonUnavailable, ModelError) as exc:
        await log.awarning("unused embedding models are still loaded", error=str(exc))
