"""What gpg says about a signature, judged strictly (SIG-5).

Exit codes of gpg are not evidence: it ends with 0 for expired keys, revoked
keys and a signature dated 2099. So its status lines are parsed instead, as
GnuPG's doc/DETAILS ("Format of the --status-fd output") defines them, and each
signature is judged on its own.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pai_signer.domain.openpgp import (
    ListedCertificate,
    is_fingerprint,
    not_understood,
    parse_gpg_time,
)
from pai_signer.domain.text import safe_text
from pai_signer.errors import BadSignature, CannotTell, UntrustedKey

#: The low 16 bits of a gpg-error number, from libgpg-error's err-codes.h.
GPG_BAD_PASSPHRASE: Final = 11
GPG_NO_SECRET_KEY: Final = 17
GPG_UNUSABLE_SECRET_KEY: Final = 54
GPG_NO_AGENT: Final = 77

#: The code of the error for a signature by none of the expected keys.
UNKNOWN_KEY: Final = "SIG-5/unknown-key"
_PREFIX: Final = "[GNUPG:] "
_MISSING_PUBLIC_KEY: Final = "9"  # the RC of ERRSIG
_BINARY_DOCUMENT: Final = "00"  # RFC 4880, 5.2.1
#: Hash algorithms that still hold, RFC 4880, 9.4: SHA-256, SHA-384, SHA-512, SHA-224.
_STRONG_HASHES: Final = frozenset({"8", "9", "10", "11"})
#: "For each signature only one of these codes will be emitted."
_VERDICTS: Final = frozenset({"GOODSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG", "BADSIG", "ERRSIG"})


@dataclass(frozen=True)
class StatusLine:
    """One ``[GNUPG:]`` line: its keyword and its arguments."""

    keyword: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class SignedBy:
    """Who made a signature that is mathematically right, and when it says so (UTC)."""

    primary_fingerprint: str
    signing_fingerprint: str
    created_at: datetime


class KeyExpired(UntrustedKey):
    """The signature is right and its key is an expected one, but it has expired.

    ``code`` tells a signature that was made in the key's lifetime
    (``SIG-5/key-expired-since``) from one made later (``SIG-5/signed-after-expiry``).
    The first may still be accepted for an old release; ``signed_by`` is for that.
    """

    def __init__(self, signed_by: SignedBy, *, made_in_time: bool) -> None:
        primary = signed_by.primary_fingerprint
        if made_in_time:
            super().__init__(
                "SIG-5/key-expired-since",
                f"The signature is right and was made in time, but its key {primary} "
                "has expired since.",
                "For an old release this is to be expected; for a new one, extend the key.",
            )
        else:
            super().__init__(
                "SIG-5/signed-after-expiry",
                f"The signature was made after its key {primary} had expired.",
                "Look for the key's renewed certificate; without it, do not trust this.",
            )
        self.signed_by = signed_by
        self.made_in_time = made_in_time


def parse_status(data: bytes) -> tuple[StatusLine, ...]:
    """Split what gpg wrote to its status descriptor; ``ToolError`` for any other line."""
    lines = []
    for line in data.decode("utf-8", "replace").split("\n"):
        if not line:
            continue
        if not line.startswith(_PREFIX):
            raise not_understood("a status line")
        keyword, *arguments = line.removeprefix(_PREFIX).split(" ")
        lines.append(StatusLine(keyword, tuple(arguments)))
    return tuple(lines)


def failure_codes(lines: Iterable[StatusLine]) -> frozenset[int]:
    """The gpg-error codes in FAILURE and ERROR lines, without their source part."""
    return frozenset(
        int(number.group()) & 0xFFFF
        for line in lines
        if line.keyword in {"FAILURE", "ERROR"} and len(line.arguments) > 1
        if (number := re.match(r"[0-9]{1,10}", line.arguments[1]))
    )


def signature_created_by(lines: Iterable[StatusLine]) -> str | None:
    """The key that made the one detached signature, or None if gpg made anything else.

    ``SIG_CREATED <type> <pk_algo> <hash_algo> <class> <timestamp> <keyfpr>``.
    """
    made = [line.arguments for line in lines if line.keyword == "SIG_CREATED"]
    if len(made) != 1 or len(made[0]) < 6 or made[0][0] != "D" or made[0][3] != _BINARY_DOCUMENT:
        return None
    return made[0][5]


def judge_signature(
    status: bytes,
    certificates: Sequence[ListedCertificate],
    fingerprints: Iterable[str],
    now: datetime,
) -> SignedBy:
    """Decide from the status lines of one ``gpg --verify`` whether its signature is good.

    Good is exactly one signature, one verdict and one VALIDSIG that agree, by a
    primary key in ``fingerprints``, dated not after ``now``. Raises ``BadSignature``
    where it is wrong, ``UntrustedKey`` where its key is another one, revoked or
    expired (``KeyExpired``), ``CannotTell`` where gpg could not check it.
    ``certificates`` list the keys that gpg had, for their expiry dates.
    """
    lines = parse_status(status)
    verdict = _one_verdict(lines)
    if verdict.keyword == "BADSIG":
        raise BadSignature(
            "SIG-5/bad-signature",
            "The OpenPGP signature does not belong to this content.",
            "Do not use it; fetch the file and its signature again from a trusted place.",
        )
    if verdict.keyword == "ERRSIG":
        raise _not_checked(verdict)
    signed_by = _validsig([line for line in lines if line.keyword == "VALIDSIG"], verdict)
    if signed_by.primary_fingerprint not in frozenset(fingerprints):
        raise _unknown_key(signed_by.primary_fingerprint)
    # Of a key that has expired as well, gpg says EXPKEYSIG, and KEYREVOKED beside it.
    if verdict.keyword == "REVKEYSIG" or any(line.keyword == "KEYREVOKED" for line in lines):
        raise UntrustedKey(
            "SIG-5/key-revoked",
            f"The signature was made by the revoked key {signed_by.primary_fingerprint}.",
            "Do not trust it; look for the notice about this key and for a newer signature.",
        )
    if verdict.keyword == "EXPSIG":
        raise BadSignature(
            "SIG-5/signature-expired",
            "The OpenPGP signature itself carries an expiry date, which has passed.",
            "Ask for a new signature.",
        )
    if signed_by.created_at > now:
        raise BadSignature(
            "SIG-5/future-date",
            f"The signature is dated {signed_by.created_at:%Y-%m-%d %H:%M:%S} UTC, "
            "which lies in the future.",
            "Check this machine's clock; if it is right, do not trust the signature.",
        )
    expires_at = _expiry(signed_by, certificates)
    if verdict.keyword == "EXPKEYSIG" or (expires_at is not None and expires_at <= now):
        in_time = expires_at is not None and signed_by.created_at < expires_at
        raise KeyExpired(signed_by, made_in_time=in_time)
    return signed_by


def _one_verdict(lines: Sequence[StatusLine]) -> StatusLine:
    verdicts = [line for line in lines if line.keyword in _VERDICTS]
    began = sum(line.keyword == "NEWSIG" for line in lines)
    if began > 1 or len(verdicts) > 1:
        raise BadSignature(
            "SIG-5/several-signatures",
            "There is more than one signature where one was expected.",
            "Take the single signature that the release came with.",
        )
    if began != 1 or len(verdicts) != 1:
        raise _unchecked("gpg found no signature that it could check")
    return verdicts[0]


def _validsig(lines: Sequence[StatusLine], verdict: StatusLine) -> SignedBy:
    """``VALIDSIG <fpr> <date> <time> <expires> <version> - <pk> <hash> <class> <primary>``."""
    if len(lines) != 1 or len(lines[0].arguments) < 10:
        raise _unchecked("gpg did not confirm the signature with one fingerprint")
    fpr, _, created, _, version, _, _, hash_algorithm, sig_class, primary, *_ = lines[0].arguments
    key_id = verdict.arguments[0] if verdict.arguments else ""
    if not is_fingerprint(fpr) or not is_fingerprint(primary):
        raise _unchecked("the key's fingerprint is not of version 4")
    if len(key_id) < 16 or not fpr.endswith(key_id):
        raise _unchecked("gpg's status lines speak of different keys")
    if hash_algorithm not in _STRONG_HASHES:
        raise BadSignature(
            "SIG-5/weak-digest",
            "The signature rests on a hash algorithm that is broken or unknown.",
            "Ask for a new signature with SHA-256 or SHA-512.",
        )
    if (version, sig_class) != ("4", _BINARY_DOCUMENT):
        raise BadSignature(
            "SIG-5/signature-type",
            "The signature is not a signature over a file.",
            "Take the detached signature that the release came with.",
        )
    return SignedBy(primary, fpr, parse_gpg_time(created))


def _expiry(signed_by: SignedBy, certificates: Iterable[ListedCertificate]) -> datetime | None:
    """The earlier expiry of the signing key and its primary, or None for never."""
    wanted = {signed_by.primary_fingerprint, signed_by.signing_fingerprint}
    return min(
        (
            key.expires_at
            for certificate in certificates
            for key in (certificate.primary, *certificate.subkeys)
            if key.fingerprint in wanted and key.expires_at is not None
        ),
        default=None,
    )


def _not_checked(verdict: StatusLine) -> UntrustedKey | CannotTell:
    """``ERRSIG <keyid> <pkalgo> <hashalgo> <sig_class> <time> <rc> <fpr>``."""
    if len(verdict.arguments) > 5 and verdict.arguments[5] == _MISSING_PUBLIC_KEY:
        return _unknown_key(safe_text(verdict.arguments[0], limit=40))
    return _unchecked("gpg does not support its algorithm or format")


def _unknown_key(shown: str) -> UntrustedKey:
    return UntrustedKey(
        UNKNOWN_KEY,
        f"The signature was made by key {shown}, which is none of the expected ones.",
        "Do not trust it because it looks alike: compare full fingerprints.",
    )


def _unchecked(why: str) -> CannotTell:
    return CannotTell(
        "SIG-5/unchecked",
        f"The OpenPGP signature could not be checked: {why}.",
        "Nothing is known about it, so do not trust it; take the original signature.",
    )
