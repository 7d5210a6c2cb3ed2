"""Question sets for ``holdfast eval``: JSON, JSONL, CSV or SQuAD's JSON; every error names its position.

A question has ``question`` and optionally ``document`` (names of documents that hold the answer), ``answer`` (texts,
one of which the answer should contain) and ``absent`` (true if no document answers it). In CSV, several names or
answers in one cell are separated by ``|``. A paragraph of SQuAD is the passage that a search should find.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from activities.contracts.gate import Item
from api.client.problems import Message, Problem

FIELDS = ("question", "document", "answer", "absent")
_SAME = {"documents": "document", "answers": "answer", "is_impossible": "absent"}
_TRUE = {"true", "1", "yes", "y"}
_FALSE = {"false", "0", "no", "n", ""}


class _InvalidItem(Exception):
    """An invalid question; the caller that has its position raises a Problem."""

    def __init__(self, code: str, /, **params: object) -> None:
        super().__init__(code)
        self.message = Message(code, **params)


def read_set(path: Path) -> list[Item]:
    """The questions of a file, in order. Raises Problem."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as exc:
        raise Problem("eval.bad-file", path=path, problem=Message("eval.no-text")) from exc
    except OSError as exc:
        raise Problem("unreadable", path=path, detail=exc.strerror or exc) from exc
    kind = path.suffix.lower()
    if kind in (".csv", ".tsv"):
        items = _of_csv(path, text, "\t" if kind == ".tsv" else ",")
    elif kind in (".jsonl", ".ndjson"):
        items = _of_lines(path, text)
    else:
        items = _of_json(path, text)
    if not items:
        raise Problem("eval.bad-file", path=path, problem=Message("eval.no-questions"))
    return items


def _of_json(path: Path, text: str) -> list[Item]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as exc:
        raise Problem(
            "eval.bad-line", path=path, line=exc.lineno, problem=Message("eval.no-json", detail=exc.msg)
        ) from exc
    if isinstance(value, dict) and isinstance(value.get("data"), list):
        found: Any = _of_squad(value["data"])
    else:
        found = value.get("questions") if isinstance(value, dict) else value
    if not isinstance(found, list | Iterator):
        raise Problem("eval.bad-file", path=path, problem=Message("eval.no-questions"))
    items: list[Item] = []
    try:
        for each in found:
            items.append(each if isinstance(each, Item) else _item(each))
    except _InvalidItem as exc:
        raise Problem("eval.bad-item", path=path, number=len(items) + 1, problem=exc.message) from exc
    return items


def _of_squad(articles: list[Any]) -> Iterator[Item]:
    """Questions of SQuAD 1.1 and 2.0, each with its paragraph as the passage to find."""
    for article in articles:
        for paragraph in _get(article, "paragraphs", list):
            context = _get(paragraph, "context", str)
            for qa in _get(paragraph, "qas", list):
                question = _get(qa, "question", str).strip()
                if not question:
                    raise _InvalidItem("eval.no-question")
                answers = tuple(dict.fromkeys(_get(each, "text", str) for each in qa.get("answers") or []))
                absent = bool(qa.get("is_impossible"))
                yield Item(question, (), () if absent else answers, "" if absent else context, absent)


def _get(value: Any, field: str, kind: type[Any]) -> Any:
    found = value.get(field) if isinstance(value, dict) else None
    if not isinstance(found, kind):
        raise (
            _InvalidItem("eval.not-object")
            if kind is str and field == "question"
            else _InvalidItem("eval.not-text", field=field)
        )
    return found


def _of_lines(path: Path, text: str) -> list[Item]:
    items = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            items.append(_item(json.loads(line)))
        except json.JSONDecodeError as exc:
            raise Problem(
                "eval.bad-line", path=path, line=number, problem=Message("eval.no-json", detail=exc.msg)
            ) from exc
        except _InvalidItem as exc:
            raise Problem("eval.bad-line", path=path, line=number, problem=exc.message) from exc
    return items


def _of_csv(path: Path, text: str, delimiter: str) -> list[Item]:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    items = []
    try:
        columns = [name.strip().lower() for name in next(rows, [])]
        _check_columns(columns)
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(columns):
                raise _InvalidItem("eval.columns", found=len(row), expected=len(columns))
            items.append(_item(dict(zip(columns, map(_cell, columns, row), strict=True))))
    except _InvalidItem as exc:
        raise Problem("eval.bad-line", path=path, line=rows.line_num, problem=exc.message) from exc
    except csv.Error as exc:
        problem = Message("eval.no-csv", detail=exc)
        raise Problem("eval.bad-line", path=path, line=rows.line_num, problem=problem) from exc
    return items


def _check_columns(columns: list[str]) -> None:
    if "question" not in columns:
        raise _InvalidItem("eval.no-columns")
    for name in columns:
        _field(name)


def _cell(column: str, cell: str) -> Any:
    if _SAME.get(column, column) in ("document", "answer"):
        return [part.strip() for part in cell.split("|") if part.strip()]
    return cell


def _item(value: Any) -> Item:
    if not isinstance(value, dict):
        raise _InvalidItem("eval.not-object")
    fields: dict[str, Any] = {}
    for name, given in value.items():
        fields[_field(name)] = given
    question = fields.get("question")
    if not isinstance(question, str) or not question.strip():
        raise _InvalidItem("eval.no-question")
    documents, answers = _texts(fields, "document"), _texts(fields, "answer")
    absent = _truth(fields.get("absent"))
    if absent and (documents or answers):
        raise _InvalidItem("eval.contradiction")
    return Item(question.strip(), documents, answers, absent=absent)


def _field(name: str) -> str:
    """The canonical name of a field. Raises _InvalidItem for an unknown, probably misspelt name."""
    field = _SAME.get(name, name)
    if field not in (*FIELDS, "id"):
        raise _InvalidItem("eval.unknown", field=name, known=", ".join(FIELDS))
    return field


def _texts(fields: dict[str, Any], field: str) -> tuple[str, ...]:
    given = fields.get(field)
    values = [given] if isinstance(given, str) else [] if given is None else given
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise _InvalidItem("eval.not-text", field=field)
    return tuple(each.strip() for each in values if each.strip())


def _truth(given: Any) -> bool:
    if given is None or isinstance(given, bool):
        return bool(given)
    word = str(given).strip().lower()
    if word not in _TRUE | _FALSE:
        raise _InvalidItem("eval.not-text", field="absent")
    return word in _TRUE
