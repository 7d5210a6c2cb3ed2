"""The exception family of Holdfast, and ``Reason``: the stored form of a failure.

::

    HoldfastError
    ├── DependencyError            a service is down: retried until it is back, never a document's fault
    │   ├── TemporalUnavailable  TemporalRefused
    │   ├── TritonUnavailable: ModelNotLoaded
    │   ├── MilvusUnavailable
    │   ├── CatalogUnavailable: CatalogNotMigrated  NotRecorded
    │   ├── BlobsUnavailable  NotSignedYet
    │   ├── SourceUnavailable  LanguageModelUnavailable
    │   └── IdentityProviderUnavailable
    ├── DocumentError              the document cannot be read: fails at once, with its reason (no retry)
    │   ├── EmptyDocument  EncryptedDocument  DamagedDocument  NoText
    │   ├── UnsupportedFormat: NeedsLibreOffice
    │   └── DocumentTooLarge  ParserCrashed  ParserTimedOut
    ├── RequestError               the caller can correct it
    │   ├── InvalidRequest  InvalidName  UnknownRole  QuestionTooLong  UploadTooLarge  BodyTooLarge
    │   ├── Unauthenticated: SignInRefused  SessionEnded
    │   ├── ProviderRefused
    │   ├── Forbidden  PasswordChangeNeeded  NotFound  UnknownHost  ForeignOrigin
    │   ├── TooManyRequests: TooManyPasswords  TooManyUploads  TooManyPending
    │   ├── Conflict: NameTaken  ModelMismatch  ContentBeingRemoved  WrongState  KeyReused  StillInUse
    │   ├── Conflict: ModelNotServed  ModelUnusable  ReindexRuns  SamePerson  SelectionChanged
    │   ├── Conflict: ScheduleTaken  TooManySchedules  ManagedBySetting  ScheduleRuns
    │   ├── Conflict: NameOfOther  SourceNameTaken  SyncRuns  NameInUse
    │   ├── Conflict: TooManyEndpoints  OnHold  LastAdministrator
    │   ├── Conflict: NothingLost  LeavesLost  OtherLog
    │   └── SyncNotAllowed
    ├── ModelError                 a model rejected its input
    │   └── LanguageModelRefused: LanguageModelKeyRefused  LanguageModelNotFound  LanguageModelNotTrusted
    ├── DeliveryFailed: EndpointGone   an event that a webhook did not take
    ├── FilesOfAnother             the file store is that of another platform
    ├── FileLost: PassagesLost  QuestionsLost  HistoryLost  HistoryTampered
    │                              the file store has lost, or has otherwise, what the catalogue refers to
    ├── QuestionTimedOut           its search or its answer took too long, again and again
    ├── StepLost  AwaitsTurn       work that timed out again and again; work that gave way to shorter work
    ├── Superseded  Canceled       work that ended early, on purpose
    ├── RolledBack                 a re-index whose knowledge base went back to the index before
    ├── KnowledgeBaseGone  EarlierFailed   a knowledge base that a re-index of many left out
    ├── DocumentsNotBuilt  GenerationDiffers  VectorsDiffer  SearchesDiffer  GateRefused
    │                              a new index that must not be switched to
    ├── OccurrenceDone             a scheduled run that was run to its end before
    ├── WouldDeleteTooMuch         a retention that waits until somebody confirms it
    ├── DeletesGuarded  NotConfirmed  TooManyFiles   a sync that must not go on by itself
    ├── Interrupted                a question whose run is gone
    └── SettingsError              an operator can correct it

Every class carries one sentence in English and one in Chinese that state the problem and what the user can do.
Failures are stored as ``Reason`` (code and parameters), so that they can be rendered in either language later.
Parameters that are themselves translatable text are ``Phrase`` members.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

import msgspec

from activities import phrases
from activities.phrases import Phrase

Language = phrases.Language

#: Prefix of parameter names that hold a phrase's code. A phrase is stored twice: ``name`` holds its English text,
#: ``@name`` its code.
_PHRASE = "@"

#: The longest wait that a service's Retry-After brings about, in seconds.
MAX_RETRY_AFTER = 300.0


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why something failed, in a form that can be stored and rendered in any language."""

    code: str
    params: dict[str, str] = {}

    def render(self, language: Language = "en") -> str:
        """The complete sentence in one language; an unknown code gives the sentence of ``HoldfastError``."""
        kind = _BY_CODE.get(self.code, HoldfastError)
        return phrases.fill(kind.zh if language == "zh" else kind.en, self._shown(language))

    def _shown(self, language: Language) -> dict[str, str]:
        """The parameters with phrases and words translated; names and numbers stay as they are."""
        shown = dict(self.params)
        if language == "zh":
            shown |= {name: _ZH_WORDS.get(shown[name], shown[name]) for name in _WORDS if name in shown}
        for name, value in self.params.items():
            phrase = Phrase.of_code(value) if name.startswith(_PHRASE) else None
            if phrase is not None:
                shown[name.removeprefix(_PHRASE)] = phrase.render(language, **self.params)
        return shown


