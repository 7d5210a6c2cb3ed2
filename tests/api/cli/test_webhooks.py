"""`holdfast webhook`: requests to the API, and output."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from api.cli.webhooks import webhook_change
from api.webhooks.schemas import ChangeWebhook, DeliveryInfo, WebhookInfo, WebhookSecret
from tests.api.cli.fake_api import CHINESE, FakeApi, Holdfast, whole
from tests.conftest import Platform, assert_eventually, finished, upload
from tests.receiver import Receiver, receiving

ID, EVENT = "0" * 31 + "1", "0" * 31 + "2"
URL = "https://hooks.test/x"
SHOWN = {"id": ID, "url": URL, "state": "enabled", "events": ["batch.finished"], "knowledge_base": "hr"}
SENT = whole(DeliveryInfo, id="3", webhook_id=ID, event_id=EVENT, type="webhook.test", state="pending", attempts=1)


def test_the_secret_is_printed_when_it_is_made(fake: FakeApi, holdfast: Holdfast) -> None:
    """Only what is given is sent."""
    fake.on("POST /api/v1/webhooks", whole(WebhookSecret, **SHOWN, secret="whsec_1"))
    fake.on(f"POST /api/v1/webhooks/{ID}/rotate-secret", whole(WebhookSecret, **SHOWN, secret="whsec_2"))
    shown = holdfast("webhook", "add", URL, "--kb", "hr", "--event", "batch.finished", "--each-document")
    assert shown.stdout == f"Webhook {ID}\nSecret (not shown again): whsec_1\n"
    assert json.loads(fake.requests[0].body) == {
        "url": URL, "knowledge_base": "hr", "events": ["batch.finished"], "each_document": True,
    }  # fmt: skip
    assert "whsec_2" in holdfast("webhook", "rotate", ID, env={"LC_ALL": CHINESE}).stdout
    assert json.loads(holdfast("webhook", "add", URL, "--json").stdout)["secret"] == "whsec_1"
    assert json.loads(fake.requests[-1].body) == {"url": URL}
    assert holdfast("webhook", "add", URL, "--event", "document.read").exit_code == 2


def test_a_webhook_is_shown_with_its_deliveries(fake: FakeApi, holdfast: Holdfast) -> None:
    """As a table for people, as one document for programs."""
    fake.on("GET /api/v1/webhooks?limit=1000", {"items": [whole(WebhookInfo, **SHOWN)], "next_cursor": None})
    fake.on(f"GET /api/v1/webhooks/{ID}", whole(WebhookInfo, **SHOWN))
    fake.on(f"GET /api/v1/webhooks/{ID}/deliveries?limit=20", {"items": [SENT], "next_cursor": None})
    assert holdfast("webhook", "list").stdout == f"{ID}\tenabled\thr\t{URL}\tbatch.finished\n"
    shown = holdfast("webhook", "show", ID).stdout
    assert "events: batch.finished\n" in shown
    assert "\twebhook.test\tpending\t1\t" in shown
    assert json.loads(holdfast("webhook", "show", ID, "--json").stdout)["deliveries"] == [SENT]


def test_a_webhook_is_named_by_the_beginning_of_its_id_or_address(fake: FakeApi, holdfast: Holdfast) -> None:
    """What fits several is refused with them; a whole address goes first."""
    other = "1" * 32
    both = [whole(WebhookInfo, **SHOWN), whole(WebhookInfo, **SHOWN | {"id": other, "url": f"{URL}/y"})]
    fake.on("GET /api/v1/webhooks?limit=1000", {"items": both, "next_cursor": None})
    for id in (ID, other):
        fake.on(f"POST /api/v1/webhooks/{id}/test", SENT)
    for text, id in ((ID[:5], ID), (URL, ID), (f"{URL}/", other), ("1", other)):
        assert holdfast("webhook", "test", text).exit_code == 0, text
        assert fake.requests[-1].path == f"/api/v1/webhooks/{id}/test", text
    several = holdfast("webhook", "test", "https")
    assert (several.exit_code, ID in several.stderr, other in several.stderr) == (2, True, True)
    assert holdfast("webhook", "test", "zzz").exit_code == 1


def test_a_webhook_is_tested_switched_and_removed(fake: FakeApi, holdfast: Holdfast) -> None:
    """Removal asks, or needs --yes where nobody can be asked."""
    fake.on(f"POST /api/v1/webhooks/{ID}/test", SENT)
    fake.on("POST /api/v1/webhooks/deliveries/3/retry", SENT)
    fake.on(f"GET /api/v1/webhooks/{ID}", whole(WebhookInfo, **SHOWN))
    fake.on(f"PATCH /api/v1/webhooks/{ID}", whole(WebhookInfo, **SHOWN | {"state": "disabled"}))
    fake.on(f"DELETE /api/v1/webhooks/{ID}", None)
    for command in (("test", ID), ("retry", "3")):
        assert EVENT in holdfast("webhook", *command).stdout
    assert holdfast("webhook", "disable", ID).stdout == "The webhook is disabled.\n"
    assert json.loads(fake.requests[-1].body) == {"disabled": True}
    assert holdfast("webhook", "remove", ID).exit_code == 2
    assert not fake.asked(f"DELETE /api/v1/webhooks/{ID}")
    assert holdfast("webhook", "remove", ID, "--yes").stdout == "The webhook was removed.\n"
    assert fake.asked(f"DELETE /api/v1/webhooks/{ID}")


def test_every_setting_of_a_webhook_is_changed(fake: FakeApi, holdfast: Holdfast) -> None:
    """Those that the API changes, each by itself; what is left out is not sent, and nothing is wrong usage."""
    fake.on(f"PATCH /api/v1/webhooks/{ID}", whole(WebhookInfo, **SHOWN))
    for words, sent in (
        (("--url", URL), {"url": URL}),
        (("--event", "document.ready", "--event", "batch.finished"), {"events": ["document.ready", "batch.finished"]}),
        (("--event", "all"), {"events": []}),
        (("--no-each-document",), {"each_document": False}),
        (("--each-document", "--description", ""), {"each_document": True, "description": ""}),
    ):
        assert holdfast("webhook", "change", ID, *words).stdout == f"The webhook to {URL} was changed.\n"
        assert json.loads(fake.requests[-1].body) == sent
    assert holdfast("webhook", "change", ID).exit_code == 2
    options = {parameter.name for parameter in webhook_change.params} - {"webhook", "as_json"}
    assert options | {"disabled"} == set(ChangeWebhook.__struct_fields__)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver on this machine, which the platform of the tests may reach."""
    with receiving() as found:
        yield found


