"""The documents of a chaos run: every kind of file, some of them broken, each with its own text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random

from tests.documents import encrypted, long_text, simple_docx, simple_html, simple_pdf

#: Characters of the longest documents: enough that kills happen while they are being embedded.
LONG = 60_000


@dataclass(frozen=True)
class File:
    """A file and whether it can be read."""

    name: str
    content: bytes
    readable: bool = True


def files(count: int, random: Random) -> list[File]:
    """This many files, the same for the same seed."""
    return [_file(number, random) for number in range(count)]


def another_version(file: File, random: Random) -> File:
    """The same name with another text."""
    return File(file.name, _text(random, 3).encode())


def _file(number: int, random: Random) -> File:
    name, text = f"file-{number}", _text(random, random.randint(1, 8))
    match number % 10:
        case 0:
            return File(f"{name}.txt", long_text(LONG + random.randint(0, 20_000)))
        case 1:
            return File(f"{name}.md", f"# {name}\n\n{text}\n".encode())
        case 2:
            return File(f"{name}.html", simple_html(name, text))
        case 3:
            return File(f"{name}.docx", simple_docx(name, text))
        case 4:
            return File(f"{name}.pdf", simple_pdf(text[:80], text[80:160]))
        case 5:
            return File(f"{name}.json", json.dumps([{"name": name, "text": text}]).encode())
        case 6:
            return File(f"{name}.csv", f"name,text\n{name},{text}\n".encode())
        case 7 if number % 20 == 7:
            return File(f"{name}.pdf", encrypted(simple_pdf(text[:80])), readable=False)
        case 8 if number % 20 == 8:
            return File(f"{name}.txt", b"", readable=False)
        case _:
            return File(f"{name}.txt", text.encode())


def _text(random: Random, paragraphs: int) -> str:
    return "\n\n".join(
        " ".join("".join(random.choices("abcdefghiklmnoprstuw", k=random.randint(3, 8))) for _ in range(60)) + "."
        for _ in range(paragraphs)
    )
