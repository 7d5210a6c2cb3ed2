"""Contexts of chunks: where each stands in its document, in words that its own text lacks."""

from __future__ import annotations

import re
from collections.abc import Sequence

from activities.ingest.splitting import CountTokens, Segment

_WORD = re.compile(r"\w+")

#: Most tokens of a context, and the part of a chunk that it may have at most.
_CONTEXT_TOKENS = 60
_PART = 4


def context_tokens(max_tokens: int) -> int:
    """Most tokens of the context of chunks of at most ``max_tokens``."""
    return min(_CONTEXT_TOKENS, max_tokens // _PART)


def room_beside_context(window: int) -> int:
    """Most tokens of a chunk that fits in ``window`` together with its context."""
    return max(window - _CONTEXT_TOKENS, window * _PART // (_PART + 1))


def contexts(
    groups: Sequence[Sequence[Segment]],
    texts: Sequence[str],
    sections: Sequence[tuple[str, ...]],
    name: str,
    limit: int,
    count_tokens: CountTokens,
) -> list[str]:
    """The context of each chunk: ``name``, document title, heading path, and the line that introduces its list.

    At most ``limit`` tokens; the introduction is dropped first, then headings from the middle.
    """
    title = groups[0][0].text if groups and groups[0][0].is_heading else ""
    found = [
        _parts(group, text, section, name, title) for group, text, section in zip(groups, texts, sections, strict=True)
    ]
    several = list(dict.fromkeys(part for parts, lead in found for part in (*parts, lead) if part))
    sizes = {part: size + 1 for part, size in zip(several, count_tokens(several), strict=True)}
    return [_fitted(parts, lead, sizes, limit) for parts, lead in found]


def _parts(
    group: Sequence[Segment], text: str, section: tuple[str, ...], name: str, title: str
) -> tuple[list[str], str]:
    """What a chunk's context consists of, and the introduction of its list or table."""
    lines = {line.strip() for line in text.split("\n")} if section or title else set()
    path = (title, *(heading for heading in section if heading != title)) if title else section
    words = set(_WORD.findall(" ".join(path).lower()))
    named = [name] if name and not set(_WORD.findall(name.lower())) <= words else []
    headings = [heading for heading in path if heading.strip() not in lines]
    lead = group[0].lead
    return [*named, *headings], "" if lead in text else lead


def _fitted(parts: list[str], lead: str, sizes: dict[str, int], limit: int) -> str:
    total = sum(sizes[part] for part in parts)
    while total > limit:
        total -= sizes[parts.pop((len(parts) - 1) // 2)]
    fits = lead and total + sizes[lead] <= limit
    return "\n".join([" › ".join(parts)] * bool(parts) + [lead] * bool(fits))