async def test_jobs_tell_when_they_end(platform: Platform, api: httpx.AsyncClient, kb: str, receiver: Receiver) -> None:
    """From a command to signed messages: a document ready, one failed, one deleted; a batch says it once."""
    added = json.loads(platform.holdfast("webhook", "add", receiver.url, "--kb", kb, "--json").stdout)

    def told() -> list[tuple[str, str | None]]:
        contents = [message.verified(added["secret"]) for message in receiver.messages]
        assert len({message.id for message in receiver.messages}) == len(contents)
        assert {content["data"]["knowledge_base"]["name"] for content in contents} <= {kb}
        return sorted((content["type"], content["data"].get("name")) for content in contents)

    (document,) = await upload(api, kb, ("leave.txt", b"Five days of leave can be carried over."))
    await upload(api, kb, ("empty.txt", b""))
    await upload(api, kb, *((f"{n}.txt", f"Text {n} is short.".encode()) for n in range(2)))
    assert (await finished(api, document["id"]))["state"] == "ready"
    assert (await api.delete(f"/documents/{document['id']}")).status_code == 202
    wanted = ["batch.finished", "document.deleted", "document.failed", "document.ready"]

    async def all_told() -> bool:
        return [type for type, _ in told()] == wanted

    await assert_eventually(all_told)
    assert dict(told())["document.failed"] == "empty.txt"
    sent = next(message for message in receiver.messages if b"batch.finished" in message.body)
    assert sent.verified(added["secret"])["data"]["documents"] == {"ready": 2}
    shown = (await api.get(f"/webhooks/{added['id']}/deliveries")).json()["items"]
    assert {delivery["state"] for delivery in shown} <= {"delivered", "pending"}
    assert {delivery["event_id"] for delivery in shown} == {message.id for message in receiver.messages}
    logs = "".join(path.read_text() for path in (platform.settings.data_dir / "logs").iterdir())
    assert added["secret"] not in logs
    assert "/hook?of" not in logs
