"""Short ways to read a document and to compare its elements."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from activities.contracts.documents import ParsedDocument
from activities.ingest.parse import parse_file
from activities.settings import ParseSettings

CHINESE = [
    "员工请假须提前三天向直属主管提出书面申请，经人力资源部批准后方可生效。",
    "差旅费用应在出差结束后十个工作日内报销；逾期不予受理！",
    "是",
    "年假天数：工作满一年不满十年的，年休假5天；已满十年不满二十年的，年休假10天。",
]


ENGLISH = [
    "Leave has to be requested three days ahead, in writing, from the direct manager.",
    "Travel costs are refunded within ten working days.",
    "x",
    "Temperatures below -40 °C (see 3.5) are rare: 090-1234-5678 is the number to call.",
]


def parsed(tmp_path: Path, content: bytes | str, name: str, limits: ParseSettings | None = None) -> ParsedDocument:
    path = tmp_path / "original"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return parse_file(path, name, limits or ParseSettings(), lambda done, total: None)


def shape(document: ParsedDocument) -> list[tuple[str, str]]:
    return [(element.kind, element.text) for element in document.elements]


def assert_all_there(document: ParsedDocument, source: list[str]) -> None:
    """Every run of visible characters of the source is in the joined text, in order."""
    text = "\n".join(element.text for element in document.elements)
    position = 0
    for run in " ".join(source).split():
        found = text.find(run, position)
        assert found >= 0, f"{run!r} is missing or out of order"
        position = found


def growth(read: Callable[[int], object], size: int) -> float:
    """How many times as much CPU time a text of four times the size takes: 4 where time grows with the size."""

    def seconds(length: int) -> float:
        began = time.thread_time()
        read(length)
        return time.thread_time() - began

    seconds(size)
    short = max(0.001, min(seconds(size) for _ in range(3)))  # less is noise
    return min(seconds(4 * size) for _ in range(2)) / short
