"""Re-indexes as the API shows them."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from activities.contracts import addresses
from activities.contracts.gate import Gate
from activities.contracts.ids import reindex_workflow_id
from activities.contracts.reindex import Verified
from activities.contracts.stages import REINDEX_STAGES, number_of
from activities.errors import Language
from activities.stores.catalog.records import Reindex
from api.http.schemas import JobAccepted
from api.knowledge_bases.schemas import ChunkingSettings
from api.reindexes.schemas import GateInfo, MeasureInfo, PlanInfo, ReindexInfo, VerifiedInfo, WorseInfo


def reindex_info(reindex: Reindex, language: Language, waiting_for: str | None = None) -> ReindexInfo:
    """A re-index, with its rate since the build began."""
    rate = 0.0
    if reindex.built_since is not None and reindex.done:
        until = reindex.updated_at if reindex.stage != "build" else datetime.now(UTC)
        rate = reindex.done / max(1.0, (until - reindex.built_since).total_seconds()) * 60
    builds = reindex.stage == "build" and reindex.state == "running" and rate and reindex.total is not None
    left = max(0, (reindex.total or 0) - reindex.done)
    done, total = reindex.done, reindex.total
    if reindex.stage == "gate" and reindex.gate is not None:
        done, total = reindex.gate.done, reindex.gate.questions
    return ReindexInfo(
        id=reindex.id,
        knowledge_base=reindex.knowledge_base,
        generation=reindex.generation,
        previous=reindex.previous,
        state=reindex.state,
        stage=reindex.stage,
        stage_number=number_of(reindex.stage, REINDEX_STAGES),
        stage_count=len(REINDEX_STAGES),
        done=done,
        total=total,
        rate_per_minute=round(rate, 1),
        eta_seconds=round(left / rate * 60) if builds else None,
        waiting_for=waiting_for,
        reason=reindex.reason.render(language) if reindex.reason else None,
        chunking=ChunkingSettings(
            max_tokens=reindex.chunking.max_tokens, overlap_tokens=reindex.chunking.overlap_tokens
        ),
        embedding_model=reindex.embedding.name if reindex.embedding else None,
        plan_only=reindex.plan_only,
        plan=msgspec.convert(reindex.plan, PlanInfo, from_attributes=True) if reindex.plan else None,
        verified=_verified_info(reindex.verified) if reindex.verified else None,
        questions=reindex.questions or None,
        gate=_gate_info(reindex, reindex.gate) if reindex.gate else None,
        gate_seconds=reindex.gate_seconds,
        approve=reindex.approve,
        approved_by=reindex.approved_by,
        parallelism=reindex.parallelism,
        throttle=reindex.throttle,
        window=reindex.window,
        soak_seconds=reindex.soak_seconds,
        actor=reindex.actor,
        created_at=reindex.created_at,
        updated_at=reindex.updated_at,
        switched_at=reindex.switched_at,
        rolled_back_at=reindex.rolled_back_at,
        finished_at=reindex.finished_at,
        workflow_id=reindex_workflow_id(reindex.knowledge_base_id, reindex.generation),
        status_url=addresses.reindex(reindex.id),
        events_url=addresses.reindex_events(reindex.id),
    )


def _verified_info(verified: Verified) -> VerifiedInfo:
    fields = msgspec.structs.asdict(verified)
    del fields["wrong"]  # none of them is left when it is recorded for the last time
    return VerifiedInfo(**fields)


def _gate_info(reindex: Reindex, gate: Gate) -> GateInfo:
    return GateInfo(
        questions=gate.questions,
        done=gate.done,
        measures=[MeasureInfo(**msgspec.structs.asdict(measure)) for measure in gate.measures],
        worse=[
            WorseInfo(measure=each.measure, question=each.question or None, question_id=each.question_id or None)
            for each in gate.worse
        ],
        worse_count=gate.worse_count,
        refused=gate.refused,
        overridden_by=reindex.overridden_by,
        override_reason=reindex.override_reason,
    )


def reindex_job(reindex: Reindex, state: str) -> JobAccepted:
    """Where to watch a re-index."""
    return JobAccepted(
        id=reindex.id,
        state=state,
        workflow_id=reindex_workflow_id(reindex.knowledge_base_id, reindex.generation),
        status_url=addresses.reindex(reindex.id),
        events_url=addresses.reindex_events(reindex.id),
    )
