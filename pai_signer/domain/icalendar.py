"""Reminders as an iCalendar file, RFC 5545 (KEY-6).

All-day events have no time zone that could be wrong (3.3.4, 3.8.2.4); lines end with CRLF
and are folded at 75 octets (3.1); text is escaped (3.3.11). The UID of a duty is the same in
every export and ``SEQUENCE`` grows (3.8.7.4), so that importing a newer file moves the event
instead of doubling it.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from pai_signer.domain.reminders import LEAD_DAYS, Reminder
from pai_signer.domain.text import safe_text

CALENDAR_NAME: Final = "reminders.ics"
MAX_LINE_OCTETS: Final = 75


def render_calendar(
    reminders: Sequence[Reminder],
    *,
    project_slug: str,
    sequence: int,
    made_at: datetime,
    lead_days: tuple[int, ...] = LEAD_DAYS,
) -> bytes:
    """The file; ``sequence`` is the registry's serial, which grows with each change of a key's day.

    ``ValueError`` for no reminders: a calendar without an event is not valid (3.6).
    """
    if not reminders:
        raise ValueError("there is nothing to be reminded of")
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//pai-signer//reminders//EN"]
    for reminder in reminders:
        lines += _event(reminder, project_slug, sequence, made_at, lead_days)
    lines.append("END:VCALENDAR")
    return b"".join(part + b"\r\n" for line in lines for part in _folded(line))


def _event(
    reminder: Reminder, slug: str, sequence: int, made_at: datetime, lead_days: tuple[int, ...]
) -> Iterator[str]:
    following = reminder.day + timedelta(days=1)  # DTEND is not included
    yield "BEGIN:VEVENT"
    yield f"UID:{reminder.uid}@{slug}.pai-signer.invalid"
    yield f"DTSTAMP:{made_at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    yield f"SEQUENCE:{sequence + reminder.revision}"
    yield f"DTSTART;VALUE=DATE:{reminder.day:%Y%m%d}"
    yield f"DTEND;VALUE=DATE:{following:%Y%m%d}"
    yield f"SUMMARY:{_escaped(reminder.title)}"
    yield f"DESCRIPTION:{_escaped(reminder.text)}"
    yield "TRANSP:TRANSPARENT"
    for days in sorted(lead_days, reverse=True):
        yield "BEGIN:VALARM"
        yield "ACTION:DISPLAY"
        yield f"DESCRIPTION:{_escaped(reminder.title)}"
        yield f"TRIGGER:-P{days}D"
        yield "END:VALARM"
    yield "END:VEVENT"


def _escaped(text: str) -> str:
    r"""``\``, ``;`` and ``,`` with a backslash before them; nothing unprintable gets here."""
    safe = safe_text(text).replace("\\", "\\\\")
    return safe.replace(";", "\\;").replace(",", "\\,")


def _folded(line: str) -> Iterator[bytes]:
    """At most 75 octets a line, never cut inside a character; a space begins what follows."""
    part = b""
    for char in line:
        octets = char.encode()
        if len(part) + len(octets) > MAX_LINE_OCTETS:
            yield part
            part = b" "
        part += octets
    yield part
