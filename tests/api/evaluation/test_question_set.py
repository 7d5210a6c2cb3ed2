"""Question sets: the supported formats, and errors that name the place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from activities.contracts.gate import Item
from api.cli.texts.messages import text_of
from api.client.problems import Problem
from api.evaluation.question_set import read_set

LEAVE = "Employees may carry over five days of unused annual leave into the next calendar year."
TRAVEL = "Travel costs are refunded within ten working days after the trip has ended."
VISA = "外籍员工的签证费用由公司承担，每年最多报销一次。"


def written(tmp_path: Path, name: str, text: str | bytes) -> Path:
    """A file with this content."""
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


SQUAD = {
    "version": "2.0",
    "data": [
        {
            "paragraphs": [
                {
                    "context": LEAVE,
                    "qas": [
                        {"id": "1", "question": "How many days?", "answers": [{"text": "five"}, {"text": "five days"}]},
                        {"id": "2", "question": "How many hours?", "answers": [], "is_impossible": True},
                    ],
                }
            ]
        }
    ],
}

EXPECTED = [
    Item("How many days?", ("leave.pdf",), ("five days",)),
    Item("Who pays?", ("a.pdf", "b.pdf"), ("the company", "公司")),
    Item("Who painted it?", absent=True),
]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "set.json",
            json.dumps(
                [
                    {"question": "How many days?", "document": "leave.pdf", "answer": "five days"},
                    {"id": 7, "question": " Who pays? ", "documents": ["a.pdf", "b.pdf"],
                     "answers": ["the company", "公司"]},
                    {"question": "Who painted it?", "absent": True},
                ]
            ),
        ),
        (
            "set.jsonl",
            '{"question": "How many days?", "document": "leave.pdf", "answer": ["five days"]}\n\n'
            '{"question": "Who pays?", "document": ["a.pdf", "b.pdf"], "answer": ["the company", "公司"]}\n'
            '{"question": "Who painted it?", "absent": true}\n',
        ),
        (
            "set.csv",
            "\ufeffQuestion,document,answer,absent\r\n"
            'How many days?,leave.pdf,"five days",\r\n,,,\r\n'
            "Who pays?,a.pdf|b.pdf,the company | 公司,no\r\n"
            "Who painted it?,,,yes\r\n",
        ),
    ],
    ids=["json", "jsonl", "csv"],
)  # fmt: skip
def test_a_set_is_read(tmp_path: Path, name: str, text: str) -> None:
    """Each format has the same questions."""
    assert read_set(written(tmp_path, name, text)) == EXPECTED


def test_squad_is_read(tmp_path: Path) -> None:
    """The paragraph is the expected passage; impossible questions have none."""
    assert read_set(written(tmp_path, "squad.json", json.dumps(SQUAD))) == [
        Item("How many days?", answers=("five", "five days"), passage=LEAVE),
        Item("How many hours?", absent=True),
    ]


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("a.json", "[", "a.json, line 1: it is not JSON"),
        ("a.json", '[\n {"question": "One?"},\n {"question": }\n]', "a.json, line 3: it is not JSON"),
        ("a.json", '[{"question": "One?"}, {"query": "Two?"}]', "a.json, question 2: `query` is not known"),
        ("a.json", '[{"question": "One?"}, "Two?"]', "question 2: it is not an object"),
        ("a.json", '{"questions": []}', "it has no questions"),
        ("a.json", '{"answers": {}}', "it has no questions"),
        ("a.json", "7", "it has no questions"),
        ("a.json", '{"data": [{"paragraphs": [{"qas": []}]}]}', "`context` has to be text"),
        ("a.jsonl", '{"question": "One?"}\n{"question": "Two?"', "a.jsonl, line 2: it is not JSON"),
        ("a.jsonl", '{"question": "One?"}\n\n{"question": " "}', "a.jsonl, line 3: `question` is missing"),
        ("a.jsonl", '{"question": "One?", "document": 7}', "line 1: `document` has to be text"),
        ("a.jsonl", '{"question": "One?", "answer": ["a", null]}', "line 1: `answer` has to be text"),
        ("a.jsonl", '{"question": "One?", "absent": "maybe"}', "line 1: `absent` has to be text"),
        ("a.jsonl", '{"question": "One?", "absent": true, "answer": "x"}', "line 1: `absent` says"),
        ("a.csv", "", "a.csv, line 0: the first line must name the columns"),
        ("a.csv", "query,answer\nOne?,x\n", "a.csv, line 1: the first line must name the columns"),
        ("a.csv", "question,anser\nOne?,x\n", "a.csv, line 1: `anser` is not known"),
        ("a.csv", "question,answer\nOne?,x\nTwo?\n", "a.csv, line 3: it has 1 columns instead of 2"),
        ("a.csv", 'question\n"One\n', "a.csv, line 2: "),
        ("a.csv", "question\n", "it has no questions"),
        ("a.csv", b"question\n\xff\xfe\n", "it is not text in UTF-8"),
    ],
)
def test_a_bad_set_is_an_error_with_its_place(tmp_path: Path, name: str, text: str | bytes, sentence: str) -> None:
    """File, line or number of the question, and the mistake."""
    with pytest.raises(Problem) as caught:
        read_set(written(tmp_path, name, text))
    assert sentence in text_of(caught.value)
