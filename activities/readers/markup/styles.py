"""What a page's styles say of an element: unseen, struck out, raised or lowered.

Of style sheets only rules for one tag, class or id are read, which is what word processors and editors write.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

Styles = dict[str, str]

_READ = ("display", "visibility", "text-decoration", "text-decoration-line", "vertical-align")
_COMMENT = re.compile(r"/\*[^*]*+(?:\*(?!/)[^*]*+)*+\*/")
_AT_RULE = re.compile(r"@[^{};@]*+(?:;|\{(?:[^{}]*+\{[^{}]*+\})*+[^{}]*+\})")  # of print, small screens, animations
_RULE = re.compile(r"(?<![^{}])[^{}]++\{[^{}]*+\}")
_SELECTOR = re.compile(r"(?P<tag>[a-z][a-z0-9]*+)?+(?:(?P<kind>[.#])(?P<name>[\w-]++))?+", re.I)
_NAMES = re.compile(r"[.#][\w-]++")


class Sheet:
    """The rules of all ``<style>`` elements of a page."""

    def __init__(self, root: Any) -> None:
        self._rules: dict[tuple[str, str], Styles] = {}  # by tag, and .class or #id; either may be empty
        self._shown: set[str] = set()  # names that also stand in a rule by which a script shows the element
        for style in root.iter("style"):
            text = _AT_RULE.sub("", _COMMENT.sub("", style.text or ""))
            for rule in _RULE.findall(text):
                selectors, _, block = rule.rstrip("}").partition("{")
                self._add(selectors, _declared(block))

    def _add(self, selectors: str, styles: Styles) -> None:
        if not styles:
            return
        for selector in selectors.split(","):
            simple = _SELECTOR.fullmatch(selector.strip())
            if simple and selector.strip():
                name = (simple["kind"] or "") + (simple["name"] or "")
                self._rules.setdefault(((simple["tag"] or "").lower(), name), {}).update(styles)
            elif not _is_unseen(styles):
                self._shown.update(_NAMES.findall(selector))

    def of(self, node: Any) -> Styles:
        """The styles of an element itself, without those that it inherits."""
        own = node.get("style")
        if not self._rules:
            return _declared(own) if own else {}
        styles: Styles = {}
        for name in ("", *(f".{name}" for name in (node.get("class") or "").split()), f"#{node.get('id') or ''}"):
            for tag in ("", node.tag):
                found = self._rules.get((tag, name), {})
                if not (name in self._shown and _is_unseen(found)):
                    styles |= found
        return styles | (_declared(own) if own else {})

    def is_unseen(self, node: Any) -> bool:
        """Whether a browser leaves an element out."""
        return node.get("hidden") not in (None, "until-found") or _is_unseen(self.of(node))

    def is_struck(self, node: Any) -> bool:
        """Whether an element's text is struck out."""
        if node.tag in ("s", "strike", "del"):
            return True
        styles = self.of(node)
        return any("line-through" in value for name, value in styles.items() if name.startswith("text-decoration"))

    def raised(self, node: Any) -> str:
        """``sup`` or ``sub`` for text above or below the line, else an empty string."""
        if node.tag in ("sup", "sub"):
            return str(node.tag)
        align = self.of(node).get("vertical-align", "")
        return align.removesuffix("er") if align in ("super", "sub") else ""


def _declared(block: str) -> Styles:
    return dict(_declarations(block))


def _declarations(block: str) -> Iterator[tuple[str, str]]:
    for declaration in block.split(";"):
        name, _, value = declaration.partition(":")
        if name.strip().lower() in _READ:
            yield name.strip().lower(), value.lower().replace("!important", "").strip()


def _is_unseen(styles: Styles) -> bool:
    return styles.get("display") == "none" or styles.get("visibility") in ("hidden", "collapse")
