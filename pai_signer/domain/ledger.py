"""The ledger of custody: what the journal says of each key, custodian and medium (CUS-3).

Nothing here is stored: the journal cannot be edited without being noticed, so who proved
what from which medium is always read from it anew (``domain/ledger_reading.py``). POL-7 asks
``Ledger.custody_of``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pai_signer.domain.custody import MediumIdentity, custodian_id
from pai_signer.domain.matching import grouped, maximum_matching
from pai_signer.domain.profile import CustodyRules
from pai_signer.domain.registry import Algorithm, RegisteredKey, Registry

#: The source of a proof that this workstation made itself.
HERE: Final = "here"


@dataclass(frozen=True)
class Proof:
    """One key, proved from one medium; ``source`` is ``HERE`` or the attestation's SHA-256.

    ``n`` is the number of the journal's entry that brought it.
    """

    algorithm: Algorithm
    key_id: str
    custodian: str
    medium: MediumIdentity
    salts: tuple[str, ...]
    at: datetime
    set_number: int
    challenge_sha256: str
    n: int
    source: str = HERE


@dataclass(frozen=True)
class Row:
    """One key x custodian x medium: the newest set there, and the last proof of it.

    ``ended`` says why that proof no longer holds, whatever its age; ``withdrawn`` why the
    set is no longer counted on at all. Both are empty where there is nothing to say.
    """

    algorithm: Algorithm
    key_id: str
    custodian: str
    medium: MediumIdentity
    set_number: int
    salts: tuple[str, ...]
    proof: Proof | None
    ended: str = ""
    withdrawn: str = ""

    @property
    def is_live(self) -> bool:
        """Whether this set is still counted on, proved or not."""
        return not self.withdrawn

    def why_not(self, rules: CustodyRules, now: datetime) -> str:
        """Why it does not count as proved now, in a few words; empty if it does."""
        proof = self.proof
        if self.withdrawn:
            return self.withdrawn
        if proof is None:
            return "never proved"
        if self.ended:
            return self.ended
        reasons = {
            "proved, but from no removable medium": proof.medium.is_known,
            "proved, but without the salts of its passphrase hashing": bool(proof.salts),
            f"its proof is dated {proof.at:%Y-%m-%d}, in the future": proof.at <= now,
            f"its proof of {proof.at:%Y-%m-%d} is older than {rules.proof_days} days": now
            < proof.at + timedelta(days=rules.proof_days),
        }
        return next((why for why, holds in reasons.items() if not holds), "")


@dataclass(frozen=True)
class CutShort:
    """A set whose writing was begun at ``at`` and never ended, as after a power cut.

    Parts of it, with keys in them, may lie on the medium. It is told until a whole set was
    written in its place, or nobody counts on the medium any more.
    """

    custodian: str
    medium: MediumIdentity
    set_number: int
    at: datetime


@dataclass(frozen=True)
class CustodyStatus:
    """What is proved of one key at one moment, against what the profile asks for (POL-7).

    ``pairs`` are as many proofs as there are with different custodians on different media
    (CUS-3); of several choices the one that holds longest. ``due`` is when, with nothing
    proved again, it will no longer be enough; None where it is not enough now.
    """

    key_id: str
    rules: CustodyRules
    pairs: tuple[Proof, ...]
    custodians: tuple[str, ...]
    media: int
    due: datetime | None
    #: Each row that does not count, with the reason.
    why_not: tuple[tuple[Row, str], ...] = ()

    @property
    def is_enough(self) -> bool:
        """Whether signing may rest on it."""
        return self.due is not None

    @property
    def oldest(self) -> Proof | None:
        """The proof that will be too old first."""
        return min(self.pairs, key=lambda proof: proof.at, default=None)

    @property
    def text(self) -> str:
        """What there is and what is missing, in one line without the key's name."""
        wanted = self.rules.custodians
        have = f"{min(len(self.pairs), wanted)} of {wanted}"
        if self.is_enough:
            return f"{have} custodians proved on {_counted(self.media)}"
        if len(self.custodians) < wanted:
            text = f"{have} custodians proved"
        elif self.media < self.rules.media:
            names = " and ".join(self.custodians)
            text = f"{names} proved, but on {_counted(self.media)} of {self.rules.media} wanted"
        else:
            text = f"{have} custodians proved, each on a medium of their own"
        return "; ".join((text, *self._reasons()))

    def _reasons(self) -> list[str]:
        """Why rows that would help do not count; what was withdrawn only where nothing else is."""
        if not self.pairs and not self.why_not:
            return ["no backup is known"]
        rows = [(row, why) for row, why in self.why_not if row.is_live] or list(self.why_not)
        if len(self.custodians) < self.rules.custodians:
            counting = {custodian_id(name) for name in self.custodians}
            rows = [(row, why) for row, why in rows if custodian_id(row.custodian) not in counting]
        return [f"{row.custodian} on {row.medium.shown}: {why}" for row, why in rows]


def _counted(media: int) -> str:
    return f"{media} medium" if media == 1 else f"{media} media"