#: Parameters whose values are words to translate, not names.
_WORDS = ("kind", "state")
_ZH_WORDS = {
    "knowledge base": "知识库",
    "document": "文档",
    "reindex": "索引重建任务",
    "schedule": "计划",
    "source": "同步来源",
    "sync": "同步任务",
    "question": "问题",
    "conversation": "会话",
    "batch": "批次",
    "bulk change": "批量操作",
    "key": "密钥",
    "user": "用户",
    "group": "用户组",
    "grant": "授权",
    "session": "登录会话",
    "provider": "统一登录服务",
    "model": "模型",
    "reconciliation": "核对任务",
    "event": "事件",
    "hold": "保全",
    "failure": "失败原因",
    "webhook": "Webhook",
    "delivery": "投递",
    "disabled": "已停用",
    "queued": "排队中",
    "running": "进行中",
    "waiting": "等待中",
    "paused": "已暂停",
    "ready": "就绪",
    "failed": "失败",
    "canceled": "已取消",
}


def _stored(params: Mapping[str, object]) -> dict[str, str]:
    """The parameters as strings, each cut to 300 characters to keep workflow histories small."""
    stored = {name: str(value)[:300] for name, value in params.items()}
    for name, value in params.items():
        if isinstance(value, Phrase):
            stored[name] = value.render("en", **stored)[:300]
            stored[f"{_PHRASE}{name}"] = value.code
    return stored


class HoldfastError(Exception):
    """Base of all errors that Holdfast raises itself."""

    code: ClassVar[str] = "internal"
    en: ClassVar[str] = "Something went wrong inside Holdfast; the log has the details."
    zh: ClassVar[str] = "Holdfast 内部出错，详情请查看日志。"

    def __init__(self, **params: object) -> None:
        self.reason = Reason(self.code, _stored(params))
        super().__init__(self.reason.render())


def first_line(exc: BaseException) -> str:
    """The first line of an exception's message, at most 200 characters; the class name if the message is empty."""
    return (str(exc).splitlines() or [type(exc).__name__])[0][:200]


#: What a library's message says of this machine, of its own code or to programmers.
_INTERNAL = re.compile(
    r"""
      \(<string>,\ line\ \d+\)                                           # where a text was parsed
    | [,;]?\ ?\b(?:use|see|try)\ (?:XML_|xml[A-Z])\w*(?:\ option)?\.?     # libxml2's advice
    | \bxml[A-Z]\w*:\s*                                                  # a function of libxml2
    | \[Errno\ -?\d+\]\s*
    | '?<[\w.]+\ [^<>]*>'?                                               # an object
    | (?<![\w:/.])/(?:[^\s/'"<>()]+/)+                                   # the folders of a path
    """,
    re.X,
)
_CUT = 1000  # characters of a library's message that are looked at

#: Messages of libraries that are known, and exceptions whose message only concerns the code that met odd content.
_KNOWN = (
    (re.compile(r"amplification factor|entity reference loop"), Phrase.ENTITIES),
    (re.compile(r"Excessive depth|recursion depth"), Phrase.NESTED_PARTS),
)
_ACCIDENTS = (AttributeError, TypeError, IndexError)


def plain_line(message: object) -> str:
    """The first line of a library's message, without paths, objects and advice for programmers."""
    text = (str(message).splitlines() or [""])[0][:_CUT]
    return " ".join(_INTERNAL.sub("", text).split())[:200] or type(message).__name__


def told(message: object) -> str | Phrase:
    """What a library's exception or message tells users: a phrase where it is known, else its plain line."""
    if isinstance(message, _ACCIDENTS):
        return Phrase.MISSHAPEN
    line = plain_line(message)
    return next((phrase for pattern, phrase in _KNOWN if pattern.search(line)), line)


class DependencyError(HoldfastError):
    """A required service does not respond; work is retried until it does."""

    code = "dependency-unavailable"
    dependency: ClassVar[str] = "dependency"


class TemporalUnavailable(DependencyError):
    code = "temporal-unavailable"
    dependency = "temporal"
    en = "The workflow service (Temporal) does not answer; try again in a moment. Nothing was changed."
    zh = "工作流服务（Temporal）没有响应，请稍后重试。没有做任何更改。"


class TemporalRefused(DependencyError):
    code = "temporal-refused"
    dependency = "temporal"
    en = "The workflow service (Temporal) refuses: {detail}. An operator has to check its namespace and credentials."
    zh = "工作流服务（Temporal）拒绝了请求：{detail}。请管理员检查其命名空间和凭据。"


class TritonUnavailable(DependencyError):
    code = "triton-unavailable"
    dependency = "triton"
    en = "The model server (Triton) does not answer: {detail}. Work waits and goes on when it is back."
    zh = "模型服务（Triton）没有响应：{detail}。任务会等待，恢复后自动继续。"


