"""What is due when, and the calendar file that any calendar takes (KEY-6)."""

import re
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest

import pai_signer
from pai_signer.domain.custody import KeyName
from pai_signer.domain.icalendar import MAX_LINE_OCTETS, render_calendar
from pai_signer.domain.profile import Profile, parse_profile
from pai_signer.domain.registry import KeyState
from pai_signer.domain.registry_rules import retire
from pai_signer.domain.reminders import (
    AvoidedDays,
    Reminder,
    Urgency,
    good_expiry_day,
    proof_reminder,
    reminders,
)
from tests.custody import FIRST_DAY, CustodyJournal, stick
from tests.registries import BORN, YEAR, altered, minisign_key, openpgp_key, registry

NEVER = AvoidedDays(weekends=False, first=(2, 30), last=(2, 30))


def profile() -> Profile:
    path = Path(pai_signer.__file__).parent / "profiles" / "pai.toml"
    return parse_profile(path.read_bytes())


def due(now: datetime, avoid: AvoidedDays = NEVER) -> dict[str, Reminder]:
    found = reminders(registry(), profile(), now, avoid=avoid)
    return {reminder.uid.partition("-")[0]: reminder for reminder in found}


# --- proofs of possession (POL-7) -------------------------------------------------------------


def proved_on(*days: float, keys: tuple[KeyName, ...] | None = None) -> CustodyJournal:
    """On each day one more custodian, each with a medium of their own."""
    journal = CustodyJournal()
    names = tuple(KeyName(algorithm=k.algorithm, id=k.id) for k in registry().keys)
    for number, day in enumerate(days):
        journal.proved(day, f"Person {number}", stick(f"M-{number}"), *(keys or names))
    return journal


def proof_due(journal: CustodyJournal, day: float, avoid: AvoidedDays = NEVER) -> Reminder | None:
    now = FIRST_DAY + timedelta(days=day)
    return proof_reminder(journal.ledger(), registry(), profile(), now, avoid=avoid)


@pytest.mark.parametrize(
    ("day", "urgency"),
    [
        (1, Urgency.LATER),
        (179 - 61, Urgency.LATER),
        (179 - 60, Urgency.SOON),
        (178, Urgency.SOON),
        (179, Urgency.DUE),
    ],
)
def test_the_backups_are_due_before_the_older_proof_is_too_old(day: int, urgency: Urgency) -> None:
    reminder = proof_due(proved_on(0, 1), day)
    assert reminder is not None
    assert reminder.urgency is urgency
    assert reminder.last_day == reminder.day == (FIRST_DAY + timedelta(days=179)).date()
    assert "2026-08-29" in reminder.text


def test_where_nothing_is_proved_nothing_is_due() -> None:
    assert proof_due(CustodyJournal(), 1) is None
    assert proof_due(proved_on(0), 1) is None
    assert proof_due(proved_on(0, 1), 180) is None
    one_key = (KeyName(algorithm=registry().keys[0].algorithm, id=registry().keys[0].id),)
    assert proof_due(proved_on(0, 1, keys=one_key), 2) is None


def test_a_new_proof_moves_the_event_in_every_calendar_that_has_it() -> None:
    journal = proved_on(0, 1)
    first = proof_due(journal, 2)
    names = tuple(KeyName(algorithm=k.algorithm, id=k.id) for k in registry().keys)
    journal.proved(100, "Person 0", stick("M-0"), *names)
    second = proof_due(journal, 101)
    assert first is not None
    assert second is not None
    assert (first.uid, first.day < second.day) == (second.uid, True)
    sequences = []
    for reminder in (first, second):
        data = render_calendar([reminder], project_slug="pai", sequence=2, made_at=BORN)
        sequences += [int(n) for n in re.findall(rb"SEQUENCE:(\d+)", data)]
    assert sequences[0] < sequences[1]


def test_the_day_to_prove_is_moved_before_days_on_which_nobody_is_there() -> None:
    reminder = proof_due(proved_on(0, 1), 2, AvoidedDays())  # day 179 is a Friday
    assert reminder is not None
    assert reminder.day == reminder.last_day
    moved = proof_due(proved_on(1, 2), 3, AvoidedDays())
    assert moved is not None
    assert moved.day == reminder.day


