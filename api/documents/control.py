"""Controlling jobs: each request reaches the run, or, where there is none yet or no more, the catalogue."""

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

    Raises WrongState and DependencyErrors.
    """

    def __init__(self, catalog: Catalog, jobs: Jobs, dispatcher: Dispatcher) -> None:
        self._catalog, self._jobs, self._dispatcher = catalog, jobs, dispatcher

    async def pause(self, document: Document, actor: str) -> Document:
        """Hold it; pausing what is paused changes nothing."""
        if document.state not in PENDING:
            raise WrongState(state=document.state)
        if not await self._catalog.intake.pause(document.id, document.version, actor):
            await self._signal(document, "pause", actor)
        return document

    async def resume(self, document: Document, actor: str) -> Document:
        """Let it go on; resuming what is not paused changes nothing."""
        if document.state not in PENDING:
            raise WrongState(state=document.state)
        if await self._catalog.intake.resume(document.id, document.version, actor):
            self._dispatcher.hint()
        else:
            await self._signal(document, "resume", actor)
        return document

    async def cancel(self, document: Document, actor: str) -> Document:
        """Stop it; canceling what is at its end changes nothing."""
        await self._jobs.ensure_available()
        if document.state not in PENDING or await self._catalog.intake.cancel(document.id, document.version, actor):
            return document
        if await self._jobs.cancel(ingest_id(document.id, document.version), actor):
            await self._audit(document, "cancel", actor)
        return document

    async def retry(self, document: Document, from_step: str | None, actor: str) -> Document:
        """Send a running job back to a step; put a failed or canceled one back in line."""
        if document.state in PENDING:
            if not await self._jobs.retry(document.id, document.version, from_step, actor):
                raise WrongState(state=document.state)
            await self._audit(document, "retry", actor, **({"from_step": from_step} if from_step else {}))
            return document
        await self._jobs.ensure_available()
        if not await self._catalog.intake.retry(document.id, document.version, from_step, actor):
            raise WrongState(state=document.state)
        self._dispatcher.hint()
        return await self._catalog.documents.get(document.id)

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

    async def _signal(self, document: Document, name: str, actor: str) -> None:
        if not await self._jobs.signal(ingest_id(document.id, document.version), name, actor):
            raise WrongState(state=document.state)
        await self._audit(document, name, actor)

    async def _audit(self, document: Document, action: str, actor: str, **detail: object) -> None:
        detail = {"version": document.version} | detail
        await self._catalog.audit.control(
            actor, f"document.{action}", document.knowledge_base_id, document.id, **detail
        )