class ModelNotLoaded(TritonUnavailable):
    code = "triton-cannot-load"
    en = "The model server (Triton) cannot load the embedding model “{model}”: {detail}. Work waits for it."
    zh = "模型服务（Triton）无法加载向量模型“{model}”：{detail}。任务会等待。"


class MilvusUnavailable(DependencyError):
    code = "milvus-unavailable"
    dependency = "milvus"
    en = "The vector store (Milvus) does not answer: {detail}. Work waits and goes on when it is back."
    zh = "向量库（Milvus）没有响应：{detail}。任务会等待，恢复后自动继续。"


class CatalogUnavailable(DependencyError):
    code = "catalog-unavailable"
    dependency = "catalog"
    en = "The catalogue database does not answer: {detail}. Work waits and goes on when it is back."
    zh = "目录数据库没有响应：{detail}。任务会等待，恢复后自动继续。"


class CatalogNotMigrated(CatalogUnavailable):
    code = "catalog-not-migrated"
    en = "The catalogue database is not migrated (revision {found}, needed: {needed}). Run `holdfast migrate`."
    zh = "目录数据库尚未迁移（当前版本 {found}，需要 {needed}）。请运行 `holdfast migrate`。"


class NotRecorded(CatalogUnavailable):
    code = "catalog-not-recorded"
    en = "The audit trail cannot be written, so nothing was done and nothing is shown. An operator has to look at it."
    zh = "无法写入审计记录，因此未执行任何操作，也不显示任何内容。请管理员检查。"


class BlobsUnavailable(DependencyError):
    code = "blobs-unavailable"
    dependency = "blobs"
    en = "The file store cannot be used: {detail}. Work waits and goes on when it is back."
    zh = "文件存储不可用：{detail}。任务会等待，恢复后自动继续。"


class FilesOfAnother(HoldfastError):
    code = "files-of-another"
    en = (
        "The files in HOLDFAST_BLOBS_URL belong to another platform, which would lose them. Name another place; or, if"
        " that platform is gone for good, remove the file “{key}” there."
    )
    zh = (
        "HOLDFAST_BLOBS_URL 中的文件属于另一个平台，继续使用会导致其丢失文件。请指定其他位置；"
        "若该平台已永久停用，请删除其中的文件“{key}”。"
    )


class NotSignedYet(DependencyError):
    code = "not-signed-yet"
    dependency = "audit log"
    en = "No signed checkpoint of the audit log covers this yet; try again in a minute."
    zh = "审计日志的签名检查点尚未涵盖此内容，请一分钟后重试。"


class SourceUnavailable(DependencyError):
    code = "source-unavailable"
    dependency = "source"
    en = "The source cannot be read: {detail}. Nothing is deleted; the sync goes on when it can be read again."
    zh = "无法读取同步来源：{detail}。不会删除任何内容；恢复后同步自动继续。"


class LanguageModelUnavailable(DependencyError):
    """``retry_after`` is how long the service wishes to be left alone, in seconds."""

    code = "language-model-unavailable"
    dependency = "language model"
    en = "The language model {model} at {host} cannot answer now: {detail}. The question waits and is asked again."
    zh = "{host} 上的语言模型 {model} 暂时无法回答：{detail}。问题会等待并自动重试。"

    def __init__(self, retry_after: float = 0, **params: object) -> None:
        super().__init__(**params)
        self.retry_after = min(retry_after, MAX_RETRY_AFTER)


class IdentityProviderUnavailable(DependencyError):
    code = "identity-provider-unavailable"
    dependency = "identity-provider"
    en = "The sign-in service cannot be used: {detail}. Sign in with a password or an API key, or try again later."
    zh = "统一登录服务不可用：{detail}。请使用密码或 API 密钥登录，或稍后重试。"


class DocumentError(HoldfastError):
    """The document itself cannot be used; a retry would not help."""

    code = "document-unusable"


class EmptyDocument(DocumentError):
    code = "empty"
    en = "The file is empty. Check that it was saved and upload it again."
    zh = "文件为空。请确认文件已保存后重新上传。"


class UnsupportedFormat(DocumentError):
    code = "unsupported-format"
    en = "Files of this kind ({found}) cannot be read. Convert it to one of: {supported}."
    zh = "无法读取此类文件（{found}）。请转换为以下格式之一：{supported}。"


class NeedsLibreOffice(UnsupportedFormat):
    code = "needs-libreoffice"
    en = (
        "Files of this kind ({found}) can be read only where LibreOffice is installed and may run without a network. "
        "Save it as {target} and upload that, or ask the operator to install LibreOffice."
    )
    zh = (
        "只有安装了 LibreOffice 且允许其在无网络环境中运行，才能读取此类文件（{found}）。"
        "请另存为 {target} 后上传，或请管理员安装 LibreOffice。"
    )


