"""One paragraph of a long Word document edited: how many chunks are embedded again."""

from __future__ import annotations

from tests.bench.instance import Bench
from tests.bench.measures import Measure, say
from tests.bench.shelf import Document, Shelf
from tests.bench.texts import Library, book, edited, words_of

PLACES = (0.1, 0.3, 0.5, 0.7, 0.9)


async def paragraphs(bench: Bench, library: Library, pages: int) -> list[Measure]:
    """DESIGN §9: each edit is a new version of the version before it, uploaded as a whole."""
    shelf = await Shelf.create(bench)
    document = _document(library, pages)
    first, _ = await shelf.add([document])
    say(f"{document.name}: {document.characters:,} characters, {first.chunks} chunks, {first.seconds:.1f} s")
    embedded: list[float] = []
    seconds: list[float] = []
    for place in PLACES:
        content = edited(document.content, document.name, place)
        document = Document(document.name, content, document.characters)
        run, [job] = await shelf.add([document])
        result = await shelf.result(job)
        embedded.append(result.embedded)
        seconds.append(run.seconds)
        say(f"  edited at {place:.0%}: {result.embedded} embedded, {result.reused} reused, {run.seconds:.1f} s")
    await shelf.drop()
    return [
        Measure(
            name="one paragraph edited: chunks embedded again, most",
            values=[max(embedded)],
            target="≤ 3",
            note=f"{len(embedded)} edits: {', '.join(f'{each:.0f}' for each in embedded)} of {first.chunks}",
        ),
        Measure(name="one paragraph edited: upload to ready", values=seconds, unit="s"),
        Measure(name="first upload ÷ edited upload, time", values=[first.seconds / each for each in seconds]),
    ]


def _document(library: Library, pages: int) -> Document:
    """The named file, or a made-up book."""
    if library.file:
        content = library.file.read_bytes()
        return Document(library.file.name, content, len(library.long(None)))
    content = book(pages)
    return Document(f"book-{pages}p.docx", content, len(words_of(content)))
