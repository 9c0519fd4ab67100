"""When a certificate itself says that it expires, as gpg reads it (CUS-2).

A backup holds the certificate of its day. Restored after an extension without the newer
certificate beside it, the key is expired, and gpg's message for that is "No secret key". So
a proof looks at what lies on the medium. Nothing is verified here: whoever asks holds bytes
that a signed manifest vouches for.

Key material: RFC 4880, 5.5.2. Signatures: 5.2.3; key expiration time 5.2.3.6, creation time
5.2.3.4, issuer 5.2.3.5 and its fingerprint (RFC 9580, 5.2.3.35), key flags 5.2.3.21.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from pai_signer.domain.openpgp_certificate import (
    Packet,
    dearmored,
    primary_fingerprint,
    split_packets,
    subpackets,
)
from pai_signer.domain.registry import LAST_TIME
from pai_signer.errors import FormatError

_PRIMARY: Final = 6
_SUBKEY: Final = 14
_SIGNATURE: Final = 2
_CREATED: Final = 2
_EXPIRES_AFTER: Final = 9
_ISSUER: Final = 16
_FLAGS: Final = 27
_ISSUER_FINGERPRINT: Final = 33
_MAY_SIGN: Final = 0x02
#: Statements of a key about itself and its user IDs, and about a subkey.
_ABOUT_PRIMARY: Final = frozenset({0x10, 0x11, 0x12, 0x13, 0x1F})
_BINDING: Final = 0x18
_SUBKEY_REVOCATION: Final = 0x28


@dataclass(frozen=True)
class _Statement:
    """The newest self-signature on one key: until when, and whether it may sign."""

    expires_at: datetime | None
    may_sign: bool


def certificate_expiry(block: str) -> datetime | None:
    """When this certificate can sign no more, in UTC; None for never.

    The primary's end, or the end of its last signing subkey where that is earlier. Raises
    ``FormatError`` for what is no certificate with readable self-signatures.
    """
    fingerprint = bytes.fromhex(primary_fingerprint(block))
    primary, *rest = _parts(split_packets(dearmored(block)))
    whole = _newest(primary, _ABOUT_PRIMARY, fingerprint)
    if whole is None:
        raise _unreadable()
    ends = [whole.expires_at]
    if not whole.may_sign:
        subkeys = [
            found
            for part in rest
            if not any(s.signature_class == _SUBKEY_REVOCATION for s in part[1:])
            and (found := _newest(part, {_BINDING}, fingerprint)) is not None
            and found.may_sign
        ]
        if not subkeys:
            raise _unreadable()
        ends.append(max((s.expires_at for s in subkeys), key=_never_last))
    return min(ends, key=_never_last)


def _never_last(moment: datetime | None) -> datetime:
    return moment or LAST_TIME


def _parts(packets: Iterable[Packet]) -> list[list[Packet]]:
    """Each key with the signatures behind it; those on user IDs are the primary's."""
    parts: list[list[Packet]] = []
    for packet in packets:
        if packet.tag in (_PRIMARY, _SUBKEY):
            parts.append([packet])
        elif packet.tag == _SIGNATURE:
            parts[-1].append(packet)
    return parts


def _newest(
    part: Sequence[Packet], classes: Iterable[int], fingerprint: bytes
) -> _Statement | None:
    """What the key ``fingerprint`` said last about the key that ``part`` begins with."""
    born = datetime.fromtimestamp(int.from_bytes(part[0].body[1:5], "big"), UTC)
    newest: tuple[int, _Statement] | None = None
    for signature in part[1:]:
        if signature.signature_class not in classes:
            continue
        body = signature.body
        length = int.from_bytes(body[4:6], "big")
        hashed = subpackets(body[6:], length)
        rest = body[6 + length :]
        unhashed = subpackets(rest[2:], int.from_bytes(rest[:2], "big"))
        if hashed is None or unhashed is None:
            raise _unreadable()
        issuers = {data for kind, data in (*hashed, *unhashed) if kind == _ISSUER}
        issuers |= {data[1:] for kind, data in hashed if kind == _ISSUER_FINGERPRINT}
        if not issuers & {fingerprint, fingerprint[-8:]}:
            continue  # somebody else vouches for it; that says nothing about its expiry
        said = dict(hashed)
        at = int.from_bytes(said.get(_CREATED, b""), "big")
        seconds = int.from_bytes(said.get(_EXPIRES_AFTER, b""), "big")
        statement = _Statement(
            born + timedelta(seconds=seconds) if seconds else None,
            bool((said.get(_FLAGS) or b"\0")[0] & _MAY_SIGN),
        )
        if newest is None or at >= newest[0]:
            newest = (at, statement)
    return newest[1] if newest else None


def _unreadable() -> FormatError:
    return FormatError(
        "CUS-2/certificate",
        "The certificate does not say of itself until when it can sign.",
        "Write a new backup; this one does not hold what it should.",
    )
