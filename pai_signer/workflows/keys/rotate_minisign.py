"""Rotate the minisign key (KEY-3): what is minisign's own in the ceremony of ``rotation``."""

import hashlib
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, cast

from pai_signer.domain.minisig import parse_public_key, trusted_comment
from pai_signer.domain.page import Line, Mark
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm, RegisteredKey, Registry
from pai_signer.domain.registry_rules import rotate
from pai_signer.domain.secret import Secret
from pai_signer.ports import UnlockedMinisignKey
from pai_signer.workflows.ceremony.frame import Plan
from pai_signer.workflows.keys.new_keys import registered_minisign
from pai_signer.workflows.keys.rotation_system import COMPROMISE_PURPOSE, NEW, Reason, RotatedSystem

_PURPOSE: Final = (
    "A new minisign key takes the place of the one in use. The old key signs once "
    "more, to say so, and is retired: it stays published, and what it signed stays "
    "good."
)


class MinisignRotation(RotatedSystem):
    """A new minisign key: one encrypted file, stored whole or not at all."""

    algorithm = Algorithm.MINISIGN
    key_name = "minisign key"
    made_of = "Ed25519, passphrase hashed with 1 GiB of memory"

    def plan(self, reason: Reason) -> Plan:
        """What this ceremony is for, and what it needs on the table."""
        return Plan(
            name="rotate-minisign",
            title="Rotate the minisign key",
            purpose=(
                COMPROMISE_PURPOSE.format(key_name=self.key_name)
                if reason == "compromised"
                else _PURPOSE
            ),
            command=f"key rotate minisign --reason {reason}",
            materials=(
                "this script on paper, and a pen",
                "the passphrases of the minisign key and the OpenPGP key in use",
                "paper and an envelope for the new passphrase: six or more random words",
                "a clock or watch of each maintainer, set right today",
                "a medium to carry the published keys to the online machine",
            ),
        )

    def strays(self, known: Collection[str]) -> tuple[str, ...]:
        """IDs of keys in the vault that are not ``known``."""
        return self.bench.minisign.stray(known)

    def is_whole(self, key_id: str) -> bool:
        """Always: the key file appears in one rename."""
        return True

    def make(self, passphrase: Secret) -> RegisteredKey:
        """Make and store a key at stock strength."""
        return registered_minisign(self.bench, self.bench.minisign.generate(passphrase))

    def adopt(self, key_id: str, passphrase: Secret) -> RegisteredKey:
        """Take in a stored key that this passphrase opens."""
        return registered_minisign(self.bench, self.bench.minisign.adopt(key_id, passphrase))

    def discard(self, key_id: str) -> None:
        """Remove a stored key of which only the ID is known."""
        self.bench.minisign.discard_stray(key_id)

    def prove(self, new: RegisteredKey, progress: Progress) -> None:
        """Open the stored file once more, sign with it and verify."""
        held = self.bench.session.take(NEW)
        if isinstance(held, Secret):
            key = self.bench.minisign.unlock(new.public_key, held)
            self.bench.session.hold(NEW, key)
        else:
            key = cast("UnlockedMinisignKey", held)
        digest = hashlib.blake2b(f"proof of {new.id}".encode()).digest()
        comment = trusted_comment(self.bench.comment_project, "proof", "proof")
        signature = key.sign_prehashed(digest, comment)
        self.bench.verifiers.minisign.verify(signature, digest, new.public_key)

    def compared_hex(self, new: RegisteredKey) -> str:
        """The Ed25519 key itself: the key ID is random and proves nothing."""
        return parse_public_key(new.public_key).ed25519.hex()

    def following(
        self, registry: Registry, new: RegisteredKey, *, reason: str, now: datetime
    ) -> Registry:
        """The registry in which ``new`` has taken its place."""
        return rotate(registry, new, reason=reason, now=now)

    def described(self, new: RegisteredKey) -> Sequence[Line]:
        """ID and public key."""
        return (
            Line(new.id, label="new key", mark=Mark.OK),
            Line(new.public_key, label="public key"),
        )