class EncryptedDocument(DocumentError):
    code = "encrypted"
    en = "The document is protected by a password. Remove the password and upload it again."
    zh = "文档受密码保护。请去除密码后重新上传。"


class DamagedDocument(DocumentError):
    code = "damaged"
    en = "The file looks like {format} but is damaged or cut off ({detail}). Open and save it again, then upload it."
    zh = "文件看起来是 {format}，但已损坏或不完整（{detail}）。请重新打开并保存后再上传。"


class NoText(DocumentError):
    code = "no-text"
    en = "No readable text was found. If it is a scan or a picture, upload a sharper one, or a version with text."
    zh = "没有找到可读的文字。如果是扫描件或图片，请上传更清晰的版本，或带有文字的版本。"


class DocumentTooLarge(DocumentError):
    code = "document-too-large"
    en = "The document is larger than allowed: {detail}. Split it, or ask the operator to raise the limit."
    zh = "文档超出允许的大小：{detail}。请拆分文档，或联系管理员提高限制。"


class ParserCrashed(DocumentError):
    code = "parser-crashed"
    en = "Reading the document crashed the parser ({detail}). The file is probably damaged; save it anew and retry."
    zh = "读取文档时解析器崩溃（{detail}）。文件可能已损坏，请重新保存后再试。"


class ParserTimedOut(DocumentError):
    code = "parser-timed-out"
    en = "Reading the document took longer than {seconds} seconds. Split it, or ask the operator to raise the limit."
    zh = "读取文档超过 {seconds} 秒。请拆分文档，或联系管理员提高限制。"


class RequestError(HoldfastError):
    """The request cannot be served in its present form."""

    code = "invalid-request"
    en = "The request is not valid: {detail}"
    zh = "请求无效：{detail}"


class InvalidRequest(RequestError):
    """A field is missing, unknown or out of range."""


class InvalidName(RequestError):
    code = "invalid-name"
    en = "The name “{name}” cannot be used: {detail}."
    zh = "名称“{name}”不可用：{detail}。"


class UnknownRole(RequestError):
    code = "unknown-role"
    en = "There is no role “{role}”. Choose one of: {known}."
    zh = "没有角色“{role}”。请从以下角色中选择：{known}。"


class QuestionTooLong(RequestError):
    code = "question-too-long"
    en = "The question has {length} characters; at most {limit} are allowed. Shorten it."
    zh = "问题有 {length} 个字符，最多允许 {limit} 个。请缩短问题。"


class UploadTooLarge(RequestError):
    code = "upload-too-large"
    en = "The upload is larger than {limit} bytes. Upload fewer or smaller files at once."
    zh = "上传内容超过 {limit} 字节。请减少文件数量或大小。"


class BodyTooLarge(RequestError):
    code = "body-too-large"
    en = "The request is larger than {limit} bytes. Shorten it."
    zh = "请求超过 {limit} 字节，请缩短。"


class Unauthenticated(RequestError):
    code = "unauthenticated"
    en = "A valid API key is needed: send `Authorization: Bearer <key>`."
    zh = "需要有效的 API 密钥：请发送 `Authorization: Bearer <key>`。"


class SignInRefused(Unauthenticated):
    code = "sign-in-refused"
    en = "Sign-in refused: name or password are wrong, or the user is locked or disabled. Try again in some minutes."
    zh = "登录被拒绝：用户名或密码错误，或该用户已被锁定或停用。请几分钟后再试。"


class SessionEnded(Unauthenticated):
    code = "session-ended"
    en = "This session or invitation has ended. Sign in again, or ask an administrator for a new invitation."
    zh = "此会话或邀请已失效。请重新登录，或向管理员索取新的邀请。"


class Forbidden(RequestError):
    code = "forbidden"
    en = "You may not do that. Ask an administrator for the role “{role}”."
    zh = "您无权执行该操作。请向管理员申请“{role}”角色。"


class ProviderRefused(RequestError):
    code = "provider-refused"
    en = "The sign-in service's answer is refused: {detail}. Begin again, or ask an administrator."
    zh = "统一登录服务的应答被拒绝：{detail}。请重新登录，或联系管理员。"


class PasswordChangeNeeded(RequestError):
    code = "password-change-needed"
    en = "Set a password of your own first: `holdfast user password`, or the page."
    zh = "请先设置您自己的密码：使用 `holdfast user password` 或网页。"


class NotFound(RequestError):
    code = "not-found"
    en = "There is no {kind} “{id}”, or you may not see it."
    zh = "不存在该{kind}“{id}”，或您无权查看。"


class Conflict(RequestError):
    code = "conflict"
    en = "{detail}"
    zh = "{detail}"


class NameTaken(Conflict):
    code = "name-taken"
    en = "There is already a knowledge base “{name}”. Choose another name."
    zh = "知识库“{name}”已存在，请使用其他名称。"


