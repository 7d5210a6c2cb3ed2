"""Markdown: structure, and no lost text (HTML loses none either)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.activities.readers.conftest import CHINESE, ENGLISH, parsed, shape

MARKDOWN = """---
title: 员工手册
---
# 员工手册

前言段落，
换行继续。
- 第一项
- 第二项
  - 嵌套项

1. Step one
2. Step two

## Leave `policy`

| 类型 | 天数 |
| --- | --- |
| 年假 | 5 |
| 病假 | 10 |

```python
def leave(days):
    return days
```

Use List<String> or <your name> here. 是
"""


def test_markdown_keeps_its_structure(tmp_path: Path) -> None:
    """Headings with levels, lists (numbered, nested, right after a paragraph), tables, code, odd brackets."""
    document = parsed(tmp_path, MARKDOWN, "a.md")
    assert shape(document) == [
        ("text", "title: 员工手册"),
        ("title", "员工手册"),
        ("text", "前言段落，换行继续。"),
        ("list", "第一项"),
        ("list", "第二项"),
        ("list", "嵌套项"),
        ("list", "1. Step one"),
        ("list", "2. Step two"),
        ("title", "Leave policy"),
        ("table", "类型 | 天数\n年假 | 5\n病假 | 10"),
        ("code", "def leave(days):\n    return days"),
        ("text", "Use List<String> or <your name> here. 是"),
    ]
    assert [element.level for element in document.elements if element.kind == "title"] == [1, 2]


@pytest.mark.parametrize("source", [CHINESE, ENGLISH])
def test_markdown_and_html_lose_nothing(tmp_path: Path, source: list[str]) -> None:
    """Every paragraph of a page is there, one-character ones too, in order and under its heading."""
    markdown = "# 标题 Title\n\n" + "\n\n".join(source)
    html = f"<html><body><h1>标题 Title</h1>{''.join(f'<p>{item}</p>' for item in source)}</body></html>"
    for content, name in ((markdown, "a.md"), (html, "a.html")):
        document = parsed(tmp_path, content, name)
        assert [element.text for element in document.elements] == ["标题 Title", *source]
        assert document.elements[0].kind == "title"


def test_footnotes_join_their_paragraphs_and_struck_text_is_left_out(tmp_path: Path) -> None:
    """Marks of footnotes that exist, in headings, lists and tables; code and other brackets stay as they are."""
    source = (
        "# Kiosk[^k]\n\nTea costs 3[^1] euros, ~~4~~ for `a[^1]` and [^none].\n\n- pots[^long]\n\n"
        "| Kind | Fee |\n|---|---|\n| Bike[^1] | 5 |\n\n[^1]: Without\n  milk.\n[^long]: Of *clay*.\n"
        "[^k]: Hall 3.\n\nEnd.\n"
    )
    document = parsed(tmp_path, source, "a.md")
    assert [item.text for item in document.elements] == [
        *("Kiosk", "(note k: Hall 3.)", "Tea costs 3 euros, for a[^1] and [^none]. (note 1: Without milk.)"),
        *("pots (note long: Of clay.)", "Kind | Fee\nBike | 5 (note 1: Without milk.)", "End."),
    ]
    assert [(remark.kind, remark.count) for remark in document.remarks] == [("struck-text", 1)]


def test_descriptions_that_editors_put_in_for_pictures_are_left_out(tmp_path: Path) -> None:
    """A word for "picture", a number or a file's name says nothing; what a person wrote stays."""
    silent = ["图片", "在这里插入图片描述", "image", "Image 12", "screenshot_2", "IMG_2034.jpg", "图片1"]
    told = ["Image of the harbour", "组织结构图", "2024", "Alternative tariffs"]
    text = "\n\n".join(f"![{description}](a.png)" for description in [*silent, *told])
    assert [one for _, one in shape(parsed(tmp_path, f"# Harbour\n\n{text}", "a.md"))] == ["Harbour", *told]
