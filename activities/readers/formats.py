"""The supported file formats and their detection, by content and never by name alone.

The extension only chooses between text-like formats (Markdown, csv or plain text), whose bytes do not differ.
To add a format: one row in ``FORMATS`` with its reader module, and the rule in ``_by_content``, ``_by_zip_member`` or
``_by_text`` that recognises it.
"""

from __future__ import annotations

import re
import struct
import zipfile
from pathlib import Path, PurePosixPath

import filetype
import msgspec
import olefile  # type: ignore[import-untyped]

from activities.errors import (
    DamagedDocument,
    EmptyDocument,
    EncryptedDocument,
    Language,
    NeedsLibreOffice,
    UnsupportedFormat,
    told,
)
from activities.phrases import Phrase
from activities.readers import sniff
from activities.readers.archive import check_directory
from activities.readers.encoding import decode
from activities.readers.installed import libreoffice
from activities.readers.mail import tnef
from activities.settings import ParseSettings

_HEAD_BYTES = 256 * 1024
_SNIFF_CHARACTERS = 4096
_IMAGE_HEADER_WITHIN = 64
_IGNORED_GUESSES = ("bmp",)  # `filetype` detects these by two letters; `_IMAGE_HEADS` is stricter
_PDF_HEADER_WITHIN = 1024  # PDF readers accept leading garbage up to here, and real files contain it
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_DIRECTORY_WITHIN = 1 << 20  # of the end of an archive: its list of members, or the end of a very long one
_MEDIA = re.compile(rb"(?:word|ppt|xl)/(?:media|embeddings)/")


class Format(msgspec.Struct, frozen=True):
    """One file format. ``reader`` names the module whose ``read`` turns a file into elements."""

    name: str
    media_type: str
    extensions: tuple[str, ...]
    reader: str
    en: str = ""
    zh: str = ""

    def title(self, language: Language = "en") -> str:
        """The display name in a language."""
        return (self.zh if language == "zh" else self.en) or self.name


_OFFICE = "application/vnd.openxmlformats-officedocument"
_DELIMITED, _MAIL, _IMAGE = (
    "activities.readers.tables.delimited",
    "activities.readers.mail.reader",
    "activities.readers.image",
)

TXT = Format("txt", "text/plain", (".txt", ".text", ".log"), "activities.readers.text", "Plain text", "纯文本")
MD = Format(
    "md", "text/markdown", (".md", ".markdown", ".mdown", ".mkd"), "activities.readers.markdown", "Markdown", "Markdown"
)
HTML = Format("html", "text/html", (".html", ".htm", ".xhtml"), "activities.readers.html", "Web page", "网页")
DOCX = Format(
    "docx",
    f"{_OFFICE}.wordprocessingml.document",
    (".docx", ".docm", ".dotx", ".dotm"),
    "activities.readers.docx.reader",
    "Word document",
    "Word 文档",
)
PDF = Format("pdf", "application/pdf", (".pdf",), "activities.readers.pdf.reader", "PDF", "PDF")
PPTX = Format(
    "pptx",
    f"{_OFFICE}.presentationml.presentation",
    (".pptx", ".pptm", ".ppsx", ".ppsm", ".potx", ".potm"),
    "activities.readers.pptx.reader",
    "PowerPoint presentation",
    "PowerPoint 演示文稿",
)
XLSX = Format(
    "xlsx",
    f"{_OFFICE}.spreadsheetml.sheet",
    (".xlsx", ".xlsm", ".xltx", ".xltm"),
    "activities.readers.tables.xlsx",
    "Excel workbook",
    "Excel 工作簿",
)
CSV = Format("csv", "text/csv", (".csv",), _DELIMITED, "Comma-separated table", "逗号分隔表格")
TSV = Format("tsv", "text/tab-separated-values", (".tsv", ".tab"), _DELIMITED, "Tab-separated table", "制表符分隔表格")
EPUB = Format("epub", "application/epub+zip", (".epub",), "activities.readers.epub", "E-book (EPUB)", "电子书（EPUB）")
ODT = Format(
    "odt",
    "application/vnd.oasis.opendocument.text",
    (".odt", ".ott"),
    "activities.readers.odt",
    "OpenDocument text",
    "OpenDocument 文档",
)
RTF = Format("rtf", "application/rtf", (".rtf",), "activities.readers.rtf", "Rich text (RTF)", "富文本（RTF）")
RST = Format("rst", "text/x-rst", (".rst", ".rest"), "activities.readers.rst", "reStructuredText", "reStructuredText")
ORG = Format("org", "text/org", (".org",), "activities.readers.org", "Org", "Org")
EML = Format("eml", "message/rfc822", (".eml",), _MAIL, "E-mail", "电子邮件")
MBOX = Format("mbox", "application/mbox", (".mbox",), _MAIL, "Mailbox", "邮箱文件")
MSG = Format("msg", "application/vnd.ms-outlook", (".msg",), _MAIL, "Outlook e-mail", "Outlook 邮件")
TNEF = Format("tnef", "application/ms-tnef", (".tnef",), _MAIL, "Outlook winmail.dat", "Outlook winmail.dat")
ICS = Format("ics", "text/calendar", (".ics", ".vcs"), "activities.readers.calendar", "Calendar", "日历")
XML = Format("xml", "application/xml", (".xml",), "activities.readers.xml", "XML", "XML")
JSON = Format("json", "application/json", (".json", ".jsonl", ".ndjson"), "activities.readers.json", "JSON", "JSON")

