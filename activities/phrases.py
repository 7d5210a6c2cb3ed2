"""Texts in English and Chinese.

A text with both languages is a member of a ``Bilingual`` enum, here or beside the code that shows it. ``Phrase`` holds
the texts that are embedded in an error's sentence::

    raise InvalidRequest(detail=Phrase.QUESTION_EMPTY)
    raise InvalidName(name=name, detail=Phrase.NAME_TOO_LONG, limit=MAX_NAME)

A phrase takes its parameters from those of the error. ``activities.errors.Reason`` describes how it is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, unique
from typing import Literal, Self

Language = Literal["en", "zh"]


class Bilingual(Enum):
    """Base of text tables; a member's value is the pair (English, Chinese), with parameters in braces."""

    @property
    def code(self) -> str:
        """The stable name under which a text is stored, such as ``question-empty``."""
        return self.name.lower().replace("_", "-")

    @classmethod
    def of_code(cls, code: str) -> Self | None:
        """The member with this code; None for a code that only another version of Holdfast defines."""
        return cls.__members__.get(code.upper().replace("-", "_"))

    def render(self, language: Language, /, **params: object) -> str:
        """The text with its parameters filled in; a missing parameter becomes a question mark."""
        en, zh = self.value
        return fill(zh if language == "zh" else en, params)


