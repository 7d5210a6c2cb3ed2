"""Control of documents: each request reaches the run, or, where there is none yet or no more, the catalogue."""

from __future__ import annotations

from activities.contracts.deletion import DeleteJob
from activities.contracts.ids import ingest_id
from activities.contracts.stages import PENDING
from activities.errors import WrongState
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Document
from api.background.dispatcher import Dispatcher
from workflows.client.jobs import Jobs


class DocumentControl:
    """Pause, resume, cancel and retry one document's latest version; delete a document with all its versions.

    The catalogue changes a version whose run has not begun, since a run asks the catalogue when it begins. The request
    goes to Temporal in any case, because a run may have begun in the meantime. Raises WrongState and DependencyErrors.
    """

    def __init__(self, catalog: Catalog, jobs: Jobs, dispatcher: Dispatcher) -> None:
        self._catalog, self._jobs, self._dispatcher = catalog, jobs, dispatcher

    async def pause(self, document: Document, actor: str) -> Document:
        """Pause it; pausing what is paused changes nothing."""
        self._require_pending(document)
        await self._jobs.ensure_available()
        changed = await self._catalog.intake.pause(document.id, document.version, actor)
        told = await self._jobs.signal(ingest_id(document.id, document.version), "pause", actor)
        await self._conclude(document, "pause", actor, changed=changed, told=told)
        return document

    async def resume(self, document: Document, actor: str) -> Document:
        """Let it go on; resuming what is not paused changes nothing."""
        self._require_pending(document)
        await self._jobs.ensure_available()
        changed = await self._catalog.intake.resume(document.id, document.version, actor)
        told = await self._jobs.signal(ingest_id(document.id, document.version), "resume", actor)
        if changed:
            self._dispatcher.hint()
        await self._conclude(document, "resume", actor, changed=changed, told=told)
        return document

    async def cancel(self, document: Document, actor: str) -> Document:
        """Stop it: it is canceled at once, and its run removes what it wrote. What has ended stays as it is."""
        await self._jobs.ensure_available()
        if document.state not in PENDING:
            return document
        if await self._catalog.intake.cancel(document.id, document.version, actor):
            await self._jobs.cancel(ingest_id(document.id, document.version), actor)
        document = await self._catalog.documents.get(document.id)
        if document.state in PENDING:  # it is published, and about to be ready
            raise WrongState(state=document.state)
        return document

    async def retry(self, document: Document, from_step: str | None, actor: str) -> Document:
        """Send a running job back to a step; put one that failed, was canceled or has not begun in line."""
        await self._jobs.ensure_available()
        if await self._catalog.intake.retry(document.id, document.version, from_step, actor):
            self._dispatcher.hint()
            return await self._catalog.documents.get(document.id)
        self._require_pending(document)
        told = await self._jobs.retry(document.id, document.version, from_step, actor)
        detail = {"from_step": from_step} if from_step else {}
        await self._conclude(document, "retry", actor, changed=False, told=told, **detail)
        return document

    async def delete(self, document: Document, actor: str) -> str:
        """Take it out of every answer now, and start the removal of all that it left; the removal's workflow id."""
        knowledge_base = await self._catalog.knowledge_bases.by_id(document.knowledge_base_id)
        await self._catalog.documents.delete(document.id, actor)
        job = DeleteJob(
            knowledge_base_id=knowledge_base.id,
            knowledge_base=knowledge_base.name,
            document_id=document.id,
            document_name=document.name,
            actor=actor,
        )
        return await self._jobs.delete(job)

    def _require_pending(self, document: Document) -> None:
        if document.state not in PENDING:
            raise WrongState(state=document.state)

    async def _conclude(
        self, document: Document, action: str, actor: str, *, changed: bool, told: bool, **detail: object
    ) -> None:
        """Record a request that the run was told of; the catalogue has recorded its own change. Raises WrongState."""
        if changed:
            return
        if not told:
            latest = await self._catalog.documents.get(document.id)
            raise WrongState(state=latest.state)
        await self._catalog.audit.control(
            actor,
            f"document.{action}",
            document.knowledge_base_id,
            document.id,
            document.batch_id,
            version=document.version,
            **detail,
        )