IMAGES = (
    Format("png", "image/png", (".png",), _IMAGE, "PNG picture", "PNG 图片"),
    Format("jpg", "image/jpeg", (".jpg", ".jpeg"), _IMAGE, "JPEG picture", "JPEG 图片"),
    Format("tif", "image/tiff", (".tif", ".tiff"), _IMAGE, "TIFF picture", "TIFF 图片"),
    Format("bmp", "image/bmp", (".bmp",), _IMAGE, "Bitmap picture", "BMP 图片"),
    Format("webp", "image/webp", (".webp",), _IMAGE, "WebP picture", "WebP 图片"),
    Format("gif", "image/gif", (".gif",), _IMAGE, "GIF picture", "GIF 图片"),
    Format("heic", "image/heic", (".heic", ".heif"), _IMAGE, "HEIC picture", "HEIC 图片"),
)

FORMATS = (
    TXT,
    MD,
    HTML,
    DOCX,
    PDF,
    PPTX,
    XLSX,
    CSV,
    TSV,
    EPUB,
    ODT,
    RTF,
    RST,
    ORG,
    EML,
    MBOX,
    MSG,
    TNEF,
    ICS,
    XML,
    JSON,
    *IMAGES,
)

_OLD = "activities.readers.libreoffice"

#: Formats that LibreOffice converts, where it is installed, and what it converts them to.
CONVERTED = {
    Format("doc", "application/msword", (".doc", ".dot"), _OLD, "Word 97 document", "Word 97 文档"): DOCX,
    Format("xls", "application/vnd.ms-excel", (".xls", ".xlt"), _OLD, "Excel 97 workbook", "Excel 97 工作簿"): XLSX,
    Format(
        "xlsb",
        "application/vnd.ms-excel.sheet.binary.macroenabled.12",
        (".xlsb",),
        _OLD,
        "Binary Excel workbook",
        "二进制 Excel 工作簿",
    ): XLSX,
    Format(
        "ppt",
        "application/vnd.ms-powerpoint",
        (".ppt", ".pps", ".pot"),
        _OLD,
        "PowerPoint 97 presentation",
        "PowerPoint 97 演示文稿",
    ): PPTX,
    Format(
        "ods",
        "application/vnd.oasis.opendocument.spreadsheet",
        (".ods", ".ots"),
        _OLD,
        "OpenDocument table",
        "OpenDocument 表格",
    ): XLSX,
    Format(
        "odp",
        "application/vnd.oasis.opendocument.presentation",
        (".odp", ".otp"),
        _OLD,
        "OpenDocument presentation",
        "OpenDocument 演示文稿",
    ): PPTX,
}

