"""Lengths: what clients name fits its column, since PostgreSQL refuses what SQLite takes."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import String, Text

from activities.contracts.gate import MAX_OVERRIDE
from activities.contracts.names import MAX_NAME, MAX_SEARCH_KEY, MAX_TAG, clean_name, clean_tags
from activities.contracts.reindex import MAX_WINDOW
from activities.contracts.schedules import MAX_CRON, MAX_ZONE
from activities.contracts.sync import MAX_LOCATION
from activities.contracts.webhooks import MAX_URL
from activities.errors import InvalidName, InvalidRequest
from activities.stores.catalog.people.api_keys import MAX_SUBJECT
from activities.stores.catalog.people.names import MAX_DISPLAY_NAME, MAX_GROUP_NAME, MAX_USER_NAME
from activities.stores.catalog.questions import TITLE_CHARACTERS
from activities.stores.catalog.tables import Table
from api.documents.routes import MAX_KEY_CHARACTERS
from tests.api.http.test_access import CONVERSATION, KB, SCHEDULE, SOURCES, WEBHOOK, IsolatedApi, isolated_api
from tests.api.http.test_bodies import send

__all__ = ["isolated_api"]  # a fixture

pytestmark = [
    pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Deprecated '(query|header)' parameter:DeprecationWarning"),
]

LENGTHS: dict[str, int] = {
    f"{table.name}.{column.name}": column.type.length
    for table in Table.metadata.sorted_tables
    for column in table.columns
    if isinstance(column.type, String) and not isinstance(column.type, Text) and column.type.length is not None
}

#: Texts in requests: their column, the route, and a body with the text as ``…``.
IN_BODIES: list[tuple[str, str, dict[str, Any]]] = [
    ("knowledge_bases.name", "POST /api/v1/knowledge-bases", {"name": "…"}),
    ("knowledge_bases.title", "POST /api/v1/knowledge-bases", {"name": "titled", "title": "…"}),
    ("knowledge_bases.title", f"PATCH {KB}", {"title": "…"}),
    ("batches.name", f"POST {KB}/batches", {"name": "…"}),
    ("schedules.note", f"PATCH {SCHEDULE}", {"note": "…"}),
    ("sources.name", f"PATCH {SOURCES}", {"name": "…"}),
    ("conversations.title", f"PATCH {CONVERSATION}", {"title": "…"}),
    ("webhook_endpoints.description", f"PATCH {WEBHOOK}", {"description": "…"}),
]

#: Columns with texts of clients whose limit is a constant.
CONSTANTS = {
    "reindexes.window": MAX_WINDOW,
    "schedules.name": 63,
    "schedules.cron": MAX_CRON,
    "schedules.time_zone": MAX_ZONE,
    "webhook_endpoints.url": MAX_URL,
    "reindexes.override_reason": MAX_OVERRIDE,
    "api_keys.subject": MAX_SUBJECT,
    "api_keys.name": MAX_SUBJECT,
    "users.name": MAX_USER_NAME,
    "users.display_name": MAX_DISPLAY_NAME,
    "groups.name": MAX_GROUP_NAME,
    "documents.name": MAX_NAME,
    "documents.name_key": MAX_SEARCH_KEY,
    "bulk_changes.tag": MAX_TAG,
    "sources.location": MAX_LOCATION,
    "document_tags.tag": MAX_TAG,
    "idempotency_keys.key": MAX_KEY_CHARACTERS,
}

#: Columns that hold the subject of a key.
SUBJECTS = {
    "actor",
    "approved_by",
    "canceled_by",
    "confirmed_by",
    "created_by",
    "deleted_by",
    "feedback_by",
    "overridden_by",
}

#: Columns that only this code fills: ids, hashes, states, keys of blobs, what models say of themselves.
OURS = {
    "action", "batch_id", "batch_page", "chunks_key", "collection", "conversation_id", "document_id",
    "embedding_fingerprint", "embedding_model", "fallback", "feedback_rating", "fingerprint", "id",
    "knowledge_base_id", "language_model", "media_type", "mode", "model", "model_fingerprint", "object_id",
    "parsed_key", "prompt_version", "question_id", "removing_by", "retry_from", "role", "secret_sha256", "sha256",
    "after", "archive_sha256", "phase", "stage", "state", "until", "vectors_key", "waiting_for",
    "job_id", "job_workflow_id", "kind", "occurrence", "run_id", "schedule_id", "workflow_id",
    "source_id", "source_stamp",
    "disabled_cause", "endpoint_id", "event_id", "previous_secret", "secret", "type",
    "questions", "questions_key", "knowledge_base", "reindex_all_id", "reindex_id", "wanted",
    "blob_key", "scan", "status",
    "address", "code", "key_id", "object_name", "object_type", "outcome", "request", "request_id",
    "external_name", "keeper", "salt", "text_hash", "text_salt",
    "group_id", "hash", "owner_id", "password_hash", "previous_refresh_hash", "refresh_hash",
    "rotation_salt", "source", "subject_id", "subject_kind", "user_agent", "user_id",
    "external_sid", "issuer", "subject",  # of an identity provider
}  # fmt: skip


def test_every_column_has_its_limit() -> None:
    """A new column of limited length is filled by this code alone, or its texts are checked here."""
    checked = {column for column, _, _ in IN_BODIES} | CONSTANTS.keys()
    for column in LENGTHS.keys() - checked:
        assert column.split(".")[1] in OURS | SUBJECTS, column
    for column, limit in CONSTANTS.items():
        assert LENGTHS[column] == limit
    assert {length for column, length in LENGTHS.items() if column.split(".")[1] in SUBJECTS} == {MAX_SUBJECT}
    assert LENGTHS["conversations.title"] >= TITLE_CHARACTERS


@pytest.mark.parametrize(("column", "route", "body"), IN_BODIES)
async def test_a_text_fits_its_column(isolated_api: IsolatedApi, column: str, route: str, body: dict[str, Any]) -> None:
    """The longest that fits is taken, and one character more is 400."""
    for length, taken in ((LENGTHS[column], True), (LENGTHS[column] + 1, False)):
        sent = {name: "x" * length if value == "…" else value for name, value in body.items()}
        answer = await send(isolated_api, route, json=sent)
        assert (answer.status_code != 400) == taken, (length, answer.text)


def test_names_and_tags_fit_their_columns() -> None:
    """Also after normalization, which can lengthen them."""
    assert clean_name("x" * MAX_NAME)
    with pytest.raises(InvalidName):
        clean_name("x" * (MAX_NAME + 1))
    longer = "\u0958" * (MAX_TAG // 2 + 1)  # NFC makes two characters of it
    with pytest.raises(InvalidRequest):
        clean_tags([longer])
    with pytest.raises(InvalidName):
        clean_name("\u0958" * (MAX_NAME // 2 + 1))


@pytest.mark.parametrize("subject", ["", "s" * (MAX_SUBJECT + 1), "a\0b"])
async def test_a_subject_fits_its_columns(isolated_api: IsolatedApi, subject: str) -> None:
    """A key is not made for any other."""
    with pytest.raises(InvalidName):
        await isolated_api.catalog.api_keys.create(subject, "reader")
