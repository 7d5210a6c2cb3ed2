"""Payloads are encrypted for one workflow of one namespace; keys are added and exchanged while everything runs."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.converter import ActivitySerializationContext, DataConverter, WorkflowSerializationContext
from temporalio.exceptions import ApplicationError

from activities.contracts.summaries import Summary
from activities.errors import DamagedDocument, MilvusUnavailable, Reason, SettingsError
from activities.runtime.converter import converter_for, data_converter
from activities.runtime.encryption import KEY_ID, WORKFLOW, PayloadUnreadable, is_encrypted
from activities.runtime.failures import in_short, reason_of, to_application_error
from activities.runtime.heartbeat import Progress
from activities.runtime.temporal import connect, decoded
from activities.settings import PayloadKeys, TemporalSettings

WORDS = "the heron's invoice"


def key(id: str) -> str:
    """A line of the file, with a new key."""
    return f"{id} {base64.b64encode(os.urandom(32)).decode()}\n"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A file with one key."""
    file = tmp_path / "payload.keys"
    file.write_text(f"# made for a test\n\n{key('first')}")
    return file


def of_workflow(keys: Path, id: str, namespace: str = "default") -> DataConverter:
    """The converter as the SDK gives it to a workflow."""
    return converter_for(str(keys), namespace).with_context(WorkflowSerializationContext("elsewhere", id))


async def sealed(keys: Path, id: str, value: Any = WORDS) -> Payload:
    """The payload of a workflow."""
    (payload,) = await of_workflow(keys, id).encode([value])
    return payload


async def test_what_is_sent_does_not_hold_the_text(keys: Path) -> None:
    """Key and workflow are named, the text is not there, and the same text is never the same twice."""
    payload, again = await sealed(keys, "ingest/1"), await sealed(keys, "ingest/1")
    assert is_encrypted(payload)
    assert (payload.metadata[KEY_ID], payload.metadata[WORKFLOW]) == (b"first", b"ingest/1")
    assert b"heron" not in payload.SerializeToString()
    assert payload.data != again.data
    assert await of_workflow(keys, "ingest/1").decode([payload], [str]) == [WORDS]


async def test_activities_share_the_payloads_of_their_workflow(keys: Path) -> None:
    """An activity, its heartbeats and its result belong to the workflow."""
    context = ActivitySerializationContext(
        namespace="default",
        activity_id="1",
        activity_type="parse",
        activity_task_queue="cpu",
        workflow_id="ingest/1",
        workflow_type="IngestDocument",
        is_local=False,
    )
    assert await converter_for(str(keys), "default").with_context(context).decode([await sealed(keys, "ingest/1")]) == [
        WORDS
    ]


@pytest.mark.parametrize(("workflow", "namespace"), [("ingest/2", "default"), ("ingest/1", "other"), ("", "default")])
async def test_a_payload_that_was_moved_is_not_read(keys: Path, workflow: str, namespace: str) -> None:
    """Another workflow, or one of another namespace, does not take it, even if its metadata were changed too."""
    payload = await sealed(keys, "ingest/1")
    with pytest.raises(PayloadUnreadable):
        await of_workflow(keys, workflow, namespace).decode([payload])
    if workflow != "ingest/1":
        payload.metadata[WORKFLOW] = workflow.encode()
        with pytest.raises(PayloadUnreadable):
            await of_workflow(keys, workflow, namespace).decode([payload])


async def test_a_payload_that_was_changed_is_not_read(keys: Path) -> None:
    """Each byte counts."""
    payload = await sealed(keys, "ingest/1")
    for data in (payload.data[:-1], payload.data[:-1] + bytes([payload.data[-1] ^ 1]), b"", b"short"):
        with pytest.raises(PayloadUnreadable):
            await of_workflow(keys, "ingest/1").decode([Payload(metadata=payload.metadata, data=data)])


async def test_runs_of_a_schedule_read_its_arguments_and_the_result_of_the_run_before(keys: Path) -> None:
    """Temporal adds the time to the id of each run."""
    for id in ("nightly", "nightly-2026-11-29T03:00:00Z"):
        payload = await sealed(keys, id)
        assert await of_workflow(keys, "nightly-2026-11-30T03:00:00Z").decode([payload]) == [WORDS]
        with pytest.raises(PayloadUnreadable):
            await of_workflow(keys, "weekly-2026-11-30T03:00:00Z").decode([payload])


async def test_who_knows_no_workflow_takes_the_payloads_word(keys: Path) -> None:
    """The codec endpoint gets payloads without their run."""
    assert await converter_for(str(keys), "default").decode([await sealed(keys, "ingest/1")]) == [WORDS]


async def test_payloads_from_before_are_read(keys: Path) -> None:
    """Runs that began without encryption go on."""
    (plain,) = await data_converter.encode([Reason("earlier")])
    assert await of_workflow(keys, "ingest/1").decode([plain], [Reason]) == [Reason("earlier")]


async def test_summaries_stay_in_clear(keys: Path) -> None:
    """They are read in lists, and by every client."""
    payload = await sealed(keys, "ingest/1", Summary("Index leave.pdf v3 into hr"))
    assert payload.data == b'"Index leave.pdf v3 into hr"'
    assert await data_converter.decode([payload], [str]) == ["Index leave.pdf v3 into hr"]


