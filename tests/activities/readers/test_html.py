"""HTML: what a browser shows, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from activities.errors import DocumentTooLarge
from activities.readers.html import MAX_DEPTH
from activities.settings import ParseSettings
from tests.activities.readers.conftest import CHINESE, assert_all_there, parsed, shape


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


def test_merged_cells_of_a_page_fill_their_places(tmp_path: Path) -> None:
    """Spans end with their section, the foot stands last, a header of two rows is one line, pictures are words."""
    page = """<p>Before</p><table><caption>Sauna <b>hours</b></caption>
    <thead><tr><th rowspan=2>House</th><th rowspan=2>Day</th><th colspan=2>Hours</th></tr>
      <tr><th>Members</th><th>Guests</th></tr></thead>
    <tfoot><tr><td colspan=4>Closed in July.</td></tr></tfoot>
    <tbody><tr><th rowspan=9>Elm</th><td>Monday</td><td>7&ndash;9<br>18&ndash;20</td><td rowspan=2>none</td></tr>
      <tr><td>Friday</td><td>7<b>&ndash;</b>9</td></tr></tbody>
    <tbody><tr><th>Oak</th><td>Friday</td><td><img src=a.png alt=yes></td><td rowspan=0>8</td></tr>
      <tr><td>Oak</td><td colspan=2>Sunday</td></tr></tbody></table><p>After</p>"""
    assert shape(parsed(tmp_path, page, "a.html")) == [
        ("text", "Before"),
        ("text", "Sauna hours"),
        (
            "table",
            "House | Day | Hours Members | Hours Guests\nElm | Monday | 7–9 18–20 | none\nElm | Friday | 7–9 | none\n"
            "Oak | Friday | yes | 8\nOak | Sunday | Sunday | 8\nClosed in July.",
        ),
        ("text", "After"),
    ]


def test_cells_without_rows_and_tables_within_cells_are_read(tmp_path: Path) -> None:
    """Nothing of a table is lost, whatever it is made of."""
    page = (
        "<table><tr><th>Tool<th>Notes</tr><form><tr><td>Saw<td><p>a<p>b<p>c<p>d<ul><li>e<li>f</ul></tr></form></table>"
        "<table><td>one<td>two</table>"
    )
    assert [text for _, text in shape(parsed(tmp_path, page, "a.html"))] == [
        "Tool | Notes\nSaw | a b c d e f",
        "one | two",
    ]


def test_labels_stand_before_their_values(tmp_path: Path) -> None:
    """Definition lists and tables of labels say what each value is; longer definitions stay below their term."""
    page = """<dl><dt>Depot</dt><dd>Hall 3</dd><dt>Phone</dt><dt>Fax:</dt><dd><p>0455</p></dd><dd>0456</dd>
      <dt>What is open?</dt><dd>The shop.</dd><div><dt>Rules</dt><dd><p>First.</p><p>Second.</p></dd></div></dl>
    <table><tr><th>Owner</th><td>Lena Vik</td></tr><tr><th>Due:</th><td>3&nbsp;May</td></tr></table>"""
    assert [text for _, text in shape(parsed(tmp_path, page, "a.html"))] == [
        *("Depot: Hall 3", "Phone, Fax: 0455", "Phone, Fax: 0456", "What is open? The shop."),
        *("Rules", "First.", "Second.", "Owner: Lena Vik\nDue: 3 May"),
    ]


def test_struck_and_hidden_text_is_no_text(tmp_path: Path) -> None:
    """Neither is read, whichever way it is written; both are counted."""
    page = """<style>/* x */ @media print { p { display: none } } .old, p.gone { text-decoration: line-through }
      .draft { display: none !important } .tab { display: none } .tab.open { display: block }</style>
    <p>Fee <s>40</s><span class=old>41</span><del>42</del> 43 <b style="text-decoration:red LINE-THROUGH">44</b></p>
    <p class=gone>Gone.</p><p hidden>Hidden one.</p><div style="display: none"><p>Hidden <s>two</s>.</p></div>
    <p class=draft>Hidden three.</p><p class=tab>Shown by a script.</p><p style="visibility:hidden"> </p>
    <p hidden=until-found>Found.</p>"""
    document = parsed(tmp_path, page, "a.html")
    assert [text for _, text in shape(document)] == ["Fee 43", "Shown by a script.", "Found."]
    assert {remark.kind: remark.count for remark in document.remarks} == {"struck-text": 5, "hidden-text": 3}
    read = parsed(tmp_path, page, "a.html", ParseSettings(hidden="read"))
    assert "Hidden three." in [text for _, text in shape(read)]
    assert "Gone." not in [text for _, text in shape(read)]


@pytest.mark.parametrize("name", ["a.html", "a.md", "a.xml", "a.eml", "a.txt", "a.rst", "a.org", "a.csv"])
def test_a_control_character_fails_no_document(tmp_path: Path, name: str) -> None:
    """As such or as a reference, in text, attributes and code; its neighbours are all there."""
    text = "Open\x0b9 to\x01 5&#11;today&#xB; and&#31;on&#xFFFE;Monday&#0;.\ufffe"
    contents = {
        "a.html": f"<p title='a&#8;b'>{text}</p><pre>{text}</pre>",
        "a.xml": f"<notes><p id='a&#8;b'>{text}</p></notes>",
        "a.eml": f"Subject: hours\nContent-Type: text/html\n\n<p>{text}</p>",
    }
    document = parsed(tmp_path, contents.get(name, text), name)
    assert_all_there(document, ["Open", "9", "to", "5", "today", "and", "on", "Monday"])


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("iso-8859-7", "Η βιβλιοθήκη κλείνει στις εννέα."),
        ("windows-1251", "Бассейн закрыт до мая."),
        ("koi8-r", "Бассейн закрыт до мая."),
        ("iso-8859-2", "Půjčovna lyží má otevřeno do šesti."),
        ("windows-1250", "Az uszoda kedden tizenhétkor zár, az őrség később."),
        ("iso-8859-8", "הספרייה סגורה ביום שני."),
        ("windows-1256", "المسبح مغلق حتى مايو."),
        ("euc-jp", "図書室は九時に閉まる。"),
        ("shift_jis", "図書室は九時に閉まる。①"),
        ("iso-2022-jp", "図書室は九時に閉まる。"),
        ("euc-kr", "도서관은 아홉 시에 닫는다."),
        ("gb2312", "泳池五月前关闭，镕。"),
        ("big5", "泳池五月前關閉。"),
        ("iso-8859-1", "Schließt um 9 – für Gäste."),
        ("windows-874", "ห้องสมุดปิดเก้าโมง"),
    ],
)
def test_short_pages_are_read_in_their_declared_charset(tmp_path: Path, charset: str, text: str) -> None:
    """Few words do not tell their charset; the three ways to declare it do."""
    wider = {"iso-8859-1": "cp1252", "gb2312": "gb18030", "shift_jis": "cp932", "windows-874": "cp874"}.get(
        charset, charset
    )
    for head in (
        f"<html><head><meta charset={charset}>",
        f"<html><head><META content='text/html; charset={charset}' http-equiv='Content-Type'>",
        f'<?xml version="1.0" encoding="{charset}"?>\n<!DOCTYPE html><html><head>',
    ):
        page = f"{head}</head><body><p>{text}</p></body></html>".encode(wider)
        assert [item.text for item in parsed(tmp_path, page, "a.html").elements] == [text]


@pytest.mark.parametrize("charset", ["iso-8859-1", "windows-1251", "utf-8", "utf-16", "base64", "idna", "nonsense"])
def test_a_wrong_declaration_is_not_believed(tmp_path: Path, charset: str) -> None:
    """UTF-8 shows itself, and so does Chinese text under a Western name."""
    page = f"<html><meta charset='{charset}'><p>{'</p><p>'.join(CHINESE)}</p></html>"
    assert_all_there(parsed(tmp_path, page, "a.html"), CHINESE)
    if charset != "windows-1251":
        assert_all_there(parsed(tmp_path, page.encode("gb18030"), "a.html"), CHINESE)
