"""Reads the ledger of custody from the journal's entries (CUS-3).

A proof holds until something later ends it: a withdrawal, a look that found something else
than a proof, or a newer set in the same place. What another workstation attested comes late
and is placed by its own date, so that an old proof never revives what was withdrawn since.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import msgspec

from pai_signer.domain.custody import (
    AcceptedFacts,
    AcceptedProof,
    BegunFacts,
    CreatedFacts,
    FailedFacts,
    KeyName,
    MediumIdentity,
    ProvedFacts,
    RestoredFacts,
    WithdrawnFacts,
    custodian_id,
)
from pai_signer.domain.journal import JournalEntry
from pai_signer.domain.ledger import HERE, CutShort, Ledger, Proof, Row
from pai_signer.domain.registry import FIRST_TIME, LAST_TIME
from pai_signer.errors import JournalTampered


@dataclass(frozen=True)
class _Held:
    """A set that was written, or a set that was proved, at entry ``n``."""

    n: int
    at: datetime
    custodian: str
    medium: MediumIdentity
    set_number: int
    salts: tuple[str, ...]
    proof: Proof | None = None

    def is_after(self, other: "_Held") -> bool:
        """Written or proved later. What comes from elsewhere is placed by its own date.

        Of sets that were written here the number decides: proving an old one again does not
        make it the newest.
        """
        if _is_foreign(self.proof) or _is_foreign(other.proof):
            return self.at > other.at
        return (self.set_number, self.n) > (other.set_number, other.n)


def _is_foreign(proof: Proof | None) -> bool:
    return proof is not None and proof.source != HERE


@dataclass(frozen=True)
class _Ending:
    """What ends earlier proofs: a withdrawal, or a look that found something else.

    It concerns what fulfils each condition that is given.
    """

    n: int
    at: datetime
    text: str
    is_withdrawal: bool
    custodian: str = ""
    medium: MediumIdentity | None = None
    set_number: int | None = None
    key_id: str | None = None

    def ends(self, held: _Held, key_id: str) -> bool:
        """Whether it came after ``held`` and concerns it."""
        is_after = self.n > held.n or (_is_foreign(held.proof) and self.at >= held.at)
        same = custodian_id(self.custodian) == custodian_id(held.custodian)
        return (
            is_after
            and (not self.custodian or same)
            and (self.medium is None or self.medium.same_as(held.medium))
            and self.set_number in (None, held.set_number)
            and self.key_id in (None, key_id)
        )


@dataclass
class _Reading:
    """The journal on its way to a ledger."""

    #: All that was held, by key, custodian and filesystem, in the journal's order.
    held: dict[tuple[KeyName, str, str], list[_Held]] = field(default_factory=dict)
    endings: list[_Ending] = field(default_factory=list)
    media: dict[MediumIdentity, None] = field(default_factory=dict)
    #: Whose file it is that has this salt: whoever it was first seen with.
    owners: dict[str, str] = field(default_factory=dict)
    challenges: set[str] = field(default_factory=set)
    #: Sets that were begun, and not ended yet.
    begun: list[CutShort] = field(default_factory=list)

    def take(self, entry: JournalEntry) -> None:
        """Add one entry; ``msgspec.ValidationError`` or ``ValueError`` if it makes no sense."""
        match entry.event:
            case "backup.begun":
                begun = msgspec.convert(entry.facts, BegunFacts)
                self.begun.append(CutShort(begun.custodian, begun.medium, entry.n, entry.time))
            case "backup.created":
                self._create(entry, msgspec.convert(entry.facts, CreatedFacts))
            case "backup.proved":
                proved = msgspec.convert(entry.facts, ProvedFacts)
                text = "".join(f"{line}\n" for line in proved.challenge).encode()
                if hashlib.sha256(text).hexdigest() != proved.challenge_sha256:
                    raise ValueError("another challenge")
                self._prove(entry, proved, entry.time, HERE)
            case "attestation.accepted":
                accepted = msgspec.convert(entry.facts, AcceptedFacts)
                for proof in accepted.proofs:
                    if proof.at.utcoffset() != timedelta() or not _is_ours(proof.at):
                        raise ValueError("no time in UTC that a proof can have")
                    self._prove(entry, proof, proof.at, accepted.attestation)
            case "backup.failed":
                failed = msgspec.convert(entry.facts, FailedFacts)
                if failed.outcome.ends_proof:
                    self._end(entry, failed, f"{failed.outcome.value} when last looked at, on")
            case "custody.restored":
                restored = msgspec.convert(entry.facts, RestoredFacts)
                # The journal came from the set whose beginning is its last entry: it is whole.
                self.begun = [one for one in self.begun if one.set_number != restored.journal_n]
            case "backup.withdrawn":
                self._withdraw(entry, msgspec.convert(entry.facts, WithdrawnFacts))

    def _create(self, entry: JournalEntry, created: CreatedFacts) -> None:
        self._settle(created.custodian, created.medium, created.set_number)
        for key in created.keys:
            name = KeyName(algorithm=key.algorithm, id=key.id)
            self._hold(name, _held(entry, created, entry.time, key.salts))

    def _withdraw(self, entry: JournalEntry, withdrawn: WithdrawnFacts) -> None:
        if not withdrawn.custodian and not withdrawn.medium.is_known:
            raise ValueError("a withdrawal of nothing")
        self._end(entry, withdrawn, f"withdrawn ({withdrawn.cause.value}) on")
        if withdrawn.set_number is None:
            self._settle(withdrawn.custodian, withdrawn.medium)

    def _settle(self, custodian: str, medium: MediumIdentity, written: int = 0) -> None:
        """What was begun there is made good by the whole set ``written``, or nobody counts on it.

        A withdrawal may name a custodian, a medium, or both.
        """

        def is_settled(one: CutShort) -> bool:
            same = custodian_id(custodian) == custodian_id(one.custodian)
            there = medium.same_as(one.medium)
            if written:
                return one.set_number == written or (same and there)
            return (same or not custodian) and (there or not medium.is_known)

        self.begun = [one for one in self.begun if not is_settled(one)]

    def _hold(self, key: KeyName, held: _Held) -> None:
        self.media[held.medium] = None
        for salt in held.salts:
            self.owners.setdefault(salt, held.custodian)
        place = (key, custodian_id(held.custodian), held.medium.uuid)
        self.held.setdefault(place, []).append(held)

    def _prove(
        self, entry: JournalEntry, facts: ProvedFacts | AcceptedProof, at: datetime, source: str
    ) -> None:
        # What was attested elsewhere may come twice, and back to where it was proved.
        if facts.challenge_sha256 in self.challenges:
            return
        self.challenges.add(facts.challenge_sha256)
        proof = Proof(
            algorithm=facts.key.algorithm,
            key_id=facts.key.id,
            custodian=facts.custodian,
            medium=facts.medium,
            salts=facts.salts,
            at=at,
            set_number=facts.set_number,
            challenge_sha256=facts.challenge_sha256,
            n=entry.n,
            source=source,
        )
        self._hold(facts.key, replace(_held(entry, facts, at, facts.salts), proof=proof))

    def _end(self, entry: JournalEntry, facts: FailedFacts | WithdrawnFacts, text: str) -> None:
        is_withdrawal = isinstance(facts, WithdrawnFacts)
        key = None if isinstance(facts, WithdrawnFacts) else facts.key
        self.endings.append(
            _Ending(
                n=entry.n,
                at=entry.time,
                text=f"{text} {entry.time:%Y-%m-%d}",
                is_withdrawal=is_withdrawal,
                custodian=facts.custodian,
                medium=facts.medium if facts.medium.is_known or not is_withdrawal else None,
                set_number=facts.set_number if is_withdrawal else None,
                key_id=key.id if key else None,
            )
        )

    def rows(self) -> Iterator[Row]:
        """What all entries add up to."""
        for (key, _, _), held in self.held.items():
            newest, proved = held[0], None
            for one in held:
                newest = one if one.is_after(newest) else newest
                if one.proof and (proved is None or one.is_after(proved)):
                    proved = one
            yield Row(
                algorithm=key.algorithm,
                key_id=key.id,
                custodian=newest.custodian,
                medium=newest.medium,
                set_number=newest.set_number,
                salts=newest.salts,
                proof=proved.proof if proved else None,
                ended=self._why_ended(proved, newest, key.id) if proved else "",
                withdrawn=self._last_ending(newest, key.id, withdrawals_only=True),
            )

    def _why_ended(self, proved: _Held, newest: _Held, key_id: str) -> str:
        for salt in proved.salts:
            if custodian_id(self.owners[salt]) != custodian_id(proved.custodian):
                return f"a copy of the file of {self.owners[salt]}: it has the same salt"
        if newest is not proved:
            return f"a newer set, {newest.set_number}, lies there and was never proved"
        return self._last_ending(proved, key_id)

    def _last_ending(self, held: _Held, key_id: str, *, withdrawals_only: bool = False) -> str:
        texts = [
            ending.text
            for ending in self.endings
            if ending.ends(held, key_id) and (ending.is_withdrawal or not withdrawals_only)
        ]
        return texts[-1] if texts else ""


def _held(
    entry: JournalEntry,
    facts: CreatedFacts | ProvedFacts | AcceptedProof,
    at: datetime,
    salts: tuple[str, ...],
) -> _Held:
    return _Held(
        n=entry.n,
        at=at,
        custodian=facts.custodian,
        medium=facts.medium,
        set_number=facts.set_number,
        salts=salts,
    )


def _is_ours(at: datetime) -> bool:
    """Within the times of keys, so that days can be added to it."""
    return FIRST_TIME <= at <= LAST_TIME


def read_ledger(entries: Iterable[JournalEntry]) -> Ledger:
    """Add the journal's entries up; ``JournalTampered`` if one of custody makes no sense."""
    reading = _Reading()
    for entry in entries:
        try:
            reading.take(entry)
        except (msgspec.ValidationError, ValueError) as error:
            raise JournalTampered(
                "JRN-2/meaning",
                f"Journal entry {entry.n} ({entry.event}) makes no sense where it stands.",
                "Do not sign. Compare the journal with a receipt and with a backup.",
            ) from error
    return Ledger(
        rows=tuple(reading.rows()),
        media=tuple(reading.media),
        challenges=frozenset(reading.challenges),
        cut_short=tuple(reading.begun),
    )