# Formats that a file's extension may select: their bytes alone do not tell them apart from other text.
_TEXTUAL = (MD, HTML, CSV, TSV, RST, ORG, EML, MBOX, XML, JSON)

# Members that identify the format of a zip archive, most specific first, and the format's name.
_ZIP_MEMBERS: tuple[tuple[str, str], ...] = (
    ("word/document.xml", "docx"),
    ("ppt/presentation.xml", "pptx"),
    ("xl/workbook.xml", "xlsx"),
    ("xl/workbook.bin", "xlsb"),
)
_ZIP_MIMETYPES = {
    "application/epub+zip": "epub",
    "application/vnd.oasis.opendocument.text": "odt",
    "application/vnd.oasis.opendocument.text-template": "odt",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/vnd.oasis.opendocument.spreadsheet-template": "ods",
    "application/vnd.oasis.opendocument.presentation": "odp",
    "application/vnd.oasis.opendocument.presentation-template": "odp",
}
_OLE_STREAMS = (("WordDocument", "doc"), ("Workbook", "xls"), ("Book", "xls"), ("PowerPoint Document", "ppt"))

# Leading bytes of image files; `filetype` would classify a text that begins with “BM” as an image.
_IMAGE_HEADS: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "png"),
    (re.compile(rb"\xff\xd8\xff"), "jpg"),
    (re.compile(rb"II[*+]\0|MM\0[*+]"), "tif"),
    (re.compile(rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.S), "bmp"),
    (re.compile(rb"RIFF....WEBP", re.S), "webp"),
    (re.compile(rb"GIF8[79]a"), "gif"),
    (re.compile(rb"\0\0\0.ftyp(?:.{4}){0,13}?(?:heic|heix|heim|heis)", re.S), "heic"),
)

_HTML_ROOT = re.compile(
    r"\s*+(?:<\?xml[^>]*+>\s*+)?+(?:(?><!--.*?-->)\s*+)*+<(?:!doctype\s+html|html[\s>])", re.I | re.S
)
_HTML_TAG = re.compile(r"<(?:/?[a-z][a-z0-9]*)(?:\s[^<>]*)?/?>", re.I)


def readable() -> tuple[Format, ...]:
    """All formats that can be read on this machine."""
    return (*FORMATS, *CONVERTED) if libreoffice() else FORMATS


def supported() -> str:
    """The names of all formats as display text: ``txt, md, …``."""
    return ", ".join(item.name for item in readable())


def hint(name: str) -> str:
    """The part of a file name that decides how its text is read; it belongs to the key of the parsed document."""
    extension = PurePosixPath(name.lower()).suffix
    named = _named(name)
    if named in _TEXTUAL:
        return named.name
    if extension == ".log":
        return "plain"
    return "" if named is not None or not extension else "code"


def has_pages(path: Path) -> bool:
    """Whether the file seems to be a PDF, a picture, or a document with pictures, which may take seconds each."""
    with path.open("rb") as file:
        head = file.read(_PDF_HEADER_WITHIN)
        if head.startswith(_ZIP):
            file.seek(max(0, path.stat().st_size - _DIRECTORY_WITHIN))
            return _MEDIA.search(file.read()) is not None
    return b"%PDF-" in head or any(magic.match(head[:_IMAGE_HEADER_WITHIN]) for magic, _ in _IMAGE_HEADS)


