"""What is due when, from registry, ledger and profile (KEY-6). Days are calendar days in UTC."""

import enum
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from pai_signer.domain.artifact import Record
from pai_signer.domain.ledger import Ledger
from pai_signer.domain.policy import rotation_due
from pai_signer.domain.profile import Profile
from pai_signer.domain.registry import Algorithm, KeyState, RegisteredKey, Registry

#: Days before the day itself: time to find a date for two maintainers, then to hurry.
LEAD_DAYS: Final = (60, 30, 7)
_SATURDAY: Final = 5


class Urgency(enum.Enum):
    """How near it is: far off, within the lead time, due now, too late."""

    LATER = "later"
    SOON = "soon"
    DUE = "due"
    OVERDUE = "overdue"


class AvoidedDays(Record, frozen=True, kw_only=True):
    """Days on which nobody may be there to mend an expired key; (month, day), both included.

    The range may go over the end of the year.
    """

    weekends: bool = True
    first: tuple[int, int] = (12, 20)
    last: tuple[int, int] = (1, 6)

    def holds(self, day: date) -> bool:
        """Whether ``day`` is to be avoided."""
        month_day = (day.month, day.day)
        if self.first <= self.last:
            is_holiday = self.first <= month_day <= self.last
        else:
            is_holiday = month_day >= self.first or month_day <= self.last
        return is_holiday or (self.weekends and day.weekday() >= _SATURDAY)


def good_expiry_day(wanted: date, avoid: AvoidedDays) -> date:
    """``wanted``, or the last day before it that is not avoided (KEY-4).

    Earlier, never later: an expiry is a promise that may be kept early. ``ValueError``
    where every day of a whole year is avoided.
    """
    for back in range(366):
        day = wanted - timedelta(days=back)
        if not avoid.holds(day):
            return day
    raise ValueError("every day of the year is avoided")


@dataclass(frozen=True)
class Reminder:
    """One thing to do by ``day``; after ``last_day`` signing is refused.

    ``uid`` stays the same for the same duty, whatever its day becomes.
    """

    uid: str
    title: str
    text: str
    day: date
    last_day: date
    urgency: Urgency
    days_left: int
    rehearsal: bool = False
    #: Grows where its day moves although the registry stays the same.
    revision: int = 0


def reminders(
    registry: Registry,
    profile: Profile,
    now: datetime,
    *,
    lead_days: tuple[int, ...] = LEAD_DAYS,
    avoid: AvoidedDays | None = None,
) -> tuple[Reminder, ...]:
    """Everything that active keys will ask for, the nearest first.

    A day to act that falls on an avoided one is moved before it.
    """
    found = []
    avoided = avoid or AvoidedDays()
    longest_lead = max(lead_days, default=0)
    for algorithm in Algorithm:
        key = registry.signing_key(algorithm)
        if key is None:
            continue
        if algorithm is Algorithm.MINISIGN:
            found.append(_rotation(key, registry, profile, now, longest_lead, avoided))
        elif key.expires_at is not None:
            found.append(_expiry(key, key.expires_at, registry, now, longest_lead, avoided))
    return tuple(sorted(found, key=lambda reminder: (reminder.day, reminder.uid)))


def proof_reminder(
    ledger: Ledger,
    registry: Registry,
    profile: Profile,
    now: datetime,
    *,
    lead_days: tuple[int, ...] = LEAD_DAYS,
    avoid: AvoidedDays | None = None,
) -> Reminder | None:
    """By when the backups want to be proved again (POL-7): one duty for all keys.

    None where they are not proved well enough now: then it is not due, it is missing.
    """
    custody = ledger.custody(registry, profile.custody, now)
    dues = [status.due for _, status in custody if status.due is not None]
    if not custody or len(dues) != len(custody):
        return None
    last = (min(dues) - timedelta(days=1)).date()  # the last whole day
    return _reminder(
        uid="prove-backups",
        title=f"{registry.project}: prove the backups of the keys",
        text=f"pai-signer backup verify, each custodian. From {min(dues):%Y-%m-%d} on signing is "
        "refused.",
        day=good_expiry_day(last, avoid or AvoidedDays()),
        last_day=last,
        key=custody[0][0],
        now=now,
        lead=max(lead_days, default=0),
        revision=max(proof.n for _, status in custody for proof in status.pairs),
    )


def _rotation(
    key: RegisteredKey,
    registry: Registry,
    profile: Profile,
    now: datetime,
    lead: int,
    avoid: AvoidedDays,
) -> Reminder:
    due = rotation_due(key, profile).date()
    # POL-6 refuses from this moment on, so the last good day is the one before.
    last = due + timedelta(days=profile.keys.rotation_grace_days - 1)
    return _reminder(
        uid=f"rotate-minisign-{key.id}",
        title=f"{registry.project}: rotate the minisign key {key.id}",
        text=f"pai-signer key rotate minisign --reason scheduled. Signing is refused "
        f"after {last.isoformat()}.",
        day=good_expiry_day(due, avoid),
        last_day=max(last, due),
        key=key,
        now=now,
        lead=lead,
    )


def _expiry(
    key: RegisteredKey,
    expires_at: datetime,
    registry: Registry,
    now: datetime,
    lead: int,
    avoid: AvoidedDays,
) -> Reminder:
    last = (expires_at - timedelta(days=1)).date()  # the last whole day before that moment
    return _reminder(
        uid=f"extend-openpgp-{key.id}",
        title=f"{registry.project}: extend or rotate the OpenPGP key {key.id[-16:]}",
        text=f"pai-signer key extend --until YYYY-MM-DD. The key {key.id} expires on "
        f"{expires_at:%Y-%m-%d}; then nothing can be signed.",
        day=good_expiry_day(last, avoid),
        last_day=last,
        key=key,
        now=now,
        lead=lead,
    )


def _reminder(
    *,
    uid: str,
    title: str,
    text: str,
    day: date,
    last_day: date,
    key: RegisteredKey,
    now: datetime,
    lead: int,
    revision: int = 0,
) -> Reminder:
    today = now.date()
    if today > last_day:
        urgency = Urgency.OVERDUE
    elif today >= day:
        urgency = Urgency.DUE
    elif today >= day - timedelta(days=lead):
        urgency = Urgency.SOON
    else:
        urgency = Urgency.LATER
    rehearsal = key.state is KeyState.REHEARSAL
    return Reminder(
        uid=uid,
        title=f"REHEARSAL {title}" if rehearsal else title,
        text=text,
        day=day,
        last_day=last_day,
        urgency=urgency,
        days_left=(day - today).days,
        rehearsal=rehearsal,
        revision=revision,
    )
