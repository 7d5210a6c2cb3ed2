"""`holdfast webhook`: addresses that are told of the end of jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from activities.contracts.webhooks import EVENT_TYPES
from api.cli.names import Choice, one_of
from api.cli.output import Output, talks_to_api, yes_option
from api.cli.texts.messages import say, say_or

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from api.client.client import Api
    from api.webhooks.schemas import DeliveryInfo, WebhookInfo, WebhookSecret

#: Characters of an address in a table.
SHOWN = 60


@click.group(name="webhook", help=say("help.webhook"))
def webhook_group() -> None:
    """Group of the commands on webhooks."""


@webhook_group.command("add", help=say("help.webhook.add"))
@click.argument("url")
@click.option("--kb", metavar="NAME", help=say("help.webhook.kb"))
@click.option("--event", "events", multiple=True, type=click.Choice(EVENT_TYPES), help=say("help.webhook.event"))
@click.option("--each-document", is_flag=True, help=say("help.webhook.each_document"))
@click.option("--description", help=say("help.webhook.description"))
@talks_to_api
async def webhook_add(
    api: Api,
    out: Output,
    url: str,
    kb: str | None,
    events: tuple[str, ...],
    each_document: bool,
    description: str | None,
) -> None:
    """POST /webhooks."""
    added = await api.webhooks.add(
        url,
        knowledge_base=kb,
        events=list(events) or None,
        each_document=each_document or None,
        description=description,
    )
    out.document(added.json)
    out.text(_with_secret(added.value))


@webhook_group.command("list", help=say("help.webhook.list"))
@click.option("--kb", metavar="NAME", help=say("help.in_kb"))
@talks_to_api
async def webhook_list(api: Api, out: Output, kb: str | None) -> None:
    """GET /webhooks."""
    found = [webhook async for webhook in api.webhooks.all(kb)]
    out.document({"items": [webhook.json for webhook in found]})
    rows = [] if out.json else [_row(webhook.value, out.live) for webhook in found]
    out.table_or_nothing(("id", "state", "kb", "url", "events"), rows)


def _row(info: WebhookInfo, live: bool) -> tuple[object, ...]:
    url = f"{info.url[:SHOWN]}…" if live and len(info.url) > SHOWN else info.url
    state = say_or(f"state.{info.state}", info.state) if live else info.state
    return (info.id, state, info.knowledge_base or "*", url, ", ".join(info.events) or "*")


async def _id(api: Api, out: Output, text: str) -> str:
    """The id of the webhook that an id, an address, or the beginning of one stands for."""

    async def choices() -> AsyncIterator[Choice]:
        async for webhook in api.webhooks.all(None):
            yield Choice(webhook.value.id, webhook.value.url, webhook.value.knowledge_base or "")

    return await one_of(out, text, choices())


@webhook_group.command("show", help=say("help.webhook.show"))
@click.argument("webhook")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help=say("help.limit"))
@talks_to_api
async def webhook_show(api: Api, out: Output, webhook: str, limit: int) -> None:
    """GET /webhooks/{id} and its deliveries."""
    webhook = await _id(api, out, webhook)
    info = await api.webhooks.get(webhook)
    deliveries = await api.webhooks.deliveries(webhook, limit)
    out.document({**info.json, "deliveries": [delivery.json for delivery in deliveries]})
    for key, value in info.json.items():
        text = ", ".join(value) if isinstance(value, list) else value
        out.text(f"{key}: {'' if text is None else text}")
    rows = [] if out.json else [_delivery(delivery.value, out.live) for delivery in deliveries]
    out.table(("id", "event", "state", "attempts", "status_code", "next_attempt", "reason"), rows)


def _delivery(info: DeliveryInfo, live: bool) -> tuple[object, ...]:
    state = say_or(f"state.{info.state}", info.state) if live else info.state
    following = info.next_attempt_at.isoformat(timespec="seconds") if info.next_attempt_at else None
    return (info.id, info.type, state, info.attempts, info.status_code, following, info.reason)


@webhook_group.command("test", help=say("help.webhook.test"))
@click.argument("webhook")
@talks_to_api
async def webhook_test(api: Api, out: Output, webhook: str) -> None:
    """POST /webhooks/{id}/test."""
    webhook = await _id(api, out, webhook)
    sent = await api.webhooks.test(webhook)
    out.document(sent.json)
    out.text(say("webhook.sent", event=sent.value.event_id, id=webhook))


@webhook_group.command("rotate", help=say("help.webhook.rotate"))
@click.argument("webhook")
@talks_to_api
async def webhook_rotate(api: Api, out: Output, webhook: str) -> None:
    """POST /webhooks/{id}/rotate-secret."""
    rotated = await api.webhooks.rotate(await _id(api, out, webhook))
    out.document(rotated.json)
    out.text(_with_secret(rotated.value))


def _with_secret(info: WebhookSecret) -> str:
    return say("webhook.secret", id=info.id, secret=info.secret)


@webhook_group.command("retry", help=say("help.webhook.retry"))
@click.argument("delivery")
@talks_to_api
async def webhook_retry(api: Api, out: Output, delivery: str) -> None:
    """POST /webhooks/deliveries/{id}/retry."""
    again = await api.webhooks.retry(delivery)
    out.document(again.json)
    out.text(say("webhook.sent", event=again.value.event_id, id=again.value.webhook_id))


@webhook_group.command("change", help=say("help.webhook.change"))
@click.argument("webhook")
@click.option("--url", help=say("help.webhook.url"))
@click.option(
    "--event", "events", multiple=True, type=click.Choice((*EVENT_TYPES, "all")), help=say("help.webhook.events")
)
@click.option("--each-document/--no-each-document", default=None, help=say("help.webhook.each_document"))
@click.option("--description", help=say("help.webhook.description"))
@talks_to_api
async def webhook_change(api: Api, out: Output, webhook: str, events: tuple[str, ...], **fields: Any) -> None:
    """PATCH /webhooks/{id}; what is left out stays."""
    changes = {name: value for name, value in fields.items() if value is not None}
    if events:
        changes["events"] = [] if "all" in events else list(events)
    if not changes:
        raise click.UsageError(say("kb.set_nothing"))
    changed = await api.webhooks.change(await _id(api, out, webhook), **changes)
    out.document(changed.json)
    out.text(say("webhook.changed", url=changed.value.url))


def _switch(name: str, *, disabled: bool) -> None:
    @webhook_group.command(name, help=say(f"help.webhook.{name}"))
    @click.argument("webhook")
    @talks_to_api
    async def switch(api: Api, out: Output, webhook: str) -> None:
        changed = await api.webhooks.change(await _id(api, out, webhook), disabled=disabled)
        out.document(changed.json)
        out.text(say(f"webhook.{changed.value.state}"))


_switch("enable", disabled=False)
_switch("disable", disabled=True)


@webhook_group.command("remove", help=say("help.webhook.remove"))
@click.argument("webhook")
@yes_option
@talks_to_api
async def webhook_remove(api: Api, out: Output, webhook: str, yes: bool) -> None:
    """DELETE /webhooks/{id}."""
    webhook = await _id(api, out, webhook)
    url = (await api.webhooks.get(webhook)).value.url
    out.confirm(say("webhook.sure", url=url), yes)
    await api.webhooks.delete(webhook)
    out.document({"id": webhook})
    out.text(say("webhook.removed"))