class NameInUse(Conflict):
    code = "name-in-use"
    en = "The name “{name}” is in use, or was: names are not given twice. Choose another one."
    zh = "名称“{name}”已被使用或曾被使用，名称不会重复分配。请使用其他名称。"


class LastAdministrator(Conflict):
    code = "last-administrator"
    en = "“{name}” is the last administrator who can sign in with a password. Make another one first."
    zh = "“{name}”是最后一个可用密码登录的管理员。请先设置另一个管理员。"


class ContentBeingRemoved(Conflict):
    code = "content-being-removed"
    en = "A document with the same content is being deleted just now; try again in a few seconds."
    zh = "内容相同的文档正在被删除，请几秒后重试。"


class WrongState(Conflict):
    code = "wrong-state"
    en = "That cannot be done now: it is {state}."
    zh = "当前无法执行该操作：状态为 {state}。"


class StillInUse(Conflict):
    code = "still-in-use"
    en = "“{name}” is in use and is not deleted: nothing of it was removed. Delete it through Holdfast first."
    zh = "“{name}”仍在使用中，尚未删除，因此没有移除其任何内容。请先通过 Holdfast 将其删除。"


class OnHold(Conflict):
    code = "on-hold"
    en = "“{name}” is under a legal hold: nothing of it is deleted. Whoever keeps the audit trail can end the hold."
    zh = "“{name}”处于诉讼保全中，其任何内容均不会被删除。审计人员可以解除保全。"


class NothingLost(Conflict):
    code = "nothing-lost"
    en = "The audit log has all of the events that were signed ({size} of them): no older state of it was restored."
    zh = "审计日志有 {size} 个事件，已签名的均在其中：没有恢复过较早状态，日志照常继续。"


class LeavesLost(Conflict):
    code = "leaves-lost"
    en = (
        "The checkpoints outside lack the hashes of lost events, from event {index} on, of {size}. Add a place that "
        "has them to HOLDFAST_AUDIT_SEND_TO and restart; the log waits."
    )
    zh = (
        "外部检查点中缺少丢失事件的哈希：自事件 {index} 起，共 {size} 个。"
        "请在 HOLDFAST_AUDIT_SEND_TO 中加入保存有这些哈希的位置并重启；日志会等待。"
    )


class OtherLog(Conflict):
    code = "other-log"
    en = (
        "The {kept} events of the audit log are not the first of the {size} that were signed: it is no older state but "
        "another log. Nothing was declared; verify an export, and restore a backup of this log."
    )
    zh = (
        "审计日志现有的 {kept} 个事件并非已签名的 {size} 个事件中的开头部分：这不是较早状态，而是另一份日志。"
        "未作任何声明；请检验导出文件，并恢复这份日志的备份。"
    )


class ModelNotServed(Conflict):
    code = "model-not-served"
    en = (
        "There is no embedding model “{model}”; the model server (Triton) knows {serving}. To use another one, name it "
        "in HOLDFAST_EMBED_MODELS and restart Triton; nothing was changed."
    )
    zh = (
        "没有名为“{model}”的向量模型；模型服务（Triton）提供：{serving}。如需其他模型，请写入 "
        "HOLDFAST_EMBED_MODELS 并重启 Triton；没有做任何更改。"
    )


class ModelUnusable(Conflict):
    code = "model-unusable"
    en = "The embedding model “{model}” cannot be loaded: {detail}. Nothing was changed."
    zh = "无法加载向量模型“{model}”：{detail}。没有做任何更改。"


class ReindexRuns(Conflict):
    code = "reindex-runs"
    en = "“{name}” is being re-indexed already. Wait for the end of that job, or cancel it; nothing was changed."
    zh = "“{name}”正在重建索引。请等待该任务结束或将其取消；没有做任何更改。"


class SamePerson(Conflict):
    code = "same-person"
    en = "Whoever started a re-index cannot approve it. Another person has to look at its report and approve it."
    zh = "重建索引的发起人不能批准该任务，须由另一人查看报告后批准。"


class SelectionChanged(Conflict):
    code = "selection-changed"
    en = "{count} documents match by now, and not {expected} as was confirmed. Look again; nothing was changed."
    zh = "现在有 {count} 个文档符合条件，而确认时为 {expected} 个。请重新查看；没有做任何更改。"


class ScheduleTaken(Conflict):
    code = "schedule-taken"
    en = "There is already a schedule “{name}”. Choose another name."
    zh = "计划“{name}”已存在，请使用其他名称。"


class TooManySchedules(Conflict):
    code = "too-many-schedules"
    en = "There are {limit} schedules already, which is the most. Delete one that is not needed; nothing was changed."
    zh = "已有 {limit} 个计划，达到上限。请删除不需要的计划；没有做任何更改。"


class ManagedBySetting(Conflict):
    code = "managed-by-setting"
    en = "The schedule “{name}” follows the setting {setting}. It can be paused, resumed and run, not changed here."
    zh = "计划“{name}”由设置 {setting} 管理，只能暂停、恢复和立即运行，不能在此更改。"


