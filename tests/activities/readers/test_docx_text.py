"""The text of Word documents: raised and struck-out runs, notes, equations, form fields, tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from activities.contracts.documents import ParsedDocument
from activities.settings import ParseSettings
from tests.activities.readers.conftest import parsed
from tests.word import cell, lowered, paragraph, raised, row, run, table, written


def texts(tmp_path: Path, body: str, **parts: tuple[str, str | bytes]) -> list[str]:
    return [item.text for item in read(tmp_path, body, **parts).elements]


def read(
    tmp_path: Path, body: str, hidden: str = "skip", styles: str = "", **parts: tuple[str, str | bytes]
) -> ParsedDocument:
    named = {f"{name}.xml": part for name, part in parts.items()}
    settings = ParseSettings(hidden="read" if hidden == "read" else "skip")
    return parsed(tmp_path, written(body, named, styles), "a.docx", settings)


@pytest.mark.parametrize(
    ("runs", "text"),
    [
        (("The load is 3 · 10", raised("4"), " newtons."), "The load is 3 · 10⁴ newtons."),
        (("A room of 25 m", raised("2"), " each."), "A room of 25 m² each."),
        (("面积为25米", raised("2"), "。"), "面积为25米²。"),
        (("10", raised("-"), raised("3"), " of it"), "10⁻³ of it"),
        (("CO", lowered("2"), " is measured."), "CO₂ is measured."),
        (("the 21", raised("st"), " of May"), "the 21st of May"),
        (("Hold", raised("TM"), " is a name"), "HoldTM is a name"),
        (("It costs 45", raised("3"), " euros."), "It costs 45 ³ euros."),
        (("Visitors", raised("*"), " may enter."), "Visitors * may enter."),
        (("x", raised("Q"), " + 1"), "x^(Q) + 1"),
        (("The dose is 10", run("5", "position=6"), " units."), "The dose is 10⁵ units."),
        ((raised("All of it raised"),), "All of it raised"),
    ],
)
def test_raised_and_lowered_text_does_not_touch_the_number_before_it(
    tmp_path: Path, runs: tuple[str, ...], text: str
) -> None:
    """Exponents and indices are characters of Unicode; a mark without a note stands apart."""
    assert texts(tmp_path, paragraph(*runs)) == [text]


def test_notes_below_a_text_follow_their_marks(tmp_path: Path) -> None:
    """The paragraph that begins with a mark is written behind the one that refers to it, and an exponent stays one."""
    body = (
        paragraph("Storage costs 14", raised("2"), " euros; the load is 10", raised("4"), " N, 3 m", raised("2"), ".")
        + paragraph(raised("2"), " From the third week on, in m", raised("2"), ".")
        + paragraph("费用为30", raised("a"), "元。")
        + paragraph(raised("a"), "不含税费。")
        + paragraph(raised("7"), " Nobody refers to this.")
    )
    assert texts(tmp_path, body) == [
        "Storage costs 14 euros; the load is 10⁴ N, 3 m². (note 2: From the third week on, in m².)",
        "费用为30元。（注a：不含税费。）",
        "⁷ Nobody refers to this.",
    ]


def test_notes_of_two_tables_with_the_same_marks(tmp_path: Path) -> None:
    """Each table has the note below it, at the end of the row."""
    body = "".join(
        table(row("Item", "Price"), row("Desk", cell(paragraph("14", raised("1")))))
        + paragraph(raised("1"), f" Note of {name}.")
        for name in ("one", "two")
    )
    assert texts(tmp_path, body) == [
        "Item | Price\nDesk | 14 (note 1: Note of one.)",
        "Item | Price\nDesk | 14 (note 1: Note of two.)",
    ]


def test_footnotes_and_endnotes_follow_their_paragraph(tmp_path: Path) -> None:
    """A note of a heading is a paragraph of its own; the print of notes is heeded like that of the text."""

    def reference(kind: str, identifier: int) -> str:
        return f'<w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr><w:{kind}Reference w:id="{identifier}"/></w:r>'

    def note(kind: str, identifier: int, *runs: str) -> str:
        return f'<w:{kind} w:id="{identifier}">{paragraph(*runs)}</w:{kind}>'

    body = paragraph("Fees", reference("footnote", 2), style="Heading1") + paragraph(
        "The fee is 45", reference("footnote", 3), " euros", reference("endnote", 5), "."
    )
    notes = note("footnote", 2, "In force.") + note(
        "footnote", 3, "Per 10", raised("3"), " l", run(" sold", "strike"), "."
    )
    found = texts(
        tmp_path,
        body,
        footnotes=("footnotes", f"<w:footnotes>{notes}</w:footnotes>"),
        endnotes=("endnotes", f"<w:endnotes>{note('endnote', 5, '不含税费。')}</w:endnotes>"),
    )
    assert found == ["Fees", "(note 1: In force.)", "The fee is 45 euros. (note 2: Per 10³ l.)（注1：不含税费。）"]


HIDDEN = "<w:hidden/>"


def test_struck_and_hidden_text_is_left_out_and_counted(tmp_path: Path) -> None:
    """Directly or by style, in paragraphs and tables; a run may lift what its style says."""
    styles = (
        '<w:style w:type="character" w:styleId="Gone"><w:rPr><w:strike/></w:rPr></w:style>'
        '<w:style w:type="character" w:styleId="GoneToo"><w:basedOn w:val="Gone"/></w:style>'
        '<w:style w:type="paragraph" w:styleId="Secret"><w:rPr><w:vanish/></w:rPr></w:style>'
    )
    body = (
        paragraph("The rate is ", run("1,150 ", "strike"), run("or so ", "dstrike"), "1,320 euros.")
        + paragraph(run("Old.", "rStyle=GoneToo"), run("Valid.", "rStyle=Gone strike=0"))
        + paragraph("Internal margin.", style="Secret")
        + paragraph("Open ", run("hidden ", "vanish"), "text.")
        + table(
            row("A", "B"), row("1", cell(paragraph(run("2", "strike"), "3"))), row("x", "y", properties="<w:hidden/>")
        )
    )
    document = read(tmp_path, body, styles=styles)
    assert [item.text for item in document.elements] == [
        "The rate is 1,320 euros.", "Valid.", "Open text.", "A | B\n1 | 3",
    ]  # fmt: skip
    assert {remark.kind: remark.count for remark in document.remarks} == {"struck-text": 3, "hidden-text": 3}
    shown = read(tmp_path, body, "read", styles)
    assert [item.text for item in shown.elements][2:] == [
        "Internal margin.",
        "Open hidden text.",
        "A | B\n1 | 3\nx | y",
    ]


def math(content: str) -> str:
    return f"<m:oMath>{content}</m:oMath>"


def of(kind: str, **parts: str) -> str:
    return f"<m:{kind}>{''.join(f'<m:{name}>{part}</m:{name}>' for name, part in parts.items())}</m:{kind}>"


def term(text: str) -> str:
    return f"<m:r><m:t>{text}</m:t></m:r>"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (term("F = 0.004 · A"), "F = 0.004 · A"),
        (term("v=") + of("f", num=term("s"), den=term("t")), "v=s/t"),
        (of("f", num=term("a+b"), den=of("sSup", e=term("(1+r)"), sup=term("n"))), "(a+b)/(1+r)ⁿ"),
        (of("rad", deg="", e=term("x+1")), "√(x+1)"),
        (of("rad", deg=term("3"), e=term("8")), "³√8"),
        (of("sSub", e=term("x"), sub=term("1")) + term("+") + of("sSup", e=term("e"), sup=term("Q")), "x₁+e^(Q)"),
        (
            '<m:nary><m:naryPr><m:chr m:val="∑"/></m:naryPr>'
            f"<m:sub>{term('i=1')}</m:sub><m:sup>{term('n')}</m:sup><m:e>{term('i')}</m:e></m:nary>",
            "Σᵢ₌₁ⁿ i",
        ),
        (of("d", e=term("a+b")), "(a+b)"),
        (f"<m:m><m:mr><m:e>{term('1')}</m:e><m:e>{term('0')}</m:e></m:mr></m:m>", "[1, 0]"),
        (of("func", fName=term("log"), e=of("d", e=term("x"))), "log(x)"),
    ],
)
def test_equations_are_text_within_their_sentence(tmp_path: Path, content: str, text: str) -> None:
    """Fractions, powers, roots, sums and matrices in one line."""
    assert texts(tmp_path, paragraph("It is ", math(content), ", as told.")) == [f"It is {text}, as told."]


def test_equations_alone_and_nested_without_end(tmp_path: Path) -> None:
    """A displayed equation is a paragraph; one that is nested too deeply loses its innermost part only."""
    shown = f"<m:oMathPara>{math(term('E=m') + of('sSup', e=term('c'), sup=term('2')))}</m:oMathPara>"
    deep = math("<m:func><m:fName/><m:e>" * 110 + term("x") + "</m:e></m:func>" * 110)
    assert texts(tmp_path, paragraph(shown) + paragraph("Deep ", deep)) == ["E=mc²", "Deep"]


def test_values_of_old_forms(tmp_path: Path) -> None:
    """Check boxes and drop-down lists of form fields, and symbols of fonts without Unicode."""

    def field(data: str) -> str:
        return f'<w:r><w:fldChar w:fldCharType="begin"><w:ffData>{data}</w:ffData></w:fldChar></w:r>'

    choices = '<w:result w:val="1"/><w:listEntry w:val="Day"/><w:listEntry w:val="Night"/>'
    body = (
        paragraph(field('<w:checkBox><w:default w:val="0"/><w:checked/></w:checkBox>'), " Paid")
        + paragraph(field('<w:checkBox><w:default w:val="0"/></w:checkBox>'), " Sent")
        + paragraph("Shift: ", field(f"<w:ddList>{choices}</w:ddList>"))
        + paragraph('<w:r><w:sym w:font="Wingdings" w:char="F0FE"/></w:r>', " Approved")
        + paragraph("20 ", '<w:r><w:sym w:font="Symbol" w:char="F0B1"/><w:t> 2 °C</w:t></w:r>')
    )
    assert texts(tmp_path, body) == ["☒ Paid", "☐ Sent", "Shift: Night", "☒ Approved", "20 ± 2 °C"]


DOWN, BELOW = '<w:vMerge w:val="restart"/>', "<w:vMerge/>"


def test_merged_cells_fill_their_places(tmp_path: Path) -> None:
    """Across and down, under header rows of two lines; a row deleted by a tracked change is no row."""
    header = "<w:tblHeader/>"
    body = table(
        row(cell("Building", DOWN), cell("Open", '<w:gridSpan w:val="2"/>'), properties=header),
        row(cell("", BELOW), "Members", "Guests", properties=header),
        row(cell("Alder", DOWN), "07-22", "09-16"),
        row(cell("", BELOW), "08-20", "10-14"),
        row("Gone", "1", "2", properties="<w:del/>"),
        row("Birch", cell("closed", '<w:gridSpan w:val="2"/>')),
    )
    assert texts(tmp_path, body) == [
        "Building | Open Members | Open Guests\nAlder | 07-22 | 09-16\nAlder | 08-20 | 10-14\nBirch | closed | closed"
    ]


def test_tables_within_tables(tmp_path: Path) -> None:
    """A table in a cell is a table of its own, under the name of its row; a list in one is text of the cell."""
    inner = table(row("Day", "Hours"), row("Mon", "7-15"))
    body = table(
        row("Team", "Plan"),
        row("Kiln", cell(inner + paragraph(""))),
        row("Yard", cell(table(row("one"), row("two")) + paragraph(""))),
    )
    assert texts(tmp_path, body) == ["Team | Plan\nKiln | \nYard | one two", "Kiln", "Day | Hours\nMon | 7-15"]


@pytest.mark.parametrize("span", ["99999999999999999999", "1000000", "x"])
def test_spans_beyond_every_table(tmp_path: Path, span: str) -> None:
    """Cells that claim to be wider or lower than any table fail nothing."""
    wide = table(row("A", "B"), row(cell("1", f'<w:gridSpan w:val="{span}"/>')))
    found = texts(tmp_path, wide + paragraph("After."))
    assert found[0].startswith("A | B")
    assert found[-1] == "After."
