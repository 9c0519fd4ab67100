"""Ending a key before its time: which key may be revoked for what, and what follows (KEY-5).

The registry is the oracle: it says retired or compromised, and an OpenPGP certificate's own
revocation says the same to tools that have never heard of a registry.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

from pai_signer.domain.openpgp_certificate import key_revocation_codes, without_key_revocations
from pai_signer.domain.openpgp_signatures import RevocationReason
from pai_signer.domain.registry import Algorithm, KeyState, RegisteredKey, Registry
from pai_signer.errors import PolicyRefused, UntrustedKey, UsageError

RevokeReason = Literal["compromised", "superseded", "retired"]

PACKET_REASONS: Final[Mapping[RevokeReason, RevocationReason]] = {
    "compromised": RevocationReason.COMPROMISED,
    "superseded": RevocationReason.SUPERSEDED,
    "retired": RevocationReason.RETIRED,
}

#: What stock tools say, after it was published, of signatures made before it; tried with
#: gpg and gpgv 2.2.40 and sqv 1.1 (a test tries it again).
_GPG: Final = "gpg --verify: good, exit code 0, with a WARNING that the key was revoked"
_GPGV: Final = "gpgv: good, exit code 0, no warning: it does not look at revocations at all"
STOCK_TOOLS_SOFT: Final = (
    _GPG,
    _GPGV,
    "sqv: good, if the signature was made before the revocation; later ones are refused",
)
STOCK_TOOLS_HARD: Final = (
    _GPG,
    _GPGV,
    "sqv: refused, whenever it was made: a hard revocation reaches back to the key's birth",
)
STOCK_TOOLS_MINISIGN: Final = (
    "minisign -V: good for ever. It knows no revocation: only the notice tells people.",
)


def stock_tools(algorithm: Algorithm, reason: RevokeReason) -> tuple[str, ...]:
    """What stock tools will say of the key's signatures, one line for each tool."""
    if algorithm is Algorithm.MINISIGN:
        return STOCK_TOOLS_MINISIGN
    return STOCK_TOOLS_HARD if PACKET_REASONS[reason].is_hard else STOCK_TOOLS_SOFT


def check_revocable(registry: Registry, key_id: str, reason: RevokeReason) -> RegisteredKey:
    """The key, if it can be revoked for ``reason``; ``PolicyRefused`` says why not.

    What is revoked stays revoked; and somebody has to sign the registry that says so.
    """
    key = registry.find(key_id)
    if key.life is KeyState.COMPROMISED:
        raise _refused(
            "KEY-5/revoked-already",
            f"The key {key.id} is marked as compromised already, since {key.state_since:%Y-%m-%d}.",
            "There is no way back. Publish what was made then: pai-signer key publish DIR",
        )
    if reason != "compromised":
        _check_soft(key, reason)
    if not any(other.can_sign for other in registry.keys if other.id != key.id):
        other = "gpg" if key.algorithm is Algorithm.MINISIGN else "minisign"
        raise _refused(
            "KEY-5/nobody-left-to-sign",
            f"{key.id} is the only key that can sign: nobody could vouch for the registry in "
            "which it is revoked.",
            f"Make a key of the other system first (pai-signer key generate --only {other}, or "
            f"pai-signer key rotate {other} --reason compromised), then revoke this one.",
        )
    return key


def _check_soft(key: RegisteredKey, reason: RevokeReason) -> None:
    if key.can_sign and reason == "superseded":
        raise _refused(
            "KEY-5/no-successor",
            f"Nothing has taken the place of {key.id} yet, so it is not superseded.",
            "Rotate it (pai-signer key rotate minisign|gpg --reason scheduled), or give "
            "--reason retired where no key will follow.",
        )
    if key.can_sign:
        return
    if key.algorithm is Algorithm.MINISIGN:
        raise _refused(
            "KEY-5/nothing-to-revoke",
            f"The minisign key {key.id} is {key.life.value} already, and minisign knows no "
            "revocation that could be published.",
            "Nothing needs to be done. If it is in other hands: --reason compromised.",
        )
    if key_revocation_codes(key.public_key):
        raise _refused(
            "KEY-5/revoked-already",
            f"The certificate of {key.id} holds a revocation already.",
            "Nothing needs to be done. If it is in other hands: --reason compromised.",
        )


def check_certificate_wanted(key: RegisteredKey, reason: RevokeReason) -> None:
    """A prepared revocation is for a compromised OpenPGP key only; ``UsageError`` if not.

    A soft one made at birth would make strict verifiers refuse all that was signed since.
    """
    if key.algorithm is Algorithm.MINISIGN or reason != "compromised":
        raise UsageError(
            "KEY-5/certificate",
            "A prepared revocation certificate is for a compromised OpenPGP key only.",
            "Leave --certificate away.",
        )


def judged_certificate(key: RegisteredKey) -> str:
    """The certificate to check old signatures with: the registry tells of revocations, not it.

    Else gpg would call every signature of a retired key revoked, whatever the reason. Of a key
    that signs now, a revocation is left in: there it contradicts the registry.
    """
    if key.algorithm is Algorithm.MINISIGN or key.can_sign:
        return key.public_key
    return without_key_revocations(key.public_key)


def check_no_hidden_compromise(key: RegisteredKey) -> None:
    """Refuse a key whose certificate was revoked harder than the registry says.

    ``UntrustedKey`` for a retired key with any revocation that is not known to be soft.
    """
    if key.algorithm is Algorithm.MINISIGN or key.life is not KeyState.RETIRED:
        return
    soft = {reason.value for reason in RevocationReason if not reason.is_hard}
    if not soft.issuperset(key_revocation_codes(key.public_key)):
        raise UntrustedKey(
            "KEY-5/hidden-compromise",
            f"The certificate of {key.id} was revoked as compromised, and the registry calls "
            f"it {key.life.value}.",
            "Do not trust its signatures. Get the whole keys folder again; if it stays so, ask "
            "the project.",
        )


def check_made_in_use(key: RegisteredKey, made_at: datetime) -> None:
    """Refuse an OpenPGP signature that a retired key made after its retirement, as it says.

    ``UntrustedKey``. Whoever has the key can date a signature back; but nobody honest signs
    with a key that is out of use, and strict verifiers refuse it by the revocation alike.
    """
    if key.life is KeyState.RETIRED and key.state_since is not None and made_at > key.state_since:
        raise UntrustedKey(
            "KEY-5/signed-after-retirement",
            f"The signature is of {made_at:%Y-%m-%d %H:%M:%S} UTC, after its key {key.id} had "
            f"been retired ({key.state_since:%Y-%m-%d %H:%M:%S}).",
            "Do not trust it: somebody signs with a key that is out of use. Ask the project.",
        )


def _refused(code: str, summary: str, hint: str) -> PolicyRefused:
    return PolicyRefused(code, summary, hint, unchanged="No key was revoked.")
