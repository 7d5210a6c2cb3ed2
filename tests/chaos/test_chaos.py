"""The short chaos run of `make test`; `make chaos` is the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.invariants import audit
from tests.chaos.run import PARTS, Run
from tests.conftest import running_platform


@pytest.mark.long
async def test_nothing_is_lost_when_processes_are_killed(tmp_path: Path) -> None:
    """Each kind of process is killed once during uploads; afterwards all invariants hold."""
    with running_platform(tmp_path, HOLDFAST_LOG_LEVEL="debug", HOLDFAST_LOG_FORMAT="json") as platform:
        run = Run(platform, documents=16, kills=len(PARTS), seed=7, say=print)
        await run.go(settle_seconds=180)
        findings = await audit(run)
    assert findings.broken == []
    assert findings.states.get("ready", 0) > 8
    assert len(run.killed) >= len(PARTS) - 2