class ScheduleRuns(Conflict):
    code = "schedule-runs"
    en = "A run of “{name}” has not ended yet. Wait for its end, or cancel it; nothing was started."
    zh = "计划“{name}”的一次运行尚未结束。请等待其结束或将其取消；没有启动新的运行。"


class NameOfOther(Conflict):
    code = "name-of-other"
    en = "The document “{name}” does not belong to this source, so the sync leaves it alone."
    zh = "文档“{name}”不属于此同步来源，同步不会改动它。"


class SourceNameTaken(Conflict):
    code = "source-name-taken"
    en = "The knowledge base already has a source “{name}”. Choose another name."
    zh = "该知识库已有同步来源“{name}”，请使用其他名称。"


class SyncRuns(Conflict):
    code = "sync-runs"
    en = "“{name}” is being synced. Wait for the end of that sync, or cancel it; nothing was changed."
    zh = "“{name}”正在同步。请等待其结束或将其取消；没有做任何更改。"


class SyncNotAllowed(RequestError):
    code = "sync-not-allowed"
    en = "The source is not below a place that may be synced. An operator names those in {setting}; nothing was read."
    zh = "该同步来源不在允许同步的位置之下。请管理员在 {setting} 中指定；没有读取任何内容。"


class TooManyEndpoints(Conflict):
    code = "too-many-webhooks"
    en = "There are {limit} webhooks already, which is the most. Remove one first; nothing was changed."
    zh = "已有 {limit} 个 Webhook，达到上限。请先删除一个；没有做任何更改。"


class KeyReused(Conflict):
    code = "idempotency-key-reused"
    en = "This Idempotency-Key came with another request before. Use a new key for a new request."
    zh = "该 Idempotency-Key 已用于其他请求。新的请求请使用新的键。"


class UnknownHost(RequestError):
    code = "unknown-host"
    en = "This server is not called “{host}”. Use its address, or ask the operator to add the name to {setting}."
    zh = "该服务器的名称不是“{host}”。请使用其地址，或请运维人员将该名称加入 {setting}。"


class ForeignOrigin(RequestError):
    code = "foreign-origin"
    en = "Pages of {origin} may not use this. Ask the operator to add the origin to {setting}."
    zh = "{origin} 的网页不能使用此接口。请联系运维人员将该来源加入 {setting}。"


class TooManyRequests(RequestError):
    code = "too-many-requests"
    en = "Too many requests at once. Try again in {seconds} seconds; nothing was changed."
    zh = "同时请求过多，请在 {seconds} 秒后重试。没有做任何更改。"


class TooManyPasswords(TooManyRequests):
    code = "too-many-passwords"
    en = "Too many wrong passwords. Try again in {seconds} seconds."
    zh = "密码错误次数过多，请在 {seconds} 秒后重试。"


class TooManyUploads(TooManyRequests):
    code = "too-many-uploads"
    en = "Too many uploads are under way at once. Try again in {seconds} seconds; nothing was changed."
    zh = "同时进行的上传过多，请在 {seconds} 秒后重试。没有做任何更改。"


class TooManyPending(TooManyRequests):
    code = "too-many-pending"
    en = "Too many documents are waiting to be indexed. Try again in {seconds} seconds; nothing was changed."
    zh = "等待建立索引的文档过多，请在 {seconds} 秒后重试。没有做任何更改。"


class ModelMismatch(Conflict):
    code = "model-mismatch"
    en = (
        "This knowledge base was indexed with {indexed}, but the model server (Triton) has only {serving} now. Name "
        "{indexed} in HOLDFAST_EMBED_MODELS and restart Triton, or re-index the knowledge base."
    )
    zh = (
        "该知识库使用 {indexed} 建立索引，但模型服务（Triton）现在只有 {serving}。请将 {indexed} 写入 "
        "HOLDFAST_EMBED_MODELS 并重启 Triton，或重建该知识库的索引。"
    )


class DeliveryFailed(HoldfastError):
    code = "delivery-failed"
    en = "The webhook did not take the event: {detail}. Check its address and its server, then retry the delivery."
    zh = "Webhook 未接收该事件：{detail}。请检查其地址和服务器，然后重试投递。"


class EndpointGone(DeliveryFailed):
    code = "endpoint-gone"
    en = "The webhook's server says that the address is gone for good (410). The webhook is disabled now."
    zh = "Webhook 的服务器表示该地址已永久失效（410）。该 Webhook 已停用。"


class ModelError(HoldfastError):
    code = "model-refused"
    en = "The model could not use its input: {detail}"
    zh = "模型无法处理输入：{detail}"


