"""The words of custody, and its events in the journal (CUS-1 to CUS-4).

A *custodian* holds a *backup set*: three identical folders on one *medium*. What became of
each set stands in the journal alone, in the facts defined here (``msgspec.to_builtins``
makes an entry's facts of one); ``domain/ledger.py`` adds them up. The journal escapes control
characters in texts, so a text of several lines is kept as its lines and a signature in
base64: what is read back is what was signed.
"""

import enum
import unicodedata
from datetime import datetime
from typing import Final

from pai_signer.domain.artifact import Record
from pai_signer.domain.registry import Algorithm
from pai_signer.domain.text import is_safe, safe_text
from pai_signer.errors import UsageError

#: Journalled before the first byte reaches the medium: no copy of a key without an entry.
BACKUP_BEGUN: Final = "backup.begun"
BACKUP_CREATED: Final = "backup.created"
BACKUP_PROVED: Final = "backup.proved"
BACKUP_FAILED: Final = "backup.failed"
BACKUP_WITHDRAWN: Final = "backup.withdrawn"
ATTESTATION_MADE: Final = "attestation.made"
ATTESTATION_ACCEPTED: Final = "attestation.accepted"
CUSTODY_RESTORED: Final = "custody.restored"

MAX_CUSTODIAN_LENGTH: Final = 60
MAX_IDENTITY_LENGTH: Final = 200


# --- custodians --------------------------------------------------------------------------


def custodian_name(text: str) -> str:
    """The name of a person as it is kept: single spaces, composed letters (NFC).

    ``UsageError`` for a name that is empty, too long, or holds what cannot be seen or a
    backslash, which marks escaped letters where only ASCII can stand.
    """
    name = unicodedata.normalize("NFC", " ".join(text.split()))
    if not 0 < len(name) <= MAX_CUSTODIAN_LENGTH or not is_safe(name) or "\\" in name:
        raise UsageError(
            "CUS-1/custodian",
            f"{safe_text(text, limit=100)!r} cannot be the name of a custodian.",
            f"Give a person's name of at most {MAX_CUSTODIAN_LENGTH} printable characters.",
            unchanged="Nothing was changed.",
        )
    return name


def custodian_id(name: str) -> str:
    """What two spellings of one custodian's name have in common; compare this, show the name."""
    return unicodedata.normalize("NFC", " ".join(name.split()).casefold())


# --- media -------------------------------------------------------------------------------


class MediumIdentity(Record, frozen=True, kw_only=True):
    """Which removable filesystem it is, as the kernel tells; all empty where it is none.

    ``uuid`` is the filesystem's, ``serial`` the device's where it tells one. Both are
    claims of the medium: they tell sticks of honest people apart, and prove nothing.
    """

    uuid: str = ""
    serial: str = ""
    label: str = ""

    @property
    def is_known(self) -> bool:
        """Whether it is a removable filesystem that can be told from another one."""
        return bool(self.uuid)

    def same_as(self, other: "MediumIdentity") -> bool:
        """One filesystem, or one device that was formatted again since (CUS-3)."""
        return bool(
            (self.uuid and self.uuid == other.uuid) or (self.serial and self.serial == other.serial)
        )

    @property
    def shown(self) -> str:
        """For a person: label and UUID."""
        if not self.is_known:
            return "an unknown medium"
        return f"{self.label} ({self.uuid})" if self.label else self.uuid


# --- keys and outcomes -------------------------------------------------------------------


class KeyName(Record, frozen=True, kw_only=True):
    """One key by its system and its ID, as the registry has it."""

    algorithm: Algorithm
    id: str


class BackupKey(Record, frozen=True, kw_only=True):
    """A key in a backup set.

    ``salts``, in lower hex, are those of its passphrase hashing: minisign's one, or one for
    each secret packet of an OpenPGP key. They are drawn anew for each set, so two files with
    one salt are copies of one file.
    """

    algorithm: Algorithm
    id: str
    salts: tuple[str, ...]


