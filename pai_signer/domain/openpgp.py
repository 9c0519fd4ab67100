"""OpenPGP fingerprints, user IDs and key listings, read strictly (KEY-1, KEY-2).

Key listings follow "Format of the colon listings" in GnuPG's doc/DETAILS.
Fingerprints are those of version 4 keys: RFC 4880, section 12.2.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from pai_signer.domain.text import is_safe, safe_text
from pai_signer.errors import FormatError, ToolError

MAX_USER_ID_BYTES: Final = 200

_FINGERPRINT: Final = re.compile(r"[0-9A-F]{40}")
_USER_ID: Final = re.compile(r"[^<>]+ <[^<>@\s]+@[^<>@\s]+>")


def parse_fingerprint(text: str) -> str:
    """A full version 4 fingerprint, upper hex; spaces and lower case are forgiven.

    A key ID, long or short, grants no trust and is refused.
    """
    fingerprint = text.replace(" ", "").upper()
    if not _FINGERPRINT.fullmatch(fingerprint):
        raise FormatError(
            "KEY-2/fingerprint",
            f"{safe_text(text, limit=100)!r} is not an OpenPGP fingerprint.",
            "Give all 40 hexadecimal digits; a shorter key ID proves nothing.",
        )
    return fingerprint


def grouped_fingerprint(fingerprint: str) -> str:
    """Ten groups of four with a wider gap in the middle, as gpg prints it."""
    groups = [fingerprint[i : i + 4] for i in range(0, len(fingerprint), 4)]
    return f"{' '.join(groups[:5])}  {' '.join(groups[5:])}"


def check_user_id(user_id: str) -> str:
    """``NAME <ADDRESS>`` and nothing that could end its line or fake another one."""
    if (
        not _USER_ID.fullmatch(user_id)
        or not is_safe(user_id)
        or user_id != user_id.strip()
        or len(user_id.encode()) > MAX_USER_ID_BYTES
    ):
        raise FormatError(
            "KEY-1/user-id",
            f"{safe_text(user_id, limit=100)!r} cannot be the user ID of a key.",
            "Write it as NAME <ADDRESS>, without control characters or further < and >.",
        )
    return user_id


@dataclass(frozen=True)
class ListedKey:
    """One primary key or subkey of a colon listing; ``flags`` are its own capabilities.

    ``validity`` is field 2 (``e`` expired, ``r`` revoked, ``i`` invalid), ``token``
    field 15 (``#``: the secret part is not there).
    """

    is_primary: bool
    is_secret: bool
    fingerprint: str
    algorithm: str
    created_at: datetime
    expires_at: datetime | None
    validity: str
    flags: str
    token: str

    def usable_at(self, now: datetime) -> bool:
        """Neither revoked, expired nor invalid, by gpg's word and by ``now``."""
        alive = self.expires_at is None or now < self.expires_at
        return alive and self.validity[:1] not in {"e", "r", "i", "d", "n"}


@dataclass(frozen=True)
class ListedCertificate:
    """A primary key with what belongs to it."""

    primary: ListedKey
    subkeys: tuple[ListedKey, ...]
    user_ids: tuple[str, ...]

    @property
    def has_every_secret(self) -> bool:
        """Whether the secret part of the primary and of each subkey is there."""
        return all(key.is_secret and not key.token.startswith("#") for key in self.keys)

    @property
    def keys(self) -> tuple[ListedKey, ...]:
        """The primary, then the subkeys."""
        return (self.primary, *self.subkeys)

    def signing_key(self, now: datetime) -> ListedKey | None:
        """The newest usable signing subkey; else the primary, if it may sign; else none."""
        able = [k for k in self.subkeys if "s" in k.flags and k.usable_at(now)]
        if able:
            return max(able, key=lambda k: k.created_at)
        return self.primary if "s" in self.primary.flags else None


# Field 1 of key records: (is primary, is secret).
_KEY_RECORDS: Final = {
    "pub": (True, False),
    "sec": (True, True),
    "sub": (False, False),
    "ssb": (False, True),
}


def parse_key_listing(data: bytes) -> tuple[ListedCertificate, ...]:
    """Parse ``gpg --with-colons`` output. python-gnupg files subkeys under their short IDs."""
    certificates: list[ListedCertificate] = []
    keys: list[ListedKey] = []
    user_ids: list[str] = []
    pending: list[str] | None = None

    def close() -> None:
        if keys:
            certificates.append(ListedCertificate(keys[0], tuple(keys[1:]), tuple(user_ids)))
            keys.clear()
            user_ids.clear()

    for line in data.decode("utf-8", "replace").split("\n"):
        fields = line.split(":")
        if fields[0] in _KEY_RECORDS:
            if pending is not None or len(fields) < 15:
                raise not_understood("a key listing")
            pending = fields
        elif fields[0] == "fpr" and pending is not None:
            key = _listed_key(pending, fields[9] if len(fields) > 9 else "")
            pending = None
            if key.is_primary:
                close()
            elif not keys:
                raise not_understood("a key listing")
            keys.append(key)
        elif fields[0] == "uid" and len(fields) > 9:
            if not keys:
                raise not_understood("a key listing")
            # A revoked or expired user ID names nobody any more.
            if fields[1][:1] not in {"r", "e", "i"}:
                user_ids.append(_unquoted(fields[9]))
    if pending is not None:
        raise not_understood("a key listing")
    close()
    return tuple(certificates)


def parse_keygrips(data: bytes) -> tuple[str, ...]:
    """The keygrips in ``gpg --with-colons --list-secret-keys``: the agent's names of secrets."""
    lines = [line.split(":") for line in data.decode("utf-8", "replace").split("\n")]
    grips = [fields[9] if len(fields) > 9 else "" for fields in lines if fields[0] == "grp"]
    keys = sum(fields[0] in _KEY_RECORDS for fields in lines)
    # A keygrip is a SHA-1 too.
    if len(grips) != keys or not all(map(is_fingerprint, grips)):
        raise not_understood("a key listing")
    return tuple(grips)


def _listed_key(fields: list[str], fingerprint: str) -> ListedKey:
    if not _FINGERPRINT.fullmatch(fingerprint):
        raise FormatError(
            "KEY-2/fingerprint",
            "The key is not an OpenPGP key of version 4.",
            "Use a key with a fingerprint of 40 hexadecimal digits.",
        )
    is_primary, is_secret = _KEY_RECORDS[fields[0]]
    curve = fields[16] if len(fields) > 16 else ""
    return ListedKey(
        is_primary=is_primary,
        is_secret=is_secret,
        fingerprint=fingerprint,
        algorithm=safe_text(curve or f"algorithm {fields[3]}, {fields[2]} bits", limit=60),
        created_at=parse_gpg_time(fields[5]),
        expires_at=parse_gpg_time(fields[6]) if fields[6] else None,
        validity=fields[1],
        # Upper-case letters sum up the whole key; its own capabilities are lower case.
        flags="".join(c for c in fields[11] if c.islower()),
        token=fields[14],
    )


def _unquoted(value: str) -> str:
    r"""Undo the C quoting of a user ID (``\x3a`` is a colon), then make it safe to show."""
    raw = re.sub(
        rb"\\x([0-9a-fA-F]{2})",
        lambda m: bytes([int(m.group(1), 16)]),
        value.encode("utf-8", "replace"),
    )
    return safe_text(raw.decode("utf-8", "surrogateescape"), limit=MAX_USER_ID_BYTES)


def is_fingerprint(text: str) -> bool:
    """Whether ``text`` is a full fingerprint in the one form that records hold."""
    return _FINGERPRINT.fullmatch(text) is not None


def parse_gpg_time(seconds: str) -> datetime:
    """Seconds since the epoch, or ISO 8601 with a ``T`` (doc/DETAILS allows both)."""
    try:
        if "T" in seconds:
            return datetime.strptime(seconds, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise not_understood("a time") from error


def not_understood(what: str) -> ToolError:
    """The error for output of gpg that is not as doc/DETAILS says."""
    return ToolError(
        "SIG-5/gpg-output",
        f"gpg wrote {what} that this program does not understand.",
        "Use the GnuPG of Debian 12 or newer; nothing was concluded from its answer.",
    )


def expires_on(expires_at: datetime | None, day: date) -> bool:
    """Whether an expiry falls on ``day`` (UTC)."""
    return expires_at is not None and expires_at.astimezone(UTC).date() == day
