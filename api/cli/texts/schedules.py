"""Texts of the command line about schedules, in English and Chinese."""

from __future__ import annotations

SCHEDULES: dict[str, tuple[str, str]] = {
    "help.schedule": (
        "Start a re-index, a sync or a retention by the clock; see when, and what came of it.",
        "按时间启动索引重建、同步或保留期清理，查看时间和结果。",
    ),
    "help.schedule.create": ("Create a schedule.", "创建计划。"),
    "help.schedule.list": (
        "List schedules with their next time and last outcome.",
        "列出计划及其下次时间和上次结果。",
    ),
    "help.schedule.show": ("Show a schedule with its latest runs.", "查看计划及其最近的运行。"),
    "help.schedule.change": (
        "Change when a schedule fires, its options or its note.",
        "更改计划的时间、选项或备注。",
    ),
    "help.schedule.pause": ("Pause a schedule; a run in progress goes on.", "暂停计划；进行中的运行会继续。"),
    "help.schedule.resume": ("Resume a schedule.", "恢复计划。"),
    "help.schedule.run": ("Start a run now, also of a paused schedule.", "立即运行一次，已暂停的计划也可以。"),
    "help.schedule.backfill": (
        "Start the runs of a past time, one after the other.",
        "依次补跑过去一段时间的运行。",
    ),
    "help.schedule.preview": (
        "Show what a retention would delete now; deletes nothing.",
        "查看保留期清理现在会删除哪些文档；不会删除任何内容。",
    ),
    "help.schedule.confirm": (
        "Let a run that waits delete what it has counted.",
        "允许等待中的运行删除其统计的文档。",
    ),
    "help.schedule.cancel": ("Cancel the run in progress, with its job.", "取消进行中的运行及其任务。"),
    "help.schedule.delete": (
        "Delete a schedule and the record of its runs; a run in progress goes on.",
        "删除计划及其运行记录；进行中的运行会继续。",
    ),
    "help.kind": ("What it starts.", "启动的任务类型。"),
    "help.cron": (
        "When: minute, hour, day, month, weekday, as in “0 2 * * 1-5”.",
        "时间：分 时 日 月 星期，如“0 2 * * 1-5”。",
    ),
    "help.every": ("When: every so many minutes.", "时间：每隔若干分钟。"),
    "help.zone": ("Time zone of the cron expression, such as Europe/Berlin.", "cron 表达式的时区，如 Asia/Shanghai。"),
    "help.catch_up": (
        "Runs that were missed by at most so many minutes are caught up.",
        "错过的运行在此分钟数内会补上。",
    ),
    "help.option": (
        "An option of the kind, as in days=365 (repeatable).",
        "该类型的选项，如 `days=365`（可重复）。",
    ),
    "help.paused": ("Create it paused.", "创建后先暂停。"),
    "help.note": ("A note that is shown with it.", "随计划显示的备注。"),
    "help.from": (
        "Begin, such as 2026-05-01T00:00 (UTC without an offset).",
        "开始时间，如 `2026-05-01T00:00`（无时区则为 UTC）。",
    ),
    "help.to": ("End, not in the future.", "结束时间，不能在将来。"),
    "help.documents": (
        "How many documents it may delete; by default as many as it has counted.",
        "最多允许删除的文档数，默认为其统计的数量。",
    ),
    "col.when": ("when", "时间"),
    "col.next": ("next", "下次"),
    "col.occurrence": ("run", "运行"),
    "col.started": ("started", "开始"),
    "col.counts": ("counts", "数量"),
    "col.uploaded": ("uploaded", "上传时间"),
    "kind.reindex": ("re-index", "索引重建"),
    "kind.retention": ("retention", "保留期清理"),
    "kind.sync": ("sync", "同步"),
    "kind.reconcile": ("reconcile", "核对"),
    "state.skipped": ("skipped", "已跳过"),
    "schedule.paused": ("paused", "已暂停"),
    "schedule.unknown": ("unknown", "未知"),
    "schedule.created": (
        "The schedule {name} fires {when}; next {next}.",
        "计划 {name} 已创建：{when}；下次 {next}。",
    ),
    "schedule.changed": ("The schedule {name} fires {when}; next {next}.", "计划 {name} 已更改：{when}；下次 {next}。"),
    "schedule.is_paused": ("The schedule {name} is paused.", "计划 {name} 已暂停。"),
    "schedule.resumed": ("The schedule {name} goes on; next {next}.", "计划 {name} 已恢复；下次 {next}。"),
    "schedule.started": ("A run of {name} was started.", "已启动 {name} 的一次运行。"),
    "schedule.backfilled": ("{runs} runs of {name} were started.", "已启动 {name} 的 {runs} 次运行。"),
    "schedule.canceled": ("The run of {name} is being canceled.", "正在取消 {name} 的运行。"),
    "schedule.confirmed": ("The run of {name} deletes what it has counted.", "{name} 的运行开始删除其统计的文档。"),
    "schedule.deleted": ("The schedule {name} is deleted.", "计划 {name} 已删除。"),
    "schedule.sure": (
        "Delete the schedule {name} and the record of its runs?",
        "确定删除计划 {name} 及其运行记录吗？",
    ),
    "schedule.sure_cancel": ("Cancel the run of {name}, with its job?", "确定取消 {name} 的运行及其任务吗？"),
    "schedule.sure_confirm": (
        "{reason}\nDelete them?",
        "{reason}\n确定删除吗？",
    ),
    "schedule.preview": (
        "{expired} of {documents} documents would be deleted.",
        "将删除 {documents} 个文档中的 {expired} 个。",
    ),
    "schedule.would_wait": (
        "That is more than the share allowed: a run would wait for a confirmation.",
        "超过允许的比例：运行会等待确认。",
    ),
    "schedule.no_retention": ("{name} deletes nothing: it is no retention.", "{name} 不是保留期清理，不会删除内容。"),
    "not-a-time": ("“{value}” is not a date or time in ISO 8601.", "“{value}”不是 ISO 8601 格式的日期或时间。"),
    "option-form": ("“{value}” is not of the form NAME=VALUE.", "“{value}”的格式应为 `NAME=VALUE`。"),
}
