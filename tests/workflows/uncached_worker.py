"""A worker that keeps no run in memory: each workflow task replays the run from its history."""

from __future__ import annotations

from functools import partial

from workflows import worker

if __name__ == "__main__":
    worker.Worker = partial(worker.Worker, max_cached_workflows=0)  # type: ignore[misc, assignment]
    worker.main()
