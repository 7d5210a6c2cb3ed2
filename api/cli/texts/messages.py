"""Texts of the command line in English and Chinese, and the choice of the language."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from api.cli.texts.asking import ASKING
from api.cli.texts.audit_log import AUDIT_LOG
from api.cli.texts.backup import BACKUP
from api.cli.texts.doctor import DOCTOR
from api.cli.texts.gate import GATE
from api.cli.texts.operating import OPERATING
from api.cli.texts.operations import OPERATIONS
from api.cli.texts.people import PEOPLE
from api.cli.texts.reindex_all import REINDEX_ALL
from api.cli.texts.runs import RUNS
from api.cli.texts.schedules import SCHEDULES
from api.cli.texts.syncs import SYNCS
from api.cli.texts.webhooks import WEBHOOKS
from api.client.problems import Message, Problem

if TYPE_CHECKING:
    from activities.errors import Language  # `make up` reads these texts before msgspec is installed

TEXTS: dict[str, tuple[str, str]] = {
    **ASKING,
    **AUDIT_LOG,
    **BACKUP,
    **DOCTOR,
    **OPERATING,
    **OPERATIONS,
    **PEOPLE,
    **SCHEDULES,
    **SYNCS,
    **WEBHOOKS,
    **GATE,
    **REINDEX_ALL,
    **RUNS,
    # --- help ---
    "help.main": (
        "Holdfast: ask questions of your documents.",
        "Holdfast：向你的文档提问。",
    ),
    "help.json": ("Print JSON instead of text.", "输出 JSON，而不是文本。"),
    "help.up": (
        "Start the whole platform on this machine and keep it running until Ctrl-C.",
        "在本机启动整个平台并保持运行，按 Ctrl-C 停止。",
    ),
    "help.only": ("Start this part and not the others (repeatable).", "只启动该部分（可重复）。"),
    "help.without": ("Leave this part out (repeatable).", "不启动该部分（可重复）。"),
    "help.kb": ("Create, list, show and delete knowledge bases.", "创建、列出、查看和删除知识库。"),
    "help.kb.create": ("Create a knowledge base.", "创建知识库。"),
    "help.kb.list": ("List the knowledge bases that you may see.", "列出你可以访问的知识库。"),
    "help.kb.show": ("Show one knowledge base.", "查看一个知识库。"),
    "help.kb.delete": ("Delete a knowledge base and its documents.", "删除知识库及其文档。"),
    "help.title": ("Title that people see.", "显示的标题。"),
    "help.description": ("What it is about.", "内容说明。"),
    "help.yes": ("Do not ask for confirmation.", "不再询问。"),
    "help.add": (
        "Upload files and folders, and wait until they are searchable.",
        "上传文件以及文件夹中的所有文件，并等待其可供提问。",
    ),
    "help.in_kb": ("Name of the knowledge base.", "知识库名称。"),
    "help.wait": (
        "Wait until the documents are ready (default), or return immediately.",
        "等待文档就绪（默认），或立即返回。",
    ),
    "help.ls": (
        "List documents; tab-separated and without a heading in a pipe.",
        "列出文档。用于管道时以制表符分隔，无表头。",
    ),
    "help.state": ("Only documents in this state.", "只列出该状态的文档。"),
    "help.status": ("Show the state of a document.", "查看文档的处理状态。"),
    "help.events": ("Follow a document until it is ready or has failed.", "跟踪文档，直到就绪或失败。"),
    "help.of_batch": ("Only documents of this batch.", "只列出该批次的文档。"),
    "help.parallelism": (
        "How many documents of the batch are indexed at once.",
        "批次中同时处理的文档数。",
    ),
    "help.pause": ("Pause the indexing of a document.", "暂停文档的处理。"),
    "help.resume": ("Resume a paused document.", "继续处理已暂停的文档。"),
    "help.cancel": (
        "Cancel the indexing of a document; an earlier version stays.",
        "取消文档的处理；之前的版本保持不变。",
    ),
    "help.retry": ("Retry a document; completed steps are kept.", "重试文档；已完成的步骤会保留。"),
    "help.from_step": ("Redo this step and all later ones.", "从该步骤起全部重做。"),
    "help.rm": ("Delete documents.", "删除文档。"),
    "help.batch": ("List, watch and control batches: documents added together.", "查看和控制一起添加的文档（批次）。"),
    "help.batch.list": ("List batches, newest first.", "列出批次，最新的在前。"),
    "help.batch.show": ("Show one batch.", "查看一个批次。"),
    "help.batch.watch": (
        "Follow a batch until it ends, then list the failed documents.",
        "跟踪批次直到结束，并列出失败的文档。",
    ),
    "help.batch.pause": ("Pause a batch.", "暂停批次。"),
    "help.batch.resume": ("Resume a paused batch.", "继续已暂停的批次。"),
    "help.batch.cancel": ("Cancel a batch; finished documents stay.", "取消批次；已就绪的文档会保留。"),
    "help.batch.retry_failed": (
        "Retry the failed and canceled documents of a batch.",
        "重试批次中失败和已取消的文档。",
    ),
    "help.batch.set_parallelism": (
        "Set how many documents of a batch are indexed at once.",
        "设置批次中同时处理的文档数。",
    ),
    "help.ask": ("Ask a question; the answer names its sources.", "提问；答案会注明来源。"),
    "help.mode": ("Answer mode.", "回答方式。"),
    "help.stream": (
        "Show the answer while it is written (default), or when it is complete.",
        "边生成边显示（默认），或完成后再显示。",
    ),
    "help.search": ("Search for passages.", "检索段落。"),
    "help.search_mode": ("Search mode.", "检索方式。"),
    "help.reindex": (
        "Build a new index of a knowledge base beside the one in use, and switch to it without an interruption.",
        "在现用索引之外为知识库建立新索引，并无中断地切换。",
    ),
    "help.reindex.plan": (
        "Estimate what a re-index would do: documents, chunks, tokens, disk, time.",
        "估算重建索引的工作量：文档、分块、词元、磁盘和时间。",
    ),
    "help.reindex.start": (
        "Start a re-index. JOB in the other commands is its id, or its knowledge base.",
        "开始重建索引。其他命令中的 JOB 是任务编号或知识库名称。",
    ),
    "help.reindex.list": ("List re-indexes and plans, newest first.", "列出索引重建任务和估算，最新的在前。"),
    "help.reindex.show": ("Show one re-index.", "查看一个索引重建任务。"),
    "help.reindex.watch": ("Follow a re-index until it ends.", "跟踪索引重建任务直至结束。"),
    "help.reindex.pause": ("Pause a re-index; what was built is kept.", "暂停索引重建；已建立的部分会保留。"),
    "help.reindex.resume": ("Resume a paused re-index.", "继续已暂停的索引重建。"),
    "help.reindex.cancel": ("Cancel a re-index and remove what it built.", "取消索引重建并删除已建立的部分。"),
    "help.reindex.approve": (
        "Allow the switch of a re-index that another person started.",
        "批准由他人发起的索引重建进行切换。",
    ),
    "help.reindex.control": ("Change the speed and the hours of a re-index.", "调整索引重建的速度和时段。"),
    "help.reindex.finish": ("Remove the index from before now.", "立即删除原来的索引。"),
    "help.reindex.rollback": ("Return to the index from before.", "恢复到原来的索引。"),
    "help.max_tokens": ("Longest chunk, in tokens of the embedding model.", "分块的最大长度（向量模型的词元数）。"),
    "help.embedding_model": (
        "Embedding model: that of HOLDFAST_EMBED_MODEL, or one of HOLDFAST_EMBED_MODELS.",
        "向量模型：HOLDFAST_EMBED_MODEL 的模型，或 HOLDFAST_EMBED_MODELS 中的模型。",
    ),
    "help.overlap_tokens": ("Tokens that neighbouring chunks share.", "相邻分块重叠的词元数。"),
    "help.reindex_parallelism": ("How many documents are built at once.", "同时处理的文档数。"),
    "help.throttle": ("Share of the time in which it works, up to 1.", "工作时间的占比，最大为 1。"),
    "help.window": (
        'Hours in which documents are begun, like "22:00-06:00 Europe/Berlin".',
        "处理文档的时段，例如 “22:00-06:00 Asia/Shanghai”。",
    ),
    "help.approval": ("Another person must approve the switch.", "切换须由另一人批准。"),
    "help.soak": (
        "Seconds for which the index from before is kept, so that it can be rolled back to.",
        "切换后保留原索引以便恢复的秒数。",
    ),
    "help.watch": ("Follow it until it ends.", "跟踪至结束。"),
    "reindex.none": (
        "“{kb}” has no re-index. Start one with: holdfast reindex start --kb {kb}",
        "“{kb}”没有索引重建任务。可运行：holdfast reindex start --kb {kb}",
    ),
    "reindex.settings": (
        "No document has to be made again; the new settings are for those that are added after the re-index.",
        "没有需要重建的文档；重建索引后，新设置用于之后添加的文档。",
    ),
    "reindex.nothing": (
        "Nothing to do: all {documents} documents are as they would be made today.",
        "无需处理：{documents} 个文档与现行设置一致。",
    ),
    "reindex.plan": (
        "{documents} documents: {parsed_again} read again, {cut_again} cut again, {embedded_again} embedded again; "
        "{chunks} chunks become about {new_chunks}, of which {embedded} are embedded ({tokens} tokens). "
        "About {megabytes} MB and {duration} (estimated from {sampled} documents).",
        "{documents} 个文档：重新解析 {parsed_again} 个，重新分块 {cut_again} 个，重新向量化 {embedded_again} 个；"
        "{chunks} 个分块变为约 {new_chunks} 个，其中 {embedded} 个需计算向量（{tokens} 个词元）。"
        "约需 {megabytes} MB 空间和 {duration}（根据 {sampled} 个文档估算）。",
    ),
    "asked.reindex.start": ("Re-index {id} of {kb} has started.", "{kb} 的索引重建任务 {id} 已开始。"),
    "asked.reindex.pause": ("The re-index is being paused.", "正在暂停索引重建。"),
    "asked.reindex.resume": ("The re-index goes on.", "索引重建继续进行。"),
    "asked.reindex.cancel": ("The re-index is being canceled.", "正在取消索引重建。"),
    "asked.reindex.approve": ("The switch is allowed.", "已批准切换。"),
    "asked.reindex.control": ("The re-index has its new settings.", "索引重建的设置已更新。"),
    "asked.reindex.finish": ("The index from before is being removed.", "正在删除原来的索引。"),
    "asked.reindex.rollback": ("The index from before is in use again.", "已恢复使用原来的索引。"),
    "stage.plan": ("planning", "估算"),
    "stage.build": ("building", "建立"),
    "stage.verify": ("verifying", "校验"),
    "stage.approve": ("waiting for approval", "等待批准"),
    "stage.switch": ("switching", "切换"),
    "stage.soak": ("in use, the index before kept", "已启用，保留原索引"),
    "stage.retire": ("removing the index before", "删除原索引"),
    "help.limit": ("Maximum number of results.", "最多返回的数量。"),
    "help.filter_name": (
        "Only documents whose name matches; * stands for any characters, ? for one.",
        "仅限名称匹配的文档；* 任意字符，? 单个字符。",
    ),
    "help.filter_tag": (
        "Only documents with this tag; when repeated, with all of the tags.",
        "仅限带此标签的文档；可重复，须全部具备。",
    ),
    "help.filter_pages": ("Only these pages: 3, 3-5, 3- or -5.", "仅限这些页：3、3-5、3- 或 -5。"),
    "help.filter_since": (
        "Only documents uploaded since this time, e.g. 2026-11-30.",
        "仅限此后上传的内容，如 2026-11-30。",
    ),
    "help.filter_until": (
        "Only documents uploaded until this time (a day is included).",
        "仅限此前上传的内容（含当天）。",
    ),
    "help.tag": (
        "Tag the documents; repeatable. The tags replace earlier ones.",
        "为文档添加此标签，便于查找；可重复。原有标签会被替换。",
    ),
    "help.migrate": (
        "Migrate the catalogue's tables (`holdfast up` does so automatically).",
        "将目录数据库的表更新到最新（`holdfast up` 会自动执行）。",
    ),
    "help.key": (
        "Make, list and revoke API keys, straight in the catalogue.",
        "直接在目录数据库中创建、列出和吊销 API 密钥。",
    ),
    "help.key.create": (
        "Create an API key and print it; it is shown only once.",
        "创建 API 密钥并输出：密钥只显示这一次。",
    ),
    "help.key.list": ("List all API keys, without their secrets.", "列出所有 API 密钥（不含密钥内容）。"),
    "help.key.revoke": (
        "End an API key for good; `key list` shows its id.",
        "永久吊销 API 密钥；编号见 `key list`。",
    ),
    "help.subject": ("User who owns the key.", "密钥的使用者。"),
    "help.role": (
        "What the key may do: reader, contributor or manager of knowledge bases; operator, auditor or admin of all.",
        "密钥的角色：知识库的 reader、contributor 或 manager；整个平台的 operator、auditor 或 admin。",
    ),
    "help.doctor": ("Check the installation and suggest fixes.", "检查安装情况并给出建议。"),
    "help.repair": (
        "Instead, compare catalogue, files, Milvus and Temporal, and repair differences.",
        "改为核对目录、文件、Milvus 和 Temporal，并修复不一致之处。",
    ),
    "help.all_files": (
        "With `--repair`, look for the files of every document instead of a sample.",
        "与 `--repair` 一起使用：检查所有文档的文件，而不是抽样检查。",
    ),
    "only-with-repair": ("Use `--all-files` together with `--repair`.", "`--all-files` 只能与 `--repair` 一起使用。"),
    # --- problems ---
    "unreachable": (
        "The platform does not answer at {url}; start it with `make up`, or check the address.",
        "平台在 {url} 没有响应；请用 `make up` 启动，或检查地址。",
    ),
    "connection-lost": (
        "The connection to {url} was lost ({detail}); try again.",
        "与 {url} 的连接中断（{detail}）；请重试。",
    ),
    "not-holdfast": (
        "{url} answered with something that is not Holdfast's API ({detail}); check HOLDFAST_URL.",
        "{url} 返回的不是 Holdfast 接口的内容（{detail}）；请检查 HOLDFAST_URL。",
    ),
    "no-such-file": ("There is no file or folder {path}.", "没有文件或文件夹 {path}。"),
    "no-files": ("No files were found in {path}.", "在 {path} 中没有找到文件。"),
    "unreadable": ("{path} cannot be read ({detail}).", "无法读取 {path}（{detail}）。"),
    "ports-taken": (
        "Ports that Holdfast needs are in use. Stop the programs that use them, or change the settings:\n{ports}",
        "Holdfast 需要的端口已被占用。请停止占用端口的程序，或修改相应设置：\n{ports}",
    ),
    "open-to-all": (
        "{title} asks nobody for a password: it listens on 127.0.0.1 only, not on {host}; change {setting}.",
        "{title} 不要求密码，因此只能监听 127.0.0.1，不能监听 {host}；请修改 {setting}。",
    ),
    "port-taken": (
        "  {port} for {title}: {user}; setting {setting}",
        "  {port}（{title}）：{user}；设置 {setting}",
    ),
    "port-user": ("used by process {pid} ({command})", "被进程 {pid} 占用（{command}）"),
    "port-user-unknown": ("used by a process of another account", "被其他账户的进程占用"),
    "missing": (
        "{title} is not installed ({path} is missing); run `make setup`.",
        "{title} 尚未安装（缺少 {path}）；请运行 `make setup`。",
    ),
    "running": (
        "The platform already runs on {data} (process {pid}); stop it, or set another HOLDFAST_DATA.",
        "平台已在 {data} 上运行（进程 {pid}）；请先停止它，或将 HOLDFAST_DATA 设为其他文件夹。",
    ),
    "child-failed": (
        "{title} could not be started ({tries} tries, last: {how}). The end of {log}:\n{tail}",
        "{title} 无法启动（尝试 {tries} 次，最后一次：{how}）。{log} 的末尾：\n{tail}",
    ),
    "data-folder": (
        "The data folder {path} cannot be used ({detail}); set HOLDFAST_DATA to another folder.",
        "数据文件夹 {path} 不可用（{detail}）；请将 HOLDFAST_DATA 设为其他文件夹。",
    ),
    "data-shared": (
        "The folder {path} is shared by all users of this machine; set HOLDFAST_DATA to a folder of your own.",
        "文件夹 {path} 由本机所有用户共用；请将 HOLDFAST_DATA 设为您自己的文件夹。",
    ),
    "no-database": (
        "The catalogue's database cannot be used ({detail}); check HOLDFAST_CATALOG_URL.",
        "无法使用目录数据库（{detail}）；请检查 HOLDFAST_CATALOG_URL。",
    ),
    "not-migrated": (
        "The catalogue has no tables yet; run `holdfast migrate` first.",
        "目录数据库中还没有表；请先运行 `holdfast migrate`。",
    ),
    "only-without": ("Use --only or --without, not both.", "--only 与 --without 不能同时使用。"),
    # --- up ---
    "up.ready": ("{title} ready in {seconds:.1f} s", "{title} 已就绪（{seconds:.1f} 秒）"),
    "up.back": (
        "{title} is back after {seconds:.1f} s (restart {restarts})",
        "{title} 已恢复（{seconds:.1f} 秒，第 {restarts} 次重启）",
    ),
    "up.died": (
        "{title} ended ({how}); it starts again in {delay:.1f} s. Log: {log}",
        "{title} 已退出（{how}）；{delay:.1f} 秒后重新启动。日志：{log}",
    ),
    "up.waiting": ("Waiting for {title} at {address} …", "正在等待 {address} 上的 {title} …"),
    "up.found": ("{title} answers at {address}", "{title} 在 {address} 上正常响应"),
    "up.swept": (
        "Ended {count} processes of a platform that was killed",
        "已结束上次被强制终止的平台遗留的 {count} 个进程",
    ),
    "up.first_user": (
        "First user: {name}, password {password} (shown only this once; you choose another one when you sign in)",
        "首个用户：{name}，密码 {password}（只显示这一次；登录后须更改）",
    ),
    "up.stopping": ("Stopping … (Ctrl-C again to kill)", "正在停止 …（再按一次 Ctrl-C 强制结束）"),
    "up.stopped": ("Stopped.", "已停止。"),
    "up.all_ready": ("Holdfast is ready in {seconds:.0f} s.", "Holdfast 已就绪（{seconds:.0f} 秒）。"),
    "up.web": ("Web page", "网页"),
    "up.schema": ("API reference", "接口文档"),
    "up.ui": ("Temporal UI", "Temporal 界面"),
    "up.key": ("API key", "API 密钥"),
    "up.key_in": ("in {path} (HOLDFAST_API_KEY)", "在 {path} 中（HOLDFAST_API_KEY）"),
    "up.key_gone_from": (
        "created on the first start, but no longer in {path}: use the key that you saved",
        "首次启动时已创建，但 {path} 中已没有：请使用你保存的密钥",
    ),
    "up.logs": ("Logs", "日志"),
    "up.stop": ("Stop", "停止"),
    "part.temporal": ("Temporal", "Temporal"),
    "part.milvus": ("Milvus Lite", "Milvus Lite"),
    "part.triton": ("Triton with its models", "Triton 及其模型"),
    "part.worker-interactive": ("Worker for workflows and answers", "工作流与问答 worker"),
    "part.worker-cpu": ("Worker for parsing", "解析 worker"),
    "part.worker-bulk": ("Worker for embedding and storing", "向量与存储 worker"),
    "part.api": ("API and web page", "接口与网页"),
    # --- administration ---
    "migrated": ("The catalogue is up to date.", "目录数据库已是最新。"),
    "key.revoked": ("The key {id} of {subject} is revoked.", "{subject} 的密钥 {id} 已吊销。"),
    "no-key": (
        "There is no key {id}; `holdfast key list` shows all.",
        "没有密钥 {id}；可用 `holdfast key list` 查看。",
    ),
    "col.subject": ("subject", "使用者"),
    "col.role": ("role", "角色"),
    "col.created": ("created (UTC)", "创建时间（UTC）"),
    "col.revoked": ("revoked (UTC)", "吊销时间（UTC）"),
    # --- documents ---
    "accepted": ("{count} accepted", "已接受 {count} 个"),
    "uploading": ("Uploading", "上传中"),
    "documents": ("Documents", "文档"),
    "nothing": ("There is nothing here yet.", "还没有内容。"),
    "added": ("{ready} ready, {failed} failed", "{ready} 个就绪，{failed} 个失败"),
    "of_them_unchanged": (", {count} unchanged", "，{count} 个内容未变"),
    "busy": ("{reason} Trying again in {seconds:.0f} s.", "{reason}{seconds:.0f} 秒后重试。"),
    "interrupted": (
        "Interrupted: {sent} of {total} files were accepted; they are still indexed.",
        "已中断：{total} 个文件中的 {sent} 个已被接受，处理会继续进行。",
    ),
    "watch_it": ("Watch with `{command}`.", "可用 `{command}` 查看进度。"),
    "add_again": ("Run the same command again to add the others.", "再次运行同一命令可添加其余文件。"),
    "asked.pause": ("{name} is being paused.", "正在暂停 {name}。"),
    "asked.resume": ("{name} is being resumed.", "{name} 继续处理。"),
    "asked.cancel": ("{name} is being canceled.", "正在取消 {name}。"),
    "asked.retry": ("{name} is being retried.", "正在重试 {name}。"),
    "asked.batch.pause": ("Batch {id} is being paused.", "正在暂停批次 {id}。"),
    "asked.batch.resume": ("Batch {id} is being resumed.", "批次 {id} 继续处理。"),
    "asked.batch.cancel": ("Batch {id} is being canceled.", "正在取消批次 {id}。"),
    "asked.batch.retry-failed": (
        "The failed documents of batch {id} are being retried.",
        "正在重试批次 {id} 中失败的文档。",
    ),
    "asked.batch.set-parallelism": ("Batch {id}: {parallelism} at once.", "批次 {id}：同时处理 {parallelism} 个。"),
    "deleting": ("{name} is being deleted.", "正在删除 {name}。"),
    "kb.created": ("Knowledge base {name} was created.", "知识库 {name} 已创建。"),
    "kb.deleted": ("Knowledge base {name} is being deleted.", "正在删除知识库 {name}。"),
    "waiting_for": ("waits for {dependency}", "等待 {dependency}"),
    "attempt": ("try {attempt}", "第 {attempt} 次尝试"),
    "eta": ("about {seconds:.0f} s left", "约剩 {seconds:.0f} 秒"),
    "eta_minutes": ("about {minutes:.0f} min left", "约剩 {minutes:.0f} 分钟"),
    "eta_hours": ("about {hours:.1f} h left", "约剩 {hours:.1f} 小时"),
    "rate": ("{rate:.0f}/min", "每分钟 {rate:.0f} 个"),
    "state.queued": ("queued", "排队中"),
    "state.running": ("running", "处理中"),
    "state.waiting": ("waiting", "等待中"),
    "state.paused": ("paused", "已暂停"),
    "state.ready": ("ready", "就绪"),
    "state.failed": ("failed", "失败"),
    "state.canceled": ("canceled", "已取消"),
    "stage.parse": ("parsing", "解析"),
    "stage.chunk": ("chunking", "分块"),
    "stage.embed": ("embedding", "向量化"),
    "stage.index": ("indexing", "建立索引"),
    "stage.publish": ("publishing", "发布"),
    "col.name": ("name", "名称"),
    "col.title": ("title", "标题"),
    "col.id": ("id", "编号"),
    "col.version": ("version", "版本"),
    "col.state": ("state", "状态"),
    "col.chunks": ("chunks", "分块"),
    "col.pages": ("pages", "页数"),
    "col.bytes": ("bytes", "字节"),
    "col.documents": ("documents", "文档数"),
    "col.reason": ("reason", "原因"),
    "col.details": ("progress or reason", "进度或原因"),
    "col.done": ("done", "已完成"),
    "col.failed": ("failed", "失败"),
    "col.eta": ("time left", "剩余时间"),
    "col.check": ("check", "检查项"),
    "col.found": ("found", "结果"),
    "col.do": ("what to do", "建议"),
    "col.score": ("score", "得分"),
    # --- questions ---
    "sources": ("Sources", "来源"),
    "page": ("page {page}", "第 {page} 页"),
    "question-failed": ("The question could not be answered: {message}", "无法回答该问题：{message}"),
    "index-building": ("{pending} documents are still being indexed.", "还有 {pending} 个文档正在建立索引。"),
    "and-others": ("  and {count} more with the same text", "  另有 {count} 处内容相同"),
    "no-pages": ("“{value}” is no page or range of pages", "“{value}”不是页码或页码范围"),
    "no-hits": ("No passage was found.", "没有找到相关段落。"),
    # --- doctor ---
    "doctor.settings": ("settings", "设置"),
    "doctor.key": ("API key", "API 密钥"),
    "doctor.key_none": ("no key in the settings or {path}", "设置和 {path} 中都没有密钥"),
    "doctor.key_do": (
        "start the platform once (`make up`), or sign in with `holdfast login`",
        "先启动一次平台（`make up`），或用 `holdfast login` 登录",
    ),
    "doctor.key_open": ("{path} can be read by other users", "{path} 可被其他用户读取"),
    "doctor.key_open_do": ("run `chmod 600 {path}`", "请运行 `chmod 600 {path}`"),
    "doctor.key_refused": ("the API refuses the key", "接口拒绝了该密钥"),
    "doctor.key_refused_do": (
        "sign in with `holdfast login`, or set HOLDFAST_URL and HOLDFAST_API_KEY, a valid key",
        "请用 `holdfast login` 登录，或设置 HOLDFAST_URL 和有效的密钥 HOLDFAST_API_KEY",
    ),
    "doctor.live": ("API", "接口"),
    "doctor.live_ok": ("answers at {url}", "{url} 响应正常"),
    "doctor.live_do": ("start the platform: `make up`", "请启动平台：`make up`"),
    "doctor.no_answer": ("no answer", "没有响应"),
    "doctor.dep_do": (
        "see {path}; `holdfast up` restarts it automatically",
        "请查看 {path}；`holdfast up` 会自动重启它",
    ),
    "doctor.dep_elsewhere_do": (
        "see {path}, and where it runs if it has a server of its own: Holdfast does not start that",
        "请查看 {path}；若它有自己的服务器，请到该服务器检查：Holdfast 不会启动它",
    ),
    "doctor.language_model": ("language model", "语言模型"),
    "doctor.language_model_at": (
        "{name} at {host}, which gets questions and passages",
        "{host} 上的 {name}（会收到问题和段落）",
    ),
    "doctor.overdue": ("accepted uploads", "已接收的上传"),
    "doctor.overdue_none": ("all have their run", "均已开始处理"),
    "doctor.overdue_do": ("see {path}", "请查看 {path}"),
    "doctor.part": ("{name} runs", "{name} 运行情况"),
    "doctor.part_runs": ("process {pid}, {restarts} restarts", "进程 {pid}，重启 {restarts} 次"),
    "doctor.part_down": ("not running, {restarts} restarts", "未运行，重启 {restarts} 次"),
    "doctor.version": ("version", "版本"),
    "doctor.installed": ("installed", "已安装"),
    # --- doctor --repair ---
    "repair.begins": ("Comparing …", "正在核对 …"),
    "repair.batches": ("Batches without a run", "没有运行的批次"),
    "repair.documents": ("Documents without a run", "没有运行的文档"),
    "repair.questions": ("Questions without a run", "没有运行的问题"),
    "repair.runs": ("Runs without a document", "没有文档的运行"),
    "repair.deletions": ("Deletions", "删除"),
    "repair.collections": ("Milvus collections", "Milvus 集合"),
    "repair.rows": ("Rows in Milvus", "Milvus 中的行"),
    "repair.files": ("Lost files", "丢失的文件"),
    "repair.versions": ("Replaced versions", "被替换的版本"),
    "repair.blobs": ("Unreferenced files", "无人引用的文件"),
    "repair.outside": ("What was done to runs around the API", "绕过 API 对运行所做的操作"),
    "repair.log": ("Audit events and their signed log", "审计事件与签名日志"),
    "repair.record": ("Recording the result", "记录结果"),
    "repair.nothing": ("No differences were found.", "没有发现不一致。"),
    "repair.failed": ("The comparison did not finish: {reason}", "核对未能完成：{reason}"),
    "finding.batches_without_run": ("batches without a run, restarted", "没有运行的批次，已重新启动"),
    "finding.documents_without_run": ("documents without a run, started again", "没有运行的文档，已重新启动"),
    "finding.questions_without_run": (
        "questions without a run, ended as interrupted",
        "没有运行的问题，已标记为中断",
    ),
    "finding.runs_without_document": ("runs without a document, canceled", "没有文档的运行，已取消"),
    "finding.schedules_differ": (
        "schedules on which Temporal and the catalogue differed",
        "Temporal 与目录不一致的计划",
    ),
    "finding.reindexes_without_run": ("re-indexes without a run, restarted", "没有运行的索引重建任务，已重新启动"),
    "finding.unfinished_deletions": ("unfinished deletions, restarted", "中断的删除，已重新启动"),
    "finding.unknown_collections": ("unknown Milvus collections, dropped", "无主的 Milvus 集合，已删除"),
    "finding.foreign_collections": (
        "Milvus collections of another installation or a lost catalogue, left unchanged",
        "属于其他部署或已丢失目录的 Milvus 集合：未作改动",
    ),
    "finding.rows_without_version": ("rows without a live version, purged", "不属于任何生效版本的行，已清除"),
    "finding.wrong_counts": ("documents with wrong row counts, rewritten", "行数不符的文档，已重新写入"),
    "finding.lost_originals": (
        "documents whose uploaded file is lost; upload the same file again",
        "原始文件丢失的文档，请重新上传同一文件",
    ),
    "finding.lost_passages": (
        "documents whose passages or vectors are lost, made again",
        "段落或向量丢失的文档，已重新生成",
    ),
    "finding.expired_versions": ("replaced versions past their retention, removed", "超过保留期的旧版本，已移除"),
    "finding.audit_log_differs": (
        "audit events that are not those of the signed log; see `holdfast audit verify`",
        "与签名日志不符的审计事件，见 `holdfast audit verify`",
    ),
    "finding.stray_blobs": ("unreferenced files, removed", "无人引用的文件，已删除"),
    "col.finding": ("finding", "发现"),
    "col.count": ("found", "数量"),
    "col.mended": ("repaired", "已修复"),
    "col.left": ("left", "剩余"),
    "col.examples": ("examples", "示例"),
    "doctor.setup_do": ("run `make setup`", "请运行 `make setup`"),
}


def language(environ: Mapping[str, str] = os.environ) -> Language:
    """The terminal's language: Chinese if LC_ALL, or else LANG, starts with ``zh``; English otherwise."""
    locale = environ.get("LC_ALL") or environ.get("LANG") or ""
    return "zh" if locale.lower().startswith("zh") else "en"


def say(key: str, /, **params: object) -> str:
    """The text in the terminal's language."""
    return TEXTS[key][language() == "zh"].format(**params)


def say_or(key: str, fallback: str) -> str:
    """The text in the terminal's language, or ``fallback`` for a key that this table lacks."""
    return say(key) if key in TEXTS else fallback


def text_of(it: Message | Problem) -> str:
    """Render a message, and the messages in its parameters, in the terminal's language; lists as lines."""

    def shown(value: object) -> object:
        if isinstance(value, list):
            return "\n".join(str(shown(each)) for each in value)
        return text_of(value) if isinstance(value, Message) else value

    return say(it.code, **{name: shown(value) for name, value in it.params.items()})
