"""Re-indexes of many knowledge bases: begins the next ones, follows those that run, and hands controls on to them."""

from __future__ import annotations

from collections.abc import Sequence

from temporalio import activity

from activities.contracts.ids import reindex_workflow_id
from activities.contracts.reindex import ReindexToRun
from activities.contracts.reindex_all import ENDED, Advanced, ControlAllInput, ItemState, ReindexAllInput
from activities.contracts.stages import AFTER_SWITCH, FINAL_STATES, JobStateName
from activities.errors import Canceled, EarlierFailed, KnowledgeBaseGone, NotFound, Reason, ReindexRuns
from activities.ingest.models import ModelOf
from activities.runtime import starts, temporal
from activities.runtime.heartbeat import heartbeating, report
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import KnowledgeBase, Reindex
from activities.stores.catalog.reindex_alls import ReindexAllItem, ReindexAllJob
from activities.stores.catalog.tables import new_id

_FAILED: frozenset[ItemState] = frozenset({"failed", "canceled"})


class ManyReindexesActivities:
    """Runs on the ``store`` queue."""

    def __init__(self, catalog: Catalog, model_of: ModelOf) -> None:
        self._catalog, self._model_of = catalog, model_of

    @activity.defn(name="advance_reindex_all")
    @heartbeating
    async def advance_reindex_all(self, input: ReindexAllInput) -> Advanced:
        """Records how the re-indexes that were begun are, and begins the next ones. Idempotent.

        Raises NotFound.
        """
        job = await self._catalog.reindex_alls.get(input.id)
        states = [item.state for item in job.items]
        building = 0
        for place, item in enumerate(job.items):
            report(place, len(states))
            if item.state in ENDED or (reindex := await self._reindex(item)) is None:
                continue
            states[place] = await self._follow(job, item, reindex)
            building += states[place] not in ENDED and reindex.stage not in AFTER_SWITCH
        for place, item in enumerate(job.items):
            report(place, len(states))
            if states[place] in ENDED or await self._reindex(item) is not None:
                continue
            if job.wanted == "cancel":
                states[place] = await self._settle(job, item, "canceled", Canceled().reason)
            elif not job.settings.go_on and _FAILED & set(states):
                states[place] = await self._settle(job, item, "canceled", EarlierFailed().reason)
            elif job.wanted != "pause" and building < job.settings.limit:
                states[place] = await self._begin(job, item)
                building += states[place] not in ENDED
        state = _state_of(job, states)
        await self._catalog.reindex_alls.record(job.id, state)
        done = sum(each in ENDED for each in states)
        changed = states != [item.state for item in job.items]
        return Advanced(state=state, done=done, total=len(states), changed=changed)

    @activity.defn(name="control_reindex_all")
    @heartbeating
    async def control_reindex_all(self, input: ControlAllInput) -> None:
        """Records what was asked of the job, and tells the re-indexes that are not switched yet. Raises NotFound."""
        await self._catalog.reindex_alls.control(input.id, input.action, input.actor)
        job = await self._catalog.reindex_alls.get(input.id)
        for item in job.items:
            reindex = None if item.state in ENDED else await self._reindex(item)
            if reindex is None or reindex.state in FINAL_STATES or reindex.stage in AFTER_SWITCH:
                continue
            await self._catalog.reindexes.note(reindex.id, input.actor, input.action)
            workflow_id = reindex_workflow_id(reindex.knowledge_base_id, reindex.generation)
            await temporal.signal(activity.client(), workflow_id, input.action, input.actor)

    async def _reindex(self, item: ReindexAllItem) -> Reindex | None:
        """The re-index of a knowledge base; None before its turn."""
        if item.reindex_id is None:
            return None
        try:
            return await self._catalog.reindexes.get(item.reindex_id)
        except NotFound:
            return None

    async def _follow(self, job: ReindexAllJob, item: ReindexAllItem, reindex: Reindex) -> ItemState:
        """Records how a re-index is; starts its run if this was interrupted before."""
        if reindex.state == "queued" and job.wanted != "pause":
            await starts.reindex(activity.client(), reindex.to_run())
        match reindex.state:
            case "ready" | "failed" | "canceled" if await self._knowledge_base(item) is None:
                return await self._settle(job, item, "skipped", KnowledgeBaseGone().reason)
            case "ready" | "failed" | "canceled" | "waiting":
                return await self._settle(job, item, reindex.state, reindex.reason)
            case _:
                return await self._settle(job, item, "running", None)

    async def _begin(self, job: ReindexAllJob, item: ReindexAllItem) -> ItemState:
        """Starts a re-index; one that another job is doing is waited for."""
        knowledge_base = await self._knowledge_base(item)
        if knowledge_base is None:
            return await self._settle(job, item, "skipped", KnowledgeBaseGone().reason)
        id = new_id()
        await self._settle(job, item, item.state, item.reason, id)
        try:
            reindex = await self._catalog.reindexes.create(await self._to_run(id, knowledge_base, job))
        except ReindexRuns as exc:
            return await self._settle(job, item, "waiting", exc.reason)
        except NotFound:
            return await self._settle(job, item, "skipped", KnowledgeBaseGone().reason)
        await starts.reindex(activity.client(), reindex.to_run())
        return await self._settle(job, item, "running", None)

    async def _to_run(self, id: str, knowledge_base: KnowledgeBase, job: ReindexAllJob) -> ReindexToRun:
        """The re-index of one of them, by default with the model of its index in use."""
        settings = job.settings
        embedding = settings.embedding or await self._model_of(knowledge_base.id)
        return ReindexToRun(
            reindex_id=id,
            knowledge_base_id=knowledge_base.id,
            knowledge_base=knowledge_base.name,
            generation=0,
            previous=0,
            embedding=embedding,
            chunking=settings.chunking or knowledge_base.chunking,
            actor=job.actor,
            plan_only=settings.plan_only,
            approve=settings.approve,
            parallelism=settings.parallelism,
            throttle=settings.throttle,
            window=settings.window,
            soak_seconds=settings.soak_seconds,
            questions="recent" if settings.recent_questions and not settings.plan_only else "",
            gate_seconds=settings.gate_seconds,
        )

    async def _knowledge_base(self, item: ReindexAllItem) -> KnowledgeBase | None:
        try:
            return (await self._catalog.knowledge_bases.searched(item.knowledge_base_id))[0]
        except NotFound:
            return None

    async def _settle(
        self, job: ReindexAllJob, item: ReindexAllItem, state: ItemState, reason: Reason | None, reindex_id: str = ""
    ) -> ItemState:
        if (state, reason) != (item.state, item.reason) or reindex_id:
            await self._catalog.reindex_alls.settle(job.id, item.position, state, reason, reindex_id)
        return state


def _state_of(job: ReindexAllJob, states: Sequence[ItemState]) -> JobStateName:
    """The state of the whole job."""
    open = [state for state in states if state not in ENDED]
    if not open:
        if job.wanted == "cancel" and "canceled" in states:
            return "canceled"
        return "failed" if _FAILED & set(states) else "ready"
    if job.wanted == "pause":
        return "paused"
    return "waiting" if "waiting" in open and "running" not in open else "running"
