"""Recognises headings by their words alone, for formats that do not mark them. Conservative."""

from __future__ import annotations

import re

_MAX_CHARACTERS = 80
_NUMERAL = "[0-9０-９一二三四五六七八九十百千零〇两]+"
_PATTERNS: tuple[tuple[re.Pattern[str], int], ...] = (
    (re.compile(r"(?:part|book|volume|appendix)\s+(?:[0-9]+|[ivxlc]+|[a-z]|one|two|three|four|five)\b", re.I), 1),
    (re.compile(rf"第\s*{_NUMERAL}\s*[编編部卷篇]"), 1),
    (re.compile(r"(?:chapter|section|article)\s+(?:[0-9]+|[ivxlc]+)\b", re.I), 2),
    (re.compile(rf"第\s*{_NUMERAL}\s*[章回]|(?:附录|附錄)\s*[A-Z0-9一二三四五六七八九十]*(?:\s|[：:]|$)"), 2),
    (re.compile(rf"第\s*{_NUMERAL}\s*[节節]"), 3),
)
_NUMBERED = re.compile(r"(\d{1,3}(?:\.\d{1,3}){1,4})\.?[\s　]+\S")
_MARKDOWN = re.compile(r"(#{1,6})\s+(\S.*)")
_SENTENCE_END = re.compile(r"[.。!！;；,，、…]$")


def heading(text: str) -> tuple[str, int] | None:
    """Text and level (1 is the highest) of a line that stands alone and is a heading; None for other lines."""
    line = text.strip()
    if "\n" in line or not line or len(line) > _MAX_CHARACTERS:
        return None
    if marked := _MARKDOWN.fullmatch(line):
        return marked[2].rstrip("# ") or marked[2], len(marked[1])
    level = next((level for pattern, level in _PATTERNS if pattern.match(line)), None)
    # “CHAPTER I.” is a heading; a sentence that merely begins with “Section 4” is not.
    if _SENTENCE_END.search(line) and (level is None or len(line) > 20):
        return None
    if level is not None:
        return line, level
    if numbered := _NUMBERED.match(line):
        return line, numbered[1].count(".") + 2
    return None
