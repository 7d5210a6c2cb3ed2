"""JSON, as one value or one value per line: small records become rows, larger ones sections."""

from __future__ import annotations

from pathlib import Path

from activities.errors import DamagedDocument, DocumentTooLarge
from activities.phrases import Phrase
from activities.readers.partition import Progress
from activities.readers.reading import Reading
from activities.readers.sniff import json_value
from activities.readers.tables.records import MAX_DEPTH, depth, elements_of
from activities.readers.text import decode_file
from activities.settings import ParseSettings


def read(path: Path, name: str, limits: ParseSettings, progress: Progress) -> Reading:
    """The records of a JSON file. Raises DocumentTooLarge for more than ``MAX_DEPTH`` nested levels."""
    too_deep = DocumentTooLarge(detail=Phrase.NESTED_LEVELS, limit=MAX_DEPTH)
    try:
        parsed = json_value(decode_file(path))
    except RecursionError as exc:
        raise too_deep from exc
    if parsed is None:
        raise DamagedDocument(format="json", detail=Phrase.ENDS_EARLY)
    progress(1, 2)
    if depth(parsed[0]) > MAX_DEPTH:
        raise too_deep
    elements = list(elements_of(parsed[0]))
    progress(2, 2)
    return Reading(elements)
