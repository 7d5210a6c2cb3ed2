"""Ingestion: a document becomes retrievable, step by step, or fails with its reason."""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities import contracts as step
    from activities.contracts import Queue
    from activities.errors import Reason
    from activities.interceptor import reason_of
    from workflows.contracts import INGEST_STAGES, IngestJob, IngestResult, JobState
    from workflows.policies import LONG_STEP, SHORT_STEP
    from workflows.progress import Progress


@workflow.defn
class IngestDocument:
    """parse → chunk → embed → index → publish, and purge what the new version replaced."""

    @workflow.init
    def __init__(self, job: IngestJob) -> None:
        self._job = job
        self._progress = Progress(INGEST_STAGES)
        self._priority = Priority(priority_key=job.priority, fairness_key=job.knowledge_base_id)

    @workflow.query
    def state(self) -> JobState:
        """Stage and state; how far the stage is, its activity's heartbeats tell."""
        return self._progress.state()

    @workflow.run
    async def run(self, job: IngestJob) -> IngestResult:
        """Raises ApplicationError, typed by the reason's code, when the document cannot be used."""
        try:
            result = await self._ingest(job)
        except (ActivityError, asyncio.CancelledError) as exc:
            canceled, reason = is_cancelled_exception(exc), reason_of(exc)
            await self._give_up(reason, canceled=canceled)
            if canceled:
                raise
            raise ApplicationError(reason.render(), reason, type=reason.code, non_retryable=True) from exc
        self._progress.finish("ready" if result.live else "canceled")
        return result

    async def _ingest(self, job: IngestJob) -> IngestResult:
        parsed = await self._parse(job)
        chunked = await self._chunk(job, parsed)
        embedded = await self._embed(job, chunked)
        await self._index(job, chunked, embedded)
        published = await self._publish(job, parsed, chunked, embedded)
        if published.retired:
            await self._purge(published.retired)
        return IngestResult(
            live=published.live,
            chunks=chunked.chunks,
            embedded=embedded.embedded,
            reused=embedded.reused,
            pages=parsed.pages,
        )

    async def _parse(self, job: IngestJob) -> step.Parsed:
        self._progress.enter("parse")
        return await workflow.execute_activity(
            step.parse,
            step.ParseInput(sha256=job.sha256, document_name=job.document_name, bytes=job.bytes),
            task_queue=Queue.CPU,
            priority=self._priority,
            summary=f"Read {job.document_name} ({job.bytes:,} bytes)",
            **LONG_STEP,
        )

    async def _chunk(self, job: IngestJob, parsed: step.Parsed) -> step.Chunked:
        self._progress.enter("chunk")
        return await workflow.execute_activity(
            step.chunk,
            step.ChunkInput(parsed_key=parsed.parsed_key, chunking=job.chunking),
            task_queue=Queue.CPU,
            priority=self._priority,
            summary=f"Cut {parsed.characters:,} characters into chunks",
            **LONG_STEP,
        )

    async def _embed(self, job: IngestJob, chunked: step.Chunked) -> step.Embedded:
        self._progress.enter("embed")
        return await workflow.execute_activity(
            step.embed,
            step.EmbedInput(document_id=job.document_id, version=job.version, chunks_key=chunked.chunks_key),
            task_queue=Queue.GPU,
            priority=self._priority,
            summary=f"Embed {chunked.chunks:,} chunks",
            **LONG_STEP,
        )

    async def _index(self, job: IngestJob, chunked: step.Chunked, embedded: step.Embedded) -> step.Indexed:
        self._progress.enter("index")
        return await workflow.execute_activity(
            step.index,
            step.IndexInput(
                knowledge_base_id=job.knowledge_base_id,
                document_id=job.document_id,
                version=job.version,
                chunks_key=chunked.chunks_key,
                vectors_key=embedded.vectors_key,
                model=embedded.model,
                model_fingerprint=embedded.model_fingerprint,
                dimension=embedded.dimension,
            ),
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=f"Write {chunked.chunks:,} rows ({embedded.embedded:,} embedded, {embedded.reused:,} reused)",
            **LONG_STEP,
        )

    async def _publish(
        self, job: IngestJob, parsed: step.Parsed, chunked: step.Chunked, embedded: step.Embedded
    ) -> step.Published:
        self._progress.enter("publish")
        return await workflow.execute_activity(
            step.publish,
            step.PublishInput(
                document_id=job.document_id,
                version=job.version,
                chunks=chunked.chunks,
                media_type=parsed.media_type,
                pages=parsed.pages,
                parsed_key=parsed.parsed_key,
                chunks_key=chunked.chunks_key,
                vectors_key=embedded.vectors_key,
            ),
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=f"Publish v{job.version} of {job.document_name}",
            **SHORT_STEP,
        )

    async def _purge(self, versions: list[int]) -> None:
        await workflow.execute_activity(
            step.purge_rows,
            step.PurgeInput(
                knowledge_base_id=self._job.knowledge_base_id, document_id=self._job.document_id, versions=versions
            ),
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=f"Purge the rows of v{', v'.join(map(str, versions))}",
            **LONG_STEP,
        )

    async def _give_up(self, reason: Reason, *, canceled: bool) -> None:
        """Leave nothing half-done: record the reason, purge the version's rows. Runs to its end when canceled."""
        recorded = await workflow.execute_activity(
            step.record_failure,
            step.RecordFailureInput(
                document_id=self._job.document_id, version=self._job.version, reason=reason, canceled=canceled
            ),
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=f"{'Canceled' if canceled else 'Failed'}: {reason.render()}",
            **SHORT_STEP,
        )
        if recorded.purge:
            await self._purge([self._job.version])
        self._progress.finish("canceled" if canceled else "failed")