# --- days on which nobody is there ------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "good"),
    [
        ("2027-12-15", "2027-12-15"),  # a Wednesday
        ("2027-12-18", "2027-12-17"),  # a Saturday
        ("2027-12-19", "2027-12-17"),  # a Sunday
        ("2027-12-20", "2027-12-17"),  # the first holiday, behind a weekend
        ("2027-12-31", "2027-12-17"),
        ("2028-01-06", "2027-12-17"),  # the last holiday
        ("2028-01-07", "2028-01-07"),
        ("2028-02-29", "2028-02-29"),
    ],
)
def test_an_expiry_is_moved_before_weekends_and_the_end_of_the_year(wanted: str, good: str) -> None:
    assert good_expiry_day(date.fromisoformat(wanted), AvoidedDays()) == date.fromisoformat(good)


def test_the_avoided_days_are_the_profiles_to_choose() -> None:
    august = AvoidedDays(weekends=False, first=(8, 1), last=(8, 31))
    assert good_expiry_day(date(2027, 8, 14), august) == date(2027, 7, 31)
    assert good_expiry_day(date(2027, 12, 25), august) == date(2027, 12, 25)


def test_a_year_without_a_single_good_day_is_told() -> None:
    with pytest.raises(ValueError, match="every day"):
        good_expiry_day(date(2027, 1, 1), AvoidedDays(first=(1, 1), last=(12, 31)))


# --- what is due --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "urgency"),
    [
        (0, Urgency.LATER),
        (729 - 60, Urgency.LATER),
        (730 - 60, Urgency.SOON),
        (729, Urgency.SOON),
        (730, Urgency.DUE),
        (730 + 89, Urgency.DUE),
        (730 + 90, Urgency.OVERDUE),
    ],
)
def test_a_minisign_rotation_is_due_after_two_years_and_overdue_after_the_grace(
    days: int, urgency: Urgency
) -> None:
    reminder = due(BORN + timedelta(days=days))["rotate"]
    assert (reminder.urgency, reminder.days_left) == (urgency, 730 - days)


@pytest.mark.parametrize(
    ("days_before", "urgency"),
    [
        (62, Urgency.LATER),
        (61, Urgency.SOON),
        (2, Urgency.SOON),
        (1, Urgency.DUE),
        (0, Urgency.OVERDUE),
        (-30, Urgency.OVERDUE),
    ],
)
def test_an_openpgp_key_is_to_be_extended_on_the_last_whole_day_before_it_expires(
    days_before: int, urgency: Urgency
) -> None:
    assert due(BORN + YEAR - timedelta(days=days_before))["extend"].urgency is urgency


def test_a_day_to_act_never_falls_on_an_avoided_one() -> None:
    for start in range(40):
        born = BORN + timedelta(days=start)
        keys = (
            altered(minisign_key(1), created_at=born),
            altered(openpgp_key(1), expires_at=born + YEAR),
        )
        for reminder in reminders(registry(*keys), profile(), BORN):
            assert not AvoidedDays().holds(reminder.day)
            assert reminder.day <= reminder.last_day


def test_only_keys_that_sign_are_reminded_of_the_nearest_first() -> None:
    found = reminders(registry(), profile(), BORN)
    assert [reminder.uid for reminder in found] == [
        f"extend-openpgp-{openpgp_key(1).id}",
        "rotate-minisign-1",
    ]
    ended = retire(registry(), "1", reason="x", now=BORN)
    assert [r.uid.partition("-")[0] for r in reminders(ended, profile(), BORN)] == ["extend"]
    forever = registry(altered(openpgp_key(1), expires_at=None))
    assert reminders(forever, profile(), BORN) == ()


def test_a_rehearsal_reminder_says_so() -> None:
    (reminder,) = reminders(registry(minisign_key(1, KeyState.REHEARSAL)), profile(), BORN)
    assert reminder.rehearsal
    assert reminder.title.startswith("REHEARSAL ")


# --- the calendar file ----------------------------------------------------------------------------


def content_lines(data: bytes) -> list[str]:
    """RFC 5545, 3.1, checked strictly: CRLF, folding, no bare CR or LF, UTF-8."""
    assert data.endswith(b"\r\n")
    physical = data[:-2].split(b"\r\n")
    assert all(b"\r" not in line and b"\n" not in line for line in physical)
    assert all(0 < len(line) <= MAX_LINE_OCTETS for line in physical)
    assert all(line.decode("utf-8") for line in physical)  # no character was cut
    lines: list[bytes] = []
    for line in physical:
        if line[:1] in {b" ", b"\t"}:
            lines[-1] += line[1:]
        else:
            lines.append(line)
    return [line.decode("utf-8") for line in lines]


