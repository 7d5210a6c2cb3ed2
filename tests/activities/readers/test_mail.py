"""Mails: header, body, and attachments of every kind, which never fail their mail."""

from __future__ import annotations

import base64
import io
import struct
import zipfile
from email.message import EmailMessage
from pathlib import Path

import pytest

from activities.contracts.documents import ParsedDocument
from activities.readers import embedded
from activities.readers.embedded import MAX_DEPTH, MAX_FILES
from activities.readers.mail import eml, mbox, tnef
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


def mailbox(*mails: bytes) -> bytes:
    return b"".join(b"From ada@example.org Fri Mar  6 10:00:00 2026\n" + mail + b"\n" for mail in mails)


def test_each_mail_of_a_mailbox_stands_under_its_subject(tmp_path: Path) -> None:
    """With its attachments; a line that was quoted because it begins with “From ” is as it was written."""
    bare = b"From: Bob <bob@example.org>\nMessage-ID: <2@x>\n\n>From Monday on there is tea.\nFrom here it is free.\n"
    first = simple_eml("请假", "Three days ahead.", ("plan.txt", "Plan 文本.".encode()), ("a.bin", PROGRAM))
    document = parsed(tmp_path, mailbox(first, bare), "archive.mbox")
    assert document.media_type == "application/mbox"
    titles = [(item.text, item.level) for item in document.elements if item.kind == "title"]
    assert titles == [("请假", 1), ("plan.txt", 2), ("Bob <bob@example.org>", 1)]
    found = texts(document)
    assert {"Three days ahead.", "Plan 文本."} <= set(found)
    assert found[-2:] == ["From Monday on there is tea.", "From here it is free."]
    assert base64.b64encode(PROGRAM[:30]).decode() not in "".join(found)


def test_mails_of_a_mailbox_can_be_in_several_encodings(tmp_path: Path) -> None:
    """Each is read in the one that it declares."""
    head = b"Subject: %d\nMessage-ID: <%d@x>\nContent-Type: text/plain; charset=%s\n\n"
    words = [("gb18030", "员工请假须提前三天申请。"), ("utf-8", "Größe und Gewicht"), ("cp1251", "Привет, как дела?")]
    mails = [head % (at, at, charset.encode()) + text.encode(charset) for at, (charset, text) in enumerate(words)]
    found = texts(parsed(tmp_path, mailbox(*mails), "Inbox"))
    assert [text for _, text in words] == found[1::2]


def test_mails_of_a_mailbox_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those beyond the limit are counted."""
    monkeypatch.setattr(mbox, "MAX_MAILS", 3)
    mails = [b"Subject: number %d\nMessage-ID: <1@x>\n\nText %d.\n" % (at, at) for at in range(8)]
    document = parsed(tmp_path, mailbox(*mails), "a.mbox")
    assert texts(document)[-1] == "Text 2."
    assert [(remark.kind, remark.count) for remark in document.remarks] == [("mails", 5)]


def test_attachments_are_limited_for_each_mail_of_a_mailbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One mail with many does not use up those of the next; all mails of an attached mailbox share the limit."""
    monkeypatch.setattr(embedded, "MAX_FILES", 3)
    files = [(f"{number}.txt", f"Text number {number}.".encode()) for number in range(4)]
    content = mailbox(simple_eml("First", "Body.", *files), simple_eml("Second", "Body.", *files))
    for whole, unread in ((content, 2), (simple_eml("Outer", "Body.", ("a.mbox", content)), 6)):
        assert sum("was not read" in text for text in texts(parsed(tmp_path, whole, "a"))) == unread


@pytest.mark.parametrize(
    "above",
    [b"From - Tue Mar 10 08:12:44 2026\nX-Mozilla-Status: 0001\n", b"X-Store-Info:J++/JTCzmObr\nReceived:by x\n"],
)
def test_lines_of_mail_programs_above_a_mail_do_not_hide_it(tmp_path: Path, above: bytes) -> None:
    """A line as in a mailbox, or a field without a space after its colon."""
    content = base64.b64encode("Der Aufzug fährt wieder.".encode())
    mail = b"Subject: Lift\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
    mail += b"Content-Transfer-Encoding: base64\n\n" + content
    assert texts(parsed(tmp_path, above + mail, "lift.eml")) == ["Lift", "Der Aufzug fährt wieder."]


