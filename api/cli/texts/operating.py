"""Texts of the command line about names, confirmations, sign-in and settings, in English and Chinese."""

from __future__ import annotations

OPERATING: dict[str, tuple[str, str]] = {
    # --- sign-in ---
    "help.login": (
        "Sign in: keep an address and a key, so that commands work from any folder.",
        "登录：保存地址和密钥，之后在任何文件夹中都可使用命令。",
    ),
    "help.login.name": ("Name of this sign-in; the host by default.", "此登录的名称；默认为主机名。"),
    "help.login.key_stdin": ("Read the key from standard input.", "从标准输入读取密钥。"),
    "help.logout": ("Forget a sign-in, the current one by default.", "删除一个登录，默认为当前登录。"),
    "help.logout.all": ("Forget all sign-ins.", "删除全部登录。"),
    "help.whoami": ("Show which address and key are used, and as whom.", "显示所用的地址和密钥，以及对应的用户。"),
    "help.profile": ("List and choose sign-ins.", "列出和选择登录。"),
    "help.profile.list": ("List your sign-ins, without their keys.", "列出你的登录（不含密钥）。"),
    "help.profile.use": ("Make a sign-in the current one.", "将一个登录设为当前登录。"),
    "help.completion": (
        "Print the completion script of a shell; its comment says where it belongs.",
        "输出 shell 的自动补全脚本；其注释说明了安装位置。",
    ),
    "login.ask": ("API key for {url}", "{url} 的 API 密钥"),
    "login.hint": ("On the command line: `holdfast login`.", "在命令行中可用 `holdfast login` 登录。"),
    "login.done": (
        "Signed in to {url} as {subject} ({role}), kept as {name}.",
        "已以 {subject}（{role}）身份登录 {url}，保存为 {name}。",
    ),
    "login.open": (
        "Warning: {url} is not encrypted; the key and all documents can be read on the way. Use `https`.",
        "警告：{url} 未加密；密钥和全部文档在传输途中可被读取。请使用 `https`。",
    ),
    "login.shadowed": (
        "In this folder {url} is used first ({source}).",
        "在当前文件夹中优先使用 {url}（{source}）。",
    ),
    "login.no-terminal": (
        "There is no terminal to ask for the key on: give it with `--key-stdin`.",
        "当前没有可输入密钥的终端：请用 `--key-stdin` 提供。",
    ),
    "login.bad-key": (
        "That is no API key: it is empty, too long, or has spaces or other signs in it.",
        "这不是 API 密钥：内容为空、过长，或含有空格等字符。",
    ),
    "login.bad-name": (
        "The name of a sign-in has 1 to {limit} printable characters.",
        "登录的名称为 1 到 {limit} 个可显示的字符。",
    ),
    "login.refused": ("{url} does not accept this key.", "{url} 不接受该密钥。"),
    "no-address": (
        "“{url}” is no address; write it like https://kb.example.org.",
        "“{url}”不是地址；请按 https://kb.example.org 的形式填写。",
    ),
    "no-key-here": (
        "There is no key for {url}: sign in with `holdfast login`, or set HOLDFAST_URL and HOLDFAST_API_KEY.",
        "没有 {url} 的密钥：请用 `holdfast login` 登录，或设置 HOLDFAST_URL 和 HOLDFAST_API_KEY。",
    ),
    "not-signed-in": ("There is no sign-in; make one with `holdfast login`.", "没有登录；请用 `holdfast login` 登录。"),
    "no-profile": ("There is no sign-in “{name}”, but: {known}.", "没有名为“{name}”的登录；现有：{known}。"),
    "profiles-broken": (
        "{path} is damaged; remove it, and sign in again with `holdfast login`.",
        "{path} 已损坏；请删除该文件，并用 `holdfast login` 重新登录。",
    ),
    "profile.used": ("{name} ({url}) is used now.", "现在使用 {name}（{url}）。"),
    "logout.done": (
        "Signed out of {url} ({name}). The key stays valid; `holdfast key revoke` ends it.",
        "已退出 {url}（{name}）。密钥仍然有效，可用 `holdfast key revoke` 吊销。",
    ),
    "whoami": ("{subject} ({role}) at {url}, {source}", "{subject}（{role}），{url}，{source}"),
    "source.environment": ("by HOLDFAST_URL and HOLDFAST_API_KEY", "来自 HOLDFAST_URL 和 HOLDFAST_API_KEY"),
    "source.local": ("by this folder's platform", "来自此文件夹中的平台"),
    "source.profile": ("by the sign-in {profile}", "来自登录 {profile}"),
    "source.default": ("by default", "默认"),
    "col.url": ("address", "地址"),
    "col.current": ("current", "当前"),
    "completion.bash": (
        "# In ~/.bashrc: source <(holdfast completion bash)",
        "# 写入 ~/.bashrc：source <(holdfast completion bash)",
    ),
    "completion.zsh": (
        "# In ~/.zshrc: source <(holdfast completion zsh)",
        "# 写入 ~/.zshrc：source <(holdfast completion zsh)",
    ),
    "completion.fish": (
        "# In ~/.config/fish/completions/holdfast.fish: holdfast completion fish | source",
        "# 写入 ~/.config/fish/completions/holdfast.fish：holdfast completion fish | source",
    ),
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
    # --- lists of documents ---
    "help.ls.search": ("Only documents whose names have all of these words.", "只列出名称包含全部这些词的文档。"),
    "help.ls.tag": ("Only documents with this tag.", "只列出带此标签的文档。"),
    "help.ls.source": ("Only documents that this user uploaded.", "只列出该用户上传的文档。"),
    "help.ls.sort": (
        "What they are sorted by; the time of the first upload by default.",
        "排序依据；默认为首次上传的时间。",
    ),
    "help.ls.order": ("Ascending or descending.", "升序或降序。"),
    "help.ls.limit": ("One page of at most so many; all by default.", "只列出一页，最多这么多个；默认列出全部。"),
    "help.ls.cursor": ("The page after this cursor of an earlier one.", "从此前一页给出的游标之后继续。"),
    "ls.more": ("There are more: --cursor {cursor}", "还有更多：--cursor {cursor}"),
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
