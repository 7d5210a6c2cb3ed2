"""Tables of Word documents, through the table model that all documents share."""

from __future__ import annotations

from typing import Any

import msgspec
from docx.oxml.ns import qn

from activities.contracts.documents import Element
from activities.readers.docx.content import CELL, PARAGRAPH, ROW, TABLE, VALUE, number, on, text_of
from activities.readers.tables.grid import Cell, table_elements

_ROW_PROPERTIES, _CELL_PROPERTIES = qn("w:trPr"), qn("w:tcPr")
_SPAN, _DOWN, _ACROSS = qn("w:gridSpan"), qn("w:vMerge"), qn("w:hMerge")
_BEFORE, _HEADER = qn("w:gridBefore"), qn("w:tblHeader")


def elements_of(table: Any, page: int | None) -> list[Element]:
    """A table, followed by the tables within its cells: each has the other texts of its row as its caption."""
    found: list[Element] = []
    waiting = [(table, "")]
    for item, caption in waiting:  # grows while it is read
        rows, inner = _rows(item)
        found += table_elements(rows, caption=caption, page=page)
        waiting += inner
    return found


class _Merged(msgspec.Struct):
    """A cell that may be merged with cells below and to its right."""

    text: str
    header: bool
    columns: int
    rows: int = 1

    def cell(self) -> Cell:
        return Cell(self.text, self.rows, self.columns, self.header)


def _rows(table: Any) -> tuple[list[list[Cell]], list[tuple[Any, str]]]:
    """The rows of a table, and the tables within it with their captions."""
    rows: list[list[_Merged]] = []
    inner: list[tuple[Any, str]] = []
    above: dict[int, _Merged] = {}
    for row in table.iterchildren(ROW):
        properties = row.find(_ROW_PROPERTIES)
        header = properties is not None and on(properties.find(_HEADER))
        column = number(properties.find(_BEFORE)) if properties is not None else 0
        cells = [_Merged("", header, column)] if column else []
        open_cells: dict[int, _Merged] = {}
        nested: list[Any] = []
        for cell in row.iterchildren(CELL):
            span, down, across = _merging(cell)
            if across == "continue" and cells:
                cells[-1].columns += span
            elif down == "continue" and column in above:
                above[column].rows += 1
                open_cells[column] = above[column]
            else:
                cells.append(_Merged(_text(cell, nested), header, span))
                if down:
                    open_cells[column] = cells[-1]
            column += span
        above = open_cells
        rows.append(cells)
        caption = " | ".join(cell.text for cell in cells if cell.text)
        inner += [(item, caption) for item in nested]
    return [[cell.cell() for cell in cells] for cells in rows], inner


def _merging(cell: Any) -> tuple[int, str, str]:
    """How many columns a cell spans, and whether it begins or continues a merge down and across."""
    properties = cell.find(_CELL_PROPERTIES)
    if properties is None:
        return 1, "", ""
    down, across = (properties.find(tag) for tag in (_DOWN, _ACROSS))
    return (
        max(1, number(properties.find(_SPAN))),
        "" if down is None else down.get(VALUE, "continue"),
        "" if across is None else across.get(VALUE, "continue"),
    )


def _text(cell: Any, nested: list[Any]) -> str:
    """The text of a cell; tables within it that are more than one row or column are left to be read by themselves."""
    texts = []
    for block in cell.iterchildren(PARAGRAPH, TABLE):
        if block.tag == PARAGRAPH:
            texts.append(text_of(block))
        elif _is_list(block):
            texts += [text_of(paragraph) for paragraph in block.iter(PARAGRAPH)]
        else:
            nested.append(block)
    return " ".join(" ".join(texts).split())


def _is_list(table: Any) -> bool:
    """Whether a table has one row or one column, and none within it."""
    rows = list(table.iterchildren(ROW))
    narrow = all(len(row.findall(CELL)) <= 1 for row in rows)
    return (len(rows) <= 1 or narrow) and next((inner for inner in table.iterdescendants(TABLE)), None) is None
