"""Numerals before the items of Chinese and Japanese lists."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path

import docx
import pytest
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls

from activities.readers.numerals import counted, numeral
from activities.text.blocks import han_number
from tests.activities.readers.conftest import parsed


def test_numbers_are_counted_as_a_reader_does() -> None:
    """Those that answers know are read back as the same number."""
    assert [counted(value) for value in (1, 10, 12, 20, 105, 110, 1005)] == [
        "一", "十", "十二", "二十", "一百零五", "一百一十", "一千零五",
    ]  # fmt: skip
    assert all(han_number(counted(value)) == value for value in range(1, 100))


@pytest.mark.parametrize(
    ("value", "form", "written"),
    [
        (12, "chineseCountingThousand", "十二"),
        (20, "chineseLegalSimplified", "贰拾"), (10, "ideographDigital", "一〇"),
        (3, "ideographTraditional", "丙"), (13, "ideographTraditional", None), (12, "decimalFullWidth", "１２"),
        (3, "decimal", None), (0, "chineseCounting", None), (10_000, "chineseCounting", None),
    ],
)  # fmt: skip
def test_each_format_has_its_numerals(value: int, form: str, written: str | None) -> None:
    """Other formats are those of the library that reads Word documents."""
    assert numeral(value, form) == written


def test_clauses_that_word_numbers_have_their_numbers(tmp_path: Path) -> None:
    """第三条 stands in no paragraph of the file."""
    document = docx.Document()
    numbering = document.part.numbering_part.element
    level = (
        '<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="chineseCounting"/><w:lvlText w:val="第%1条"/></w:lvl>'
    )
    numbering.insert(0, parse_xml(f'<w:abstractNum {nsdecls("w")} w:abstractNumId="77">{level}</w:abstractNum>'))
    numbering.append(parse_xml(f'<w:num {nsdecls("w")} w:numId="78"><w:abstractNumId w:val="77"/></w:num>'))
    for text in ("车辆由行政部管理。", "司机由行政部调度。", "用车须提前申请。"):
        properties = document.add_paragraph(text)._p.get_or_add_pPr()
        properties.append(parse_xml(f'<w:numPr {nsdecls("w")}><w:ilvl w:val="0"/><w:numId w:val="78"/></w:numPr>'))
    content = BytesIO()
    document.save(content)
    assert "第三条" not in zipfile.ZipFile(content).read("word/document.xml").decode()
    assert [item.text for item in parsed(tmp_path, content.getvalue(), "a.docx").elements] == [
        "第一条 车辆由行政部管理。", "第二条 司机由行政部调度。", "第三条 用车须提前申请。",
    ]  # fmt: skip
