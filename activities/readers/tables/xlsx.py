"""Excel workbooks (.xlsx): sheets become sections, rows are streamed, formulas yield their stored results.

Plain formulas without a stored result, as scripts write them, are computed (``formulas``). Notes on cells, text boxes,
pictures and embedded files follow the rows of their sheet.
"""

from __future__ import annotations

import warnings
import zipfile
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from lxml import etree
from openpyxl.chartsheet import Chartsheet
from openpyxl.packaging.relationship import get_dependents, get_rels_path
from openpyxl.reader.excel import ExcelReader
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.xml.constants import SHARED_STRINGS

from activities.contracts.documents import Element
from activities.errors import DamagedDocument, told
from activities.phrases import RemarkText
from activities.readers import archive, embedded
from activities.readers.drawing import DRAWING, paragraphs, without_alternatives
from activities.readers.objects import Objects
from activities.readers.partition import Progress
from activities.readers.reading import Reading
from activities.readers.runs import joined
from activities.readers.strict import readable
from activities.readers.tables import notes
from activities.readers.tables.formulas import Calculator, Sheet
from activities.readers.tables.rows import elements_of
from activities.readers.tables.sheets import MAX_CELLS, Rows, SheetParser, Styles, collected, scan
from activities.readers.tables.strings import Strings
from activities.settings import ParseSettings

_DAMAGED = (
    *(*archive.BROKEN, InvalidFileException, SyntaxError, etree.LxmlError),
    *(ValueError, TypeError, AttributeError, IndexError, ArithmeticError),
)
_SHAPE_TEXT = "{http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing}txBody"
_LONGEST_LABEL = 80  # characters of a row's first text
_EMBED = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}embed"


