"""Retries of all documents that failed for one reason."""

from __future__ import annotations

from datetime import UTC, datetime

from activities.errors import NotFound
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import KnowledgeBase
from workflows.client.jobs import Jobs
from workflows.contracts import RetryFailuresJob


class FailureRetries:
    """Starts them as a job, so that a request takes no longer for ten thousand documents than for one."""

    def __init__(self, catalog: Catalog, jobs: Jobs) -> None:
        self._catalog, self._jobs = catalog, jobs

    async def start(self, code: str, knowledge_base: KnowledgeBase | None, actor: str) -> tuple[int, str]:
        """The number of documents that failed for this reason by now, and the id of the workflow that retries them.

        Raises NotFound if there are none, and DependencyErrors.
        """
        await self._jobs.ensure_available()
        failures, id = self._catalog.operations.failures, knowledge_base.id if knowledge_base else None
        before = datetime.now(UTC)
        documents = await failures.count(code, id)
        if not documents:
            raise NotFound(kind="failure", id=code)
        job = RetryFailuresJob(
            code=code,
            before=before,
            actor=actor,
            knowledge_base_id=id,
            knowledge_base=knowledge_base.name if knowledge_base else None,
        )
        await failures.note_retry(code, id, documents, actor)
        return documents, await self._jobs.retry_failures(job)
