"""Titles of the views of Temporal's UI."""

from __future__ import annotations

from activities.phrases import Bilingual


class View(Bilingual):
    """What a view shows."""

    FAILED_UPLOADS = ("Uploads that failed", "失败的上传")
    QUESTIONS = ("Questions of today (UTC)", "今日的提问（UTC）")
    DELETIONS = ("Deletions and retentions", "删除与到期清理")
    REINDEXES = ("Re-indexes", "重建索引")
    SYNCS = ("Syncs", "同步")
    RUNNING = ("What runs now", "正在运行的任务")
    TERMINATED = ("Terminated: ended around the API, or reset", "已终止：绕过接口结束或被重置")
    OTHERS = ("Runs that are not of Holdfast", "非 Holdfast 的任务")
