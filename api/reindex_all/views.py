"""Re-indexes of many knowledge bases as the API shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from activities.contracts import addresses
from activities.contracts.ids import reindex_all_id
from activities.contracts.reindex_all import ENDED
from activities.errors import Language
from activities.stores.catalog.records import Reindex
from activities.stores.catalog.reindex_alls import ReindexAllItem, ReindexAllJob
from api.http.schemas import JobAccepted
from api.http.sse import Event
from api.knowledge_bases.schemas import ChunkingSettings
from api.reindex_all.schemas import ReindexAllInfo, ReindexAllItemInfo
from api.reindexes.views import reindex_info


def reindex_all_info(job: ReindexAllJob) -> ReindexAllInfo:
    """A job without its items."""
    settings = job.settings
    return ReindexAllInfo(
        id=job.id,
        state=job.state,
        done=sum(item.state in ENDED for item in job.items),
        total=len(job.items),
        counts=dict(Counter(item.state for item in job.items)),
        limit=settings.limit,
        go_on=settings.go_on,
        plan_only=settings.plan_only,
        chunking=ChunkingSettings(**msgspec.structs.asdict(settings.chunking)) if settings.chunking else None,
        embedding_model=settings.embedding_model,
        approve=settings.approve,
        throttle=settings.throttle,
        window=settings.window,
        actor=job.actor,
        canceled_by=job.canceled_by,
        created_at=job.created_at,
        updated_at=job.updated_at,
        finished_at=job.finished_at,
        workflow_id=reindex_all_id(job.id),
        status_url=addresses.reindex_all(job.id),
    )


class ReindexAllProgress(NamedTuple):
    """A job, and the re-indexes that it has begun, by id."""

    job: ReindexAllJob
    reindexes: Mapping[str, Reindex]

    @property
    def state(self) -> str:
        """The job's."""
        return self.job.state


def reindex_all_report(progress: ReindexAllProgress, language: Language) -> ReindexAllInfo:
    """A job with the report of each knowledge base."""
    job, reindexes = progress
    items = [_item_info(item, reindexes.get(item.reindex_id or ""), language) for item in job.items]
    return msgspec.structs.replace(reindex_all_info(job), items=items)


def reindex_all_event(info: ReindexAllInfo) -> Event:
    """The event of a job's state; its id says how far the job, and what it has begun, is."""
    done = sum(item.done or 0 for item in info.items or ())
    return Event("state", info, f"{info.done}.{done}.{info.state}")


def _item_info(item: ReindexAllItem, reindex: Reindex | None, language: Language) -> ReindexAllItemInfo:
    info = reindex_info(reindex, language) if reindex is not None else None
    return ReindexAllItemInfo(
        knowledge_base=item.knowledge_base,
        state=item.state,
        stage=info.stage if info else None,
        done=info.done if info else None,
        total=info.total if info else None,
        reason=item.reason.render(language) if item.reason else None,
        reindex_id=info.id if info else None,
        status_url=info.status_url if info else None,
        plan=info.plan if info else None,
        gate=info.gate if info else None,
    )


def reindex_all_job(id: str, state: str) -> JobAccepted:
    """Where to watch a job."""
    return JobAccepted(id=id, state=state, workflow_id=reindex_all_id(id), status_url=addresses.reindex_all(id))
