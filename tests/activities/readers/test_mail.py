"""Mails: header, body, and attachments of every kind, which never fail their mail."""

from __future__ import annotations

import base64
import io
import zipfile
from email.message import EmailMessage
from pathlib import Path

import pytest

from activities.contracts.documents import ParsedDocument
from activities.readers.embedded import MAX_DEPTH, MAX_FILES
from activities.readers.mail import eml
from tests.activities.readers.conftest import growth, parsed, shape
from tests.documents import encrypted, simple_docx, simple_eml, simple_msg, simple_pdf, simple_xlsx

FILES = Path(__file__).parents[2] / "data" / "files"
PROGRAM = b"MZ\x90\x00\x03\x00\x00\x00" + bytes(range(256)) * 20

makers = pytest.mark.parametrize(("make", "name"), [(simple_eml, "a.eml"), (simple_msg, "a.msg")])


def texts(document: ParsedDocument) -> list[str]:
    return [element.text for element in document.elements]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "fake-email.eml",
            [
                ("title", "Test Email"),
                (
                    "text",
                    "From: Matthew Robinson <mrobinson@unstructured.io> | "
                    "To: NotMatthew <NotMatthew@notunstructured.com> | Date: 2022-12-16 17:04-05:00",
                ),
                ("text", "This is a test email to use for unit tests."),
                ("text", "Important points:"),
                ("list", "Roses are red"),
                ("list", "Violets are blue"),
            ],
        ),
        (
            "outlook.msg",
            [
                ("title", "outer subject"),
                ("text", "To: outer@foo.bar | Date: 2016-11-15 23:29+00:00"),
                ("text", "Outer body"),
                ("title", "test"),
                ("text", "To: test@foobar.com | Date: 2016-11-15 23:28+00:00"),
                ("text", "body"),
            ],
        ),
    ],
)
def test_real_mails(tmp_path: Path, name: str, expected: list[tuple[str, str]]) -> None:
    """Mails by other programs, one with an attached mail."""
    assert shape(parsed(tmp_path, (FILES / name).read_bytes(), name)) == expected


@makers
def test_attachments_are_read_by_their_own_readers(tmp_path: Path, make: type, name: str) -> None:
    """Each follows under its name with its headings and pages; unreadable ones are named."""
    content = make(
        "请假 Leave",
        "See the attachments.",
        ("规定.docx", simple_docx("Rules", "Three days ahead.")),
        ("days.xlsx", simple_xlsx(("Kind", "Days"), ("Annual", 5))),
        ("scan.pdf", simple_pdf("First page.", "Second page.")),
        ("setup.exe", PROGRAM),
        ("secret.pdf", encrypted(simple_pdf("Hidden"))),
        ("cut.docx", simple_docx("Rules", "Gone")[:1000]),
        ("inner.eml", simple_eml("Inner", "Inner text.", ("note.txt", "Innermost 文本.".encode()))),
        ("inner.msg", simple_msg("Outlook", "Outlook text.")),
    )
    document = parsed(tmp_path, content, name)
    assert shape(document)[0] == ("title", "请假 Leave")
    assert "From: Ada <ada@example.org>" in document.elements[1].text
    assert "Date: 2024-03-05 09:30" in document.elements[1].text
    levels = [(item.text, item.level) for item in document.elements if item.kind == "title"]
    assert levels == [
        ("请假 Leave", 1), ("规定.docx", 2), ("Rules", 3), ("days.xlsx", 2), ("Sheet", 3), ("scan.pdf", 2),
        ("inner.eml", 2), ("Inner", 3), ("note.txt", 4), ("inner.msg", 2), ("Outlook", 3),
    ]  # fmt: skip
    found = texts(document)
    assert {"Three days ahead.", "Kind: Annual | Days: 5", "Innermost 文本.", "Outlook text."} <= set(found)
    assert next(item.page for item in document.elements if item.text == "Second page.") == 2
    assert document.pages is None
    for unread in ("setup.exe", "secret.pdf", "cut.docx"):
        assert any(unread in text and "was not read" in text for text in found)


def test_encoded_headers_and_bodies(tmp_path: Path) -> None:
    """Words in any character set, 8-bit headers against the standard, and bodies with a wrong charset."""
    subject = f"Re: =?gb2312?B?{base64.b64encode('请假规定'.encode('gb2312')).decode()}?="
    head = f"Message-ID: <1@x>\r\nSubject: {subject}\r\nFrom: ".encode() + "张三 <zhang@example.org>\r\n".encode(
        "gb18030"
    )
    body = "年假规定如下，员工每年可以休息五天。"
    content = head + b"Content-Type: text/plain; charset=us-ascii\r\n\r\n" + body.encode("gb18030")
    assert texts(parsed(tmp_path, content, "a.eml")) == ["Re: 请假规定", "From: 张三 <zhang@example.org>", body]