class _Params(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "?"


def fill(template: str, params: Mapping[str, object]) -> str:
    """The template with its parameters filled in; braces inside of a parameter's value are kept literally."""
    return template.format_map(_Params(params))


@unique
class Phrase(Bilingual):
    """Parts of error sentences. Stored reasons hold the members' names: members can be added, never renamed."""

    # --- names and tags ---
    CONTROL_CHARACTERS = ("it contains control characters", "包含控制字符")
    NAME_EMPTY = ("it is empty", "名称为空")
    NAME_TOO_LONG = ("it is longer than {limit} characters", "超过 {limit} 个字符")
    USER_NAME = (
        "it has letters, digits and . _ @ + - only, and begins with a letter or a digit",
        "只能包含字母、数字和 . _ @ + -，并以字母或数字开头",
    )
    TOO_MANY_KEYS = ("the user has {limit} keys already; revoke some", "该用户已有 {limit} 个密钥，请先撤销一些")
    MIXED_SCRIPTS = ("it mixes letters of scripts that look alike", "混用了外形相近的不同文字")
    RESERVED_NAME = ("the audit trail uses this name itself", "审计记录自身使用该名称")
    GROUP_NAME = ("it contains invisible characters or a slash", "包含不可见字符或斜杠")
    NAME_OF_USER = ("it is the name of a user; create a key of that user", "这是某个用户的名称，请为该用户创建密钥")
    NO_PASSWORD = ("a service account has no password; create a key for it", "服务账号没有密码，请为其创建密钥")
    PASSWORD_LENGTH = ("a password has {least} to {limit} characters", "密码应为 {least} 到 {limit} 个字符")
    KEY_OF_PLATFORM = ("a key of single knowledge bases has no role of the platform", "限定知识库的密钥不能有平台角色")
    TAG_CONTROL_CHARACTERS = ("a tag contains control characters", "标签包含控制字符")
    TAG_LENGTH = ("a tag has 1 to {limit} characters", "标签应为 1 到 {limit} 个字符")
    TOO_MANY_TAGS = ("a document has at most {limit} tags", "文档最多 {limit} 个标签")
    # --- quality gate of a re-index ---
    GATE_RECALL = ("Right results found first", "首位命中率")
    GATE_ANSWERS = ("Questions answered", "回答率")
    GATE_P95 = ("Search time, p95", "检索时间 p95")
    # --- requests ---
    NO_RATED_QUESTIONS = (
        "no answer of this knowledge base was rated helpful yet, so there are no recent questions to compare with",
        "该知识库还没有被评为有用的回答，因此没有可用于比较的近期问题",
    )
    NO_KNOWLEDGE_BASES = ("there is no knowledge base", "还没有知识库")
    TOO_MANY_KNOWLEDGE_BASES = (
        "there are more than {limit} knowledge bases; name those that are meant",
        "知识库超过 {limit} 个；请指定名称",
    )
    ABSENT_WITH_ANSWER = (
        "question {number} is marked absent, and has documents, answers or a passage",
        "第 {number} 个问题标记为文档中没有答案，却给出了文档、答案或段落",
    )
    WINDOW_FORM = (
        "a window is like 22:00-06:00 Europe/Berlin (without a time zone: UTC)",
        "时间窗口的格式如 22:00-06:00 Asia/Shanghai（不写时区则为 UTC）",
    )
    WINDOW_ZONE = ("there is no time zone {zone}", "不存在时区 {zone}")
    CRON_FIELDS = (
        "a cron expression has five fields (minute, hour, day, month, weekday), such as 0 2 * * 1-5; “{value}” has not",
        "`cron` 表达式应有五个字段（分 时 日 月 星期），如 0 2 * * 1-5，而“{value}”不是",
    )
    CRON_MINUTE = ("“{value}” is not a minute of a cron expression (0-59)", "“{value}”不是 `cron` 表达式的分钟（0-59）")
    CRON_HOUR = ("“{value}” is not an hour of a cron expression (0-23)", "“{value}”不是 `cron` 表达式的小时（0-23）")
    CRON_DAY = ("“{value}” is not a day of a cron expression (1-31)", "“{value}”不是 `cron` 表达式的日期（1-31）")
    CRON_MONTH = (
        "“{value}” is not a month of a cron expression (1-12 or jan-dec)",
        "“{value}”不是 `cron` 表达式的月份（1-12 或 `jan`-`dec`）",
    )
    CRON_WEEKDAY = (
        "“{value}” is not a weekday of a cron expression (0-7 or sun-sat)",
        "“{value}”不是 `cron` 表达式的星期（0-7 或 `sun`-`sat`）",
    )
    CRON_NEVER = ("“{value}” never comes: no month named has such a day", "“{value}”永远不会到来：所列月份没有这一天")
    CRON_OR_EVERY = (
        "say when: either `cron` or `every_minutes` (at least 1), not both",
        "请说明时间：`cron` 或 `every_minutes`（至少 1），只能选一个",
    )
    BACKFILL_RANGE = (
        "`start` must be before `end`, and `end` not in the future",
        "`start` 必须早于 `end`，且 `end` 不能在将来",
    )
    BACKFILL_COUNT = (
        "the schedule fires {count} times in that range; a backfill runs 1 to {limit} of them",
        "该计划在此期间触发 {count} 次；一次补跑为 1 至 {limit} 次",
    )
    CONFIRM_FEWER = (
        "the run would delete {counted} documents, more than the {documents} that are confirmed",
        "该运行将删除 {counted} 个文档，多于所确认的 {documents} 个",
    )
    LOCATION_FORM = (
        "a location is like /srv/docs/handbook or s3://bucket/prefix",
        "位置的格式如 `/srv/docs/handbook` 或 `s3://bucket/prefix`",
    )
    NO_FILES_IN_FORM = ("the form has no `files`", "表单中没有 `files`")
    KEY_TOO_LONG = ("an Idempotency-Key has at most {limit} characters", "Idempotency-Key 最多 {limit} 个字符")
    QUESTION_EMPTY = ("the question is empty", "问题为空")
    TITLE_EMPTY = ("the title is empty", "标题为空")
    NOT_A_TIME = ("“{value}” is not a date or time in ISO 8601", "“{value}”不是 ISO 8601 格式的日期或时间")
    NO_SUCH_ACTION = ("there is no action “{value}”", "没有名为“{value}”的操作")
    NOTHING_MATCHES = ("no document matches", "没有符合条件的文档")
    TAG_NEEDED = (
        "`tag` is needed to tag or untag, and for nothing else",
        "添加或移除标签时须给出 `tag`，其他操作则不需要",
    )
    IDS_OR_FILTER = ("give either `ids` or `filter`", "请给出 `ids` 或 `filter` 之一")
    FOREIGN_CURSOR = ("the cursor does not belong to this list", "游标不属于此列表")
    FOREIGN_EVENT_ID = (
        "Last-Event-ID must be an id of this stream, not “{value}”",
        "Last-Event-ID 应为此事件流的编号，而“{value}”不是",
    )
    DIFY_OR = (
        "conditions can be joined by `and` only",
        "条件之间只能用 `and` 连接",
    )
    DIFY_CONDITION = (
        "no search can be narrowed down by the condition {condition}; fields are {fields}",
        "检索无法按条件 {condition} 筛选；可用的字段：{fields}",
    )
    PASSAGE_ID = (
        "`id` must be that of a result of `search`, or of a document",
        "`id` 应为 `search` 结果的编号，或文档的编号",
    )
    OLD_PASSAGE = (
        "the document has changed since: search again",
        "该文档此后已更新：请重新检索",
    )
    NOTHING_LIVE = (
        "the document is not indexed yet: try again later",
        "该文档尚未完成索引：请稍后再试",
    )
    NAME_ONE = (
        "name the knowledge base in `knowledge_base`; there are: {names}",
        "请在 `knowledge_base` 中指明知识库；可用的有：{names}",
    )
    NAME_SOME = (
        "name up to {limit} knowledge bases in `knowledge_bases`; there are: {names}",
        "请在 `knowledge_bases` 中指明最多 {limit} 个知识库；可用的有：{names}",
    )
    JSON_ONLY = ("the `Content-Type` must be `application/json`", "`Content-Type` 必须是 `application/json`")
    NO_TOOL = ("there is no tool of this name; there are: {names}", "没有这个名称的工具；可用的有：{names}")
    OWN_FILTER = (
        "`filters` are not supported: `holdfast.filter` has tags, pages and times",
        "不支持 `filters`：请使用 `holdfast.filter` 按标签、页码和时间筛选",
    )
    ONE_ANSWER = ("there is one answer: `n` must be 1", "只有一个回答：`n` 必须为 1")
    NO_USER_QUESTION = ("the last message must be a question of the user", "最后一条消息必须是用户的问题")
    ONLY_TEXT = ("only text can be read, not “{value}”", "只支持文本，不支持“{value}”")
    DIMENSIONS = ("the model's vectors have {dimensions} dimensions", "该模型的向量为 {dimensions} 维")
    TEXT_COUNT = ("`input` has 1 to {limit} texts", "`input` 应有 1 至 {limit} 段文本")
    NOT_TOKENS = (
        "`input` must be text: lists of tokens belong to another model",
        "`input` 必须是文本：词元列表属于其他模型",
    )
    TEXT_EMPTY = ("a text is empty", "有一段文本为空")
    TEXT_TOO_LONG = (
        "text {index} has {count} tokens, the model reads {limit}",
        "第 {index} 段文本有 {count} 个词元，模型最多读取 {limit} 个",
    )
    TEXTS_TOO_LONG = (
        "the texts have {count} tokens, one request takes {limit}",
        "文本共有 {count} 个词元，单次请求最多 {limit} 个",
    )
    # --- values that do not fit their type (activities.validation) ---
    WRONG_TYPE = ("expected {expected}, got {got}", "应为 {expected}，实际为 {got}")
    WRONG_VALUE = ("expected {expected}", "应为 {expected}")
    WRONG_LENGTH = ("expected {expected} of length {bound}", "应为 {expected}，长度 {bound}")
    WRONG_FORM = ("expected {expected} that matches {pattern}", "应为符合 {pattern} 的 {expected}")
    MISSING_FIELD = ("the field {field} is missing", "缺少字段 {field}")
    MISSING_PARAMETER = ("the parameter {field} is missing", "缺少参数 {field}")
    UNKNOWN_FIELD = ("there is no field {field}", "没有字段 {field}")
    UNKNOWN_PARAMETER = (
        "there is no parameter {field}; those of this address: {known}",
        "没有参数 {field}；此地址的参数有：{known}",
    )
    UNKNOWN_CHOICE = ("{choice} is not one of the allowed values", "{choice} 不是允许的值")
    OUT_OF_RANGE = ("the number is out of range", "数值超出范围")
    CUT_JSON = ("the JSON is empty or cut off", "JSON 为空或不完整")
    BAD_JSON = ("it is not JSON ({said})", "不是 JSON（{said}）")
    NOT_UTF8 = ("it is not valid JSON: it is not in UTF-8", "不是有效的 JSON：编码不正确")
    NESTED_JSON = ("the JSON is nested too deeply", "JSON 嵌套过深")
    NUL = ("it contains a NUL character", "包含空字符")
    BAD_FORM = ("the form is malformed or cut off", "表单格式错误或不完整")
    UNUSABLE = ("the value cannot be used ({said})", "该值不可用（{said}）")
    NO_SUCH_SETTING = ("there is no such setting", "没有这个设置")
    SECRET_TWICE = ("{name} is set too, and only one of the two can be used", "同时设置了 {name}，两者只能用一个")
    # --- documents ---
    PICTURE = ("a picture", "图片")
    UNKNOWN_PICTURE = ("what follows its first bytes is no picture", "起始字节之后不是图片内容")
    NOT_CONVERTED = ("LibreOffice cannot open it", "LibreOffice 无法打开")
    ZIP_BASED = ("docx or another zip archive", "docx 或其他 zip 压缩包")
    NESTED_GROUPS = ("its groups are nested too deeply", "分组嵌套过深")
    NESTED_PARTS = ("its parts are nested too deeply", "各部分嵌套过深")
    ENTITIES = ("its entities expand too far", "实体展开后过大")
    MISSHAPEN = ("its parts are not what they should be", "其组成部分不符合格式要求")
    ROWS_BEYOND = ("a sheet has rows beyond number {limit}", "工作表的行号超过 {limit}")
    NESTED_LEVELS = ("it is nested more than {limit} levels deep", "嵌套超过 {limit} 层")
    UNBROKEN = (
        "it runs on for {characters} characters without the end of a sentence or line; {limit} are allowed",
        "有 {characters} 个字符没有断句或换行，上限为 {limit}",
    )
    TOO_MANY_COLUMNS = ("a table with {columns} columns; {limit} are allowed", "表格有 {columns} 列，上限为 {limit}")
    MERGED_CELLS = (
        "the merged cells of a table stand for more than {limit} characters",
        "表格的合并单元格展开后超过 {limit} 个字符",
    )
    NESTED_MAILS = ("more than {limit} mails in one another", "邮件嵌套超过 {limit} 层")
    NO_FIRST_CHAPTER = ("it does not say where it begins", "没有说明从何处开始")
    NO_CHAPTERS = ("it has no chapters", "没有章节")
    NO_PAGES = ("it has no pages", "没有页面")
    ENDS_EARLY = ("it ends early", "内容不完整")
    BROKEN_PAGE = ("page {page}: {said}", "第 {page} 页：{said}")
    TOO_MANY_PAGES = ("{pages} pages, at most {limit} are allowed", "共 {pages} 页，最多允许 {limit} 页")
    TOO_MANY_PIXELS = (
        "it has {width} × {height} pixels, more than {limit}",
        "有 {width} × {height} 像素，超过 {limit}",
    )
    TOO_MANY_ATTACHMENTS = ("more than {limit} attachments", "附件超过 {limit} 个")
    ATTACHMENTS_TOO_LARGE = ("the attachments before it are too large", "它之前的附件过大")
    TOO_MANY_FILES = ("more than {limit} files", "文件超过 {limit} 个")
    MEMORY = ("reading it takes more than {limit} MiB of memory", "读取所需内存超过 {limit} MiB")
    EXPANDS = ("it unpacks to {unpacked} MiB from {packed} KiB", "{packed} KiB 解压后达 {unpacked} MiB")
    EXPANDS_FAR = ("it unpacks to far more than its own size", "解压后远大于其自身大小")
    PROCESS_LOST = ("its process disappeared", "其进程消失")
    PROCESS_ENDED = ("it ended with status {status}", "其进程以状态 {status} 结束")
    LOST_REPEATEDLY = ("it stopped {attempts} times in a row without an answer", "连续 {attempts} 次中断且没有结果")
    PROCESS_KILLED = ("the system killed it, probably for memory", "被系统终止，可能因内存不足")
    # --- webhooks ---
    URL_FORM = (
        "it is not an address like https://example.com/hook",
        "地址应形如 https://example.com/hook",
    )
    URL_USER = ("the address must not name a user or a password", "地址中不能包含用户名或密码")
    URL_PORT = ("the port is 80, 443, or 1024 and above", "端口应为 80、443，或不小于 1024")
    URL_PLAIN = (
        "the address must begin with https://; http:// is only for HOLDFAST_WEBHOOK_ALLOWED_NETWORKS",
        "地址必须以 https:// 开头；http:// 仅限 HOLDFAST_WEBHOOK_ALLOWED_NETWORKS 中的网络",
    )
    HOST_PRIVATE = (
        "its server has no public address, nor one in HOLDFAST_WEBHOOK_ALLOWED_NETWORKS",
        "其服务器没有公网地址，也没有 HOLDFAST_WEBHOOK_ALLOWED_NETWORKS 中的地址",
    )
    ANSWERED = ("it answered {status}", "其响应为 {status}")
    REDIRECTED = ("it answered {status}; redirects are not followed", "其响应为 {status}；不会跟随重定向")
    UNREACHABLE = ("there is no connection to its server", "无法连接其服务器")
    UNTRUSTED = ("the certificate of its server is not valid ({said})", "其服务器证书无效（{said}）")
    NOT_HTTP = ("its answer is not HTTP", "其响应不是 HTTP")
    WEBHOOK_DISABLED = ("the webhook is disabled", "该 Webhook 已停用")
    NOT_AN_ENDPOINT = (
        "an endpoint and its model are written like https://host/v1#model",
        "服务地址和模型应写成 https://host/v1#model 的形式",
    )
    NOT_NETWORKS = ("{said} is not a network such as 10.0.0.0/8", "{said} 不是形如 10.0.0.0/8 的网络")
    NOT_KEYS = (
        "line {line} is not an id and a key of 32 bytes in base64, each id once",
        "第 {line} 行不是标识加 32 字节的编码密钥，或标识重复",
    )
    PAYLOAD_UNREADABLE = (
        "a payload cannot be decrypted with the keys that are there (key “{value}”), or is not as it was written",
        "现有密钥（{value}）无法解密该数据，或数据已被改动",
    )
    OTHER_NAMESPACE = ("“{value}” is not the namespace of this platform", "“{value}”不是本平台的命名空间")
    TOO_MANY_PAYLOADS = ("a request has at most {limit} payloads", "每个请求最多包含 {limit} 个数据项")
    # --- sign-in by a provider ---
    TOKEN_MALFORMED = ("its token cannot be read", "无法读取其令牌")
    TOKEN_ALGORITHM = ("its token is signed in a way that is not accepted", "不接受其令牌的签名方式")
    TOKEN_SIGNATURE = ("the signature of its token is not valid", "其令牌的签名无效")
    TOKEN_ISSUER = ("its token is of another issuer", "其令牌由其他机构签发")
    TOKEN_AUDIENCE = ("its token is for another application", "其令牌是为其他应用签发的")
    TOKEN_EXPIRED = ("its token has expired", "其令牌已过期")
    TOKEN_FUTURE = ("its token is not valid yet; compare the clocks", "其令牌尚未生效，请核对时钟")
    TOKEN_NONCE = ("its token belongs to another sign-in", "其令牌属于另一次登录")
    TOKEN_CLAIM = ("the claim {claim} of its token is missing or malformed", "其令牌中的 {claim} 缺失或格式错误")
    TOKEN_NOT_LOGOUT = ("its token is not one for signing out", "其令牌不是用于退出登录的令牌")
    SIGN_IN_STATE = (
        "the sign-in was begun in another browser, or too long ago",
        "该登录由其他浏览器发起，或发起时间过久",
    )
    TOKEN_REPLAYED = ("its token was used before", "其令牌已被使用过")
    SIGN_IN_ISSUER = ("the answer is of another provider", "应答来自其他登录服务")
    SIGN_IN_ENDED = ("it ended the sign-in ({said})", "它终止了登录（{said}）")
    SIGN_IN_DISABLED = ("this user is disabled", "该用户已停用")
    SIGN_IN_CODE = ("it does not accept the code ({said})", "它不接受授权码（{said}）")
    SIGN_IN_SUBJECT = ("it gives the data of another person", "它返回了其他人的资料")
    SIGN_IN_CLAIM = ("{claim} is not what this platform requires", "{claim} 不符合本平台的要求")
    PROVIDER_STATUS = ("it answered with HTTP {status} at {url}", "{url} 返回 HTTP {status}")
    PROVIDER_ISSUER = (
        "it names itself {said}, and HOLDFAST_OIDC_ISSUER says otherwise",
        "它自称为 {said}，与 HOLDFAST_OIDC_ISSUER 不一致",
    )
    PROVIDER_PLAIN = ("its address {url} does not begin with https", "其地址 {url} 不是以 https 开头")
    PROVIDER_LARGE = ("its answer is too large", "其应答过大")
    # --- services ---
    MODEL_NOT_LOADED = ("the model “{model}” is not loaded", "模型“{model}”尚未加载")
    COLLECTION_INCOMPLETE = (
        "the collection {collection} is missing or not complete; re-index the knowledge base",
        "集合 {collection} 缺失或不完整；请重建知识库的索引",
    )
    ROWS_LEFT = ("{rows} rows are still there after deleting", "删除后仍有 {rows} 行")
    ROWS_LOST = ("{rows} rows were written, and are not there", "已写入的 {rows} 行不存在")
    ROWS_DIFFER = ("{rows} rows are there, {written} were written", "写入 {written} 行，实有 {rows} 行")
    LOOP_BROKEN = (
        "no turn has ended well for {seconds} s; the log says why, and a restart of the process may help",
        "{seconds} 秒内没有正常完成一轮工作；原因见日志，可尝试重启该进程",
    )
    AUDIT_LOG_TAMPERED = (
        "the log of audit events was tampered with, or an old backup was restored: {problem}",
        "审计日志被篡改，或恢复了旧备份：{problem}",
    )
    OVERDUE = (
        "{count} accepted uploads have no run yet, the oldest for {seconds} s; the API's log says why",
        "{count} 个已接收的上传尚未开始处理，最早的已等待 {seconds} 秒；原因见接口日志",
    )
    SOURCE_MISSING = ("its folder is not there, or not mounted", "文件夹不存在或未挂载")
    SOURCE_NO_FOLDER = (
        "a part of its path is a symbolic link, or no folder",
        "路径中有符号链接，或某一部分不是文件夹",
    )
    SOURCE_REFUSED = ("access to it is refused", "没有访问权限")
    SOURCE_NO_BUCKET = ("there is no such bucket", "存储桶不存在")
    SOURCE_NO_PATH = (
        "a key directly below its prefix is no path, such as ../x or a//b; the worker's log names it",
        "前缀下一级有无法作为路径的键（如 ../x 或 a//b）；键名见工作进程日志",
    )
    SOURCE_SILENT = (
        "its storage does not answer as it should; the worker's log has the details",
        "存储没有正常响应；详情见工作进程日志",
    )
    NO_ANSWER = ("no answer in time", "未及时响应")
    NO_CONNECTION = ("it cannot be reached", "无法连接")
    NO_ANSWER_WITHIN = ("no answer within {seconds} s", "{seconds} 秒内没有响应")
    NO_SUCH_HOST = ("no address is known for {host}", "找不到 {host} 的地址")
    NOT_REACHED = ("it cannot be reached ({said})", "无法连接（{said}）")
    BROKEN_OFF = ("its answer broke off", "回答中途中断")


@unique
class RemarkText(Bilingual):
    """What a version's remarks say of a file. Stored remarks hold the members' names: add members, rename none."""

    PICTURES = ("pictures without readable text: {count}", "没有可读文字的图片：{count}")
    FORMULAS = ("formulas without a stored value: {count}", "没有存储结果的公式：{count}")
    HIDDEN_SHEETS = ("hidden sheets left out: {count}", "未读取的隐藏工作表：{count}")
    HIDDEN_ROWS = ("hidden rows left out: {count}", "未读取的隐藏行：{count}")
    HIDDEN_COLUMNS = ("hidden columns left out: {count}", "未读取的隐藏列：{count}")
    HIDDEN_SLIDES = ("hidden slides left out: {count}", "未读取的隐藏幻灯片：{count}")
    HIDDEN_TEXT = ("hidden passages left out: {count}", "未读取的隐藏文字：{count}")
    STRUCK_TEXT = ("struck-out passages left out: {count}", "未读取的带删除线文字：{count}")
    EMBEDDED_FILES = ("embedded files that could not be read: {count}", "无法读取的嵌入文件：{count}")
    CHARTS = ("charts that could not be read as a table: {count}", "无法读取为表格的图表：{count}")
    SHAPES = ("shapes that could not be read: {count}", "无法读取的形状：{count}")
    MAILS = ("mails left out because the mailbox has too many: {count}", "因邮箱邮件过多而未读取的邮件：{count}")
    FIELDS = ("form fields and comments left out: {count}", "未读取的表单域和批注：{count}")
    PAGES = ("pages without readable text: {count}", "没有可读文字的页面：{count}")
