"""Everyday documents and what people ask of them, through the whole platform: what is right stays right."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import lxml.html
import pypdfium2
import pypdfium2.raw as pdfium
import pytest
from lxml import etree

from activities.readers.encoding import decode
from api.client.client import Api, Target
from tests.bench.field import FIELD, asked
from tests.conftest import Platform

OPEN = {
    ("document-name", "What is the difference between the 2023 and the 2024 hotel limit?"),
    ("docx-header", "Who approved the procedure for torque wrenches?"),
    ("picture-text", "What must I do when paper tray 2 is jammed?"),
    ("rowspan", "When is the ERP maintenance window on Sunday?"),
}
"""Cases that are not answered right yet, and those that hang by a threshold."""

OPEN_KINDS = ("date-format", "pdf-form", "polite-question", "summary")

_FIGURE = re.compile(r"[0-9]+(?:[.,:][0-9]+)*")


@pytest.mark.timeout(600)
@pytest.mark.endurance
async def test_everyday_questions(platform: Platform, kb: str) -> None:
    """Each case is right but for the known ones, and every figure of a quote is one of its document."""
    async with Api(Target(platform.url, platform.key)) as api:
        outcomes = await asked(api, kb, FIELD)
        names = {document.value.id: document.value.name async for document in api.documents.all(kb)}
    wrong = {
        (one.case.kind, str(one.case.q or one.case.file)): one.got
        for one in outcomes
        if one.verdict != "right" and one.case.kind not in OPEN_KINDS
    }
    assert {case: got for case, got in wrong.items() if case not in OPEN} == {}
    checked = 0
    for document, quote in (pair for one in outcomes for pair in one.quotes):
        if (known := own_figures(FIELD / "docs" / names[document])) is not None:
            assert set(_FIGURE.findall(quote)) <= known, (names[document], quote)
            checked += len(_FIGURE.findall(quote))
    assert checked > 50


def own_figures(path: Path) -> set[str] | None:
    """The figures of a document, by its own characters and their print; None for kinds that this does not read."""
    match path.suffix:
        case ".pdf":
            texts = _pdf(path)
        case ".docx":
            texts = _runs(path, "word/", ".//{*}vertAlign")
        case ".pptx":
            texts = _runs(path, "ppt/", "{*}rPr[@baseline]")
        case ".html":
            texts = lxml.html.fromstring(path.read_bytes()).itertext()
        case ".md" | ".csv" | ".jsonl" | ".py":
            texts = iter([decode(path.read_bytes()) or ""])
        case _:
            return None
    found = {figure for text in texts for figure in _FIGURE.findall(text)}
    return found or None


def _pdf(path: Path) -> Iterator[str]:
    """The pages' text, parted where the size of the print changes."""
    for page in pypdfium2.PdfDocument(path):
        text_page = page.get_textpage()
        size, text = 0.0, ""
        for at in range(text_page.count_chars()):
            own = pdfium.FPDFText_GetFontSize(text_page, at)
            text += (" " if abs(own - size) > 0.1 else "") + chr(pdfium.FPDFText_GetUnicode(text_page, at))
            size = own
        yield text


def _runs(path: Path, folder: str, raised: str) -> Iterator[str]:
    """The paragraphs' text, parted where a run is raised or lowered."""
    with zipfile.ZipFile(path) as package:
        for name in package.namelist():
            if name.startswith(folder) and name.endswith(".xml"):
                for one in etree.fromstring(package.read(name)).iter("{*}p"):
                    runs = ((run, " ".join(part.text or "" for part in run.iter("{*}t"))) for run in one.iter("{*}r"))
                    yield "".join(words if run.find(raised) is None else f" {words} " for run, words in runs)
