"""What a scrape shows of the disks."""

from __future__ import annotations

import shutil
from pathlib import Path

from activities.settings import load
from activities.telemetry import metrics
from api.operations.metrics import show_disks


def volumes() -> set[str]:
    """Those that are shown."""
    return {sample.labels["volume"] for metric in metrics.DISK_FREE.collect() for sample in metric.samples}


def test_a_volume_that_cannot_be_asked_is_absent(tmp_path: Path) -> None:
    """Nothing else of the scrape is lost with it, and what it had before is not shown."""
    data, files = tmp_path / "data", tmp_path / "files"
    data.mkdir()
    files.mkdir()
    settings = load({"HOLDFAST_DATA": str(data / "."), "HOLDFAST_BLOBS_URL": f"file://{files}/blobs"})
    show_disks(settings)
    assert volumes() == {"data"}  # nothing was written to the other yet
    (files / "blobs").mkdir()
    show_disks(settings)
    assert volumes() == {"data", "files"}
    shutil.rmtree(files)
    files.touch()  # below it there is nothing to be asked, which is another error than a missing folder
    show_disks(settings)
    assert volumes() == {"data"}
