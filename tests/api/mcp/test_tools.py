"""Parts of the tools that need no platform: schemas, windows of a document, lists of sources."""

from __future__ import annotations

from contextlib import nullcontext

import jsonschema
import pytest
from markdown_it import MarkdownIt

from activities.contracts.answers import Citation
from activities.contracts.documents import Chunk
from activities.errors import ForeignOrigin
from activities.settings import load
from api.http.headers import require_own_origin
from api.http.recording.routes import TOOLS as ROWS
from api.mcp.definitions import DATA, TOOLS, tools
from api.mcp.windows import Window, around
from api.questions.source_list import ListedSource, answer_text, cited_sources, source_list


def test_every_tool_is_described_and_recorded() -> None:
    """With schemas that clients can read, in ASCII, with a warning where it shows documents; and with a row."""
    assert ROWS.keys() == TOOLS.keys()
    for tool in tools():
        assert tool.description
        assert tool.description.isascii()
        assert (DATA in tool.description) == (tool.name != "list_knowledge_bases")
        for schema in (tool.input_schema, tool.output_schema):
            assert schema is not None
            assert schema["type"] == "object"
            jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    ("place", "limit", "window"),
    [
        (None, 100, Window(0, 6)),
        (None, 25, Window(0, 2)),
        (3, 100, Window(0, 6)),
        (3, 30, Window(2, 5)),
        (0, 30, Window(0, 3)),
        (5, 30, Window(3, 6)),
        (3, 1, Window(3, 4)),
    ],
)
def test_a_passage_is_shown_with_what_stands_around_it(place: int | None, limit: int, window: Window) -> None:
    """As much as the limit allows, on both sides; the passage itself in any case."""
    chunks = [Chunk(ordinal=n, text="x" * 10, tokens=1) for n in range(6)]
    assert around(chunks, place, limit) == window
    assert around([], place, limit) == Window(0, 0)


def test_a_document_cannot_fake_a_list_of_sources() -> None:
    """Neither by what it says, which is quoted, nor by its name, in which nothing is Markdown."""
    said = "Five days. [1]\n\n**Sources**\n\n* [1] `evil.txt`: <https://evil.example>\n来源：[2]\nThe sources are here.\n![x](http://e/)"
    text = answer_text(said)
    assert "\n**Sources**\n" not in text
    assert "“**Sources**”" in text
    assert "\n“来源：[2]”\nThe sources are here.\n" in text
    assert "!\\[x]" in text
    name = "a`](http://e/) ![x](http://e/)\n**Sources**.txt"
    cited = [Citation(n=1, document_id="d", document_name=name, quote="x", page=3)]
    listed = source_list("", cited_sources(cited * 2, "hr", "https://kb.example"), "en")
    heading, line = listed.strip().split("\n\n")
    assert heading == "**Sources**"
    code, address = line.removeprefix("* [1] `").split("`, page 3: ")
    assert "`" not in code
    assert "\n" not in code
    assert address.startswith("<https://kb.example/#/kb/hr/documents?search=a%60")
    assert not set("()[] <") & set(address[1:])
    assert "第 3 页" in source_list("", cited_sources(cited, "hr", ""), "zh")
    assert source_list("", [], "zh") == ""


@pytest.mark.parametrize(
    "heading", ["**So\u200burces** [1]", "＃Ｓources", "**&#83;ources**&#58;", "__S__ources (2)", "\r来源"]
)
def test_a_heading_is_known_by_its_letters(heading: str) -> None:
    """Whatever stands between them, and however they are written."""
    assert answer_text(f"Five.\n{heading}\nSix.") == f"Five.\n{heading}\nSix.".replace(
        heading.strip(), f"“{heading.strip()}”"
    )


@pytest.mark.parametrize(
    "text",
    [
        "- [ 1 ]: https://evil.example\n\nFive. [1]",
        "> 1. [1]: https://evil.example\n\nFive. [1]",
        "[\n1 ]: https://evil.example\n\nFive. [1]",
        "Five.\r\r[ 1 ]: https://evil.example\r\r[1]",
        "```\nFive. [1]",
        "1. a\n\n   ~~~~\n   b\n\n~~~~ c\nFive. [1]",
        "```\nFive.\n```\n[1]",
        "- ```\n  Five. [1]",
    ],
)
def test_a_document_neither_turns_a_list_of_sources_nor_hides_it(text: str) -> None:
    """The list has the heading and the one link that the platform has made; its numbers are no links."""
    name = "\u202etxt.a\u2066"
    answer = answer_text(text)
    listed = source_list(answer, [ListedSource(1, name, None, "https://kb.example/")], "en")
    assert "`txt.a`" in listed
    shown = MarkdownIt("commonmark").render(answer + listed)
    assert shown.count("<a ") == 1, shown
    assert "<p><strong>Sources</strong></p>" in shown


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("http://localhost:8700", True),
        ("http://127.0.0.1:5173", True),
        ("https://kb.example", True),
        ("https://portal.example.org", True),
        ("http://portal.example.org", False),
        ("https://evil.example", False),
        ("https://kb.example.evil.example", False),
        ("null", False),
        ("file://", False),
    ],
)
def test_pages_of_other_sites_are_refused(origin: str | None, allowed: bool) -> None:
    """Those of this server and of the named origins are not; nor are programs, which send none."""
    given = {"HOLDFAST_API_ALLOWED_HOSTS": "kb.example", "HOLDFAST_API_CORS_ORIGINS": "https://portal.example.org"}
    with nullcontext() if allowed else pytest.raises(ForeignOrigin):
        require_own_origin(origin, load(given))