def detect(path: Path, name: str, limits: ParseSettings) -> Format:
    """The format of the file at ``path``, uploaded under ``name``.

    Raises EmptyDocument, UnsupportedFormat (with the detected kind), EncryptedDocument for a protected
    Office file, and DamagedDocument for an archive that cannot be opened.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head.strip(b" \t\r\n\f\v\x00\xef\xbb\xbf\xff\xfe") and path.stat().st_size <= _HEAD_BYTES:
        raise EmptyDocument()
    return _by_content(path, head, limits) or _by_text(path, head, name)


def _by_content(path: Path, head: bytes, limits: ParseSettings) -> Format | None:
    if b"%PDF-" in head[:_PDF_HEADER_WITHIN]:
        return PDF
    image = next((name for magic, name in _IMAGE_HEADS if magic.match(head[:_IMAGE_HEADER_WITHIN])), None)
    if image is not None:
        return next(item for item in IMAGES if item.name == image)
    if head.startswith(_ZIP):
        return _by_zip_member(path, limits)
    if head.startswith(olefile.MAGIC):
        return _by_ole_stream(path)
    if head.startswith(tnef.SIGNATURE):
        return TNEF
    return RTF if head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{\\rtf") else None


def _by_zip_member(path: Path, limits: ParseSettings) -> Format:
    check_directory(path, limits.max_archive_files)
    try:
        with zipfile.ZipFile(path) as archive:
            members = set(archive.namelist())
            mimetype = archive.read("mimetype")[:100].decode("ascii", "replace") if "mimetype" in members else ""
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as exc:
        raise DamagedDocument(format=Phrase.ZIP_BASED, detail=told(exc)) from exc
    detected = next((kind for member, kind in _ZIP_MEMBERS if member in members), None)
    detected = detected or _ZIP_MIMETYPES.get(mimetype.strip(), "zip")
    return _readable(detected)


def _by_ole_stream(path: Path) -> Format:
    """MSG for Outlook mails, or an old Office file; new ones are wrapped in OLE only when encrypted."""
    try:
        with olefile.OleFileIO(path) as container:
            if container.exists("EncryptedPackage"):
                raise EncryptedDocument()
            if container.exists("__properties_version1.0"):
                return MSG
            detected = next((kind for stream, kind in _OLE_STREAMS if container.exists(stream)), "ole")
    except (OSError, ValueError, IndexError, TypeError, struct.error) as exc:  # olefile does not validate its input
        raise DamagedDocument(format="doc", detail=told(exc)) from exc
    return _readable(detected)


def _by_text(path: Path, head: bytes, name: str) -> Format:
    """The text-like formats. Raises UnsupportedFormat, named by magic bytes, for content that is not text."""
    named = _named(name)
    if head.startswith(b"From ") and sniff.is_mail(head.decode("latin-1"), named=named in (EML, MBOX)):
        return EML if named is EML else MBOX  # its mails can be in several encodings
    guess = filetype.guess(head)
    if guess is not None and guess.extension not in _IGNORED_GUESSES:
        raise _unsupported(guess.extension)
    text = decode(head, partial=True)
    if text is None:
        raise _unsupported("binary")
    if not text.strip() and len(head) < _HEAD_BYTES:
        raise EmptyDocument()
    if _HTML_ROOT.match(text):
        return HTML
    if named is HTML and _HTML_TAG.search(text[:_SNIFF_CHARACTERS]):
        return HTML
    if named in (MD, RST, ORG):
        return named
    return _by_structure(path, text, named) or TXT


def _by_structure(path: Path, text: str, named: Format | None) -> Format | None:
    """Formats with a recognisable structure, whatever the name; ``named`` lowers the evidence that is required."""
    if sniff.is_json(path, text):
        return JSON
    if sniff.is_xml(text, named=named is XML):
        return XML
    if sniff.is_calendar(text):
        return ICS
    if sniff.is_mail(text, named=named is EML):
        return EML
    if named in (CSV, TSV) and sniff.delimiter(text[: 16 * _SNIFF_CHARACTERS], "\t" if named is TSV else ","):
        return named
    return None


def _named(name: str) -> Format | None:
    """The format that the file name's extension stands for."""
    extension = PurePosixPath(name.lower()).suffix
    return next((item for item in (*FORMATS, *CONVERTED) if extension in item.extensions), None)


def _readable(detected: str) -> Format:
    """The format of this name. Raises UnsupportedFormat, which says what to do about it."""
    for item in readable():
        if item.name == detected:
            return item
    for item, target in CONVERTED.items():
        if item.name == detected:
            raise NeedsLibreOffice(found=detected, target=target.name)
    raise _unsupported(detected)


def _unsupported(detected: str) -> UnsupportedFormat:
    return UnsupportedFormat(found=detected, supported=supported())
