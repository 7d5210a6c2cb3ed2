"""Control of re-indexes of many knowledge bases: start, pause, resume, cancel."""

from __future__ import annotations

from collections.abc import Sequence

from activities.contracts.documents import Chunking
from activities.contracts.ids import reindex_all_id
from activities.contracts.reindex_all import MAX_KNOWLEDGE_BASES, AllSettings, ControlAction
from activities.contracts.stages import FINAL_STATES
from activities.errors import InvalidRequest, WrongState
from activities.phrases import Phrase
from activities.reindex.window import parse_window
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import KnowledgeBase
from activities.stores.catalog.reindex_alls import ReindexAllJob
from api.reindex_all.schemas import ReindexAllRequest
from api.reindexes.control import ReindexControl
from workflows.client.jobs import Jobs


class ReindexAllControl:
    """Raises NotFound, WrongState and DependencyErrors."""

    def __init__(self, catalog: Catalog, jobs: Jobs, reindexes: ReindexControl) -> None:
        self._catalog, self._jobs, self._reindexes = catalog, jobs, reindexes

    async def start(self, asked: ReindexAllRequest, actor: str) -> ReindexAllJob:
        """Start a job. Raises ModelNotServed, ModelUnusable and InvalidRequest."""
        parse_window(asked.window)
        knowledge_bases = await self._named(asked.knowledge_bases)
        settings = AllSettings(
            limit=asked.limit,
            go_on=asked.go_on,
            plan_only=asked.plan_only,
            embedding_model=asked.embedding_model,
            embedding=await self._reindexes.named(asked.embedding_model) if asked.embedding_model else None,
            chunking=_chunking(asked),
            approve=asked.approve,
            parallelism=asked.parallelism,
            throttle=asked.throttle,
            window=asked.window,
            soak_seconds=asked.soak_seconds,
            recent_questions=asked.questions == "recent",
            gate_seconds=asked.gate_seconds,
        )
        await self._jobs.ping()
        job = await self._catalog.reindex_alls.create(knowledge_bases, settings, actor)
        await self._jobs.reindex_all(job.to_run())
        return job

    async def control(self, id: str, action: ControlAction, actor: str) -> None:
        """Pause, resume or cancel a job; the run records who asked."""
        job = await self._catalog.reindex_alls.get(id)
        if job.state in FINAL_STATES or not await self._jobs.signal(reindex_all_id(id), action, actor):
            raise WrongState(state=job.state)

    async def _named(self, names: Sequence[str] | None) -> list[KnowledgeBase]:
        """The knowledge bases with these names, each once, or all of them."""
        if names is not None:
            return [await self._catalog.knowledge_bases.get(name) for name in dict.fromkeys(names)]
        found = await self._catalog.knowledge_bases.page(None, MAX_KNOWLEDGE_BASES + 1)
        if not found:
            raise InvalidRequest(detail=Phrase.NO_KNOWLEDGE_BASES)
        if len(found) > MAX_KNOWLEDGE_BASES:
            raise InvalidRequest(detail=Phrase.TOO_MANY_KNOWLEDGE_BASES, limit=MAX_KNOWLEDGE_BASES)
        return found


def _chunking(asked: ReindexAllRequest) -> Chunking | None:
    if asked.chunking is None:
        return None
    return Chunking(max_tokens=asked.chunking.max_tokens, overlap_tokens=asked.chunking.overlap_tokens)
