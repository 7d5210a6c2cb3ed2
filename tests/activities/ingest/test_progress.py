"""The progress recorder: what workers record of their runs is written, despite errors in between."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest
from temporalio.testing import ActivityEnvironment

from activities.errors import CatalogUnavailable
from activities.ingest.progress import ProgressRecorder
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import RunProgress

ID = "a" * 32


class Documents:
    """A catalogue's documents whose first writes of progress fail with an error."""

    def __init__(self, error: Exception) -> None:
        self._errors = [error]
        self.written: list[RunProgress] = []

    async def record_progress(self, notes: Sequence[RunProgress]) -> None:
        if self._errors:
            raise self._errors.pop()
        self.written += notes


def begin(recorder: ProgressRecorder, stage: str) -> None:
    """Record that a stage of the document's first version begins in this worker."""
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, workflow_id=f"ingest/{ID}/1", activity_type=stage)
    environment.run(recorder.begun)


@pytest.mark.parametrize(
    ("error", "stages"),
    [(CatalogUnavailable(detail="locked"), ["parse", "embed"]), (ValueError("nobody foresaw this"), ["embed"])],
)
async def test_an_error_does_not_end_the_writing(
    error: Exception, stages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Progress that an outage delays is written later; a write that fails otherwise is lost, but not those after it."""
    monkeypatch.setattr("activities.ingest.progress.WRITE_SECONDS", 0.01)
    documents = Documents(error)
    recorder = ProgressRecorder(cast(Catalog, SimpleNamespace(documents=documents)))
    writing = asyncio.create_task(recorder.run())
    begin(recorder, "parse")
    await asyncio.sleep(0.015)
    begin(recorder, "embed")
    while not any(note.stage == "embed" for note in documents.written):
        await asyncio.sleep(0.01)
    writing.cancel()
    assert {note.stage for note in documents.written} <= set(stages)
    assert documents.written[-1].stage == "embed"