def attribute(level: int, name: int, value: bytes) -> bytes:
    return struct.pack("<BII", level, name, len(value)) + value + struct.pack("<H", sum(value) & 0xFFFF)


def properties(**texts: str) -> bytes:
    """MAPI properties: a named one, a number, several numbers, and texts by the hexadecimal id after ``p``."""
    packed = [
        struct.pack("<HH16xIIHH", 0x1F, 0x8001, 1, 6, 97, 98) + b"c\0\0\0" + struct.pack("<II", 1, 4) + b"z\0\0\0",
        struct.pack("<HHI", 3, 0x3FDE, 65001),
        struct.pack("<HHIII", 0x1003, 0x6001, 2, 7, 8),
    ]
    for name, text in texts.items():
        value = text.encode("utf-16-le") + b"\0\0"
        packed.append(struct.pack("<HHII", 0x1F, int(name[1:], 16), 1, len(value)) + value + bytes(-len(value) % 4))
    return struct.pack("<I", len(packed)) + b"".join(packed)


def winmail(subject: str, text: str, *attachments: tuple[str, bytes]) -> bytes:
    """A mail as Outlook packs it into one attachment."""
    data = tnef.SIGNATURE + b"\x01\x00" + attribute(1, 0x00069007, struct.pack("<II", 1252, 0))
    data += attribute(1, 0x00018004, subject.encode("cp1252") + b"\0")
    data += attribute(1, 0x00069003, properties(p1000=text))
    for name, content in attachments:
        data += attribute(2, 0x00069002, bytes(14)) + attribute(2, 0x00018010, b"SHORT~1.TXT\0")
        data += attribute(2, 0x0006800F, content) + attribute(2, 0x00069005, properties(p3707=name))
    return data


def test_what_outlook_packs_into_winmail_dat_is_read(tmp_path: Path) -> None:
    """Its text, once, and its attachments, as if they were the mail's own; also alone and one within the other."""
    files = [("规定.docx", simple_docx("Rules", "Three days ahead.")), ("note.txt", "文本 here.".encode())]
    packed = winmail("Größe", "The packed text.", *files)
    for text, expected in (
        ("Other text.", ["Other text.", "The packed text."]),
        ("The packed text.", ["The packed text."]),
    ):
        document = parsed(tmp_path, simple_eml("Files", text, ("winmail.dat", packed)), "a.eml")
        found = texts(document)
        assert found[2:] == [*expected, "规定.docx", "Rules", "Three days ahead.", "note.txt", "文本 here."]
    alone = parsed(tmp_path, packed, "winmail.dat")
    assert alone.media_type == "application/ms-tnef"
    assert texts(alone)[:2] == ["Größe", "The packed text."]


def test_a_mail_within_winmail_dat_is_read(tmp_path: Path) -> None:
    """An attached mail is an object that holds another container."""
    inner = bytes(16) + winmail("Inner", "Inner text.")
    held = struct.pack("<IHHII", 1, 0x0D, 0x3701, 1, len(inner)) + inner + bytes(-len(inner) % 4)
    packed = winmail("Outer", "Text.") + attribute(2, 0x00069002, bytes(14)) + attribute(2, 0x00069005, held)
    assert texts(parsed(tmp_path, packed, "winmail.dat")) == ["Outer", "Text.", "Inner", "Inner text."]


def test_a_damaged_winmail_dat_never_fails_its_mail(tmp_path: Path) -> None:
    """Cut off anywhere, or with lengths and counts that are too large."""
    packed = winmail("Subject", "The packed text.", ("note.txt", b"Inner."))
    many = attribute(1, 0x00069003, struct.pack("<IHHI", 0xFFFFFFFF, 0x1003, 1, 0xFFFFFFFF) + b"\xff" * 40)
    broken = (
        tnef.SIGNATURE
        + b"\x01\x00"
        + many
        + attribute(1, 0x00069003, b"\xff")
        + b"\x01\x04\x80\x01\x00\xff\xff\xff\xff"
    )
    short = attribute(1, 0x00069003, struct.pack("<IHHII", 1, 0x102, 0x1009, 1, 4) + b"abcd")
    for content in [*(packed[:size] for size in range(6, len(packed), 29)), broken, packed[:6] + short]:
        assert "Body." in texts(parsed(tmp_path, simple_eml("Mail", "Body.", ("winmail.dat", content)), "a.eml"))
