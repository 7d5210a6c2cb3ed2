"""Charts of office documents (DrawingML) as the tables of their data."""

from __future__ import annotations

from typing import Any

from lxml import etree

from activities.contracts.documents import Element
from activities.errors import DocumentTooLarge
from activities.readers.tables.grid import Cell, table_elements

_CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_SERIES, _ROWS = 50, 1000  # of a chart that one can read as a table


def chart_elements(data: bytes) -> list[Element]:
    """The table of a chart's categories and series, after its title; nothing for one without data, or too much."""
    try:
        root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))
        series = list(root.iter(f"{_CHART}ser"))
        labels = [_values(item, "cat") or _values(item, "xVal") for item in series[: _SERIES + 1]]
        values = [_values(item, "val") or _values(item, "yVal") for item in series[: _SERIES + 1]]
        rows = sorted(set().union(*labels, *values))
        if not any(values) or len(series) > _SERIES or len(rows) > _ROWS:
            return []
        names = [_name(item) or str(number) for number, item in enumerate(series, 1)]
        categories = {place: text for label in reversed(labels) for place, text in label.items()}
        table = [[Cell(text, header=True) for text in ("", *names)]]
        table += [
            [Cell(categories.get(place, str(place + 1))), *(Cell(value.get(place, "")) for value in values)]
            for place in rows
        ]
        return table_elements(table, caption=_title(root))
    except (etree.XMLSyntaxError, ValueError, DocumentTooLarge):
        return []


def _values(series: Any, name: str) -> dict[int, str]:
    """The stored values of a series by their places; categories of several levels are joined."""
    holder = series.find(f"{_CHART}{name}")
    if holder is None:
        return {}
    percent = "%" in (holder.findtext(f".//{_CHART}formatCode") or "")
    found: dict[int, str] = {}
    for point in holder.iter(f"{_CHART}pt"):
        place, text = int(point.get("idx", "")), (point.findtext(f"{_CHART}v") or "").strip()
        if name in ("val", "xVal", "yVal"):
            text = _number(text, percent)
        found[place] = f"{text} {found[place]}" if place in found else text
    return found


def _number(text: str, percent: bool) -> str:
    try:
        value = float(text) * (100 if percent else 1)
    except ValueError:
        return text
    return f"{value:.10g}%" if percent else f"{value:.12g}"


def _name(series: Any) -> str:
    holder = series.find(f"{_CHART}tx")
    found = holder.find(f".//{_CHART}v") if holder is not None else None
    return " ".join((found.text or "").split()) if found is not None else ""


def _title(root: Any) -> str:
    title = root.find(f".//{_CHART}title")
    return "".join(text.text or "" for text in title.iter(f"{_DRAWING}t")) if title is not None else ""
