"""Saves the history of a run for the replay test: ``python -m tests.save_history WORKFLOW_ID NAME``.

``NAME`` begins with the workflow's type (``IngestDocument-ready``). The worker's identity and stack traces are removed.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path

from activities.runtime.temporal import connect
from activities.settings import load

FOLDER = Path(__file__).parent / "data" / "histories"


async def save(workflow_id: str, name: str) -> None:
    """Write the history to the folder of histories."""
    client = await connect(load().temporal)
    history = await client.get_workflow_handle(workflow_id).fetch_history()
    text = re.sub(r'"identity": "[^"]*"', '"identity": "worker"', json.dumps(json.loads(history.to_json()), indent=1))
    text = re.sub(r'"(?:holdfast:)?\d+@[^"]*"', '"worker"', text)
    text = re.sub(r'"stackTrace": "(?:[^"\\]|\\.)*"', '"stackTrace": ""', text)
    (FOLDER / f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    asyncio.run(save(sys.argv[1], sys.argv[2]))
