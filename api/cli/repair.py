"""`holdfast doctor --repair`: compares all stores, repairs discrepancies and reports them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from api.cli.output import FINISHED, Output
from api.cli.texts.messages import say, say_or
from api.client.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.client.client import Api
    from api.maintenance.schemas import FindingInfo, ReconcileInfo

#: Seconds between polls of the job.
LOOK_SECONDS = 0.5


async def repair(api: Api, out: Output, all_files: bool) -> None:
    """Run a reconciliation; exit 1 if a discrepancy could not be repaired or the job did not finish."""
    job = (await api.reconciliations.start(repair=True, all_files=all_files)).value
    with _showing(out) as show:
        answer = await api.reconciliations.get(job.id)
        while answer.value.state not in FINISHED:
            show(answer.value)
            await asyncio.sleep(LOOK_SECONDS)
            answer = await api.reconciliations.get(job.id)
    state = answer.value
    if state.report is None:
        raise Problem("repair.failed", reason=state.reason or say_or(f"state.{state.state}", state.state))
    findings = state.report.findings
    out.document(answer.json)
    out.table(("finding", "count", "mended", "left", "examples"), [_row(each) for each in findings])
    if not findings:
        out.text(say("repair.nothing"))
    if any(each.failed for each in findings):
        sys.exit(1)


def _row(finding: FindingInfo) -> tuple[object, ...]:
    name = say_or(f"finding.{finding.kind}", finding.kind)
    left = finding.count - finding.mended
    return name, finding.count, finding.mended, left, "; ".join(finding.examples[:3])


@contextmanager
def _showing(out: Output) -> Iterator[Callable[[ReconcileInfo], None]]:
    """A line with the current stage on terminals."""
    if not out.live:
        yield lambda state: None
        return
    from rich.console import Console  # noqa: PLC0415 - slow to import

    with Console().status(say("repair.begins")) as line:
        yield lambda state: line.update(
            f"{say_or('repair.' + state.stage, state.stage)} {state.stage_number}/{state.stage_count}"
        )
