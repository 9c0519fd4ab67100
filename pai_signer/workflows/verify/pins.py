"""Keys that whoever verifies knows from elsewhere: paper, a friend, an older download (VER-1).

A keys folder vouches for itself; a pinned key says that it is the right folder. It has to be
given in full: a key ID is short, and minisign's is not even derived from the key.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pai_signer.domain.minisig import parse_public_key
from pai_signer.domain.registry import Algorithm, KeyState, RegisteredKey, Registry
from pai_signer.domain.text import safe_text
from pai_signer.errors import FormatError, UntrustedKey, UsageError
from pai_signer.workflows.verify.verification import TAG
from pai_signer.workflows.verify.verified import Unchecked, Verified
from pai_signer.workflows.verify.vouching import shown_key

_FINGERPRINT: Final = re.compile(r"[0-9A-F]{40}", re.ASCII)


@dataclass(frozen=True)
class Pins:
    """Full fingerprints of OpenPGP keys, and minisign public keys as their base64 lines."""

    openpgp: tuple[str, ...] = ()
    minisign: tuple[str, ...] = ()

    @classmethod
    def of(cls, fingerprints: Iterable[str], minisign_keys: Iterable[str]) -> "Pins":
        """Check what was typed; ``UsageError`` for anything but whole keys."""
        openpgp = tuple("".join(text.split()).upper() for text in fingerprints)
        for text in openpgp:
            if not _FINGERPRINT.fullmatch(text):
                raise _not_whole(text, "an OpenPGP fingerprint has 40 hex digits")
        minisign = tuple(text.strip() for text in minisign_keys)
        for text in minisign:
            try:
                parse_public_key(text)
            except FormatError as error:
                raise _not_whole(text, "a minisign public key is a line RW...") from error
        return cls(openpgp, minisign)

    def check_are_known(self, registry: Registry) -> None:
        """``UntrustedKey`` where a pinned key is not in the registry, or is compromised."""
        for pin in (*self.openpgp, *self.minisign):
            key = self._find(registry, pin)
            if key is None:
                raise UntrustedKey(
                    "VER-1/pin",
                    f"The key that you gave is not in this folder: {safe_text(pin, limit=80)}.",
                    "Either it is not the project's folder, or what you gave is not its key. "
                    "Trust nothing here before you know which.",
                )
            if key.life is KeyState.COMPROMISED:
                raise UntrustedKey(
                    "VER-1/pin-compromised",
                    f"The key that you gave is compromised: {shown_key(key)}.",
                    "It vouches for nothing any more. Get the current key on another way, and "
                    "see the project's security page.",
                )

    def check_vouch(
        self, registry: Registry, verified: Verified, manifest_name: str, unchecked: Unchecked
    ) -> None:
        """Each pinned key signed the registry, or, retired by now, the release itself.

        Raises ``UntrustedKey`` if one did neither, and what is in ``unchecked`` where that
        could not be told.
        """
        thing = manifest_name if verified.manifest else TAG
        for pin in (*self.openpgp, *self.minisign):
            key = self._find(registry, pin)
            if key is None:
                raise RuntimeError("its being known is checked first")
            if unchecked and key.algorithm is Algorithm.OPENPGP:
                raise unchecked[-1]
            # Every key that can sign signed the registry: that was verified.
            if not key.can_sign and key.id not in verified.signers_of.get(thing, ()):
                raise UntrustedKey(
                    "VER-1/pin-retired",
                    f"The key that you gave is retired ({shown_key(key)}), and this release is "
                    "not signed by it.",
                    "Compare the new key on another way: the transition statement beside the "
                    "keys is signed by the old one.",
                )

    @staticmethod
    def _find(registry: Registry, pin: str) -> RegisteredKey | None:
        return next((key for key in registry.keys if pin in (key.id, key.public_key)), None)


NO_PINS: Final = Pins()


def _not_whole(text: str, what: str) -> UsageError:
    return UsageError(
        "VER-1/pin-not-whole",
        f"{safe_text(text, limit=80)!r} is no whole key: {what}.",
        "Give the whole of it; a key ID can be copied by anybody.",
    )
