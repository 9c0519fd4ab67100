"""The dates that go into an OpenPGP key, and the clock that they are made by (KEY-4, POL-8).

A date in a key's own signature stays for ever. So the clock is checked before any key is
touched, and an expiry falls on a day on which somebody is there to see to it.
"""

from datetime import date, datetime, timedelta
from typing import Final

from pai_signer import BUILD_DATE
from pai_signer.domain.registry import RegisteredKey
from pai_signer.domain.reminders import AvoidedDays, good_expiry_day
from pai_signer.domain.text import safe_text
from pai_signer.errors import PolicyRefused, UsageError
from pai_signer.workflows.engine import NO, YES
from pai_signer.workflows.workbench import Workbench

#: The answer of flags alone: nobody was there to look at a watch.
NOT_COMPARED: Final = "not-compared"


def parse_day(text: str) -> date:
    """A calendar day as ``YYYY-MM-DD``; ``UsageError`` for anything else."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    # fromisoformat takes 20271217 and 2027-W50-5 too.
    if day is None or day.isoformat() != text:
        raise UsageError(
            "KEY-4/date",
            f"{safe_text(text, limit=40)!r} is not a day.",
            "Write it as YYYY-MM-DD, such as 2027-12-17.",
        )
    return day


def proposed_day(bench: Workbench) -> date:
    """The day that the profile's validity leads to, never on a weekend or a holiday (KEY-4)."""
    days = timedelta(days=bench.profile.keys.openpgp_validity_days)
    return good_expiry_day((bench.clock.now() + days).date(), AvoidedDays())


def check_day(bench: Workbench, key: RegisteredKey, until: date) -> None:
    """Refuse a day on which nobody may be there, one that is not later, one too far away."""
    last_good = good_expiry_day(until, AvoidedDays())
    if last_good != until:
        raise UsageError(
            "KEY-4/avoided-day",
            f"{until} is on a weekend or in the holidays, when nobody may be there to mend "
            "an expired key.",
            f"Take {last_good}, the last good day before it.",
        )
    if key.expires_at is not None and until <= key.expires_at.date():
        raise PolicyRefused(
            "KEY-4/not-later",
            f"The key expires on {key.expires_at:%Y-%m-%d}; {until} is not later.",
            "Give a later day, or wait: an extension is due once a year.",
        )
    longest = 2 * bench.profile.keys.openpgp_validity_days
    if until > (bench.clock.now() + timedelta(days=longest)).date():
        raise PolicyRefused(
            "KEY-4/too-far",
            f"{until} is more than {longest} days away: an expiry that far protects nobody "
            "from a lost key.",
            f"Give a nearer day, such as {proposed_day(bench)}.",
        )


def latest_known(bench: Workbench, last_step: datetime | None = None) -> tuple[datetime, str]:
    """The latest moment that has surely passed, and what says so.

    ``last_step`` is when the ceremony in hand was last seen to go on.
    """
    bounds = [(BUILD_DATE, "this program's own date")]
    bounds.append((bench.registry().changed_at, "the registry's last change"))
    last = bench.last_entry_at()
    if last is not None:
        bounds.append((last, "the last journal entry"))
    if last_step is not None:
        bounds.append((last_step, "the last step of this ceremony"))
    return max(bounds, key=lambda bound: bound[0])


def check_clock(
    bench: Workbench,
    answer: str,
    *,
    last_step: datetime | None = None,
    looked_at: datetime | None = None,
) -> None:
    """POL-8 before a key is touched: a self-signature under a wrong clock stays for ever.

    ``answer`` is what somebody said of the clock, as against a watch: ``YES``, ``NO`` or
    ``NOT_COMPARED``. A clock that nobody compared may not be far ahead of what is known: the
    last journal entry, or the moment at which people looked at the clock (``looked_at``).
    """
    now = bench.clock.now()
    earliest, what = latest_known(bench, last_step)
    if now < earliest:
        raise _wrong_clock(f"The clock says {now:%Y-%m-%d %H:%M} UTC, before {what}.")
    if answer == NO:
        raise _wrong_clock("The clock is not right.")
    known = [moment for moment in (bench.last_entry_at(), looked_at) if moment is not None]
    longest = timedelta(days=bench.profile.clock.longest_jump_days)
    if answer != YES and known and now - max(known) > longest:
        raise _wrong_clock(
            f"The clock says {now:%Y-%m-%d}, long after the last journal entry of "
            f"{max(known):%Y-%m-%d}, and nobody compared it with a watch."
        )


def _wrong_clock(summary: str) -> PolicyRefused:
    return PolicyRefused(
        "POL-8/clock",
        summary,
        "Compare it with a watch and set it (as root: date -u -s 'YYYY-MM-DD HH:MM'), then "
        "start again.",
    )


def has_expired(key: RegisteredKey, now: datetime) -> bool:
    """Whether the key's expiry is past; a key without one never expires."""
    return key.expires_at is not None and key.expires_at <= now
