"""Ids of workflows: what builds one takes it apart again, and ids of other things are told apart."""

from __future__ import annotations

import pytest

from activities.contracts.ids import (
    batch_workflow_id,
    delete_id,
    ingest_id,
    parse_batch_workflow_id,
    parse_ingest_id,
    question_id,
)

DOCUMENT = "0" * 31 + "a"


def test_an_id_is_taken_apart_into_what_it_was_built_from() -> None:
    """An ingestion's document and version, and a batch."""
    assert parse_ingest_id(ingest_id(DOCUMENT, 12)) == (DOCUMENT, 12)
    assert parse_batch_workflow_id(batch_workflow_id(DOCUMENT)) == DOCUMENT


@pytest.mark.parametrize(
    "id",
    [delete_id(DOCUMENT), question_id(DOCUMENT), "", "ingest/", "ingest/a", "ingest/a/", "ingest/a/x", "ingest/a/1/2",
     "ingest/a/01", "ingest/a/²", "a/1"],
)  # fmt: skip
def test_the_id_of_something_else_is_no_ingestion(id: str) -> None:
    """Also of something that a person started by hand under a name like ours."""
    assert parse_ingest_id(id) is None
    assert parse_batch_workflow_id(id) is None
