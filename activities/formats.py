"""What kinds of files Holdfast reads, and how it tells them apart: by content, never by name alone.

The extension only chooses between text-like formats (Markdown or plain text), because nothing in their
bytes does. To add a format: one row in ``FORMATS`` with its reader module, and the rule in ``_by_content``
or ``_by_zip_member`` that recognises it.
"""

from __future__ import annotations

import re
import struct
import zipfile
from pathlib import Path, PurePosixPath

import filetype
import msgspec
import olefile  # type: ignore[import-untyped]

from activities.errors import DamagedDocument, EmptyDocument, EncryptedDocument, UnsupportedFormat
from activities.readers.encoding import decode

_HEAD_BYTES = 256 * 1024
_SNIFF_CHARACTERS = 4096
_IMAGE_HEADER_WITHIN = 64
_TOLD_ALREADY = ("bmp",)  # what `filetype` sees in two letters
_PDF_HEADER_WITHIN = 1024  # readers accept leading rubbish up to here, and real files have it


class Format(msgspec.Struct, frozen=True):
    """One kind of file. ``reader`` is the module whose ``read`` turns it into elements."""

    name: str
    media_type: str
    extensions: tuple[str, ...]
    reader: str


TXT = Format("txt", "text/plain", (".txt", ".text", ".log", ".csv"), "activities.readers.text")
MD = Format("md", "text/markdown", (".md", ".markdown", ".mdown", ".mkd"), "activities.readers.markdown")
HTML = Format("html", "text/html", (".html", ".htm", ".xhtml"), "activities.readers.html")
DOCX = Format(
    "docx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    (".docx",),
    "activities.readers.docx",
)
PDF = Format("pdf", "application/pdf", (".pdf",), "activities.readers.pdf")

IMAGES = (
    Format("png", "image/png", (".png",), "activities.readers.image"),
    Format("jpg", "image/jpeg", (".jpg", ".jpeg"), "activities.readers.image"),
    Format("tif", "image/tiff", (".tif", ".tiff"), "activities.readers.image"),
    Format("bmp", "image/bmp", (".bmp",), "activities.readers.image"),
    Format("webp", "image/webp", (".webp",), "activities.readers.image"),
    Format("gif", "image/gif", (".gif",), "activities.readers.image"),
    Format("heic", "image/heic", (".heic", ".heif"), "activities.readers.image"),
)

FORMATS = (TXT, MD, HTML, DOCX, PDF, *IMAGES)

# Members that name the format of a zip archive, most specific first; the second field is what it is called.
_ZIP_MEMBERS: tuple[tuple[str, str], ...] = (
    ("word/document.xml", "docx"),
    ("ppt/presentation.xml", "pptx"),
    ("xl/workbook.xml", "xlsx"),
    ("xl/workbook.bin", "xlsb"),
)
_ZIP_MIMETYPES = {
    "application/epub+zip": "epub",
    "application/vnd.oasis.opendocument.text": "odt",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/vnd.oasis.opendocument.presentation": "odp",
}
_OLE_STREAMS = (("WordDocument", "doc"), ("Workbook", "xls"), ("Book", "xls"), ("PowerPoint Document", "ppt"))

# Pictures begin with one of these; `filetype` would take a text that begins with “BM” for one.
_IMAGE_HEADS: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "png"),
    (re.compile(rb"\xff\xd8\xff"), "jpg"),
    (re.compile(rb"II[*+]\0|MM\0[*+]"), "tif"),
    (re.compile(rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.S), "bmp"),
    (re.compile(rb"RIFF....WEBP", re.S), "webp"),
    (re.compile(rb"GIF8[79]a"), "gif"),
    (re.compile(rb"\0\0\0.ftyp(?:.{4})*?(?:heic|heix|heim|heis)", re.S), "heic"),
)

_HTML_ROOT = re.compile(r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html[\s>])", re.I | re.S)
_HTML_TAG = re.compile(r"<(?:/?[a-z][a-z0-9]*)(?:\s[^<>]*)?/?>", re.I)


def supported() -> str:
    """The names of all formats, for people: ``txt, md, …``."""
    return ", ".join(item.name for item in FORMATS)


def hint(name: str) -> str:
    """What a name says that content cannot: part of the key under which a parsed document is stored."""
    extension = PurePosixPath(name.lower()).suffix
    if extension in MD.extensions or extension in HTML.extensions:
        return "md" if extension in MD.extensions else "html"
    return "" if extension in ("", ".txt", ".text", *DOCX.extensions, *PDF.extensions) else "plain"


def detect(path: Path, name: str) -> Format:
    """The format of the file at ``path``, which its owner calls ``name``.

    Raises EmptyDocument, UnsupportedFormat (saying what was found), EncryptedDocument for a protected
    Office file, and DamagedDocument for an archive that cannot be opened.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head.strip(b" \t\r\n\f\v\x00\xef\xbb\xbf\xff\xfe") and path.stat().st_size <= _HEAD_BYTES:
        raise EmptyDocument()
    return _by_content(path, head) or _by_text(head, name)


def _by_content(path: Path, head: bytes) -> Format | None:
    if b"%PDF-" in head[:_PDF_HEADER_WITHIN]:
        return PDF
    image = next((name for magic, name in _IMAGE_HEADS if magic.match(head[:_IMAGE_HEADER_WITHIN])), None)
    if image is not None:
        return next(item for item in IMAGES if item.name == image)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        return _by_zip_member(path)
    if head.startswith(olefile.MAGIC):
        raise _ole_error(path)
    if head.lstrip().startswith(b"{\\rtf"):
        raise _unsupported("rtf")
    return None


def _by_zip_member(path: Path) -> Format:
    try:
        with zipfile.ZipFile(path) as archive:
            members = set(archive.namelist())
            mimetype = archive.read("mimetype")[:100].decode("ascii", "replace") if "mimetype" in members else ""
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as exc:
        raise DamagedDocument(format="docx or another zip archive", detail=str(exc)) from exc
    found = next((kind for member, kind in _ZIP_MEMBERS if member in members), None)
    found = found or _ZIP_MIMETYPES.get(mimetype.strip(), "zip")
    for item in FORMATS:
        if item.name == found:
            return item
    raise _unsupported(found)


def _ole_error(path: Path) -> Exception:
    """Old Office files are unsupported; new ones are wrapped in OLE only when they are encrypted."""
    try:
        with olefile.OleFileIO(path) as container:
            if container.exists("EncryptedPackage"):
                return EncryptedDocument()
            found = next((kind for stream, kind in _OLE_STREAMS if container.exists(stream)), "ole")
    except (OSError, ValueError, IndexError, TypeError, struct.error) as exc:  # olefile trusts what it reads
        return DamagedDocument(format="doc", detail=str(exc))
    return _unsupported(found)


def _by_text(head: bytes, name: str) -> Format:
    """Markdown, HTML or plain text; what does not decode as text is named by its magic bytes."""
    guess = filetype.guess(head)
    if guess is not None and guess.extension not in _TOLD_ALREADY:
        raise _unsupported(guess.extension)
    text = decode(head, partial=True)
    if text is None:
        raise _unsupported("binary")
    if not text.strip() and len(head) < _HEAD_BYTES:
        raise EmptyDocument()
    extension = PurePosixPath(name.lower()).suffix
    if _HTML_ROOT.match(text):
        return HTML
    if extension in HTML.extensions and _HTML_TAG.search(text[:_SNIFF_CHARACTERS]):
        return HTML
    return MD if extension in MD.extensions else TXT


def _unsupported(found: str) -> UnsupportedFormat:
    return UnsupportedFormat(found=found, supported=supported())
