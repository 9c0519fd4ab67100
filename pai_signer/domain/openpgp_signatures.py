"""What gpg says about the signatures on a key: ``--with-colons --check-sigs`` (KEY-4, KEY-5).

Follows "Format of the colon listings" in GnuPG's doc/DETAILS.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final

from pai_signer.domain.openpgp import not_understood, parse_gpg_time
from pai_signer.domain.text import is_safe
from pai_signer.errors import FormatError

MAX_REVOCATION_TEXT_BYTES: Final = 200


class RevocationReason(Enum):
    """Why a whole key is revoked; the values are the codes of RFC 4880, 5.2.3.23.

    gpg's menu counts differently: its 1 is *compromised*, its 2 *superseded*, its 3
    *no longer used*.
    """

    #: Soft: signatures from before the date of the revocation stay valid.
    SUPERSEDED = 1
    #: Hard: all signatures become invalid, whenever they were made.
    COMPROMISED = 2
    #: Soft, like *superseded*: the key is no longer used, and nothing took its place.
    RETIRED = 3

    @property
    def is_hard(self) -> bool:
        """Whether every signature dies with the key, whenever it was made."""
        return self is RevocationReason.COMPROMISED


def check_revocation_text(text: str) -> str:
    """One line of plain ASCII, which gpg stores as it is."""
    if (
        not text.isascii()
        or not is_safe(text)
        or text != text.strip()
        or len(text) > MAX_REVOCATION_TEXT_BYTES
    ):
        raise FormatError(
            "KEY-5/revocation-text",
            "The text of a revocation must be one line of plain ASCII.",
            f"Use at most {MAX_REVOCATION_TEXT_BYTES} letters, digits and signs, without "
            "spaces at its ends.",
        )
    return text


@dataclass(frozen=True)
class ListedSignature:
    """One signature on a part of a key; ``is_good`` if gpg checked it and it is right.

    ``fingerprint`` is the issuer's, or empty where the signature does not hold it.
    ``reason_code`` and ``text`` belong to revocations.
    """

    is_good: bool
    key_id: str
    fingerprint: str
    created_at: datetime
    signature_class: int
    reason_code: int | None
    text: str


@dataclass(frozen=True)
class ListedPart:
    """A primary key, user ID, user attribute or subkey with its signatures.

    ``record`` is ``pub``, ``uid``, ``uat`` or ``sub``; ``validity`` is field 2.
    """

    record: str
    validity: str
    signatures: tuple[ListedSignature, ...]


# Field 11: class in hex, "x" exportable or "l" local, then the reason of a revocation in hex.
_CLASS: Final = re.compile(r"([0-9a-f]{2})[xl](?:,([0-9a-f]{2}))?")


def parse_signature_listing(data: bytes) -> tuple[ListedPart, ...]:
    """Parse ``gpg --with-colons --check-sigs`` for one key."""
    parts: list[tuple[str, str, list[ListedSignature]]] = []
    for line in data.decode("utf-8", "replace").split("\n"):
        fields = line.split(":")
        if fields[0] in {"pub", "uid", "uat", "sub"}:
            if len(fields) < 2 or (fields[0] == "pub") != (not parts):
                raise not_understood("a list of signatures")
            parts.append((fields[0], fields[1], []))
        elif fields[0] in {"sig", "rev"}:
            if not parts:
                raise not_understood("a list of signatures")
            parts[-1][2].append(_listed_signature(fields))
    return tuple(ListedPart(r, validity, tuple(found)) for r, validity, found in parts)


def _listed_signature(fields: list[str]) -> ListedSignature:
    if len(fields) < 11 or not (found := _CLASS.fullmatch(fields[10])):
        raise not_understood("a list of signatures")
    return ListedSignature(
        is_good=fields[1] == "!",
        key_id=fields[4],
        fingerprint=fields[12] if len(fields) > 12 else "",
        created_at=parse_gpg_time(fields[5]),
        signature_class=int(found[1], 16),
        reason_code=int(found[2], 16) if found[2] else None,
        text=_unquoted(fields[20]) if len(fields) > 20 else "",
    )


def _unquoted(value: str) -> str:
    r"""Undo the C quoting of ASCII text (``\x3a`` is a colon)."""
    return re.sub(r"\\x([0-9a-f]{2})", lambda m: chr(int(m[1], 16)), value)


def newest_self_signature(parts: tuple[ListedPart, ...], fingerprint: str) -> datetime | None:
    """When the key with this primary fingerprint last signed a part of itself, or None."""
    return max(
        (
            signature.created_at
            for part in parts
            for signature in part.signatures
            if signature.is_good and signature.key_id == fingerprint[-16:]
        ),
        default=None,
    )


def key_revocations(parts: tuple[ListedPart, ...], fingerprint: str) -> tuple[ListedSignature, ...]:
    """The good revocations of the whole key by itself."""
    return tuple(
        signature
        for part in parts
        if part.record == "pub"
        for signature in part.signatures
        if signature.is_good
        and signature.signature_class == 0x20
        and signature.fingerprint == fingerprint
    )


def count_certifications(parts: tuple[ListedPart, ...], certifier: str) -> int:
    """How many good certifications of user IDs there are by ``certifier``."""
    user_ids = [part for part in parts if part.record == "uid"]
    return sum(_is_certification(s, certifier) for part in user_ids for s in part.signatures)


def certifies_every_user_id(parts: tuple[ListedPart, ...], certifier: str) -> bool:
    """Whether each user ID that still names somebody has a good certification by ``certifier``."""
    user_ids = [p for p in parts if p.record == "uid" and p.validity[:1] not in {"r", "e", "i"}]
    return bool(user_ids) and all(
        any(_is_certification(s, certifier) for s in part.signatures) for part in user_ids
    )


def _is_certification(signature: ListedSignature, certifier: str) -> bool:
    return (
        signature.is_good
        and signature.fingerprint == certifier
        and 0x10 <= signature.signature_class <= 0x13
    )
