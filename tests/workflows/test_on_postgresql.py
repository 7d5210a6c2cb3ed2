"""Ingestion, batches and controls on a platform with PostgreSQL and S3; the same tests as on SQLite and a folder."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from temporalio.client import Client

from tests.conftest import Platform, running_platform, stores_on_servers
from tests.postgresql import PostgreSQL
from tests.workflows.test_batches import (  # noqa: F401 - collected here, for the platform below
    test_a_batch_is_paused_resumed_and_canceled,
    test_an_archive_is_unpacked_into_its_documents,
    test_deleting_a_knowledge_base_stops_its_batch,
    test_failed_documents_of_a_batch_are_tried_again,
    test_several_files_are_a_batch,
)
from tests.workflows.test_control import (  # noqa: F401
    test_a_newer_version_stops_the_older_run,
    test_deleting_while_indexing_leaves_nothing,
)
from tests.workflows.test_control import (
    test_a_paused_document_holds_and_goes_on_where_it_was as a_paused_document_holds,
)
from tests.workflows.test_control import test_a_retry_of_a_canceled_document_reuses_its_work as a_retry_reuses
from tests.workflows.test_ingest import (  # noqa: F401
    test_a_new_version_replaces_the_old_one,
    test_equal_content_under_two_names_survives_the_deletion_of_one,
)
from tests.workflows.test_reindex import filled  # noqa: F401
from tests.workflows.test_reindex import test_other_chunks_go_live_unnoticed_and_back as other_chunks_go_live

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def platform(postgresql: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform with its catalogue on PostgreSQL and its files on S3."""
    folder = tmp_path_factory.mktemp("platform")
    with stores_on_servers(postgresql) as settings, running_platform(folder, **settings) as found:
        yield found


@pytest.mark.endurance
async def test_other_chunks_go_live_and_back(platform: Platform, api: httpx.AsyncClient, filled: str) -> None:  # noqa: F811
    """As on SQLite; the short tests of generations run on both."""
    await other_chunks_go_live(platform, api, filled)


@pytest.mark.endurance
async def test_a_paused_document_goes_on_where_it_was(api: httpx.AsyncClient, kb: str, temporal: Client) -> None:
    """As on SQLite: what it has embedded is no matter of the catalogue."""
    await a_paused_document_holds(api, kb, temporal)


@pytest.mark.endurance
async def test_a_retry_reuses_the_work_of_a_canceled_document(
    api: httpx.AsyncClient, kb: str, temporal: Client
) -> None:
    """As on SQLite: what it has embedded is no matter of the catalogue."""
    await a_retry_reuses(api, kb, temporal)
