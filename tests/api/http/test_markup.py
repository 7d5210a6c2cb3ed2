"""Text of documents inside of Markdown: nothing is loaded or run where it is shown."""

from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from api.http.markup import harmless


@pytest.mark.parametrize(
    "text",
    [
        "The lynx ![p](http://127.0.0.1:9977/csvpix) eats rabbits.",
        "![][1]",
        "!![a](b)",
        "a <img src=x onerror=alert(1)> b",
        "<script>alert(1)</script>",
        "<!-- a --> <?php ?> </p> <http://127.0.0.1/>",
        "<svg/onload=alert(1)>",
        "[ 1 ]: https://evil.example",
        "[1\t]:https://evil.example",
    ],
)
def test_pictures_and_html_are_shown_as_text(text: str) -> None:
    """A renderer that allows HTML makes neither of them, and shows what was written."""
    rendered = MarkdownIt("commonmark", {"html": True})
    (paragraph,) = [token for token in rendered.parse(harmless(text)) if token.type == "inline"]
    kinds = {token.type for token in paragraph.children or []}
    assert kinds <= {"text", "text_special"}
    assert "".join(token.content for token in paragraph.children or []) == text


@pytest.mark.parametrize("text", ["Five days! [1]", "a < b and 3 <4", "**bold** [link](http://a.b) `code`", "x <- y"])
def test_other_text_stays(text: str) -> None:
    """Also numbers of sources, comparisons and other Markdown."""
    assert harmless(text) == text
