"""Journals of custody for tests of the ledger and of what reads it (CUS-3, POL-7)."""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from pai_signer.domain.artifact import Record
from pai_signer.domain.challenge import Challenge, proved_facts
from pai_signer.domain.custody import (
    ATTESTATION_ACCEPTED,
    BACKUP_BEGUN,
    BACKUP_CREATED,
    BACKUP_FAILED,
    BACKUP_PROVED,
    BACKUP_WITHDRAWN,
    AcceptedFacts,
    AcceptedProof,
    BackupKey,
    BegunFacts,
    CreatedFacts,
    FailedFacts,
    KeyName,
    MediumIdentity,
    Outcome,
    WithdrawalCause,
    WithdrawnFacts,
)
from pai_signer.domain.journal import GENESIS, JournalEntry, next_entry
from pai_signer.domain.ledger import Ledger
from pai_signer.domain.ledger_reading import read_ledger
from pai_signer.domain.receipt import JournalHead
from pai_signer.domain.registry import Algorithm
from pai_signer.errors import EXIT_CANNOT_TELL, EXIT_REFUSED, EXIT_WRONG
from pai_signer.workflows.workbench import Workbench

FIRST_DAY: Final = datetime(2026, 3, 2, 10, tzinfo=UTC)
MINISIGN_KEY: Final = KeyName(algorithm=Algorithm.MINISIGN, id="E7620F1842B4E81F")
OPENPGP_KEY: Final = KeyName(algorithm=Algorithm.OPENPGP, id="F" * 40)
BOTH: Final = (MINISIGN_KEY, OPENPGP_KEY)

#: How a command ends where a copy was not proved.
EXIT_CODES: Final = {
    Outcome.WRONG_PASSPHRASE: EXIT_REFUSED,
    Outcome.STALE: EXIT_REFUSED,
    Outcome.SUPERSEDED_KEY: EXIT_REFUSED,
    Outcome.OTHER_CUSTODIAN: EXIT_REFUSED,
    Outcome.WRONG_KEY: EXIT_WRONG,
    Outcome.DAMAGED: EXIT_WRONG,
    Outcome.UNREADABLE: EXIT_CANNOT_TELL,
    Outcome.EMPTY: EXIT_CANNOT_TELL,
}


def stick(uuid: str, serial: str = "", label: str = "") -> MediumIdentity:
    return MediumIdentity(uuid=uuid, serial=serial, label=label)


def salt_of(custodian: str, medium: MediumIdentity, key: KeyName, number: int) -> str:
    """As random as it has to be: another one for each set and key."""
    text = f"{custodian.casefold()} {medium.uuid} {key.id} {number}"
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass
class CustodyJournal:
    """A journal that grows by one entry a call, dated ``day`` days after ``FIRST_DAY``."""

    entries: list[JournalEntry] = field(default_factory=list)

    def append(self, day: float, event: str, facts: Record) -> None:
        last = self.entries[-1] if self.entries else None
        at = FIRST_DAY + timedelta(days=day)
        self.entries.append(next_entry(last, at, event, msgspec.to_builtins(facts)))

    def begun(self, day: float, custodian: str, medium: MediumIdentity) -> int:
        """The number of the set."""
        facts = BegunFacts(custodian=custodian, medium=medium, keys=BOTH)
        self.append(day, BACKUP_BEGUN, facts)
        return self.entries[-1].n

    def created(
        self,
        day: float,
        custodian: str,
        medium: MediumIdentity,
        *keys: KeyName,
        number: int = 1,
    ) -> None:
        held = tuple(
            BackupKey(
                algorithm=key.algorithm,
                id=key.id,
                salts=(salt_of(custodian, medium, key, number),),
            )
            for key in keys or BOTH
        )
        facts = CreatedFacts(custodian=custodian, medium=medium, set_number=number, keys=held)
        self.append(day, BACKUP_CREATED, facts)

    def proved(
        self,
        day: float,
        custodian: str,
        medium: MediumIdentity,
        *keys: KeyName,
        number: int = 1,
        salts: tuple[str, ...] | None = None,
    ) -> None:
        for key in keys or BOTH:
            last = self.entries[-1] if self.entries else None
            nonce = hashlib.sha256(f"{len(self.entries)} {day} {key.id}".encode()).hexdigest()
            challenge = Challenge(
                project="PAI",
                rehearsal=False,
                custodian=custodian,
                medium=medium,
                set_number=number,
                algorithm=key.algorithm,
                key_id=key.id,
                journal=JournalHead(n=last.n if last else 1, hash=last.hash if last else GENESIS),
                at=FIRST_DAY + timedelta(days=day),
                nonce=nonce,
            )
            own = (salt_of(custodian, medium, key, number),) if salts is None else salts
            self.append(day, BACKUP_PROVED, proved_facts(challenge, own, (b"a signature",)))

    def failed(
        self,
        day: float,
        custodian: str,
        medium: MediumIdentity,
        outcome: Outcome,
        key: KeyName | None = None,
    ) -> None:
        facts = FailedFacts(
            custodian=custodian, medium=medium, outcome=outcome, detail="a test", key=key
        )
        self.append(day, BACKUP_FAILED, facts)

    def withdrawn(
        self,
        day: float,
        cause: WithdrawalCause,
        *,
        custodian: str = "",
        medium: MediumIdentity | None = None,
        number: int | None = None,
    ) -> None:
        facts = WithdrawnFacts(
            cause=cause,
            why="a test",
            custodian=custodian,
            medium=medium or MediumIdentity(),
            set_number=number,
        )
        self.append(day, BACKUP_WITHDRAWN, facts)

    def accepted(
        self,
        day: float,
        custodian: str,
        medium: MediumIdentity,
        *keys: KeyName,
        proved_on: float,
        attestation: str = "a" * 64,
    ) -> None:
        proofs = tuple(
            AcceptedProof(
                custodian=custodian,
                medium=medium,
                set_number=1,
                key=key,
                salts=(salt_of(custodian, medium, key, 1),),
                at=FIRST_DAY + timedelta(days=proved_on),
                challenge_sha256=hashlib.sha256(
                    f"{custodian} {medium.uuid} {key.id} {proved_on}".encode()
                ).hexdigest(),
            )
            for key in keys or BOTH
        )
        facts = AcceptedFacts(attestation=attestation, proofs=proofs)
        self.append(day, ATTESTATION_ACCEPTED, facts)

    def ledger(self) -> Ledger:
        return read_ledger(self.entries)


def prove(bench: Workbench, custodian: str, medium: MediumIdentity, *keys: KeyName) -> None:
    """Journal proofs of a real vault's active keys, as ``backup verify`` does, signatures aside."""
    active = [
        KeyName(algorithm=key.algorithm, id=key.id) for key in bench.registry().keys if key.can_sign
    ]
    for key in keys or active:
        last = bench.journal.entries()[-1]
        challenge = Challenge(
            project=bench.profile.project.name,
            rehearsal=bench.info.rehearsal,
            custodian=custodian,
            medium=medium,
            set_number=last.n,
            algorithm=key.algorithm,
            key_id=key.id,
            journal=JournalHead(n=last.n, hash=last.hash),
            at=bench.clock.now(),
            nonce=hashlib.sha256(last.hash.encode()).hexdigest(),
        )
        salts = (salt_of(custodian, medium, key, last.n),)
        facts = proved_facts(challenge, salts, (b"a signature",))
        bench.journal.append(BACKUP_PROVED, msgspec.to_builtins(facts))
