"""Texts of the command line about sources and syncs, in English and Chinese."""

from __future__ import annotations

SYNCS: dict[str, tuple[str, str]] = {
    "help.sync": (
        "Let a knowledge base follow a folder of the server or an S3 prefix.",
        "让知识库跟随服务器上的文件夹或 S3 前缀。",
    ),
    "help.sync.add": (
        "Follow LOCATION: a folder of the server, or s3://bucket/prefix. Its first sync is yours to run.",
        "跟随 `LOCATION`：服务器上的文件夹，或 `s3://bucket/prefix`。首次同步需手动运行。",
    ),
    "help.sync.change": (
        "Change a source; what is not given stays, and --include '' (or --exclude, --tag) takes all of them away.",
        "更改同步来源；未给出的保持不变，`--include ''`（或 --exclude、--tag）清除全部。",
    ),
    "help.sync.list": ("List the sources of a knowledge base.", "列出知识库的同步来源。"),
    "help.sync.show": ("Show a source with its newest sync.", "查看同步来源及其最近一次同步。"),
    "help.sync.run": (
        "Add, update and delete documents by the difference since the last sync.",
        "根据与上次同步的差异添加、更新和删除文档。",
    ),
    "help.sync.preview": ("Say what a sync would do; nothing is changed.", "说明同步将做什么；不做任何更改。"),
    "help.sync.watch": ("Follow the newest sync until it ends.", "跟踪最近一次同步直至结束。"),
    "help.sync.pause": ("Pause the sync; what was applied stays.", "暂停同步；已应用的更改会保留。"),
    "help.sync.resume": ("Resume the paused sync.", "继续已暂停的同步。"),
    "help.sync.cancel": ("Cancel the sync; what was applied stays.", "取消同步；已应用的更改会保留。"),
    "help.sync.confirm": (
        "Allow the deletions that the sync asks about.",
        "批准同步请求确认的删除。",
    ),
    "help.sync.remove": (
        "Follow a source no longer; its documents stay, and a later source of the same place leaves them alone.",
        "不再跟随该同步来源；其文档会保留，以后再跟随同一位置时不会处理这些文档。",
    ),
    "help.sync.name": (
        "Name of the source; by default the last part of its location.",
        "来源名称；默认为位置的最后一段。",
    ),
    "help.sync.include": (
        "Take only files that match, such as '*.md' (repeatable).",
        "只同步匹配的文件，如 `'*.md'`（可重复）。",
    ),
    "help.sync.exclude": (
        "Leave out files or folders that match (repeatable).",
        "排除匹配的文件或文件夹（可重复）。",
    ),
    "help.sync.share": (
        "Share of the documents (0 to 1) that may vanish at once without a confirmation.",
        "无需确认即可一次消失的文档比例（0 到 1）。",
    ),
    "help.sync.tag": ("Tag of its new documents (repeatable).", "新文档的标签（可重复）。"),
    "sync.added": (
        "{kb} follows “{name}”. Try it with: holdfast sync preview {name} --kb {kb}",
        "{kb} 将跟随“{name}”。可运行：`holdfast sync preview {name} --kb {kb}`",
    ),
    "sync.changed": ("“{name}” was changed; its next sync goes by that.", "“{name}”已更改，下次同步时生效。"),
    "sync.needs-kb": (
        "A source is named by its id, or by its name and --kb.",
        "请用编号，或名称加 --kb 指定同步来源。",
    ),
    "sync.none": ("“{name}” is no source of {kb}.", "{kb} 没有同步来源“{name}”。"),
    "sync.never": (
        "“{name}” has not been synced yet. Run: holdfast sync run {name} --kb {kb}",
        "“{name}”尚未同步。可运行：`holdfast sync run {name} --kb {kb}`",
    ),
    "sync.started": ("Sync {id} of “{name}” has started.", "“{name}”的同步任务 {id} 已开始。"),
    "sync.report": (
        "{added} to add, {updated} to update, {deleted} to delete, {unchanged} unchanged",
        "待添加 {added}，待更新 {updated}，待删除 {deleted}，未变化 {unchanged}",
    ),
    "sync.guarded": (
        "the deletions have to be confirmed",
        "删除需要确认",
    ),
    "sync.conflicts": (
        "{count} left alone: other documents have their names",
        "{count} 个未处理：名称已被其他文档使用",
    ),
    "sync.applied": (
        "{added} added, {updated} updated, {deleted} deleted",
        "已添加 {added}，已更新 {updated}，已删除 {deleted}",
    ),
    "sync.missed": (
        "{count} left to the next sync",
        "{count} 个留待下次同步",
    ),
    "sync.names.added": ("add", "添加"),
    "sync.names.updated": ("update", "更新"),
    "sync.names.deleted": ("delete", "删除"),
    "sync.names.conflicts": ("left alone", "未处理"),
    "sync.names.left_out": ("left out", "未读取"),
    "sync.left.hidden": ("{count} hidden", "隐藏文件 {count}"),
    "sync.left.excluded": ("{count} excluded", "已排除 {count}"),
    "sync.left.link": ("{count} links, not followed", "链接 {count}（不跟随）"),
    "sync.left.special": ("{count} special files", "特殊文件 {count}"),
    "sync.left.empty": ("{count} empty", "空文件 {count}"),
    "sync.left.too_large": ("{count} too large", "过大 {count}"),
    "sync.left.unreadable": ("{count} unreadable", "无法读取 {count}"),
    "sync.left.bad_name": ("{count} with an unusable name", "名称不可用 {count}"),
    "sync.left.same_name": ("{count} with the name of another file", "名称重复 {count}"),
    "stage.list": ("listing", "列出文件"),
    "stage.compare": ("comparing", "比较"),
    "stage.confirm": ("confirmation", "确认"),
    "stage.apply": ("applying", "应用更改"),
    "stage.report": ("report", "报告"),
    "confirm.sync.cancel": ("Cancel the sync of {name}?", "确定取消 {name} 的同步？"),
    "confirm.sync.confirm": (
        "Delete {deleted} of {documents} documents that are gone from {name}?",
        "确定删除已不在 {name} 中的 {deleted} 个文档（共 {documents} 个）？",
    ),
    "confirm.sync.remove": ("Follow {name} no longer?", "确定不再跟随 {name}？"),
    "asked.sync.pause": ("The sync is being paused.", "正在暂停同步。"),
    "asked.sync.resume": ("The sync goes on.", "同步继续进行。"),
    "asked.sync.cancel": ("The sync is being canceled.", "正在取消同步。"),
    "asked.sync.confirm": ("The deletions are allowed; the sync goes on.", "已批准删除，同步继续进行。"),
    "asked.sync.remove": (
        "“{name}” is no longer followed; its {documents} documents stay.",
        "不再跟随“{name}”；其 {documents} 个文档已保留。",
    ),
    "col.source": ("source", "来源"),
    "col.location": ("location", "位置"),
    "col.last_sync": ("last sync", "最近同步"),
    "finding.syncs_without_run": ("syncs without a run, restarted", "没有运行的同步任务，已重新启动"),
}