class LanguageModelRefused(ModelError):
    code = "language-model-refused"
    en = (
        "The service of the language model {model} at {host} refused the request: {detail}. An operator has to check "
        "HOLDFAST_GENERATE_MODEL and HOLDFAST_GENERATE_EXTRA, and the account there."
    )
    zh = (
        "{host} 上语言模型 {model} 的服务拒绝了请求：{detail}。请管理员检查 HOLDFAST_GENERATE_MODEL、"
        "HOLDFAST_GENERATE_EXTRA 以及该服务的账户。"
    )


class LanguageModelKeyRefused(LanguageModelRefused):
    code = "language-model-key-refused"
    en = (
        "The service of the language model at {host} does not accept the API key for {model}: {detail}. An operator "
        "has to set another one in HOLDFAST_GENERATE_API_KEY or the file of HOLDFAST_GENERATE_API_KEY_FILE."
    )
    zh = (
        "{host} 的语言模型服务不接受用于 {model} 的 API 密钥：{detail}。请管理员在 HOLDFAST_GENERATE_API_KEY 或 "
        "HOLDFAST_GENERATE_API_KEY_FILE 指定的文件中更换密钥。"
    )


class LanguageModelNotFound(LanguageModelRefused):
    code = "language-model-not-found"
    en = (
        "There is no language model {model} at {host}, or no such address: {detail}. An operator has to check "
        "HOLDFAST_GENERATE_MODEL, which is like https://host/v1#model."
    )
    zh = (
        "{host} 上没有语言模型 {model}，或地址有误：{detail}。请管理员检查 HOLDFAST_GENERATE_MODEL，"
        "其格式为 https://host/v1#model。"
    )


class LanguageModelNotTrusted(LanguageModelRefused):
    code = "language-model-not-trusted"
    en = (
        "The certificate of the language model's service at {host} is not trusted: {detail}. An operator has to name "
        "the file of its authority in HOLDFAST_GENERATE_CA_FILE."
    )
    zh = (
        "语言模型服务 {host} 的证书不受信任：{detail}。请管理员在 HOLDFAST_GENERATE_CA_FILE 中指定其"
        "证书颁发机构的文件。"
    )


class FileLost(HoldfastError):
    code = "file-lost"
    en = "The uploaded file of “{name}” is lost in the file store. Upload the same file again to restore it."
    zh = "“{name}”的原始文件已从文件存储中丢失。请重新上传同一文件以恢复。"


class PassagesLost(FileLost):
    code = "passages-lost"
    en = "The passages of “{name}” are lost in the file store; `holdfast doctor --repair` makes them again."
    zh = "“{name}”的段落已从文件存储中丢失；`holdfast doctor --repair` 会重新生成。"


class QuestionsLost(FileLost):
    code = "questions-lost"
    en = "The questions of this re-index are lost in the file store. The index in use is unchanged. Start it again."
    zh = "此次索引重建的问题集已从文件存储中丢失。现用索引没有变化，请重新开始。"


class HistoryLost(FileLost):
    code = "history-lost"
    en = "The archived history of the run {run} is not in the file store any more. The audit trail has its hash."
    zh = "文件存储中已没有运行 {run} 的归档历史。审计记录中有其哈希值。"


class HistoryTampered(FileLost):
    code = "history-tampered"
    en = "The archived history of the run {run} was changed: its hash is not the one in the audit trail."
    zh = "运行 {run} 的归档历史已被改动：其哈希值与审计记录不符。"


class QuestionTimedOut(HoldfastError):
    code = "question-timed-out"
    en = "The question could not be answered in time. Ask again in a moment; if that does not help, tell the operator."
    zh = "未能在限定时间内回答该问题。请稍后再试；如仍无效，请联系管理员。"


class StepLost(HoldfastError):
    code = "step-lost"
    en = "It stopped without an answer {attempts} times in a row and was given up. Try again, or ask the operator."
    zh = "连续 {attempts} 次中断且没有结果，已放弃。请重试，或联系管理员。"


class AwaitsTurn(HoldfastError):
    """Not a failure: tried again by itself."""

    code = "awaits-turn"
    en = "Other long documents are being worked on; this one goes on when they leave room."
    zh = "正在处理其他较大的文档；有空位后将继续处理此文档。"


class SettingsError(HoldfastError):
    code = "invalid-setting"
    en = "The setting {key}={value} cannot be used: {problem}."
    zh = "设置 {key}={value} 不可用：{problem}。"


def _family(kind: type[HoldfastError]) -> list[type[HoldfastError]]:
    return [kind, *(descendant for child in kind.__subclasses__() for descendant in _family(child))]


class Superseded(HoldfastError):
    """Not a failure: a newer version was published first."""

    code = "superseded"
    en = "A newer version of the document was published first."
    zh = "该文档的更新版本已先行发布。"


class Canceled(HoldfastError):
    code = "canceled"
    en = "It was canceled before it was finished."
    zh = "任务在完成前被取消。"


class KnowledgeBaseGone(HoldfastError):
    code = "knowledge-base-gone"
    en = "The knowledge base was deleted meanwhile."
    zh = "该知识库已在此期间被删除。"


