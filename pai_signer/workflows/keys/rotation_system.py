"""What a rotation is about, and what it does differently for each system (KEY-3, KEY-4).

The ceremony itself stands in ``rotation``; ``rotate_minisign`` and ``rotate_gpg`` fill in
``RotatedSystem``.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import ClassVar, Final, Literal

from pai_signer.domain.artifact import Record
from pai_signer.domain.custody import MediumIdentity
from pai_signer.domain.page import Line
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm, RegisteredKey, Registry
from pai_signer.domain.revocation import RevokeReason
from pai_signer.domain.secret import Secret
from pai_signer.workflows.ceremony.frame import Plan
from pai_signer.workflows.custody.making import MakeState
from pai_signer.workflows.engine import Wipeable
from pai_signer.workflows.keys.ending_key import EndingState
from pai_signer.workflows.keys.sign_with_all import HELD_UNDER
from pai_signer.workflows.workbench import Workbench

Reason = Literal["scheduled", "compromised"]
REASONS: Final[dict[Reason, str]] = {
    "scheduled": "scheduled rotation",
    "compromised": "the old key is compromised",
}

#: What a ceremony is for in which the old key is compromised (KEY-5).
COMPROMISE_PURPOSE: Final = (
    "The {key_name} in use is in other hands, or may be. A new one takes its place. The old one "
    "signs nothing any more, and what it signed counts for nothing: the releases that were "
    "really ours are listed, read, and signed by the new key and the key of the other system."
)

#: Where the session holds the new key's secret; the keys in use are held under ``HELD_UNDER``.
NEW: Final = "new"
#: And its passphrase itself, where the key is to be backed up before it is in use.
NEW_PHRASE: Final = "passphrase of the new key"


class NewKeyBackup(Record, frozen=True, kw_only=True):
    """A custodian's proved backup of a key that is not in use yet."""

    custodian: str
    medium: MediumIdentity
    set_number: int


class RotateState(EndingState, frozen=True, kw_only=True):
    """Where the rotation stands. ``new`` exists in the vault; it signs once ``rotated``."""

    reason: Reason = "scheduled"
    old: str = ""
    #: The old key was revoked before this ceremony: here it only gets its successor.
    was_revoked: bool = False
    #: Unregistered keys that lay in the vault before: not of this run's making.
    strays_before: tuple[str, ...] = ()
    explained: bool = False
    new: RegisteredKey | None = None
    proved: bool = False
    #: Whose backups of the new key were proved, before it is in use (KEY-3, CUS-1).
    backups: tuple[NewKeyBackup, ...] = ()
    #: The backup in hand, and what was decided about it: "make", "skip" or not yet anything.
    backup: MakeState = MakeState()
    backup_decision: str = ""
    backups_skipped: bool = False
    rotated: bool = False

    @property
    def is_compromise(self) -> bool:
        """Whether the old key is compromised, since before or from this ceremony on."""
        return self.reason == "compromised"

    @property
    def ends(self) -> str:
        """The old key, where this ceremony is the one that ends it as compromised."""
        return self.old if self.is_compromise and not self.was_revoked else ""

    @property
    def ends_as(self) -> RevokeReason | None:
        """Compromised, or nothing: a key that is only rotated is retired, not revoked."""
        return "compromised" if self.ends else None

    @property
    def made(self) -> RegisteredKey:
        """The new key, in steps that come after its making."""
        if self.new is None:
            raise RuntimeError("the new key is not made yet")
        return self.new


class RotatedSystem(ABC):
    """One of the two systems, as the ceremony needs it."""

    algorithm: ClassVar[Algorithm]
    #: What a key of this system is called, and what a new one is made of.
    key_name: ClassVar[str]
    made_of: ClassVar[str]

    def __init__(self, bench: Workbench) -> None:
        self.bench = bench

    @property
    def other(self) -> Algorithm:
        """The system that is not rotated."""
        return next(a for a in Algorithm if a is not self.algorithm)

    @property
    def held_after(self) -> dict[Algorithm, str]:
        """What the session holds for the keys that sign once the new one does."""
        return {self.other: HELD_UNDER[self.other], self.algorithm: NEW}

    @abstractmethod
    def plan(self, reason: Reason) -> Plan:
        """What this ceremony is for, and what it needs on the table."""

    @abstractmethod
    def strays(self, known: Collection[str]) -> tuple[str, ...]:
        """IDs of keys in the vault that are not ``known``, whole or not."""

    @abstractmethod
    def is_whole(self, key_id: str) -> bool:
        """Whether the making of this stray came to its end; else it is of no use to anybody."""

    @abstractmethod
    def make(self, passphrase: Secret) -> RegisteredKey:
        """Make and store a new key."""

    @abstractmethod
    def adopt(self, key_id: str, passphrase: Secret) -> RegisteredKey:
        """Take in a whole stray that this passphrase opens."""

    @abstractmethod
    def discard(self, key_id: str) -> None:
        """Remove a stray, whole or not."""

    def opened(self, key: RegisteredKey, passphrase: Secret) -> Wipeable:
        """What the session is to hold of a stored key, once the passphrase has proved right."""
        if key.algorithm is Algorithm.MINISIGN:
            with passphrase:
                return self.bench.minisign.unlock(key.public_key, passphrase)
        self.bench.openpgp.prove(key.id, passphrase)
        return passphrase

    @abstractmethod
    def prove(self, new: RegisteredKey, progress: Progress) -> None:
        """Let the stored new key sign, and verify that with code that cannot sign."""

    @abstractmethod
    def compared_hex(self, new: RegisteredKey) -> str:
        """What of the new key is read aloud and typed back, in hex."""

    @abstractmethod
    def following(
        self, registry: Registry, new: RegisteredKey, *, reason: str, now: datetime
    ) -> Registry:
        """The registry in which ``new`` has taken its place; the vault is not changed.

        In ``registry`` the old key is active, or compromised: then it vouches for nothing.
        """

    @abstractmethod
    def described(self, new: RegisteredKey) -> Sequence[Line]:
        """The registered new key in the outcome."""