class Outcome(enum.Enum):
    """How one verification ended (CUS-2); only ``FRESH`` is a proof.

    ``STALE``: the secret is right, but what lies there does not restore as it is today: its
    own certificate has expired, or a copy is of an older set. ``SUPERSEDED_KEY``: the key is
    registered and no longer active. ``OTHER_CUSTODIAN``: the set is somebody else's.
    ``EMPTY``: nothing is there although something should be.
    """

    FRESH = "fresh"
    STALE = "stale"
    SUPERSEDED_KEY = "superseded-key"
    WRONG_KEY = "wrong-key"
    WRONG_PASSPHRASE = "wrong-passphrase"  # noqa: S105 - the name of an outcome
    OTHER_CUSTODIAN = "other-custodian"
    DAMAGED = "damaged"
    UNREADABLE = "unreadable"
    EMPTY = "empty"

    @property
    def ends_proof(self) -> bool:
        """Whether it says that an earlier proof from this medium no longer holds.

        A mistyped passphrase says nothing about the medium, nor does a set of an old key
        about the active one's.
        """
        return self not in {Outcome.FRESH, Outcome.WRONG_PASSPHRASE, Outcome.SUPERSEDED_KEY}


class WithdrawalCause(enum.Enum):
    """Why a set is no longer counted on (CUS-4)."""

    MEDIUM_LOST = "medium-lost"
    MEDIUM_DAMAGED = "medium-damaged"
    PASSPHRASE_LOST = "passphrase-lost"  # noqa: S105 - the name of a cause
    CUSTODIAN_LEFT = "custodian-left"


# --- facts of the journal's entries --------------------------------------------------------


class BegunFacts(Record, frozen=True, kw_only=True):
    """The facts of ``backup.begun``; the entry's own number is the one in the folders' names."""

    custodian: str
    medium: MediumIdentity
    keys: tuple[KeyName, ...]
    command: str = ""


class CreatedFacts(Record, frozen=True, kw_only=True):
    """The facts of ``backup.created``: a whole set that was written and read back.

    ``set_number`` is the one in the folders' names. A set proves nothing yet; it takes the
    place of an earlier one of the same keys, custodian and medium.
    """

    custodian: str
    medium: MediumIdentity
    set_number: int
    keys: tuple[BackupKey, ...]
    command: str = ""


class ProvedFacts(Record, frozen=True, kw_only=True):
    """The facts of ``backup.proved``: one key, proved from one medium (CUS-2).

    ``challenge`` are the lines of the signed text, ``challenge_sha256`` the digest of its
    bytes, ``signatures`` the signature files in base64.
    """

    custodian: str
    medium: MediumIdentity
    set_number: int
    key: KeyName
    salts: tuple[str, ...]
    challenge: tuple[str, ...]
    challenge_sha256: str
    signatures: tuple[str, ...]
    command: str = ""


class FailedFacts(Record, frozen=True, kw_only=True):
    """The facts of ``backup.failed``: an attempt that proved nothing, and how it ended.

    Without ``key`` it concerns every key of that custodian on that medium.
    """

    custodian: str
    medium: MediumIdentity
    outcome: Outcome
    detail: str
    set_number: int | None = None
    key: KeyName | None = None
    command: str = ""


class WithdrawnFacts(Record, frozen=True, kw_only=True):
    """The facts of ``backup.withdrawn``: no longer counted on, whatever it once proved.

    All conditions that are given have to hold together: that custodian's, on that medium, of
    that set. At least a custodian or a known medium is given.
    """

    cause: WithdrawalCause
    why: str
    custodian: str = ""
    medium: MediumIdentity = MediumIdentity()
    set_number: int | None = None
    command: str = ""


class AcceptedProof(Record, frozen=True, kw_only=True):
    """A proof that another workstation made and attested."""

    custodian: str
    medium: MediumIdentity
    set_number: int
    key: KeyName
    salts: tuple[str, ...]
    at: datetime
    challenge_sha256: str


class AcceptedFacts(Record, frozen=True, kw_only=True):
    """The facts of ``attestation.accepted``; ``attestation`` is the SHA-256 of its file."""

    attestation: str
    proofs: tuple[AcceptedProof, ...]
    command: str = ""


class RestoredFacts(Record, frozen=True, kw_only=True):
    """The facts of ``custody.restored``: where this vault's keys and journal came from (CUS-4).

    ``journal_n`` and ``journal_hash`` are the head of the journal that was taken over,
    ``compared_with`` what it was compared with (empty: nothing), ``missing`` how many entries
    that showed to be missing. ``born_as`` is the hash of the new vault's own first entry.
    """

    custodian: str
    medium: MediumIdentity
    set_number: int
    keys: tuple[KeyName, ...]
    registry_serial: int
    journal_n: int
    journal_hash: str
    compared_with: str
    missing: int
    born_as: str
    command: str = ""

    @property
    def is_known_complete(self) -> bool:
        """Whether nobody has to fear that releases were signed which this journal lacks."""
        return bool(self.compared_with) and not self.missing
