"""Files that reach for others: entities, includes and links that name files and addresses outside, in every reader."""

from __future__ import annotations

import io
import socket
import stat
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from activities.errors import DocumentError
from activities.ingest.members import extract_members, list_members
from activities.settings import ParseSettings
from tests.activities.readers.conftest import parsed
from tests.documents import by_pandoc, replaced, simple_docx, simple_pptx, simple_xlsx

SECRET = "the-launch-code-is-0451"


class Listener:
    """Counts connections to a port of this machine."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.calls = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.calls += 1
            connection.close()

    def close(self) -> None:
        """No more connections."""
        self._socket.close()


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    """What a file would call, if a reader let it."""
    made = Listener()
    yield made
    made.close()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file that this process can read, and no document may."""
    path = tmp_path / "secret.txt"
    path.write_text(SECRET)
    return path


def doctypes(secret: Path, url: str) -> list[bytes]:
    """Declarations that make ``&x;`` a file, an answer, or a parameter's text."""
    return [
        f'<!DOCTYPE r [<!ENTITY x SYSTEM "file://{secret}">]>'.encode(),
        f'<!DOCTYPE r [<!ENTITY x SYSTEM "{secret}">]>'.encode(),
        f'<!DOCTYPE r [<!ENTITY x SYSTEM "{url}/x">]>'.encode(),
        f'<!DOCTYPE r SYSTEM "{url}/a.dtd" [<!ENTITY x "y">]>'.encode(),
        f'<!DOCTYPE r [<!ENTITY % p SYSTEM "{url}/p"> %p; <!ENTITY x "y">]>'.encode(),
        f'<!DOCTYPE r PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "{url}/b.dtd" [<!ENTITY x SYSTEM "file://{secret}">]>'.encode(),
    ]


#: Packages with the part whose text becomes ``&x;``, and a word of it.
PACKAGES = {
    "docx": (simple_docx("Title", "Visible words."), "word/document.xml", b"Visible"),
    "pptx": (simple_pptx("Visible", "Words."), "ppt/slides/slide2.xml", b"Visible"),
    "xlsx": (simple_xlsx(("a", "Visible"), (1, 2)), "xl/worksheets/sheet1.xml", b"Visible"),
    "odt": (by_pandoc("Visible words.", "odt"), "content.xml", b"Visible"),
    "epub": (by_pandoc("# Title\n\nVisible words.", "epub"), "EPUB/text/ch001.xhtml", b"Visible"),
}


