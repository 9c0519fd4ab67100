"""Rotate the OpenPGP key (KEY-4): what is OpenPGP's own in the ceremony of ``rotation``.

The old and the new key certify each other. The old one is retired and never revoked for
it: stock ``gpgv`` has to accept what it signed for ever.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, cast

import msgspec

from pai_signer.domain.openpgp import grouped_fingerprint
from pai_signer.domain.page import Line, Mark
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm, RegisteredKey, Registry
from pai_signer.domain.registry_rules import replace_certificate, rotate
from pai_signer.domain.secret import Secret
from pai_signer.workflows.ceremony.frame import Plan
from pai_signer.workflows.engine import Wipeable
from pai_signer.workflows.keys.birth_revocations import keep_birth_revocations
from pai_signer.workflows.keys.key_dates import proposed_day
from pai_signer.workflows.keys.new_keys import registered_openpgp, signing_user_id
from pai_signer.workflows.keys.rotation_system import COMPROMISE_PURPOSE, NEW, Reason, RotatedSystem
from pai_signer.workflows.keys.sign_registry import GPG

_PURPOSE: Final = (
    "A new OpenPGP key takes the place of the one in use. The two keys certify "
    "each other. The old key signs once more, to say so, and is retired: it is not "
    "revoked, it stays published, and what it signed stays good."
)


class OpenPgpRotation(RotatedSystem):
    """A new certifying primary with a signing subkey, vouched for by the old one."""

    algorithm = Algorithm.OPENPGP
    key_name = "OpenPGP key"
    made_of = "Ed25519 primary that certifies, with a signing subkey"

    def plan(self, reason: Reason) -> Plan:
        """What this ceremony is for, and what it needs on the table."""
        return Plan(
            name="rotate-gpg",
            title="Rotate the OpenPGP key",
            purpose=(
                COMPROMISE_PURPOSE.format(key_name=self.key_name)
                if reason == "compromised"
                else _PURPOSE
            ),
            command=f"key rotate gpg --reason {reason}",
            materials=(
                "this script on paper, and a pen",
                "the passphrases of the OpenPGP key and the minisign key in use",
                "paper and an envelope for the new passphrase: six or more random words",
                "a clock or watch of each maintainer, set right today",
                "a medium to carry the published keys to the online machine",
                "another medium, apart from every backup, for the revocation certificates",
            ),
        )

    def strays(self, known: Collection[str]) -> tuple[str, ...]:
        """Fingerprints of keys in the vault that are not ``known``, whole or not."""
        return self.bench.openpgp.stray(known)

    def is_whole(self, key_id: str) -> bool:
        """Whether all of its secrets reached the vault."""
        return self.bench.openpgp.is_whole(key_id)

    def make(self, passphrase: Secret) -> RegisteredKey:
        """Make and store a key that lives until the day that the profile leads to."""
        bench = self.bench
        info = bench.openpgp.generate(signing_user_id(bench), proposed_day(bench), passphrase)
        return registered_openpgp(bench, info)

    def adopt(self, key_id: str, passphrase: Secret) -> RegisteredKey:
        """Take in a whole stray that this passphrase opens."""
        return registered_openpgp(self.bench, self.bench.openpgp.adopt(key_id, passphrase))

    def discard(self, key_id: str) -> None:
        """Remove a stray, whole or not."""
        self.bench.openpgp.discard(key_id)
        self.bench.revocations.delete(key_id)

    def opened(self, key: RegisteredKey, passphrase: Secret) -> Wipeable:
        """As for every key; of an OpenPGP key the primary is proved too, for it certifies."""
        held = super().opened(key, passphrase)
        if key.algorithm is Algorithm.OPENPGP:
            self.bench.openpgp_life.prove_primary(key.id, passphrase)
        return held

    def prove(self, new: RegisteredKey, progress: Progress) -> None:
        """The signing subkey and the primary, each after a wrong passphrase has failed.

        While its passphrase is at hand, the key gets its two revocation certificates (KEY-1).
        """
        passphrase = self._passphrase(NEW)
        self.opened(new, passphrase)
        keep_birth_revocations(self.bench, new.id, passphrase, progress)

    def compared_hex(self, new: RegisteredKey) -> str:
        """The full fingerprint."""
        return new.id.lower()

    def following(
        self, registry: Registry, new: RegisteredKey, *, reason: str, now: datetime
    ) -> Registry:
        """The registry with both keys certified by each other, and ``new`` in its place.

        Each certificate holds all that was in it before: two changes, signed as one.
        """
        life = self.bench.openpgp_life
        old = registry.signing_key(Algorithm.OPENPGP)
        if old is None:  # a compromised key neither certifies nor is certified
            return rotate(registry, new, reason=reason, now=now)
        new_certified = life.cross_certify(old.id, self._passphrase(GPG), new.id)
        old_certified = life.cross_certify(new.id, self._passphrase(NEW), old.id)
        grown = replace_certificate(
            registry,
            old.id,
            life.merged_certificate([old.public_key, old_certified]),
            expires_at=old.expires_at,
            now=now,
        )
        merged = life.merged_certificate([new.public_key, new_certified])
        vouched = msgspec.structs.replace(new, public_key=merged)
        return rotate(grown, vouched, reason=reason, now=now)

    def described(self, new: RegisteredKey) -> Sequence[Line]:
        """Fingerprint, user ID and expiry."""
        return (
            Line(grouped_fingerprint(new.id), label="new key", mark=Mark.OK),
            Line(new.user_id, label="user ID"),
            Line(f"{new.expires_at:%A %Y-%m-%d}" if new.expires_at else "never", label="expires"),
        )

    def _passphrase(self, name: str) -> Secret:
        return cast("Secret", self.bench.session.take(name))
