"""Control of re-indexes: start, pause, resume, cancel, approve, speed, rollback, retirement of the old index."""

from __future__ import annotations

from typing import Literal

import msgspec

from activities.contracts.documents import Chunking
from activities.contracts.embedding import EmbeddingModel
from activities.contracts.ids import reindex_workflow_id
from activities.contracts.reindex import ReindexControls, ReindexToRun
from activities.contracts.stages import AFTER_SWITCH, FINAL_STATES
from activities.errors import InvalidRequest, SamePerson, WrongState
from activities.ingest.models import model_of, usable_model
from activities.phrases import Phrase
from activities.reindex.question_sets import save_questions
from activities.reindex.window import parse_window
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import KnowledgeBase, Reindex
from activities.stores.triton import Triton
from api.reindexes.schemas import ControlRequest, GateQuestion, PlanRequest, ReindexRequest
from workflows.client.jobs import Jobs

#: Stages that wait for an override or an approval, when their state is ``waiting``.
WAITS_FOR_PERSON = ("gate", "approve")


class ReindexControl:
    """Raises WrongState and DependencyErrors."""

    def __init__(self, catalog: Catalog, triton: Triton, blobs: Blobs, jobs: Jobs) -> None:
        self._catalog, self._triton, self._blobs, self._jobs = catalog, triton, blobs, jobs

    async def start(self, knowledge_base: KnowledgeBase, asked: ReindexRequest | PlanRequest, actor: str) -> Reindex:
        """Start a re-index, or its plan only.

        Raises ReindexRuns, ModelNotServed, ModelUnusable and InvalidRequest.
        """
        chunking = asked.chunking or knowledge_base.chunking
        job = ReindexToRun(
            reindex_id="",
            knowledge_base_id=knowledge_base.id,
            knowledge_base=knowledge_base.name,
            generation=0,
            previous=0,
            chunking=Chunking(max_tokens=chunking.max_tokens, overlap_tokens=chunking.overlap_tokens),
            embedding=await self._model(knowledge_base, asked.embedding_model),
            actor=actor,
            parallelism=asked.parallelism,
            plan_only=True,
        )
        if isinstance(asked, ReindexRequest):
            parse_window(asked.window)
            job = msgspec.structs.replace(
                job,
                plan_only=False,
                approve=asked.approve,
                throttle=asked.throttle,
                window=asked.window,
                soak_seconds=asked.soak_seconds,
                gate_seconds=asked.gate_seconds,
            )
        await self._jobs.ping()
        if isinstance(asked, ReindexRequest) and asked.questions is not None:
            reindex = await self._create_with_questions(job, asked.questions)
        else:
            reindex = await self._catalog.reindexes.create(job)
        await self._jobs.reindex(reindex.to_run())
        return reindex

    async def _create_with_questions(
        self, job: ReindexToRun, questions: Literal["recent"] | list[GateQuestion]
    ) -> Reindex:
        """Records the re-index with its quality gate. Raises InvalidRequest."""
        if isinstance(questions, str):
            if not await self._catalog.gates.recent(job.knowledge_base_id, 1):
                raise InvalidRequest(detail=Phrase.NO_RATED_QUESTIONS)
            return await self._catalog.reindexes.create(msgspec.structs.replace(job, questions="recent"))
        items = [question.to_item() for question in questions]
        for number, item in enumerate(items, 1):
            if item.absent and item.findable:
                raise InvalidRequest(detail=Phrase.ABSENT_WITH_ANSWER, number=number)
        key = await save_questions(self._blobs, job.knowledge_base_id, items)
        reindex = await self._catalog.reindexes.create(
            msgspec.structs.replace(job, questions="given", questions_key=key)
        )
        await save_questions(self._blobs, job.knowledge_base_id, items)  # an earlier job's end may have removed it
        return reindex

    async def named(self, model: str) -> EmbeddingModel:
        """The embedding model of this name, which is loaded. Raises ModelNotServed and ModelUnusable."""
        return await usable_model(self._triton, model)

    async def _model(self, knowledge_base: KnowledgeBase, name: str | None) -> EmbeddingModel:
        """The model of this name, by default that of the index in use; the default one if that is not served."""
        if name is not None:
            return await self.named(name)
        return await model_of(self._catalog, self._triton, knowledge_base.id)

    async def signal(self, reindex: Reindex, name: str, actor: str) -> None:
        """Tell a re-index that goes on: ``pause``, ``resume`` or ``cancel``, before the switch.

        One that waits for a person does nothing that could be paused.
        """
        self._require(reindex, before_switch=True)
        if name == "pause" and reindex.state == "waiting" and reindex.stage in WAITS_FOR_PERSON:
            raise WrongState(state=reindex.state)
        await self._catalog.reindexes.note(reindex.id, actor, name)
        await self._send(reindex, name, actor)

    async def approve(self, reindex: Reindex, actor: str) -> None:
        """Allow the switch. Raises SamePerson for the one who started it."""
        if reindex.stage != "approve" or reindex.state in FINAL_STATES:
            raise WrongState(state=reindex.state)
        if actor == reindex.actor:
            raise SamePerson()
        await self._send(reindex, "approve", actor)

    async def override(self, reindex: Reindex, reason: str, actor: str) -> None:
        """Switch although the quality gate refused it; the run records who did, and why."""
        if reindex.stage != "gate" or reindex.state != "waiting":
            raise WrongState(state=reindex.state)
        await self._send(reindex, "override", reason.strip(), actor)

    async def change(self, reindex: Reindex, asked: ControlRequest, actor: str) -> None:
        """Change the speed and the hours. Raises InvalidRequest."""
        self._require(reindex, before_switch=True)
        parse_window(asked.window or "")
        controls = ReindexControls(parallelism=asked.parallelism, throttle=asked.throttle, window=asked.window)
        await self._send(reindex, "control", controls, actor)
        await self._catalog.reindexes.control(reindex.id, controls, actor)

    async def finish(self, reindex: Reindex, actor: str) -> None:
        """Retire the index from before now."""
        if reindex.stage != "soak" or reindex.state in FINAL_STATES:
            raise WrongState(state=reindex.state)
        await self._send(reindex, "finish", actor)
        await self._catalog.reindexes.note(reindex.id, actor, "finish-soak")

    async def roll_back(self, reindex: Reindex, actor: str) -> None:
        """Return to the index from before; when this returns, searches use it."""
        self._require(reindex, before_switch=False)
        if not await self._jobs.roll_back(reindex.knowledge_base_id, reindex.generation, actor):
            raise WrongState(state=(await self._catalog.reindexes.get(reindex.id)).state)

    def _require(self, reindex: Reindex, *, before_switch: bool) -> None:
        if reindex.state in FINAL_STATES or before_switch == (reindex.stage in AFTER_SWITCH):
            raise WrongState(state=reindex.state)

    async def _send(self, reindex: Reindex, name: str, *arguments: object) -> None:
        workflow_id = reindex_workflow_id(reindex.knowledge_base_id, reindex.generation)
        if not await self._jobs.signal(workflow_id, name, *arguments):
            raise WrongState(state=(await self._catalog.reindexes.get(reindex.id)).state)
