"""Texts of the command line about webhooks, in English and Chinese."""

from __future__ import annotations

WEBHOOKS: dict[str, tuple[str, str]] = {
    "help.webhook": (
        "Tell other systems of the end of jobs, signed by Standard Webhooks.",
        "将任务结束的消息通知其他系统，按 Standard Webhooks 规范签名。",
    ),
    "help.webhook.add": (
        "Add a webhook; prints its secret, which is not shown again.",
        "添加 Webhook；会输出其密钥，之后不再显示。",
    ),
    "help.webhook.kb": (
        "Name of the knowledge base (default: all, for operators).",
        "知识库名称（默认全部，限运维人员）。",
    ),
    "help.webhook.event": ("Type of events (repeatable; default: all).", "事件类型（可重复；默认全部）。"),
    "help.webhook.each_document": (
        "Also tell of each document of a batch, not only of the batch.",
        "批次中的每个文档也单独通知，而不仅是整个批次。",
    ),
    "help.webhook.description": ("What the webhook is for.", "用途说明。"),
    "help.webhook.change": ("Change a webhook; what is left out stays.", "更改 Webhook；未给出的设置保持不变。"),
    "help.webhook.url": ("Address that events are posted to, by https.", "接收事件的地址，以 `https://` 开头。"),
    "help.webhook.events": ("Type of events (repeatable), or `all`.", "事件类型（可重复），或 `all`（全部）。"),
    "webhook.changed": ("The webhook to {url} was changed.", "指向 {url} 的 Webhook 已更改。"),
    "help.webhook.list": ("List webhooks, newest first.", "列出 Webhook，最新的在前。"),
    "help.webhook.show": ("Show a webhook and what it was told lately.", "查看 Webhook 及其近期投递。"),
    "help.webhook.test": ("Send a test event.", "发送测试事件。"),
    "help.webhook.rotate": (
        "Replace the secret; the old one signs too for a day.",
        "更换密钥；旧密钥在一天内仍同时签名。",
    ),
    "help.webhook.retry": ("Send an event again now, by the id of its delivery.", "按投递编号立即重新发送事件。"),
    "help.webhook.enable": ("Enable a webhook that is disabled.", "启用已停用的 Webhook。"),
    "help.webhook.disable": ("Disable a webhook.", "停用 Webhook。"),
    "help.webhook.remove": ("Remove a webhook and the list of its deliveries.", "删除 Webhook 及其投递记录。"),
    "webhook.secret": (
        "Webhook {id}\nSecret (not shown again): {secret}",
        "Webhook {id}\n密钥（之后不再显示）：{secret}",
    ),
    "webhook.sent": (
        "Event {event} is being sent. See: holdfast webhook show {id}",
        "正在发送事件 {event}。可运行：holdfast webhook show {id}",
    ),
    "webhook.enabled": ("The webhook is enabled.", "该 Webhook 已启用。"),
    "webhook.disabled": ("The webhook is disabled.", "该 Webhook 已停用。"),
    "webhook.sure": ("Remove the webhook to {url}?", "确定删除指向 {url} 的 Webhook 吗？"),
    "webhook.removed": ("The webhook was removed.", "该 Webhook 已删除。"),
    "state.enabled": ("enabled", "已启用"),
    "state.disabled": ("disabled", "已停用"),
    "state.pending": ("pending", "待投递"),
    "state.delivered": ("delivered", "已投递"),
    "col.events": ("events", "事件"),
    "col.event": ("event", "事件"),
    "col.attempts": ("attempts", "尝试次数"),
    "col.status_code": ("status", "状态码"),
    "col.next_attempt": ("next attempt", "下次尝试"),
}
