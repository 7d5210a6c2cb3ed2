"""HTML: what a browser shows, and nothing else."""

from __future__ import annotations

from pathlib import Path

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
