"""Calendars and invitations: what an event says, on one line."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path

import pytest

from activities.readers import calendar
from tests.activities.readers.conftest import growth, parsed, shape

ZONE = "BEGIN:VTIMEZONE\nTZID:Europe/Berlin\nBEGIN:STANDARD\nDTSTART:19701025T030000\nEND:STANDARD\nEND:VTIMEZONE"


def calendar_of(*lines: str, method: str = "PUBLISH") -> str:
    """A calendar with one event."""
    whole = ["BEGIN:VCALENDAR", f"METHOD:{method}", ZONE, "BEGIN:VEVENT", *lines, "END:VEVENT", "END:VCALENDAR", ""]
    return "\r\n".join(whole).replace("\r", "").replace("\n", "\r\n")


def event(*lines: str, method: str = "PUBLISH") -> str:
    (only,) = calendar.elements_of(calendar_of(*lines, method=method))
    return only.text


def test_an_event_is_one_line(tmp_path: Path) -> None:
    """Lines that were folded, even within a character, are joined; alarms and time zones say nothing."""
    content = calendar_of(
        "SUMMARY:Site inspection\\, hall 4",
        "DTSTART;TZID=Europe/Berlin:20260519T090000",
        "DTEND;TZID=Europe/Berlin:20260519T113000",
        "LOCATION:Tor Süd",
        'ORGANIZER;CN="Holm: Rita":mailto:rita@example.org',
        "ATTENDEE:MAILTO:bob@example.org",
        "DESCRIPTION:Bring helmets.\\nAsk at",
        "  the gate.",
        "BEGIN:VALARM",
        "DESCRIPTION:Reminder",
        "END:VALARM",
    ).encode()
    cut = content.index("ü".encode()) + 1
    document = parsed(tmp_path, content[:cut] + b"\r\n " + content[cut:], "inspection")
    assert document.media_type == "text/calendar"
    assert shape(document) == [
        (
            "text",
            "Site inspection, hall 4 | Start: 2026-05-19 09:00 (Europe/Berlin) | End: 2026-05-19 11:30 (Europe/Berlin)"
            " | Place: Tor Süd | Organizer: Holm: Rita <rita@example.org> | Attendees: bob@example.org"
            " | Description: Bring helmets. Ask at the gate.",
        )
    ]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["DTSTART:20260519T073000Z"], "Start: 2026-05-19 07:30 (UTC)"),
        (["DTSTART;VALUE=DATE:20260519", "DTEND;VALUE=DATE:20260520"], "Start: 2026-05-19"),
        (["DTSTART;VALUE=DATE:20260519", "DTEND;VALUE=DATE:20260523"], "Start: 2026-05-19 | End: 2026-05-22"),
        (["DTSTART:20260519T233000", "DURATION:PT1H30M"], "Start: 2026-05-19 23:30 | End: 2026-05-20 01:00"),
        (["DTSTART:20260519T233000", "DURATION:PT9999H9999999999M"], "Start: 2026-05-19 23:30"),
        (["DTSTART:20269999T990000", "DURATION:PT1H"], "Start: 2026-99-99 99:00"),
        (["RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH;UNTIL=20261231"],
         "Repeats: every 2 weeks on Monday, Thursday until 2026-12-31"),
        (["RRULE:FREQ=MONTHLY;BYDAY=2TU;COUNT=6;BYHOUR=9"], "Repeats: every month on Tuesday (2) 6 times BYHOUR=9"),
        (["EXDATE;VALUE=DATE:20260601,20260608"], "Not on: 2026-06-01, 2026-06-08"),
        (["STATUS:CANCELLED"], "Status: cancelled"),
        (["ATTACH;ENCODING=BASE64;VALUE=BINARY:QUJDREVGRw=="], ""),
        (["LOCATION;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:Caf=C3=A9 =", "Nord"], "Place: Café Nord"),
    ],
)  # fmt: skip
def test_times_and_rules_are_as_people_write_them(lines: list[str], expected: str) -> None:
    """Dates are ISO 8601 with their zone; whole days end with the last one; what is no date stays as it is."""
    assert event("SUMMARY:X", *lines) == " | ".join(filter(None, ["X", expected]))


def test_a_cancelled_meeting_says_so() -> None:
    """Also where only the calendar says it."""
    assert event("SUMMARY:X", method="CANCEL") == "X | Status: cancelled"


def test_an_invitation_is_part_of_its_mail_once(tmp_path: Path) -> None:
    """Also when it is one version of the text and attached as a file too."""
    content = calendar_of("SUMMARY:Drill", "DTSTART:20260519T073000Z")
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["Message-ID"] = "Invitation", "a@example.org", "<1@x>"
    mail.set_content("You are invited.")
    mail.add_alternative("<p>You are invited.</p>", subtype="html")
    mail.add_alternative(content, subtype="calendar", params={"method": "REQUEST"}, cte="base64")
    mail.add_attachment(content.encode(), maintype="application", subtype="ics", filename="invite.ics")
    mail.add_attachment(
        content.replace("Drill", "Other").encode(), maintype="text", subtype="calendar", filename="o.ics"
    )
    found = [element.text for element in parsed(tmp_path, mail.as_bytes(), "a.eml").elements]
    start = "Start: 2026-05-19 07:30 (UTC)"
    assert found[2:] == ["You are invited.", f"Drill | {start}", "o.ics", f"Other | {start}"]


def test_time_grows_with_the_length() -> None:
    """Of lines, of parameters and of components within one another."""
    for part in (
        "BEGIN:VEVENT\n",
        "SUMMARY;",
        'SUMMARY;A="',
        "RRULE:FREQ=DAILY;\n",
        "X;ENCODING=QUOTED-PRINTABLE:a=\n",
    ):
        assert growth(lambda size, part=part: calendar.elements_of(part * size), 3000) < 9  # type: ignore[misc]
