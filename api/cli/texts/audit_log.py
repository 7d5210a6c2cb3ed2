"""Texts of the command line about the tamper-evident log, in English and Chinese."""

from __future__ import annotations

AUDIT_LOG: dict[str, tuple[str, str]] = {
    "help.audit.verify": (
        "Verify the export of the audit log, offline, and say which events were tampered with.",
        "离线检验审计日志的导出文件，并指出哪些事件被篡改。",
    ),
    "help.audit.verify.key": (
        "Public key, as `holdfast audit key` shows it, or a file with it (repeatable).",
        "公钥（`holdfast audit key` 所示）或含公钥的文件（可重复）。",
    ),
    "help.audit.verify.checkpoints": (
        "File of checkpoints kept outside of the catalogue (repeatable): the more, the more exact.",
        "保存在目录数据库之外的检查点文件（可重复），越多越精确。",
    ),
    "help.audit.prove": (
        "Write a file that proves the events of a question to anybody (docs/verify_proof.py).",
        "写出一个文件，向任何人证明某个问题的事件（`docs/verify_proof.py`）。",
    ),
    "help.audit.export-log": (
        "Export the whole audit log with its signed checkpoints.",
        "导出完整的审计日志及其签名检查点。",
    ),
    "help.audit.key": (
        "Show the public key of the audit log, and how the log stands.",
        "显示审计日志的公钥和状态。",
    ),
    "help.audit.key.new": (
        "Make a new signing key in this file instead, and show its public key.",
        "改为在此文件中生成新的签名密钥，并显示其公钥。",
    ),
    "audit.log.size": (
        "{size} events in the log, {waiting} waiting, {checked} checked",
        "日志含 {size} 个事件，{waiting} 个等待写入，已检查 {checked} 个",
    ),
    "audit.log.unsigned": (
        "This platform has no signing key: the log is not signed.",
        "该平台没有签名密钥，日志未签名。",
    ),
    "audit.verify.reading": ("{done} of {total} events read", "已读取 {done}/{total} 个事件"),
    "audit.verify.whole": (
        "The log {origin} is whole: {events} events, all signed; {outside} of them by checkpoints from outside.",
        "日志 {origin} 完整：{events} 个事件均有签名，其中 {outside} 个由外部检查点涵盖。",
    ),
    "audit.verify.tampered": (
        "The log {origin} was tampered with: {count} findings.",
        "日志 {origin} 被篡改：{count} 处。",
    ),
    "audit.finding.changed": ("event {index} was changed ({detail})", "事件 {index} 被改动（{detail}）"),
    "audit.finding.missing": ("event {index} is missing", "事件 {index} 缺失"),
    "audit.finding.inserted": (
        "an event was inserted before event {index} ({detail})",
        "事件 {index} 之前被插入了一个事件（{detail}）",
    ),
    "audit.finding.reordered": ("event {index} was moved ({detail})", "事件 {index} 被移动了位置（{detail}）"),
    "audit.finding.cut": (
        "the end of the log was cut off from event {index} on",
        "日志末尾自事件 {index} 起被截断",
    ),
    "audit.finding.rewritten": (
        "the log was rewritten: none of its events is one that was signed",
        "日志被整体改写：没有任何事件与签名相符",
    ),
    "audit.finding.old_backup": (
        "this is an older state of the log: an old backup was restored, all from event {index} on was removed, or the"
        " file was exported before the newest checkpoint was signed: export it again to find out",
        "这是日志的较早状态：恢复了旧备份，或自事件 {index} 起的内容全被移除，"
        "或文件在最新检查点签署之前导出（重新导出即可查明）",
    ),
    "audit.finding.erased_unrecorded": (
        "the text of event {index} is gone, and no event records its erasure ({detail})",
        "事件 {index} 的内容已不存在，且没有事件记录其删除（{detail}）",
    ),
    "audit.finding.forged": ("a checkpoint is forged: {detail}", "检查点系伪造：{detail}"),
    "audit.finding.range": (
        "events from {index} to before {end} were tampered with, and their hashes with them; --checkpoints says which",
        "事件 {index} 至 {end}（不含）被篡改，其哈希也一并被改；用 --checkpoints 可查明是哪些",
    ),
    "audit.finding.erased": (
        "the text of event {index} was erased, as the log records ({detail})",
        "事件 {index} 的内容已删除，日志中有记录（{detail}）",
    ),
    "audit.finding.forked": (
        "from event {index} on the log went on from an older state, and nobody declared it: two logs are signed",
        "自事件 {index} 起，日志从较早状态继续而未经声明：存在两份签名日志",
    ),
    "audit.finding.misdeclared": (
        "an event declares events lost, and the declaration is forged: {detail}",
        "有事件声明部分事件丢失，但该声明系伪造：{detail}",
    ),
    "audit.finding.lost": (
        "events from {index} to before {end} are lost since a backup was restored, as was declared ({detail})",
        "恢复备份后，事件 {index} 至 {end}（不含）丢失，已声明（{detail}）",
    ),
    "audit.finding.uncovered": (
        "no valid checkpoint covers the events from {index} on, so nothing is proven of them",
        "自事件 {index} 起没有有效的检查点涵盖，因此无法证明其真实性",
    ),
    "help.audit.continue": (
        "Let the log go on after a backup was restored: declare, signed, which events are lost.",
        "恢复备份后让日志继续：以签名声明哪些事件丢失。",
    ),
    "help.audit.continue.reason": (
        "Why the backup was restored; it stands in the log.",
        "恢复备份的原因，写入日志。",
    ),
    "audit.continued": (
        "The log goes on after event {size}. Events from {kept} to before {size} are lost, as the log says now.",
        "日志自事件 {size} 起继续。日志现已载明：事件 {kept} 至 {size}（不含）丢失。",
    ),
    "help.audit.hold": (
        "Legal holds: nothing of a held knowledge base is deleted or erased.",
        "诉讼保全：保全中的知识库，任何内容均不会被删除。",
    ),
    "help.audit.hold.set": ("Put a knowledge base under a legal hold.", "对知识库实施保全。"),
    "help.audit.hold.list": ("List the knowledge bases under a legal hold.", "列出保全中的知识库。"),
    "help.audit.hold.remove": ("End the legal hold of a knowledge base.", "解除知识库的保全。"),
    "help.audit.hold.reason": ("Why; it stands in the audit trail.", "原因，写入操作记录。"),
    "audit.hold.set": (
        "{kb} is under a legal hold: nothing of it is deleted.",
        "{kb} 已实施保全，其任何内容均不会被删除。",
    ),
    "audit.hold.removed": ("{kb} is no longer under a legal hold.", "{kb} 的保全已解除。"),
    "not-an-export": (
        "{path} is no export of an audit log ({detail}). `holdfast audit export-log` writes one.",
        "{path} 不是审计日志的导出文件（{detail}）。可用 `holdfast audit export-log` 导出。",
    ),
    "not-a-key": (
        "{text} is no public key as `holdfast audit key` shows it, and no file with one.",
        "{text} 既不是 `holdfast audit key` 所示的公钥，也不是含公钥的文件。",
    ),
    "file-exists": ("{path} exists already.", "{path} 已存在。"),
    "doctor.audit_log": ("audit log", "审计日志"),
    "doctor.audit_log_do": (
        "See docs/audit.md; verify an export with the checkpoints that are kept outside",
        "见 `docs/audit.md`；用保存在外部的检查点检验导出文件",
    ),
}
