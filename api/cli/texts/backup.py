"""Texts of the command line about backups and their restoration, in English and Chinese."""

from __future__ import annotations

BACKUP: dict[str, tuple[str, str]] = {
    "help.backup": (
        "Write a backup of the platform, also while it runs: a folder, or one file if the name ends with `.tar`.",
        "备份平台（运行时也可以）：写入一个文件夹；若名称以 `.tar` 结尾，则写入一个文件。",
    ),
    "help.backup.keys": (
        "Put the secret keys into it; without them a restored platform needs them from elsewhere.",
        "把密钥一并放入备份；否则恢复后的平台需要另行提供这些密钥。",
    ),
    "help.backup.files": (
        "Also copy files that are in a bucket; they stay there otherwise.",
        "同时复制存储桶中的文件；否则文件仍留在存储桶中。",
    ),
    "help.restore": (
        "Restore a backup into an empty data folder, with the platform stopped. Verified before anything is changed.",
        "把备份恢复到空的数据文件夹（平台须已停止）。更改任何内容之前先校验备份。",
    ),
    "help.restore.replace": (
        "Allow it for a data folder that is not empty; what was in it is kept in `before-restore-…` beside.",
        "允许恢复到非空的数据文件夹；原有内容保留在其中的 `before-restore-…` 文件夹。",
    ),
    "help.restore.take-over": (
        "Use files (HOLDFAST_BLOBS_URL) that another platform has used, which is gone for good.",
        "使用另一个已永久停用的平台所用的文件（HOLDFAST_BLOBS_URL）。",
    ),
    "backup.files": ("Files: {count} copied", "文件：已复制 {count} 个"),
    "backup.files-so-far": ("Files: {count} …", "文件：{count} 个 …"),
    "backup.files-since": ("Files that came meanwhile: {count} copied", "其间新增的文件：已复制 {count} 个"),
    "backup.catalogue": (
        "Catalogue: {knowledge_bases} knowledge bases, {documents} documents, {audit_events} audit events",
        "目录：{knowledge_bases} 个知识库，{documents} 个文档，{audit_events} 条审计事件",
    ),
    "backup.temporal": ("Temporal: runs and their histories", "Temporal：运行及其历史"),
    "backup.done": ("{path} is written and whole ({size:.1f} MB).", "{path} 已写入且完整（{size:.1f} MB）。"),
    "backup.files-elsewhere": (
        "The files of the documents are not in it: they stand in {url}. Keep that as it is as long as this backup, "
        "or copy them too with `--with-files`.",
        "备份中不含文档的文件：它们位于 {url}。请在保留此备份期间保留该处内容，或用 `--with-files` 一并复制。",
    ),
    "backup.keys-left-out": (
        "Not in it: {names}. Keep these secret files apart, in a safe place: without them histories cannot be read, "
        "and the audit log cannot be signed on. `--with-keys` puts them in.",
        "备份中不含：{names}。请将这些密钥文件另行安全保存：没有它们就无法读取历史，也无法继续为审计日志签名。"
        "`--with-keys` 可将其放入备份。",
    ),
    "backup.has-keys": (
        "It holds secret keys ({names}): whoever reads it can read everything.",
        "备份中含有密钥（{names}）：能读取它的人可以读取一切。",
    ),
    "backup.nothing": ("There is no catalogue in {path}, and nothing to back up.", "{path} 中没有目录，无可备份。"),
    "backup.space": (
        "There is not enough room for {path}: {needed:.1f} GB are needed, {free:.1f} GB are free.",
        "{path} 的空间不足：需要 {needed:.1f} GB，可用 {free:.1f} GB。",
    ),
    "backup.under-way": ("Another backup to {path} is being made.", "另一个备份正在写入 {path}。"),
    "backup.among-files": (
        "{path} is among the files of the documents, and would be backed up itself; use another folder.",
        "{path} 位于文档文件之中，会被一并备份；请使用其他文件夹。",
    ),
    "backup.none": ("{path} is no backup, or one that was not finished.", "{path} 不是备份，或是未完成的备份。"),
    "backup.damaged": (
        "The backup {path} is damaged: {part} is not what was written. Nothing was changed; use another backup.",
        "备份 {path} 已损坏：{part} 与写入时不一致。未更改任何内容；请使用其他备份。",
    ),
    "backup.incomplete": (
        "The backup {path} is not complete: {part} is missing. Nothing was changed; use another backup.",
        "备份 {path} 不完整：缺少 {part}。未更改任何内容；请使用其他备份。",
    ),
    "backup.foreign-part": (
        "The backup {path} holds {part}, which does not belong to it. Nothing was changed.",
        "备份 {path} 中有不属于它的 {part}。未更改任何内容。",
    ),
    "backup.newer": (
        "The backup {path} is of a newer Holdfast ({found}; known here: {known}). Install that one or a newer one.",
        "备份 {path} 来自更新版本的 Holdfast（{found}；此处已知：{known}）。请安装该版本或更新的版本。",
    ),
    "restore.verifying": ("Verifying {size:.1f} MB …", "正在校验 {size:.1f} MB …"),
    "restore.files": ("Files: {count} restored", "文件：已恢复 {count} 个"),
    "restore.files-so-far": ("Files: {count} …", "文件：{count} 个 …"),
    "restore.catalogue": ("Catalogue: filling its tables …", "目录：正在写入各表 …"),
    "restore.done": (
        "Restored as of {at}: {knowledge_bases} knowledge bases, {documents} documents, {audit_events} audit events.",
        "已恢复至 {at}：{knowledge_bases} 个知识库，{documents} 个文档，{audit_events} 条审计事件。",
    ),
    "restore.missing-keys": (
        "Before the start, put these secret files into the data folder (mode 0600), or histories cannot be read and "
        "the audit log is not signed on: {names}",
        "启动之前，请将以下密钥文件放入数据文件夹（权限 0600），否则无法读取历史，也无法继续为审计日志签名：{names}",
    ),
    "restore.keys-needed": (
        "The data was restored without {names}. Put these secret files into {path}; new ones would open nothing. "
        "If they are lost: docs/backup.md.",
        "数据恢复时不含 {names}。请将这些密钥文件放入 {path}；新生成的密钥无法打开任何内容。"
        "若已丢失，请参阅 `docs/backup.md`。",
    ),
    "restore.next": (
        "Next: `holdfast up`, which writes the rows of the index and compares all stores; in other deployments start "
        "the services, then `holdfast doctor --repair --all-files`. If `holdfast doctor` says that the audit log has "
        "fewer events than were signed: `holdfast audit continue --reason TEXT`.",
        "下一步：`holdfast up` 会写入索引并核对所有存储；其他部署方式请先启动各服务，再运行 "
        "`holdfast doctor --repair --all-files`。若 `holdfast doctor` 提示审计日志的事件少于已签名的数量，请运行 "
        "`holdfast audit continue --reason TEXT`。",
    ),
    "restore.rows": (
        "After the restore: {written} documents written into the index, {lost} left to the comparison of all stores.",
        "恢复之后：已将 {written} 个文档写入索引，{lost} 个留待核对各存储时处理。",
    ),
    "restore.running": (
        "The API at {url} runs: stop it and all workers before a restore.",
        "{url} 的接口正在运行：恢复之前请停止它和所有工作进程。",
    ),
    "restore.other-database": (
        "The catalogue of the backup {path} is on {database}, that of the settings is not; set HOLDFAST_CATALOG_URL.",
        "备份 {path} 的目录位于 {database}，而设置并非如此；请设置 HOLDFAST_CATALOG_URL。",
    ),
    "restore.files-elsewhere": (
        "The files of the backup {path} stand in {url}: set HOLDFAST_BLOBS_URL to it.",
        "备份 {path} 的文件位于 {url}：请将 HOLDFAST_BLOBS_URL 设为该地址。",
    ),
    "restore.files-of-another": (
        "The files in {url} are those of the platform that has used them so far. If that is gone for good: "
        "`--take-over`. If it goes on, two would remove each other's files: make a backup `--with-files`, and restore "
        "it with another HOLDFAST_BLOBS_URL.",
        "{url} 中的文件属于此前使用它们的平台。若该平台已永久停用，请使用 `--take-over`；若它仍在运行，"
        "两个平台会互相删除文件：请用 `--with-files` 备份，并以另一个 HOLDFAST_BLOBS_URL 恢复。",
    ),
    "restore.not-empty": (
        "There is data already ({path}). With `--replace` it is replaced; files are kept aside, tables of PostgreSQL "
        "are not.",
        "已有数据（{path}）。使用 `--replace` 可替换；文件会另行保留，PostgreSQL 的表不会。",
    ),
}