class EarlierFailed(HoldfastError):
    code = "earlier-failed"
    en = "It was not begun, because the re-index of an earlier knowledge base did not succeed."
    zh = "由于此前有知识库的索引重建未成功，未开始处理。"


class RolledBack(HoldfastError):
    code = "rolled-back"
    en = "The knowledge base went back to the index from before this job; nothing was lost."
    zh = "知识库已恢复为此任务之前的索引，没有丢失任何内容。"


class DocumentsNotBuilt(HoldfastError):
    code = "documents-not-built"
    en = (
        "{count} documents could not be read into the new index, such as “{name}”: {detail} The index in use is "
        "unchanged. Retry or delete these documents, then re-index again."
    )
    zh = "有 {count} 个文档无法写入新索引，例如“{name}”：{detail} 现用索引没有变化。请重试或删除这些文档，再重建索引。"


class GenerationDiffers(HoldfastError):
    code = "generation-differs"
    en = (
        "The new index does not find {lost} of {searched} sampled passages by their own vectors. The index in use is "
        "unchanged."
    )
    zh = "新索引无法用向量找回抽样的 {searched} 个段落中的 {lost} 个。现用索引没有变化。"


class OccurrenceDone(HoldfastError):
    """Not a failure: nothing is done twice."""

    code = "occurrence-done"
    en = "The job of this time was run to its end before."
    zh = "此时间的任务先前已执行完成。"


class WouldDeleteTooMuch(HoldfastError):
    code = "would-delete-too-much"
    en = (
        "It would delete {expired} of {documents} documents, which is more than allowed ({percent} %). Confirm it with "
        "`holdfast schedule confirm {name}`, or cancel it; nothing was deleted."
    )
    zh = (
        "将删除 {documents} 个文档中的 {expired} 个，超过允许的比例（{percent} %）。"
        "请用 `holdfast schedule confirm {name}` 确认，或将其取消；没有删除任何文档。"
    )


class DeletesGuarded(HoldfastError):
    code = "deletes-guarded"
    en = "{gone} of {total} documents are gone from the source. Confirm their deletion, or cancel the sync."
    zh = "{total} 个文档中有 {gone} 个已不在同步来源中。请确认删除，或取消同步。"


class NotConfirmed(HoldfastError):
    code = "not-confirmed"
    en = "Nobody confirmed the deletions within {days} days; nothing was changed. Look at the source, then sync again."
    zh = "{days} 天内没有人确认删除；没有做任何更改。请检查同步来源，然后重新同步。"


class TooManyFiles(HoldfastError):
    code = "too-many-files"
    en = "The source has more than {limit} files. Follow a folder below it, or exclude some; nothing was changed."
    zh = "同步来源的文件超过 {limit} 个。请改为同步其下级文件夹，或排除部分文件；没有做任何更改。"


class VectorsDiffer(HoldfastError):
    code = "vectors-differ"
    en = (
        "{differing} of {compared} sampled vectors of the new index are not those that the embedding model makes of "
        "their passages. The index in use is unchanged. Ask the operator to look at the model."
    )
    zh = (
        "抽查新索引的 {compared} 个向量，其中 {differing} 个与嵌入模型为该段落生成的不一致。"
        "现用索引没有变化。请联系运维人员检查模型。"
    )


class SearchesDiffer(HoldfastError):
    code = "searches-differ"
    en = (
        "Of {searched} sampled searches the index in use finds {live} documents, the new one only {new}. The index in "
        "use is unchanged."
    )
    zh = "抽查 {searched} 次检索，现用索引找到 {live} 个文档，新索引只找到 {new} 个。现用索引没有变化。"


class GateRefused(HoldfastError):
    code = "gate-refused"
    en = (
        "The new index is worse, or may be. {measure}: {live} now, {new} in the new index, difference {difference} "
        "(95 % interval {low} to {high}) on {questions} questions, and {worse} got worse. A person overrides this with "
        "a reason, or cancels; the index in use is unchanged."
    )
    zh = (
        "新索引的质量下降，或可能下降。{measure}：现用索引 {live}，新索引 {new}，差值 {difference}"
        "（95% 区间 {low} 至 {high}），共 {questions} 个问题，其中 {worse} 个变差。"
        "可说明理由后强制切换，或取消；现用索引没有变化。"
    )


class Interrupted(HoldfastError):
    code = "interrupted"
    en = "Answering was interrupted before the answer was recorded. Ask the question again."
    zh = "回答在记录之前被中断。请重新提问。"


def error_of(reason: Reason) -> HoldfastError:
    """Rebuilds the error from its stored reason; an unknown code gives ``HoldfastError``."""
    return _BY_CODE.get(reason.code, HoldfastError)(**reason.params)


_BY_CODE: dict[str, type[HoldfastError]] = {}
for _kind in _family(HoldfastError):
    _BY_CODE.setdefault(_kind.code, _kind)
