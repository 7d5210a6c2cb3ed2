"""Raised text of web pages: exponents, indices, and marks whose notes join their paragraph or row."""

from __future__ import annotations

import pytest

from activities.readers.html import elements_of
from tests.activities.readers.conftest import growth


def texts(page: str) -> list[str]:
    return [element.text for element in elements_of(page)]


def test_exponents_and_indices_are_told_from_marks() -> None:
    """A mark never touches the number before it; one whose note is nowhere stays, apart."""
    page = """<p>The deposit is 30<sup>4</sup> euros, the load 10<sup>5</sup> Pa on 12 m<sup>2</sup>.</p>
      <p>CO<sub>2</sub> and x<sub>1</sub>; 3<span style='vertical-align: super'>8</span> days, 1<sup>st</sup>.</p>"""
    assert texts(page) == [
        "The deposit is 30 ⁴ euros, the load 10⁵ Pa on 12 m².",
        "CO₂ and x₁; 3 ⁸ days, 1st.",
    ]


def test_a_linked_note_joins_the_paragraph_that_refers_to_it() -> None:
    """Whether the link is raised, in brackets or says that it is one; the note no longer stands alone."""
    page = """<p>A boat<sup id=r1><a href="#fn1">1</a></sup> for 20<a href="#fn2"><sup>2</sup></a> a day.<br>Ask.</p>
      <ul><li>Life vests <a href="#note-3">[3]</a><ul><li>in red</li></ul></li></ul>
      <h2>Costs<a epub:type=noteref href="#fn4">*</a></h2><p>See <a href="#step">(2)</a>.</p>
      <ol><li id=step>Pay.</li></ol><section><ol>
      <li id=fn1><p>Not in winter. <a href="#r1">↩</a></p></li><li id=fn2>2 or more people.</li></ol>
      <p id=note-3>[3] Free of charge.</p><aside id=fn4>* Without tax.</aside></section>"""
    assert texts(page) == [
        "A boat for 20 a day. Ask. (note 1: Not in winter.) (note 2: 2 or more people.)",
        "Life vests (note 3: Free of charge.)",
        *("in red", "Costs", "(note *: Without tax.)", "See (2).", "1. Pay."),
    ]


def test_a_note_below_joins_the_row_or_paragraph_with_its_mark() -> None:
    """The next line that begins with the mark is the note, also in the foot of a table and in Chinese."""
    page = """<table><tr><th>Berth</th><th>Fee<sup>a</sup></th></tr><tr><td>A<sup>1,2</sup></td><td>9</td></tr>
      <tr><td>B</td><td>7<sup>*</sup></td></tr><tfoot><tr><td colspan=2><sup>1</sup> Up to 5 m.<br>
      <sup>2</sup> Daily.<br><sup>a</sup>) In euros.</td></tr></tfoot></table><p>* At night.</p>
      <p>A2<sup>1</sup> is far.</p><p><sup>1</sup>By bus.</p><p>停车费45<sup>①</sup>元。</p><p>①含税。</p>"""
    assert texts(page) == [
        "Berth | Fee (note a: In euros.)\nA | 9 (note 1: Up to 5 m.) (note 2: Daily.)\nB | 7 (note *: At night.)",
        "A2 is far. (note 1: By bus.)",
        "停车费45元。（注1：含税。）",
    ]


def test_long_targets_and_loops_are_no_notes() -> None:
    """Whole sections, links back and links to themselves stay where they are."""
    section = "word " * 400
    page = f"""<p id=a>One<sup><a href="#a">1</a></sup>.</p><p>Two<sup><a href="#b">2</a></sup>.</p>
      <div id=b>{section}</div><p>Three<sup><a href="#c">3</a></sup>.</p><h2 id=c>Heading</h2>"""
    assert texts(page) == ["One ¹.", "Two ².", section.strip(), "Three ³.", "Heading"]


@pytest.mark.parametrize(
    "part",
    [
        "<p>a<sup><a href='#n'>1</a></sup></p>",
        "a<sup>1</sup>",
        "<p>a<sup>1</sup></p><p><sup>1</sup>b</p>",
        "<p id=n>a<sup>1</sup><br><sup>1</sup>b",
        "<dl><dt>a</dt><dd>b</dd></dl>",
        "<dt>a</dt><dd>b</dd>",
        "<td>a<sup>1</sup>",
        "a<sup><a href='#m'>1</a></sup><a id=m></a>",
    ],
)
def test_notes_take_linear_time(part: str) -> None:
    """However many marks, notes and lines there are."""
    assert growth(lambda size: elements_of(part * size + "<p id=n>A note.</p>"), 150) < 10
