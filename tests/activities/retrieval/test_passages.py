"""Passages: near-duplicates show once, and truncated passages bring their neighbours."""

from __future__ import annotations

import pytest

from activities.retrieval.passages import SHORT_BYTES, deduplicate, missing_neighbours
from activities.stores.milvus import Row

LEAVE = (
    "Employees may carry over five days of unused annual leave into the next year, if their manager agrees in writing"
    " before the end of November and the team has enough people for the days that follow."
)
VISA = (
    "外籍员工的签证费用由公司承担，每年最多报销一次，报销时需要提供发票原件以及护照和签证页的复印件，由人事部门审核。"
)


def row(id: str, text: str, ordinal: int = 1) -> Row:
    """A chunk."""
    return Row(id=id, document_id=id, version=1, ordinal=ordinal, page=0, section="", text=text)


def folded(*texts: str, limit: int = 10) -> list[tuple[str, int]]:
    """(position of the shown text, number of duplicates) for each text that is shown."""
    ranked = [(row(str(n), text), 1 - n / 100) for n, text in enumerate(texts)]
    return [(found.id, others) for found, _, others in deduplicate(ranked, limit)]


@pytest.mark.parametrize("text", [LEAVE, VISA])
@pytest.mark.parametrize(
    "change", [str, str.upper, lambda text: f"  {text}\n", lambda text: text.replace(" ", "\n"),
               lambda text: text.replace("the team", "a team").replace("护照", "护 照").replace("原件", "原 件")],
)  # fmt: skip
def test_equal_and_almost_equal_texts_show_once(text: str, change: object) -> None:
    """The best one, whether case, spaces or a word differ."""
    assert folded(text, change(text), "Something else.", text) == [("0", 2), ("2", 0)]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("text", "other"),
    [
        (LEAVE, LEAVE.replace("five", "many") + " Until 2027."),
        (LEAVE + " From 2026 on.", LEAVE + " From 2027 on."),
        (LEAVE, LEAVE.replace("may", "may not")),
        (VISA, VISA.replace("一次", "两次")),
        (VISA, VISA.replace("需要", "不需要")),
        (LEAVE, LEAVE[: len(LEAVE) // 2]),
    ],
    ids=["a sentence more", "number", "negated", "Chinese number", "negated in Chinese", "half of it"],
)
def test_texts_that_say_something_else_are_both_shown(text: str, other: str) -> None:
    """A number or a "not" is a difference, however similar the rest is."""
    assert folded(text, other) == [("0", 0), ("1", 0)]


def test_the_limit_counts_different_texts() -> None:
    """Duplicates after it are still counted; other texts are not compared."""
    assert folded(LEAVE, LEAVE, VISA, "One.", "Two.", LEAVE, limit=2) == [("0", 2), ("2", 0)]
    assert folded(limit=2) == []


@pytest.mark.parametrize(
    ("text", "ordinal", "expected"),
    [
        (LEAVE + LEAVE, 4, []),
        (VISA + VISA, 4, []),
        (LEAVE + LEAVE[:-10], 4, [5]),
        ("and " + LEAVE + LEAVE, 4, [3]),
        ("，" + VISA + VISA[:-4], 4, [3, 5]),
        ("and " + LEAVE + LEAVE, 0, []),
        ("Annual leave.", 4, [3, 5]),
        ("年假。", 0, [1]),
        (LEAVE + " Every guest brings the following:", 4, [5]),
        (LEAVE + "\n1. Ask for a form.\n2. Fill it in.", 4, [5]),
        ("3. Sign the form.\n" + LEAVE, 4, [3]),
    ],
    ids=[
        "whole",
        "whole Chinese",
        "end cut",
        "beginning cut",
        "both cut",
        "first",
        "short",
        "short and first",
        "introduction",
        "list cut",
        "in a list",
    ],
)
def test_missing_neighbours_of_a_passage(text: str, ordinal: int, expected: list[int]) -> None:
    """Neighbours of short passages, the rest of truncated sentences, and none for a complete text."""
    assert missing_neighbours(row("a", text, ordinal)) == expected


def test_a_sentence_is_not_short() -> None:
    """A line is, in English and in Chinese."""
    assert len("年假结转的规定与例外".encode()) < SHORT_BYTES < len(VISA.encode())
    assert len("Annual leave: carrying it over") < SHORT_BYTES < len(LEAVE)