def test_one_version_of_a_body_is_read(tmp_path: Path) -> None:
    """Plain text if both versions say the same, HTML if it says more or has tables; each once."""
    for plain, html, expected in (
        ("The text.", "<p>The text.</p>", ["The text."]),
        (
            "See the HTML version.",
            f"<h1>Report</h1><p>{'All the words of the report. ' * 9}</p>",
            ["Report", "All the"],
        ),
        ("a b 1 2", "<table><tr><td>a</td><td>b</td></tr><tr><td>1</td><td>2</td></tr></table>", ["a | b\n1 | 2"]),
    ):
        mail = EmailMessage()
        mail["Subject"], mail["From"] = "Both", "Ada <ada@example.org>"
        mail.set_content(plain)
        mail.add_alternative(html, subtype="html")
        found = texts(parsed(tmp_path, mail.as_bytes(), "a.eml"))[2:]
        assert [text[: len(start)] for text, start in zip(found, expected, strict=True)] == expected


def test_a_mail_is_known_by_its_header(tmp_path: Path) -> None:
    """Whatever its name; a text with a colon in its first line is no mail."""
    content = simple_eml("Subject of it", "Body.\n")
    assert parsed(tmp_path, content, "export").media_type == "message/rfc822"
    assert parsed(tmp_path, content, "mail.pdf").media_type == "message/rfc822"
    assert parsed(tmp_path, b"To: all\nSubject: none\n\nNo mail.", "memo.txt").media_type == "text/plain"
    assert parsed(tmp_path, b"To: all\nSubject: none\n\nA mail.", "memo.eml").media_type == "message/rfc822"
    assert parsed(tmp_path, b"No header at all.", "memo.eml").media_type == "text/plain"


def test_nesting_of_mails_is_limited(tmp_path: Path) -> None:
    """Of fifty nested mails the outer ones are read, and the next one is named."""
    mail = EmailMessage()
    mail["Subject"], mail["From"] = "level 0", "a@example.org"
    mail.set_content("innermost")
    for level in range(1, 51):
        outer = EmailMessage()
        outer["Subject"], outer["From"] = f"level {level}", "a@example.org"
        outer.set_content(f"text {level}")
        outer.add_attachment(mail)
        mail = outer
    found = texts(parsed(tmp_path, mail.as_bytes(), "a.eml"))
    assert f"text {50 - MAX_DEPTH + 1}" in found
    assert "innermost" not in found
    assert f"Attachment “level {50 - MAX_DEPTH}” was not read" in found[-1]


def test_attachments_are_limited(tmp_path: Path) -> None:
    """Those beyond the limit are named, not read; the mail is not lost."""
    files = [(f"{number}.txt", f"Text number {number}.".encode()) for number in range(MAX_FILES + 3)]
    found = texts(parsed(tmp_path, simple_eml("Many", "Body.", *files), "a.eml"))
    assert f"Text number {MAX_FILES - 1}." in found
    assert sum("was not read" in text for text in found) == 3


@makers
def test_a_bomb_in_a_mail_harms_nothing(tmp_path: Path, make: type, name: str) -> None:
    """An attachment that unpacks to too much is named; the mail is read."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("word/document.xml", bytes(100 << 20))
    found = texts(parsed(tmp_path, make("Bomb", "Body text.", ("bomb.docx", target.getvalue())), name))
    assert "Body text." in found
    assert "larger than allowed" in found[-1]


def test_a_mail_that_was_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    """The body is there; the attachment is read or named."""
    whole = simple_eml("Cut", "Body text.", ("a.docx", simple_docx("Rules", "Gone")))
    found = texts(parsed(tmp_path, whole[: len(whole) // 2], "a.eml"))
    assert "Body text." in found
    assert "a.docx" in found[-1]


def test_long_header_fields_take_no_longer_than_short_ones() -> None:
    """Time grows with the length of parameters and of encoded words, not with its square."""
    assert growth(lambda size: eml.parse(b'Content-Type: text/plain; a="' + b";" * size + b"\n\ntext"), 8000) < 9
    assert growth(lambda size: eml.parse(b"Subject: " + b"=?a?q?x" * size + b"\n\ntext"), 3000) < 9
    recipients = ", ".join(f"Someone {number} <{number}@example.org>" for number in range(2000))
    assert dict(eml.parse(f"To: {recipients}\n\ntext".encode()).fields)["To"] == recipients


@pytest.mark.parametrize("charset", ["unicode_escape", "raw_unicode_escape", "undefined", "punycode", "idna", "rot13"])
def test_codecs_that_are_no_charsets_are_ignored(tmp_path: Path, charset: str) -> None:
    """The text of such a part, and words and names said to be in it, are read as if none had been declared."""
    mail = (
        f"Subject: =?{charset}?q?Some_words?=\nMIME-Version: 1.0\n"
        "Content-Type: multipart/mixed; boundary=x\n\n"
        f"--x\nContent-Type: text/plain; charset={charset}\n\nTräger \\ud800 here.\n"
        f"--x\nContent-Type: multipart/alternative; charset={charset}\n\nTräger\n"
        f"--x\nContent-Type: text/plain\nContent-Disposition: attachment; filename*={charset}''a%FCb.txt\n\nInner.\n"
        "--x--\n"
    )
    found = texts(parsed(tmp_path, mail, "a.eml"))
    assert found[:2] == ["Some words", "Träger \\ud800 here."]
    assert found[-1] == "Inner."