def check_calendar(data: bytes) -> list[dict[str, str]]:
    """The events of a calendar, after a strict look at structure and values."""
    events: list[dict[str, str]] = []
    open_parts: list[str] = []
    for line in content_lines(data):
        match = re.fullmatch(r"([A-Z-]+)((?:;[A-Z-]+=[^:;,]+)*):(.*)", line)
        assert match is not None, line
        name, parameters, value = match.groups()
        if name == "BEGIN":
            allowed = {"VCALENDAR": [], "VEVENT": ["VCALENDAR"], "VALARM": ["VCALENDAR", "VEVENT"]}
            assert open_parts == allowed[value]
            open_parts.append(value)
            if value == "VEVENT":
                events.append({"alarms": ""})
        elif name == "END":
            assert open_parts.pop() == value
        elif open_parts[-1] == "VEVENT":
            assert name not in events[-1], "a property stands twice"
            events[-1][name] = value
            if name in {"DTSTART", "DTEND"}:
                assert parameters == ";VALUE=DATE"
                assert re.fullmatch(r"[0-9]{8}", value)
        elif open_parts[-1] == "VALARM" and name == "TRIGGER":
            assert re.fullmatch(r"-P[1-9][0-9]*D", value)
            events[-1]["alarms"] += value
        else:
            assert name in {"VERSION", "PRODID", "ACTION", "DESCRIPTION"}
        if name in {"SUMMARY", "DESCRIPTION"}:
            assert re.fullmatch(r"(?:[^\\;,]|\\[\\;,nN])*", value)
    assert open_parts == []
    for event in events:
        assert {"UID", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "SEQUENCE"} <= set(event)
        assert re.fullmatch(r"[0-9]{8}T[0-9]{6}Z", event["DTSTAMP"])
    return events


def calendar(now: datetime = BORN, sequence: int = 2) -> bytes:
    found = reminders(registry(), profile(), now, avoid=NEVER)
    return render_calendar(found, project_slug="pai", sequence=sequence, made_at=now)


def test_the_calendar_is_well_formed_and_holds_each_reminder_as_a_whole_day() -> None:
    extend, rotate = check_calendar(calendar())
    assert rotate["DTSTART"] == f"{BORN + timedelta(days=730):%Y%m%d}"
    assert rotate["DTEND"] == f"{BORN + timedelta(days=731):%Y%m%d}"
    assert extend["DTSTART"] == f"{BORN + YEAR - timedelta(days=1):%Y%m%d}"
    assert extend["alarms"] == rotate["alarms"] == "-P60D-P30D-P7D"
    assert openpgp_key(1).id in extend["DESCRIPTION"]


def test_a_later_export_moves_the_same_events_instead_of_doubling_them() -> None:
    early, late = check_calendar(calendar()), check_calendar(calendar(BORN + YEAR / 2, 3))
    assert [e["UID"] for e in early] == [e["UID"] for e in late]
    assert len({e["UID"] for e in early}) == 2
    assert [(e["SEQUENCE"], late["SEQUENCE"]) for e, late in zip(early, late, strict=True)] == [
        ("2", "3")
    ] * 2


def test_the_time_stamp_is_utc_whatever_the_clocks_zone() -> None:
    there = BORN.astimezone(timezone(timedelta(hours=-9)))
    assert check_calendar(calendar(there))[0]["DTSTAMP"] == "20260105T120000Z"


@pytest.mark.parametrize(
    ("title", "written"),
    [
        ("a; b, c\\d", "a\\; b\\, c\\\\d"),
        ("x" * 200, "x" * 200),
        ("ü" * 100, "ü" * 100),
        ("€" * 60, "€" * 60),
        ("end\r\nBEGIN:VEVENT", "end\\\\x0d\\\\x0aBEGIN:VEVENT"),
        ("\x1b[2J", "\\\\x1b[2J"),
    ],
)
def test_no_text_breaks_out_of_its_line(title: str, written: str) -> None:
    (reminder,) = reminders(registry(minisign_key(1)), profile(), BORN)
    data = render_calendar(
        [replace(reminder, title=title)], project_slug="pai", sequence=1, made_at=BORN
    )
    (event,) = check_calendar(data)
    assert event["SUMMARY"] == written


def test_a_calendar_without_an_event_is_not_written() -> None:
    with pytest.raises(ValueError, match="nothing"):
        render_calendar([], project_slug="pai", sequence=1, made_at=BORN)