@dataclass(frozen=True)
class Ledger:
    """Every row, in the order in which each was first seen; all media ever seen.

    ``challenges`` are the digests of all challenges that were ever answered, ``cut_short`` the
    sets that are not whole.
    """

    rows: tuple[Row, ...] = ()
    media: tuple[MediumIdentity, ...] = ()
    challenges: frozenset[str] = frozenset()
    cut_short: tuple[CutShort, ...] = ()

    def rows_of(self, key_id: str) -> tuple[Row, ...]:
        """The rows of one key."""
        return tuple(row for row in self.rows if row.key_id == key_id)

    def custodians(self) -> tuple[str, ...]:
        """Who holds a set that is still counted on, each once, by the first spelling."""
        names: dict[str, str] = {}
        for row in self.rows:
            if row.is_live:
                names.setdefault(custodian_id(row.custodian), row.custodian)
        return tuple(names.values())

    def expected_on(self, medium: MediumIdentity) -> tuple[Row, ...]:
        """What should lie on ``medium``: an empty one with rows here is no blank stick."""
        return tuple(row for row in self.rows if row.is_live and row.medium.same_as(medium))

    def custody_of(self, key_id: str, rules: CustodyRules, now: datetime) -> CustodyStatus:
        """What is proved of ``key_id`` at ``now`` (POL-7)."""
        rows = [(row, row.why_not(rules, now)) for row in self.rows_of(key_id)]
        counting = [row.proof for row, why in rows if row.proof is not None and not why]
        counting.sort(key=lambda proof: proof.at, reverse=True)
        best = self._pairs(counting)
        due = None
        if self._is_enough(counting, rules):
            # The newest proofs alone, as few as are enough: they hold longest.
            for count in range(1, len(counting) + 1):
                if self._is_enough(counting[:count], rules):
                    best = self._pairs(counting[:count])
                    due = counting[count - 1].at + timedelta(days=rules.proof_days)
                    break
        names = {custodian_id(proof.custodian): proof.custodian for proof in counting}
        return CustodyStatus(
            key_id=key_id,
            rules=rules,
            pairs=best,
            custodians=tuple(names.values()),
            media=self._own_media(counting),
            due=due,
            why_not=tuple((row, why) for row, why in rows if why),
        )

    def custody(
        self, registry: Registry, rules: CustodyRules, now: datetime
    ) -> tuple[tuple[RegisteredKey, CustodyStatus], ...]:
        """Each key that signs now, with what is proved of it."""
        keys = [key for a in Algorithm if (key := registry.signing_key(a)) is not None]
        return tuple((key, self.custody_of(key.id, rules, now)) for key in keys)

    def _is_enough(self, proofs: Sequence[Proof], rules: CustodyRules) -> bool:
        return (
            len(self._pairs(proofs)) >= min(rules.custodians, rules.media)
            and len({custodian_id(proof.custodian) for proof in proofs}) >= rules.custodians
            and self._own_media(proofs) >= rules.media
        )

    def _pairs(self, proofs: Sequence[Proof]) -> tuple[Proof, ...]:
        """A maximum matching of custodian and medium, not two independent counts."""
        media = self._media(proofs)
        edges = [(custodian_id(p.custodian), m) for p, m in zip(proofs, media, strict=True)]
        return tuple(proofs[index] for index in maximum_matching(edges))

    def _media(self, proofs: Sequence[Proof]) -> list[int]:
        """For each proof a number of its medium.

        One filesystem, or one device under several filesystems, counts once (CUS-3), also
        where only a third sighting shows that two hang together.
        """
        number = grouped(_marks(medium) for medium in self.media)
        return [number[_marks(proof.medium)[0]] for proof in proofs]

    def _own_media(self, proofs: Sequence[Proof]) -> int:
        """How many media there are with a file of their own: copies of one file count once."""
        files = grouped(proof.salts for proof in proofs)
        return len(
            maximum_matching(
                [
                    (files[proof.salts[0]], medium)
                    for proof, medium in zip(proofs, self._media(proofs), strict=True)
                ]
            )
        )


def custody_text(custody: Sequence[tuple[RegisteredKey, CustodyStatus]], now: datetime) -> str:
    """All keys in one line: the oldest proof where it is enough, else what is missing of which."""
    rules = custody[0][1].rules
    if not any(status.pairs or status.why_not for _, status in custody):
        return f"no backup is known ({rules.custodians} custodians on {rules.media} media wanted)"
    missing: dict[str, list[str]] = {}
    for key, status in custody:
        if not status.is_enough:
            missing.setdefault(status.text, []).append(key.algorithm.value)
    if missing:
        return "; ".join(
            f"{' and '.join(names)} key{'s' if len(names) > 1 else ''}: {text}"
            for text, names in missing.items()
        )
    oldest = min(proof.at for _, status in custody for proof in status.pairs)
    days = (now - oldest).days
    ago = "today" if days == 0 else "1 day ago" if days == 1 else f"{days} days ago"
    wanted = rules.custodians
    return f"{wanted} of {wanted} proved, oldest proof {ago}"


def _marks(medium: MediumIdentity) -> list[str]:
    named = (("uuid", medium.uuid), ("serial", medium.serial))
    return [f"{name} {value}" for name, value in named if value]
