"""Comments of reviewers, as paragraphs after the one that they are about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from docx.document import Document
from docx.oxml.ns import qn
from docx.oxml.parser import parse_xml

from activities.contracts.documents import Element
from activities.readers.docx.content import Insertions, paragraphs_text
from activities.readers.docx.package import related
from activities.text.scripts import is_han

_START, _END, _REFERENCE = qn("w:commentRangeStart"), qn("w:commentRangeEnd"), qn("w:commentReference")
_TEXT, _ID = qn("w:t"), qn("w:id")
_LONGEST = 120  # characters of the commented text that are repeated


def insert_comments(document: Document, insertions: Insertions, prepare: Callable[[Any], None]) -> None:
    """Lets comments follow their paragraphs. ``prepare`` rewrites their tree like that of the document."""
    part, body = related(document.part, "comments"), document.element.body
    if part is None or next(body.iter(_START, _REFERENCE), None) is None:
        return
    root = part.element if hasattr(part, "element") else parse_xml(part.blob)
    prepare(root)
    comments = {comment.get(_ID): comment for comment in root.iter(qn("w:comment"))}
    about = _commented(body)
    for node in list(body.iter(_REFERENCE)):
        identifier = node.get(_ID)
        comment = comments.pop(identifier, None)
        text = paragraphs_text(comment) if comment is not None else ""
        if comment is not None and text:
            shown = _worded(comment.get(qn("w:author"), "").strip(), about.get(identifier, ""), text)
            insertions.after(node, [Element(text=shown)])


def _commented(body: Any) -> dict[str, str]:
    """The beginning of the text that each comment is about."""
    running: dict[str, str] = {}
    found: dict[str, str] = {}
    for node in body.iter(_TEXT, _START, _END):
        identifier = node.get(_ID)
        if node.tag == _START:
            running[identifier] = ""
        elif node.tag == _END:
            if identifier in running:
                found[identifier] = running.pop(identifier)
        elif node.text:
            for open_comment in list(running):
                running[open_comment] += node.text
                if len(running[open_comment]) > _LONGEST:
                    found[open_comment] = running.pop(open_comment)
    return found


def _worded(author: str, about: str, text: str) -> str:
    about = " ".join(about.split())
    if len(about) > _LONGEST:
        about = f"{about[:_LONGEST].rstrip()}…"
    if is_han(text) or (is_han(about) and not text.isascii()):
        by = f"{author}的批注" if author else "批注"
        return f"{by}（关于“{about}”）：{text}" if about else f"{by}：{text}"
    by = f"Comment by {author}" if author else "Comment"
    return f"{by} on “{about}”: {text}" if about else f"{by}: {text}"
