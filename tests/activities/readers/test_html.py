"""HTML: what a browser shows, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from activities.errors import DocumentTooLarge
from activities.readers.html import MAX_DEPTH
from tests.activities.readers.conftest import parsed, shape


def test_html_shows_what_a_browser_shows(tmp_path: Path) -> None:
    """Details, figures, labels and captions are text; scripts and navigation are not; the title heads the page."""
    html = """<!DOCTYPE html><html><head><title>请假制度</title><script>var hidden = 1;</script></head><body>
    <nav>Home | Products</nav><details><summary>More</summary><p>Inside details.</p></details>
    <figure><img src="a.png" alt="Chart of leave"><figcaption>Figure 1</figcaption></figure>
    <ol start="3"><li>Third</li><li><p>Fourth</p></li></ol>
    <table><caption>Days</caption><tr><th>Kind</th><th>Days</th></tr><tr><td>Annual</td><td>5</td></tr></table>
    <table><tr><td><h2>Layout</h2><p>Cell text.</p></td></tr></table>
    <pre>a = 1
  b = 2</pre><p>第一行
    第二行</p></body></html>"""
    document = parsed(tmp_path, html, "a.html")
    assert shape(document) == [
        ("title", "请假制度"),
        ("text", "More"),
        ("text", "Inside details."),
        ("text", "Chart of leave"),
        ("text", "Figure 1"),
        ("list", "3. Third"),
        ("list", "4. Fourth"),
        ("text", "Days"),
        ("table", "Kind | Days\nAnnual | 5"),
        ("title", "Layout"),
        ("text", "Cell text."),
        ("code", "a = 1\n  b = 2"),
        ("text", "第一行第二行"),
    ]


@pytest.mark.parametrize("opening", ["<div>", "<b>x ", "<ul><li>", "<table><tr><td>x"])
def test_endlessly_nested_html_is_refused(tmp_path: Path, opening: str) -> None:
    """Up to the limit all text is read; beyond it, the document is refused rather than read in part."""
    levels = (MAX_DEPTH - 3) // opening.count("<")  # below html, body and p
    page = "<p>Before.</p>" + "".join(f"{opening} word{number}x" for number in range(levels))
    text = " ".join(element.text for element in parsed(tmp_path, page, "a.html").elements)
    assert all(f"word{number}x" in text for number in range(levels))
    with pytest.raises(DocumentTooLarge) as caught:
        parsed(tmp_path, "<p>Before.</p>" + opening * 5000 + "hello words here", "a.html")
    assert str(MAX_DEPTH) in caught.value.reason.render()


def test_verbatim_texts_stay_as_they_are(tmp_path: Path) -> None:
    """Line breaks between Chinese characters are kept within code, and after elements in it, and nowhere else."""
    page = "<p>第一\n行<b>二</b>第\n三</p><pre>第一\n行<b>二</b>第\n三</pre><p>第\n四</p>"
    assert [item.text for item in parsed(tmp_path, page, "a.html").elements] == [
        "第一行二第三",
        "第一\n行二第\n三",
        "第四",
    ]