def rewritten(package: bytes, part: str, change: Callable[[bytes], bytes]) -> bytes:
    """The package with one part changed."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(package)) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        assert part in source.namelist()
        for name in source.namelist():
            content = source.read(name)
            made.writestr(name, change(content) if name == part else content)
    return target.getvalue()


def entity(doctype: bytes, word: bytes, content: bytes) -> bytes:
    """A part with the declaration, in which a word is the entity."""
    declaration, begin = b'<?xml version="1.0" encoding="UTF-8"?>', content.find(b"?>") + 2
    body = content[begin:] if content.startswith(b"<?xml") else content
    if b"<!DOCTYPE" in body[:200]:
        body = body[body.index(b">", body.index(b"<!DOCTYPE")) + 1 :]
    assert word in body
    return declaration + doctype + body.replace(word, b"&x;", 1)


def reads_nothing(tmp_path: Path, content: bytes, name: str, listener: Listener) -> None:
    """The file is refused, or read without what it reaches for."""
    before, text = listener.calls, ""
    try:
        text = repr(parsed(tmp_path, content, name))
    except DocumentError as exc:
        text = str(exc)
    assert SECRET not in text
    assert listener.calls == before


@pytest.mark.parametrize("kind", [*PACKAGES, "xml", "html", "svg"])
def test_an_entity_is_no_way_out(tmp_path: Path, secret: Path, listener: Listener, kind: str) -> None:
    """Neither to a file nor to an address, whichever reader reads the XML."""
    for doctype in doctypes(secret, listener.url):
        if kind in PACKAGES:
            package, part, word = PACKAGES[kind]
            content = rewritten(package, part, lambda old, d=doctype, w=word: entity(d, w, old))  # type: ignore[misc]
        elif kind == "svg":
            content = doctype + b'<svg xmlns="http://www.w3.org/2000/svg"><text>Visible &x;</text></svg>'
        else:
            content = doctype + b"<html><body><p>Visible words &x;</p></body></html>"
        reads_nothing(tmp_path, content, f"a.{kind}", listener)


def test_an_included_part_is_not_read(tmp_path: Path, secret: Path, listener: Listener) -> None:
    """XInclude, stylesheets, frames, pictures and imports of XML and HTML."""
    include = '<r xmlns:xi="http://www.w3.org/2001/XInclude"><a>Visible</a><xi:include href="{0}" parse="text"/></r>'
    style = '<?xml version="1.0"?><?xml-stylesheet type="text/xsl" href="{0}"?><r><a>Visible</a></r>'
    html = (
        '<html><head><base href="{0}"><link rel="stylesheet" href="{0}"><style>@import "{0}";</style></head>'
        '<body><p>Visible words.</p><iframe src="{0}"></iframe><object data="{0}"></object><embed src="{0}">'
        '<img src="{0}"><video src="{0}"></video><script src="{0}"></script></body></html>'
    )
    for target in (f"file://{secret}", str(secret), f"{listener.url}/x"):
        reads_nothing(tmp_path, include.format(target).encode(), "a.xml", listener)
        reads_nothing(tmp_path, style.format(target).encode(), "a.xml", listener)
        reads_nothing(tmp_path, html.format(target).encode(), "a.html", listener)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.rst", "Visible\n\n.. include:: {0}\n\n.. literalinclude:: {0}\n\n.. raw:: html\n   :file: {0}\n"),
        ("a.rst", "Visible\n\n.. raw:: html\n   :url: {0}\n\n.. csv-table:: t\n   :file: {0}\n\n.. image:: {0}\n"),
        ("a.org", "Visible\n\n#+INCLUDE: \"{0}\"\n#+SETUPFILE: {0}\n\n[[file:{0}]]\n"),
        ("a.md", "Visible\n\n![x]({0})\n\n<!--#include file=\"{0}\"-->\n\n{{% include {0} %}}\n"),
        ("a.rtf", "{{\\rtf1 Visible {{\\field{{\\*\\fldinst INCLUDETEXT \"{0}\"}}{{\\fldrslt x}}}}}}"),
        ("a.rtf", "{{\\rtf1 Visible {{\\field{{\\*\\fldinst INCLUDEPICTURE \"{0}\" \\\\d}}{{\\fldrslt x}}}}}}"),
        ("a.txt", "Visible\n\n\\input{{{0}}}\n"),
        ("a.eml", "Subject: a\nContent-Type: message/external-body; access-type=local-file; name=\"{0}\"\n\nVisible\n"),
    ],
)  # fmt: skip
def test_an_include_is_not_followed(tmp_path: Path, secret: Path, listener: Listener, name: str, text: str) -> None:
    """In any of the formats that have them."""
    for target in (str(secret), f"file://{secret}", f"{listener.url}/x"):
        reads_nothing(tmp_path, text.format(target).encode(), name, listener)


def test_a_relationship_outside_is_not_followed(tmp_path: Path, secret: Path, listener: Listener) -> None:
    """Templates, pictures and parts of Office files that lie elsewhere."""
    kinds = ("attachedTemplate", "image", "aFChunk", "oleObject", "externalLink", "frame", "hyperlink")
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    for target in (f"file://{secret}", str(secret), f"{listener.url}/x", "\\\\127.0.0.1\\share\\x"):
        added = "".join(
            f'<Relationship Id="rX{n}" Type="{office}/{kind}" Target="{target}" TargetMode="External"/>'
            for n, kind in enumerate(kinds)
        ).encode()
        for package, part in (
            (PACKAGES["docx"][0], "word/_rels/document.xml.rels"),
            (PACKAGES["pptx"][0], "ppt/slides/_rels/slide1.xml.rels"),
            (PACKAGES["xlsx"][0], "xl/_rels/workbook.xml.rels"),
        ):
            content = replaced(package, part, b"</Relationships>", added + b"</Relationships>")
            reads_nothing(tmp_path, content, part.split("/")[0].replace("word", "a.docx"), listener)
    linked_to = f'xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="{listener.url}/p"'
    picture = f"<draw:frame><draw:image {linked_to}/></draw:frame>"
    odt = replaced(PACKAGES["odt"][0], "content.xml", b"Visible", f"Visible {picture}".encode())
    reads_nothing(tmp_path, odt, "a.odt", listener)


# --- archives --------------------------------------------------------------------------------------


def progress(done: int, total: int) -> None:
    """Ignores progress."""


def linked(name: str, target: str) -> tuple[zipfile.ZipInfo, str]:
    """A member that is a symbolic link."""
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return info, target


def special(name: str, kind: int) -> tuple[zipfile.ZipInfo, str]:
    """A member that says it is a device, a pipe or a folder."""
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (kind | 0o777) << 16
    return info, ""


def test_an_archive_writes_only_into_its_folder(tmp_path: Path, secret: Path) -> None:
    """Whatever its members are called, and whatever they say that they are."""
    names = [
        "../out.txt", "/etc/out.txt", "..\\..\\out.txt", "C:\\out.txt", "a/../../../out.txt", "//server/share/out.txt",
        "a/./b/..//../out.txt", "....//....//out.txt", "%2e%2e/out.txt", "\u2025/out.txt", "~/out.txt", "CON",
        "a:stream", "0", "1", "archive",
    ]  # fmt: skip
    inside, outside = tmp_path / "inside", sorted(tmp_path.iterdir())
    inside.mkdir()
    path = tmp_path / "hostile.zip"
    with zipfile.ZipFile(path, "w") as made:
        for name in names:
            made.writestr(zipfile.ZipInfo(name), f"harmless {name}")
        made.writestr(*linked("link.txt", str(secret)))
        made.writestr(*linked("folder", str(tmp_path)))
        made.writestr("folder/through.txt", "through a link")
        made.writestr(*special("pipe.txt", stat.S_IFIFO))
        made.writestr(*special("device.txt", stat.S_IFBLK))
    listing = list_members(path, ParseSettings(), progress)
    members = extract_members(path, inside, 0, listing.files, 1 << 20, 1000, progress)
    assert sorted({*tmp_path.iterdir()} - {inside, path}) == outside
    assert {each.name for each in inside.iterdir()} <= {str(member.number) for member in members}
    assert all(each.is_file() and not each.is_symlink() for each in inside.iterdir())
    assert all(SECRET not in each.read_text() for each in inside.iterdir())
    for member in members:
        parts = member.name.split("/")
        assert not {"", ".", ".."} & set(parts), member.name
        assert "\\" not in member.name
    assert "link.txt" not in {member.name for member in members if member.reason is None and member.bytes}


# --- polyglots -------------------------------------------------------------------------------------

SCRIPT = b"<script>fetch('//evil.example')</script>"
POLYGLOTS = {
    "page.pdf": b"%PDF-1.4\n" + SCRIPT + b"\n%%EOF",
    "page.gif": b"GIF89a/*" + b"\0" * 8 + b"*/=1;" + SCRIPT,
    "script.gif": b"GIF89a=1;alert(1)//",
    "page.txt": b"<!doctype html>" + SCRIPT,
    "page.docx": PACKAGES["docx"][0] + SCRIPT,
    "zip.html": b"<html>" + SCRIPT + PACKAGES["docx"][0],
    "picture.svg": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)">' + SCRIPT + b"</svg>",
    "page.xhtml": b'<html xmlns="http://www.w3.org/1999/xhtml">' + SCRIPT + b"</html>",
    "mail.eml": b"Subject: <b>\nContent-Type: text/html\n\n" + SCRIPT,
    "utf7.txt": b"+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
}


@pytest.mark.parametrize("name", POLYGLOTS)
def test_a_file_of_two_kinds_is_read_as_one(tmp_path: Path, listener: Listener, name: str) -> None:
    """Or refused; what it would do as the other kind is at most text, without markup."""
    try:
        document = parsed(tmp_path, POLYGLOTS[name], name)
    except DocumentError:
        return
    if not name.endswith((".txt", ".pdf", ".eml", ".svg")):
        assert "<script" not in " ".join(element.text for element in document.elements)
    assert all(element.kind in ("title", "text", "list", "table", "code") for element in document.elements)
