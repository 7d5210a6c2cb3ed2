"""The quality gate of a re-index on the command line: its questions, and its report as a table."""

# ruff: noqa: PLC0415 - what is slow to import waits for the command that needs it

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from api.cli.output import Output
from api.cli.texts.messages import say

if TYPE_CHECKING:
    from api.reindexes.schemas import GateInfo, MeasureInfo

RECENT = "recent"


def questions_of(given: str | None) -> str | list[dict[str, Any]] | None:
    """The questions of a file, or ``recent``, as the API takes them. Raises Problem."""
    if given is None or given == RECENT:
        return given
    from api.evaluation.question_set import read_set

    return [
        {
            "question": item.question,
            "document": list(item.documents),
            "answer": list(item.answers),
            "passage": item.passage,
            "absent": item.absent,
        }
        for item in read_set(Path(given))
    ]


def show_gate(out: Output, gate: GateInfo) -> None:
    """Print the verdict, a table of the measures, and the questions that got worse."""
    if gate.done < gate.questions or (gate.questions and not gate.measures):
        out.text(say("gate.asked", done=gate.done, questions=gate.questions))
        return
    out.text(say("gate.empty" if not gate.questions else "gate.refused" if gate.refused else "gate.passed"))
    if gate.overridden_by:
        out.text(say("gate.overridden", actor=gate.overridden_by, reason=gate.override_reason))
    columns = ("measure", "live", "new", "difference", "interval", "n")
    if gate.measures:
        out.table(columns, [_row(measure) for measure in gate.measures])
    if gate.worse:
        out.text(say("gate.worse", count=gate.worse_count))
    for each in gate.worse:
        question = each.question or say("gate.question", id=each.question_id)
        out.text(f"  {say(f'measure.{each.measure}')}: {question}")


def _row(measure: MeasureInfo) -> tuple[object, ...]:
    digits = 1 if measure.name == "search_p95" else 3
    if measure.low is None or measure.high is None:
        interval = say("gate.no-interval")
    else:
        interval = say("gate.interval", low=f"{measure.low:+.{digits}f}", high=f"{measure.high:+.{digits}f}")
    figures = (f"{measure.live:.{digits}f}", f"{measure.new:.{digits}f}", f"{measure.difference:+.{digits}f}")
    return (say(f"measure.{measure.name}"), *figures, interval, measure.n)
