"""Texts of `holdfast doctor` about versions, clocks, disks and settings, in English and Chinese."""

from __future__ import annotations

DOCTOR: dict[str, tuple[str, str]] = {
    "doctor.disk": ("disk", "磁盘"),
    "doctor.disk_files": ("disk of the files", "文件所在磁盘"),
    "doctor.disk_free": (
        "{free:.1f} GB free for {path}, which takes {used:.1f} GB",
        "{path} 可用空间 {free:.1f} GB，已用 {used:.1f} GB",
    ),
    "doctor.disk_do": (
        "free some space, or move the data to a larger disk: with less than 2 GB, or a tenth of what is used, "
        "work is about to stop",
        "请清理空间，或将数据移到更大的磁盘：低于 2 GB 或已用空间的十分之一时，处理即将停止",
    ),
    "doctor.disk_unwritable": (
        "this user cannot write to {path}: change its owner, or run as its owner",
        "当前用户无法写入 {path}：请更改其所有者，或以其所有者的身份运行",
    ),
    "doctor.too_old": (
        "it has known holes: use {least} or newer (deploy/ and docker-compose.yml name tested versions)",
        "该版本有已知漏洞：请使用 {least} 或更新的版本（经过测试的版本见 `deploy/` 与 `docker-compose.yml`）",
    ),
    "doctor.triton_embedded": (
        "releases before {least} have holes; here only this machine reaches it, and the calls that they need are "
        "closed. Do not open its ports to others",
        "{least} 之前的版本有漏洞；此处仅本机可访问，且所需的调用均已关闭。请勿向他人开放其端口",
    ),
    "doctor.embedded": ("embedded", "内嵌"),
    "doctor.untold": ("does not tell its version", "未告知版本"),
    "doctor.schema": ("tables of the catalogue", "目录的表"),
    "doctor.schema_migrate": (
        "run `holdfast migrate` (this code needs {known})",
        "请运行 `holdfast migrate`（此版本需要 {known}）",
    ),
    "doctor.schema_newer": (
        "a newer release has migrated them (known here: {known}): install that release everywhere",
        "更新的版本已更新这些表（此处已知：{known}）：请在各处安装该版本",
    ),
    "doctor.api_version": ("version of the API", "接口的版本"),
    "doctor.version_other": (
        "this command is of {version}: install the same release for both",
        "此命令的版本为 {version}：请为两者安装同一版本",
    ),
    "doctor.workers": ("workers", "工作进程"),
    "doctor.workers_found": ("{count} of version {versions}", "{count} 个，版本 {versions}"),
    "doctor.workers_none": ("none asks Temporal for work", "没有工作进程向 Temporal 请求任务"),
    "doctor.workers_do": ("start them: nothing is processed without", "请启动工作进程：没有它们，任何内容都不会处理"),
    "doctor.workers_other": (
        "not all are of {version}: end the others, which have not been replaced",
        "并非全部为 {version}：请结束尚未更换的工作进程",
    ),
    "doctor.models": ("embedding models", "向量模型"),
    "doctor.models_missing": ("indexes need {names}, which is not served", "索引需要 {names}，但未提供"),
    "doctor.models_do": (
        "name it in HOLDFAST_EMBED_MODEL or HOLDFAST_EMBED_MODELS and start Triton again, or re-index with another one",
        "请在 HOLDFAST_EMBED_MODEL 或 HOLDFAST_EMBED_MODELS 中填写并重启 Triton，或用其他模型重建索引",
    ),
    "doctor.clock": ("clock of {name}", "{name} 的时钟"),
    "doctor.clock_skew": ("{seconds:.1f} s from this machine's", "与本机相差 {seconds:.1f} 秒"),
    "doctor.clock_do": (
        "let NTP set the clocks: timers, sessions and the order of events depend on them",
        "请用 `NTP` 校准时钟：定时、会话和事件顺序均依赖时钟",
    ),
    "doctor.contradiction": ("settings that agree", "设置是否一致"),
    "doctor.contradiction_none": ("none contradict each other", "没有相互矛盾的设置"),
    "contradiction.metrics": (
        "workers show metrics only with a token: set both or none",
        "工作进程仅在有令牌时提供指标：请两者都设置，或都不设置",
    ),
    "contradiction.per-user": (
        "the limit of one user is above that of all, and has no effect: lower it",
        "单个用户的上限高于总上限，不起作用：请调低",
    ),
    "contradiction.parse": (
        "every document would get the shorter time: raise the longest",
        "每个文档都只能得到较短的时间：请提高最长时间",
    ),
    "contradiction.never-removed": (
        "nothing is removed after these days, as the job that does it is off: set its minutes, or the days to 0",
        "负责清除的任务已关闭，这些天数之后不会清除任何内容：请设置其分钟数，或将天数设为 0",
    ),
    "contradiction.no-endpoint": (
        "key and certificates are of an endpoint, and the model is none: name one (`https://host/v1#model`), "
        "or unset them",
        "密钥和证书用于接口服务，而模型并非接口服务：请填写接口（`https://host/v1#model`），或取消这些设置",
    ),
    "contradiction.two-keys": ("two keys are named: keep one", "指定了两个密钥：请保留一个"),
    "contradiction.oidc": (
        "sign-in by a provider needs both: set the other one too",
        "通过身份提供方登录需要两者：请补全另一个",
    ),
    "contradiction.oidc-address": (
        "the provider sends browsers back to HOLDFAST_PUBLIC_URL: set it to the address that people open",
        "身份提供方会将浏览器送回 HOLDFAST_PUBLIC_URL：请将其设为用户访问的地址",
    ),
    "contradiction.oidc-groups": (
        "roles follow from groups, which are not read: name the claim that has them",
        "角色来自群组，但群组未被读取：请填写包含群组的声明",
    ),
    "contradiction.proxy": (
        "behind a proxy all requests seem to come from it: name its address, so that limits count by caller",
        "在代理之后，所有请求看似都来自代理：请填写其地址，使限额按调用方计算",
    ),
    "contradiction.follows-itself": (
        "a source could follow the platform's own data: name a folder beside it",
        "数据源可能会跟随平台自身的数据：请改用其他文件夹",
    ),
    "contradiction.files": (
        "catalogue and Temporal are shared by machines, the files are not: set HOLDFAST_BLOBS_URL to a bucket",
        "目录和 Temporal 由多台机器共用，而文件不是：请将 HOLDFAST_BLOBS_URL 设为存储桶",
    ),
}
