"""Pictures, charts and embedded files of one presentation or workbook, and counts of what cannot be read."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePosixPath

from activities.contracts.documents import Element
from activities.errors import DocumentError
from activities.phrases import RemarkText
from activities.readers.charts import chart_elements
from activities.readers.docx.objects import unpacked
from activities.readers.embedded import Scope, demoted, read_embedded
from activities.readers.pictures import Pictures
from activities.settings import ParseSettings


class Objects:
    """Reads the objects of one document."""

    def __init__(self, limits: ParseSettings, scope: Scope) -> None:
        self._limits = limits
        self._scope = scope
        self._pictures = Pictures(limits)
        self._files: set[str] = set()
        self._remarks: Counter[RemarkText] = Counter()
        self.files: list[Element] = []
        """Embedded files, which follow the document, each under its name."""

    @property
    def remarks(self) -> Counter[RemarkText]:
        """What could not be read."""
        return self._remarks + Counter({RemarkText.PICTURES: self._pictures.unread})

    def picture(self, data: bytes) -> list[Element]:
        """The text of a picture."""
        return self._pictures.elements(data)

    def chart(self, data: bytes) -> list[Element]:
        """The table of a chart's data."""
        found = chart_elements(data)
        self._remarks[RemarkText.CHARTS] += not found
        return found

    def file(self, part: str, data: bytes) -> None:
        """Reads an embedded file, the part of a package."""
        if part in self._files:
            return
        self._files.add(part)
        name, content = unpacked(PurePosixPath(part).name, data)
        try:
            reading = read_embedded(content, name, self._limits, self._scope)
        except DocumentError:
            self._remarks[RemarkText.EMBEDDED_FILES] += 1
            return
        self._remarks.update(reading.remarks)
        found = [Element(text=item.text, kind=item.kind, level=item.level) for item in reading.elements]
        self.files += [Element(text=name, kind="title", level=1), *demoted(found, 1)]