def read(path: Path, name: str, limits: ParseSettings, progress: Progress) -> Reading:
    """The rows of all sheets, each sheet under its name as a heading."""
    try:
        with (
            archive.opened(path, limits, "xlsx") as package,
            embedded.scope(path) as scope,
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")  # about parts that openpyxl does not read, such as styles and forms
            source = readable(package, path)
            with path.open("rb") if isinstance(source, str) else source as file:
                return _Workbook(file, limits, Objects(limits, scope)).read(progress)
    except _DAMAGED as exc:
        raise DamagedDocument(format="xlsx", detail=told(exc)) from exc


class _Reader(ExcelReader):  # type: ignore[misc]
    """openpyxl's reader of a workbook, with texts that keep exponents apart and leave out what is struck out."""

    def __init__(self, file: IO[bytes], strings: Strings) -> None:
        super().__init__(file, read_only=True, data_only=True, keep_links=False)
        self._strings = strings

    def read_strings(self) -> None:
        """Reads the shared strings."""
        part = self.package.find(SHARED_STRINGS)
        if part is not None:
            with self.archive.open(part.PartName[1:]) as source:
                self.shared_strings = self._strings.table(source)

    def read_chartsheet(self, sheet: Any, rel: Any) -> None:
        """Takes the place of a sheet that is a chart of the cells of others."""
        chart = Chartsheet(parent=self.wb, title=sheet.name)
        self.wb._add_sheet(chart)


class _Workbook:
    """Reads one workbook."""

    def __init__(self, file: IO[bytes], limits: ParseSettings, objects: Objects) -> None:
        self._strings = Strings()
        reader = _Reader(file, self._strings)
        reader.read()
        self._book = reader.wb
        self._book.shared_strings = reader.shared_strings
        self._package: zipfile.ZipFile = reader.archive
        self._limits = limits
        self._objects = objects
        self._styles = Styles(self._book)
        self._stale = bool(self._book.calculation and self._book.calculation.fullCalcOnLoad)
        self._paths: dict[str, str] = {sheet.title: sheet._worksheet_path for sheet in self._book.worksheets}
        self._sheets: dict[str, Sheet] = {}
        self._room = MAX_CELLS
        self._calculator = Calculator(self._cells)
        self._people = notes.people(self._package)
        self._remarks: Counter[RemarkText] = Counter()

    def read(self, progress: Progress) -> Reading:
        """The elements of all sheets that are not hidden, then those of embedded files."""
        elements: list[Element] = []
        sheets = self._book.worksheets
        for number, sheet in enumerate(sheets, 1):
            if sheet.sheet_state != "visible" and self._limits.hidden == "skip":
                self._remarks[RemarkText.HIDDEN_SHEETS] += 1
            elif rows := self._sheet(sheet):
                heading = Element(text=sheet.title, kind="title", level=1)
                elements += [heading, *(rows[1:] if rows[0].text == sheet.title else rows)]
            progress(number, len(sheets))
        remarks = self._remarks + self._objects.remarks + Counter({RemarkText.STRUCK_TEXT: self._strings.struck})
        return Reading([*elements, *self._objects.files], remarks=remarks)

    def _sheet(self, sheet: Any) -> list[Element]:
        path = sheet._worksheet_path
        found = scan(self._package, path, stale=self._stale)
        cells = self._cells(sheet.title) if found.without_result else None
        with self._package.open(path) as source:
            rows = Rows(
                SheetParser(self._book, source, self._strings, stale=self._stale),
                self._styles,
                found.merged,
                lambda place: self._calculator.value(cells, place) if cells and place in cells.formulas else None,
                skip_hidden=self._limits.hidden == "skip",
            )
            headers = _Headers(rows)
            related = self._related(path)
            found_notes = self._notes(related)
            rows.labels = dict.fromkeys((note.row for note in found_notes), "")
            elements = list(elements_of(rows, level=2, headed=headers.add))
        self._remarks += rows.remarks
        elements += headers.noted(found_notes)
        for kind, part in related:
            try:
                elements += list(self._beside(kind, part))
            except _DAMAGED:
                self._remarks[RemarkText.SHAPES] += 1
        return elements

    def _notes(self, related: list[tuple[str, str]]) -> list[notes.Note]:
        found: list[notes.Note] = []
        for kind, part in related:
            try:
                if kind == "comments":
                    found += notes.plain_notes(notes.parse(self._package, part))
                elif kind == "threadedComment":
                    found += notes.threaded_notes(notes.parse(self._package, part), self._people)
            except _DAMAGED:
                self._remarks[RemarkText.SHAPES] += 1
        return found

    def _beside(self, kind: str, part: str) -> Iterator[Element]:
        """What a part adds to the rows of its sheet."""
        if kind == "drawing":
            yield from self._drawing(part)
        elif kind in ("package", "oleObject"):
            self._objects.file(part, self._package.read(part))

    def _cells(self, title: str) -> Sheet | None:
        """All cells of a sheet, for formulas that refer to them; None when there is no such sheet."""
        if title not in self._sheets:
            if title not in self._paths:
                return None
            with self._package.open(self._paths[title]) as source:
                parser = SheetParser(self._book, source, Strings(), stale=self._stale, formulas=True)
                found = collected(parser, self._room)
            self._room -= len(found.cells) + len(found.formulas)
            self._sheets[title] = found
        return self._sheets[title]

    def _related(self, path: str) -> list[tuple[str, str]]:
        """Kind and name of the parts that a part refers to, as far as they are there."""
        relations = get_rels_path(path)
        if relations not in self._package.NameToInfo:
            return []
        found = ((item.Type.rpartition("/")[2], item.target) for item in get_dependents(self._package, relations))
        return [(kind, part) for kind, part in found if part in self._package.NameToInfo]

    def _drawing(self, part: str) -> Iterator[Element]:
        """The texts of text boxes, and of pictures."""
        root = notes.parse(self._package, part)
        without_alternatives(root)
        relations = get_rels_path(part)
        targets = get_dependents(self._package, relations) if relations in self._package.NameToInfo else []
        images = {item.Id: item.target for item in targets}
        for node in root.iter(_SHAPE_TEXT, f"{DRAWING}blip"):
            if node.tag == _SHAPE_TEXT:
                texts = (joined(runs, {})[0] for runs in paragraphs(node))
                yield from (Element(text=text) for text in texts if text)
            elif (image := images.get(node.get(_EMBED, ""))) in self._package.NameToInfo:
                yield from self._objects.picture(self._package.read(image))


class _Headers:
    """The headers of a sheet's tables, and where each begins to hold."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._starts: list[int] = []
        self._names: list[list[str]] = []

    def add(self, names: list[str], count: int) -> None:
        """Takes the names of a table of which ``count`` rows were read so far."""
        self._starts.append(self._rows.latest[-count])
        self._names.append(names)

    def noted(self, found: Iterable[notes.Note]) -> Iterator[Element]:
        """Notes as elements, without those on hidden cells; each names the column and the row of its cell."""
        for note in found:
            if note.row in self._rows.hidden or self._rows.is_hidden(note.column):
                continue
            at = bisect_right(self._starts, note.row) - 1
            names = self._names[at] if at >= 0 else []
            name = names[note.column - 1] if note.column <= len(names) else ""
            label = self._rows.labels[note.row] if name and note.column > 1 else ""
            about = dict.fromkeys(text for text in (name, label[:_LONGEST_LABEL]) if text)
            yield Element(text=note.worded(about))
