"""Texts of the command line about runs, in English and Chinese."""

from __future__ import annotations

RUNS: dict[str, tuple[str, str]] = {
    "help.audit.runs": (
        "List runs of Temporal: those that are not archived yet, then archived ones.",
        "列出 Temporal 中的运行：先列尚未归档的，再列已归档的。",
    ),
    "help.audit.run": (
        "Show a run and its history, or download that (RUN: its id, or that of its workflow).",
        "查看一次运行及其历史，或下载历史（RUN：运行编号或其工作流编号）。",
    ),
    "help.audit.replay": (
        "Say whether a run replays with the workflow code of this version, and what differs.",
        "说明一次运行能否用此版本的工作流代码重放，以及有何差异。",
    ),
    "help.audit.type": ("Type of the workflow, such as IngestDocument.", "工作流类型，如 IngestDocument。"),
    "help.audit.document": ("Id of a document.", "文档编号。"),
    "help.audit.workflow": ("Id of a workflow.", "工作流编号。"),
    "help.audit.runs.since": (
        "Only runs that began at this time (UTC) or later.",
        "仅列出此时间（UTC）及之后开始的运行。",
    ),
    "help.audit.runs.until": ("Only runs that began before this time (UTC).", "仅列出此时间（UTC）之前开始的运行。"),
    "help.audit.download": (
        "Write the history to this file, in Temporal's export format (gzip).",
        "将历史写入此文件，采用 Temporal 的导出格式（gzip）。",
    ),
    "audit.run.archived": ("Archived; SHA-256 by the audit trail: {sha256}", "已归档；审计记录中的 SHA-256：{sha256}"),
    "audit.run.live": ("Not archived yet", "尚未归档"),
    "audit.replay.same": (
        "It replays: version {version} makes the same decisions ({events} events).",
        "可以重放：版本 {version} 作出相同的决定（{events} 个事件）。",
    ),
    "audit.replay.differs": (
        "It does not replay with version {version}: {difference}",
        "无法用版本 {version} 重放：{difference}",
    ),
    "no-run": ("There is no run of the workflow {workflow}.", "工作流 {workflow} 没有任何运行。"),
    "col.run": ("run", "运行"),
    "col.archived": ("archived", "已归档"),
    "col.workflow": ("workflow", "工作流"),
    "col.type": ("type", "类型"),
    "audit.is_archived": ("archived", "已归档"),
    "col.identity": ("identity", "身份"),
}