async def test_failures_hold_no_text(keys: Path) -> None:
    """Messages, stack traces, causes and reasons are encrypted; the code of the error stays, for lists and retries."""
    converter = of_workflow(keys, "ingest/1")
    failure, received = Failure(), None
    try:
        try:
            raise ValueError(WORDS)
        except ValueError as exc:
            raise to_application_error(DamagedDocument(detail=WORDS), 1) from exc
    except ApplicationError as exc:
        await converter.encode_failure(exc, failure)
    sent = failure.SerializeToString()
    assert b"heron" not in sent
    assert b"test_encryption" not in sent
    assert failure.application_failure_info.type == "damaged"
    received = await converter.decode_failure(Failure.FromString(sent))
    assert reason_of(received) == DamagedDocument(detail=WORDS).reason
    assert WORDS in str(received.__cause__)


async def test_failures_are_small_however_deep_their_cause(keys: Path) -> None:
    """Temporal keeps type and reason of at most 4 KB: errors of clients come with long messages, causes and traces."""

    def fails(depth: int) -> None:
        if depth:
            fails(depth - 1)
        raise ConnectionError(f"no connection {'to some address ' * 200}\n{WORDS * 200}")

    async def step() -> None:
        try:
            try:
                fails(50)
            except ConnectionError as exc:
                raise OSError("wire " * 500) from exc
        except OSError as exc:
            raise MilvusUnavailable(detail="gone") from exc

    failure = Failure()
    try:
        try:
            await step()
        except MilvusUnavailable as exc:
            raise to_application_error(exc, 1) from in_short(exc)
    except ApplicationError as exc:
        await of_workflow(keys, "ingest/1").encode_failure(exc, failure)
        told = str(exc.__cause__)
    assert failure.ByteSize() < 2500
    assert failure.application_failure_info.type == "milvus-unavailable"
    assert [each.partition(":")[0] for each in told.split(" <- ")] == [
        "MilvusUnavailable",
        "OSError",
        "ConnectionError",
    ]


async def test_a_key_is_exchanged_while_everything_runs(keys: Path) -> None:
    """A new first key writes in processes that start after it; those from before read the file again."""
    before, old = of_workflow(keys, "ingest/1"), await sealed(keys, "ingest/1")
    keys.write_text(key("second") + keys.read_text())
    new = await sealed(keys, "ingest/1")
    assert new.metadata[KEY_ID] == b"second"
    assert await before.decode([new]) == [WORDS]
    assert await of_workflow(keys, "ingest/1").decode([old]) == [WORDS]
    assert (await before.encode([WORDS]))[0].metadata[KEY_ID] == b"first"


async def test_a_key_that_is_gone_is_named(keys: Path) -> None:
    """Also when the file is gone with it."""
    payload = await sealed(keys, "ingest/1")
    keys.write_text(key("second"))
    with pytest.raises(PayloadUnreadable, match="first"):
        await of_workflow(keys, "ingest/1").decode([payload])
    converter = of_workflow(keys, "ingest/1")
    keys.unlink()
    with pytest.raises(PayloadUnreadable, match="first"):
        await converter.decode([payload])


@pytest.mark.parametrize(
    "content",
    [
        "",
        "# nothing\n",
        "first\n",
        "first c2hvcnQ=\n",
        f"a/b {'A' * 43}=\n",
        "first not base64\n",
        f"one {'A' * 43}=\nx y",
    ],
)
def test_a_broken_file_is_an_error_of_settings(keys: Path, content: str) -> None:
    """With the file and the line, and nothing of what it holds."""
    keys.write_text(content)
    with pytest.raises(SettingsError, match="line") as raised:
        converter_for(str(keys), "default")
    assert "c2hvcnQ" not in str(raised.value)
    keys.unlink()
    with pytest.raises(SettingsError, match="No such file"):
        converter_for(str(keys), "default")


def test_a_key_stands_there_once(keys: Path) -> None:
    """Which of two would write?"""
    keys.write_text(key("one") + key("one"))
    with pytest.raises(SettingsError, match="line 2"):
        converter_for(str(keys), "default")


async def test_what_a_description_holds_is_read(keys: Path) -> None:
    """A heartbeat, a reason, nothing yet, another type, another key: what cannot be read counts as not there."""
    client = await connect(TemporalSettings(address="127.0.0.1:1", payload_keys=PayloadKeys(str(keys))), lazy=True)
    payloads = await of_workflow(keys, "ingest/1").encode([Progress(done=1, total=2), "more"])
    assert await decoded(client, "ingest/1", payloads, Progress) == Progress(done=1, total=2)
    assert await decoded(client, "ingest/1", [], Progress) is None
    assert await decoded(client, "ingest/1", payloads, int) is None
    assert await decoded(client, "ingest/2", payloads, Progress) is None
    keys.write_text(key("second"))
    other = await connect(TemporalSettings(address="127.0.0.1:1", payload_keys=PayloadKeys(str(keys))), lazy=True)
    assert await decoded(other, "ingest/1", payloads, Progress) is None
