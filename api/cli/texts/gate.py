"""Texts of the command line about the quality gate of a re-index, in English and Chinese."""

from __future__ import annotations

GATE: dict[str, tuple[str, str]] = {
    "help.questions": (
        "Compare both indexes before the switch with this question set (as `holdfast eval` reads it), or with "
        "`recent`: the questions whose answers were rated helpful. If the new index is worse, the switch waits for an "
        "override.",
        "切换前用该问题集（格式同 `holdfast eval`）比较两个索引；`recent` 表示使用被评为有用的近期问题。"
        "新索引变差时，切换会等待人工确认。",
    ),
    "help.gate_days": (
        "Days for which a refused switch waits for an override before it is canceled.",
        "切换被拒绝后等待人工确认的天数，逾期自动取消。",
    ),
    "help.reindex.override": (
        "Switch although the quality gate refused it; the reason stands in the audit trail.",
        "尽管质量门拒绝，仍然切换；理由会记入审计记录。",
    ),
    "help.override_reason": ("Why the new index is to be used.", "使用新索引的理由。"),
    "asked.reindex.override": ("The new index will be used.", "将切换到新索引。"),
    "stage.gate": ("comparing answers", "比较回答质量"),
    "col.measure": ("measure", "指标"),
    "col.live": ("in use", "现用索引"),
    "col.new": ("new", "新索引"),
    "col.difference": ("difference", "差值"),
    "col.interval": ("95 % interval", "95% 区间"),
    "col.n": ("questions", "问题数"),
    "measure.recall_at_1": ("right result first", "首位命中率"),
    "measure.answers": ("answered", "回答率"),
    "measure.search_p95": ("search p95 (ms)", "检索 p95（毫秒）"),
    "gate.interval": ("{low} to {high}", "{low} 至 {high}"),
    "gate.no-interval": ("none below 2 questions", "少于 2 个问题，无区间"),
    "gate.empty": (
        "Quality gate: there was no question to compare with.",
        "质量门：没有可用于比较的问题。",
    ),
    "gate.asked": (
        "Quality gate: {done} of {questions} questions asked.",
        "质量门：已完成 {done}/{questions} 个问题。",
    ),
    "gate.passed": ("Quality gate: passed.", "质量门：通过。"),
    "gate.refused": ("Quality gate: refused.", "质量门：拒绝。"),
    "gate.overridden": ("Overridden by {actor}: {reason}", "由 {actor} 强制切换：{reason}"),
    "gate.worse": ("{count} questions got worse:", "{count} 个问题变差："),
    "gate.question": ("question {id}", "问题 {id}"),
}
