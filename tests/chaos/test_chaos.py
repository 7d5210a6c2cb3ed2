"""The short chaos runs of `make test` and `make endurance`; `make chaos` has the long ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.invariants import audit
from tests.chaos.run import Run
from tests.chaos.sites import pair, single


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_nothing_is_lost_when_processes_are_killed(tmp_path: Path) -> None:
    """Each kind of process is killed once during uploads and controls; afterwards all invariants hold."""
    with single(tmp_path) as site:
        run = Run(site, documents=16, kills=len(site.parts), freezes=1, seed=4, say=print)
        await run.go(settle_seconds=180)
        findings = await audit(run)
    assert findings.broken == []
    assert findings.states.get("ready", 0) > 4
    assert len(run.killed) >= len(site.parts) - 2
    assert len(run.frozen) == 1


@pytest.mark.long
@pytest.mark.endurance
async def test_nothing_is_lost_with_two_apis_and_two_sets_of_workers_on_postgresql(tmp_path: Path) -> None:
    """One of a pair is killed at a time, and one server stands still."""
    with pair(tmp_path) as site:
        run = Run(site, documents=16, kills=4, freezes=1, seed=1, say=print)
        await run.go(settle_seconds=180)
        findings = await audit(run)
    assert findings.broken == []
    assert findings.states.get("ready", 0) > 4
