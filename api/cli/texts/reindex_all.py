"""Texts of `holdfast reindex all`, in English and Chinese."""

from __future__ import annotations

REINDEX_ALL: dict[str, tuple[str, str]] = {
    "help.reindex.all": (
        "Re-index many knowledge bases in order, each beside its index in use.",
        "按顺序重建多个知识库的索引，各自在现用索引之外进行。",
    ),
    "help.reindex.all.start": (
        "Re-index the knowledge bases NAME … in this order; without a name all of them. --plan only estimates.",
        "按给定顺序重建知识库 NAME … 的索引；不写名称则为全部。--plan 只估算。",
    ),
    "help.reindex.all.list": ("List re-indexes of many knowledge bases.", "列出多知识库索引重建任务。"),
    "help.reindex.all.show": ("Show the report of each knowledge base.", "查看每个知识库的报告。"),
    "help.reindex.all.watch": ("Follow it until it ends.", "跟踪至结束。"),
    "help.reindex.all.pause": ("Pause all of it; what was built is kept.", "全部暂停；已建立的部分会保留。"),
    "help.reindex.all.resume": ("Resume it.", "继续。"),
    "help.reindex.all.cancel": (
        "Cancel it; knowledge bases that are switched already stay so.",
        "取消；已完成切换的知识库保持不变。",
    ),
    "help.all_limit": ("Knowledge bases that are built at once.", "同时处理的知识库数。"),
    "help.all_go_on": ("Go on after a knowledge base has failed.", "某个知识库失败后继续处理其余的。"),
    "help.all_plan": ("Only estimate each.", "只估算。"),
    "help.all_model": ("Embedding model that is meant.", "指定的向量模型。"),
    "help.all_questions": (
        "Compare both indexes of each with its questions whose answers were rated helpful.",
        "用各知识库中被评为有用的问题比较新旧索引。",
    ),
    "confirm.reindex.all": ("Really cancel the whole re-index?", "确定取消整个索引重建任务吗？"),
    "asked.reindex.all.start": (
        "{total} knowledge bases are being re-indexed: {id}",
        "正在重建 {total} 个知识库的索引：{id}",
    ),
    "asked.reindex.all.pause": ("All of it is being paused.", "正在全部暂停。"),
    "asked.reindex.all.resume": ("It goes on.", "任务继续进行。"),
    "asked.reindex.all.cancel": ("It is being canceled.", "正在取消。"),
    "all.half_chunking": (
        "Give both --max-tokens and --overlap-tokens, or neither.",
        "`--max-tokens` 和 `--overlap-tokens` 须同时给出，或都不给出。",
    ),
    "all.summary": ("{done} of {total} knowledge bases: {state}", "知识库 {done}/{total}：{state}"),
    "col.progress": ("progress", "进度"),
    "col.plan": ("estimate", "估算"),
    "col.gate": ("comparison", "比较"),
    "all.plan": ("{embedded} chunks to embed, {seconds} s", "需向量化 {embedded} 个分块，{seconds} 秒"),
    "all.gate": ("answered {difference}", "回答率 {difference}"),
}
