"""The progress recorder: what workers record of their runs is written, despite errors in between."""

from __future__ import annotations

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
    """A catalogue's documents. The first write fails with an error; so does each write of the stage ``poison``."""

    def __init__(self, error: Exception | None = None) -> None:
        self._errors = [error] if error else []
        self.written: list[RunProgress] = []

    async def record_progress(self, notes: Sequence[RunProgress]) -> None:
        if self._errors:
            raise self._errors.pop()
        if any(note.stage == "poison" for note in notes):
            raise ValueError("nobody foresaw this")
        self.written += notes


def begin(recorder: ProgressRecorder, stage: str, version: int = 1) -> None:
    """Record that a stage of a version of the document begins in this worker."""
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, workflow_id=f"ingest/{ID}/{version}", activity_type=stage)
    environment.run(recorder.begun)


def recorder_of(documents: Documents) -> ProgressRecorder:
    """A recorder that writes to these documents."""
    return ProgressRecorder(cast(Catalog, SimpleNamespace(documents=documents)))


async def test_progress_is_kept_during_an_outage() -> None:
    """The next write has it, unless newer progress took its place."""
    documents = Documents(CatalogUnavailable(detail="locked"))
    recorder = recorder_of(documents)
    begin(recorder, "parse", 1)
    begin(recorder, "parse", 2)
    with pytest.raises(CatalogUnavailable):
        await recorder.write()
    begin(recorder, "chunk", 2)
    await recorder.write()
    assert [note.stage for note in documents.written] == ["parse", "chunk"]


async def test_progress_that_cannot_be_written_delays_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written one by one, and what fails alone is dropped."""
    monkeypatch.setattr("activities.ingest.progress.INGEST_STAGES", ("parse", "poison"))
    documents = Documents()
    recorder = recorder_of(documents)
    for version, stage in enumerate(("parse", "poison", "parse"), 1):
        begin(recorder, stage, version)
    await recorder.write()
    assert [note.version for note in documents.written] == [1, 3]


async def test_the_last_progress_is_written_at_the_end() -> None:
    """When a worker ends, what its loop has not written yet is."""
    documents = Documents()
    recorder = recorder_of(documents)
    async with recorder.recording():
        begin(recorder, "parse")
    assert [note.stage for note in documents.written] == ["parse"]
