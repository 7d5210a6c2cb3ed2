"""Texts of the command line about names, confirmations, sign-in and settings, in English and Chinese."""

from __future__ import annotations

OPERATING: dict[str, tuple[str, str]] = {
    # --- sign-in ---
    "login.hint": ("Or sign in with `holdfast login`.", "也可用 `holdfast login` 登录。"),
    "col.stage": ("stage", "阶段"),
    # --- names ---
    "help.name_in_kb": (
        "Knowledge base in which the name is looked for; all by default.",
        "在该知识库中查找名称；默认为全部知识库。",
    ),
    "ambiguous": (
        "“{text}” stands for several; give more of the name, or an id:",
        "“{text}”对应多个对象；请给出更完整的名称或编号：",
    ),
    "ambiguous.kb": ("--kb names the knowledge base.", "可用 --kb 指定知识库。"),
    "not-whole": (
        "With --yes a name has to be whole. “{text}” is the beginning of:",
        "使用 --yes 时须给出完整的名称。“{text}”是以下名称的开头：",
    ),
    # --- settings of a knowledge base ---
    "help.kb.set": (
        "Change a knowledge base. Another chunking or model is planned and shown; `holdfast reindex start` applies it.",
        "修改知识库。更改分块或向量模型时只做估算并显示，由 `holdfast reindex start` 实施。",
    ),
    "help.kb.instructions": ("What written answers should heed.", "生成回答时应遵循的要求。"),
    "help.kb.temperature": ("Temperature of written answers, 0 to 2.", "生成回答的温度，0 到 2。"),
    "help.kb.top_p": (
        "Share of the likeliest words that are written from, up to 1.",
        "生成时采样的概率上限，最大为 1。",
    ),
    "help.kb.answer_tokens": ("Longest written answer, in tokens.", "生成回答的最大长度（词元数）。"),
    "help.kb.reset": (
        "Set this back to the platform's setting (repeatable).",
        "将该项恢复为平台的设置（可重复）。",
    ),
    "help.embedding_model": ("Embedding model of the new index.", "新索引使用的向量模型。"),
    "kb.set": ("Knowledge base {name} was changed.", "知识库 {name} 已修改。"),
    "kb.unset": ("(as the platform)", "（同平台设置）"),
    "kb.set_nothing": ("Nothing to change was given; see --help.", "没有给出要修改的内容；请参阅 --help。"),
    "kb.set_and_reset": (
        "Use --{option} or --reset {option}, not both.",
        "--{option} 与 --reset {option} 不能同时使用。",
    ),
    "kb.reindex_next": (
        "The index is unchanged. Build the new one with: {command}",
        "索引尚未改变。建立新索引请运行：{command}",
    ),
    # --- confirmations ---
    "needs-yes": (
        "{question} There is no terminal to ask on: give --yes.",
        "{question}当前没有可供询问的终端：请加 --yes。",
    ),
    "rm.sure": ("Delete {name} of {kb}?", "确定删除 {kb} 的文档 {name} 吗？"),
    "rm.sure_many": ("Delete {count} documents of {kb} ({names})?", "确定删除 {kb} 的 {count} 个文档（{names}）吗？"),
    "kb.sure": (
        "Delete the knowledge base {name} and its {count} documents?",
        "确定删除知识库 {name} 及其 {count} 个文档吗？",
    ),
    "conversation.sure": (
        "Delete the conversation “{title}”? Its {count} questions and their answers are erased.",
        "确定删除会话“{title}”吗？其中的 {count} 个问题及回答会被清除。",
    ),
    "key.sure": (
        "Revoke the key {id} of {subject} ({role}) for good?",
        "确定永久吊销 {subject} 的密钥 {id}（{role}）吗？",
    ),
    "batch.sure": (
        "Cancel the batch {name} of {kb}? {count} of its {total} documents are not done.",
        "确定取消 {kb} 的批次 {name} 吗？其 {total} 个文档中有 {count} 个尚未完成。",
    ),
    "reindex.sure.cancel": (
        "Cancel the re-index of {kb} and remove the {done} of {total} documents that it built?",
        "确定取消 {kb} 的索引重建，并删除已建立的文档（{done}/{total}）吗？",
    ),
    "reindex.sure.finish": (
        "Remove the index of {kb} from before (generation {previous}) now? There is no way back to it.",
        "确定立即删除 {kb} 原来的索引（第 {previous} 代）吗？之后无法恢复。",
    ),
    "reindex.sure.rollback": (
        "Return {kb} to the index from before (generation {previous}) and remove generation {generation}?",
        "确定让 {kb} 恢复到原来的索引（第 {previous} 代），并删除第 {generation} 代吗？",
    ),
}
