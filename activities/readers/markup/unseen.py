"""Removes what a page does not show or strikes out from its tree."""

from __future__ import annotations

from collections import Counter
from typing import Any

from lxml import etree

from activities.phrases import RemarkText
from activities.readers.markup.styles import Sheet
from activities.readers.markup.tables import text_of

_KEPT = frozenset(("html", "head", "body", "main", "script", "style", "link", "meta", "template", "noscript"))


def remove_unseen(root: Any, sheet: Sheet, *, hidden: bool) -> Counter[RemarkText]:
    """Removes struck-out text and, unless ``hidden`` is read, hidden text; counts the passages that had text."""
    remarks: Counter[RemarkText] = Counter()
    removed = []
    walk = etree.iterwalk(root, events=("start",))
    for _, node in walk:
        if node.tag in _KEPT:
            continue
        struck = sheet.is_struck(node)
        if struck or (not hidden and sheet.is_unseen(node)):
            removed.append(node)
            remarks[RemarkText.STRUCK_TEXT if struck else RemarkText.HIDDEN_TEXT] += text_of(node) != ""
            walk.skip_subtree()
    for node in removed:
        node.drop_tree()
    return +remarks
