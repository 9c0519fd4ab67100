"""An attestation: what two maintainers proved together, for a second workstation (CUS-3).

``attestation.json`` holds the whole evidence, challenges and signatures, so that whoever takes
it in checks each proof against their own registry and not only the statement's signature. It
is signed by the workstation's keys, beside it.
"""

import base64
import binascii
import enum
import hashlib
import re
from datetime import datetime, timedelta
from typing import Final, Literal

from pai_signer.domain.artifact import Record
from pai_signer.domain.ceremony import Participant
from pai_signer.domain.challenge import Challenge, parse_challenge
from pai_signer.domain.custody import AcceptedProof, KeyName, ProvedFacts, custodian_id
from pai_signer.domain.ledger import Ledger
from pai_signer.domain.policy import CLOCK_TOLERANCE
from pai_signer.domain.receipt import JournalHead
from pai_signer.domain.records import decode_record
from pai_signer.domain.registry import Registry
from pai_signer.domain.text import is_safe
from pai_signer.errors import FormatError, PolicyRefused, UntrustedKey

FORMAT: Final = 1
ATTESTATION_NAME: Final = "attestation.json"
MAX_ATTESTATION_BYTES: Final = 1 << 20
MAX_PROOFS: Final = 32

_SALT: Final = re.compile(r"(?:[0-9a-f]{2}){8,64}", re.ASCII)
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


class CrossCheck(enum.Enum):
    """Whether each passphrase was tried on the other's copy, where it has to fail."""

    NOT_DONE = "not done"
    EACH_FAILED = "each passphrase failed on the other's copy"


class AttestedProof(Record, frozen=True, kw_only=True):
    """One proof: the text of its challenge, and the signature files in base64."""

    salts: tuple[str, ...]
    challenge: str
    signatures: tuple[str, ...]

    @property
    def challenge_sha256(self) -> str:
        """The digest that names this proof everywhere."""
        return hashlib.sha256(self.challenge.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def stated(self) -> Challenge:
        """What the challenge says; ``FormatError`` if it is none."""
        return parse_challenge(self.challenge.encode("utf-8", "surrogatepass"))

    @property
    def signature_files(self) -> tuple[bytes, ...]:
        """The signatures as files."""
        return tuple(base64.b64decode(text, validate=True) for text in self.signatures)


class Attestation(Record, frozen=True, kw_only=True):
    """The statement; ``journal`` is the head of the workstation's journal when it was made."""

    format: Literal[1] = FORMAT
    project: str
    rehearsal: bool
    made_at: datetime
    journal: JournalHead
    registry_serial: int
    participants: tuple[Participant, ...]
    proofs: tuple[AttestedProof, ...]
    cross_check: CrossCheck


def attested_proof(facts: ProvedFacts) -> AttestedProof:
    """A proof as it stands in the journal."""
    return AttestedProof(
        salts=facts.salts,
        challenge="".join(f"{line}\n" for line in facts.challenge),
        signatures=facts.signatures,
    )


def parse_attestation(data: bytes) -> Attestation:
    """Parse strictly and check; ``FormatError`` for anything that we would not write."""
    attestation = decode_record(
        data, Attestation, ATTESTATION_NAME, limit_bytes=MAX_ATTESTATION_BYTES
    )
    check_attestation(attestation)
    return attestation


def check_attestation(attestation: Attestation) -> None:
    """Check what the types alone do not say; ``FormatError``."""
    a = attestation
    if not 0 < len(a.proofs) <= MAX_PROOFS or a.made_at.utcoffset() != timedelta():
        raise _malformed("it attests nothing, too much, or at no time in UTC")
    stated = [proof.stated for proof in a.proofs]
    people = {custodian_id(person.name) for person in a.participants}
    salts = [salt for proof in a.proofs for salt in proof.salts]
    rules = {
        "a name has unprintable characters": is_safe(a.project)
        and all(person.name and is_safe(person.name) for person in a.participants),
        "a proof is of another project": all(
            (c.project, c.rehearsal) == (a.project, a.rehearsal) for c in stated
        ),
        "a proof is younger than the statement": all(c.at <= a.made_at for c in stated),
        "a proof is of a later entry than the journal's head": all(
            c.journal.n <= a.journal.n for c in stated
        ),
        "a proof stands in it twice": len({p.challenge_sha256 for p in a.proofs}) == len(a.proofs),
        "two proofs answer one nonce": len({c.nonce for c in stated}) == len(stated),
        "it is not of two custodians": len({custodian_id(c.custodian) for c in stated}) >= 2,
        "a custodian took no part": all(custodian_id(c.custodian) in people for c in stated),
        "a salt is missing or malformed": all(proof.salts for proof in a.proofs)
        and all(_SALT.fullmatch(salt) for salt in salts),
        "a signature is missing or malformed": all(_are_signatures(p) for p in a.proofs),
        "the journal's head is malformed": bool(_SHA256.fullmatch(a.journal.hash)),
        "the registry's serial is none": a.registry_serial >= 0,
    }
    for why, holds in rules.items():
        if not holds:
            raise _malformed(why)


def _are_signatures(proof: AttestedProof) -> bool:
    try:
        files = proof.signature_files
    except (binascii.Error, ValueError):
        return False
    texts = tuple(base64.b64encode(file).decode("ascii") for file in files)
    return bool(files) and all(files) and texts == proof.signatures


def acceptable_proofs(
    attestation: Attestation, registry: Registry, ledger: Ledger, now: datetime, *, rehearsal: bool
) -> tuple[AcceptedProof, ...]:
    """The proofs to take into a ledger: of registered keys, and not in it yet.

    The signatures, the statement's and each proof's, are the caller's to verify. Raises
    ``UntrustedKey`` if it is of another project or of a rehearsal where this is none (or the
    other way round), ``PolicyRefused`` (POL-8) if it comes from the future, and if nothing
    in it is new.
    """
    if (attestation.project, attestation.rehearsal) != (registry.project, rehearsal):
        raise UntrustedKey(
            "CUS-3/other-project",
            "The attestation is of another project, or of a rehearsal.",
            "Take in only what a workstation of this project has attested.",
            unchanged="Nothing was taken in.",
        )
    if attestation.made_at > now + CLOCK_TOLERANCE:
        raise PolicyRefused(
            "POL-8/attestation",
            f"The attestation is of {attestation.made_at:%Y-%m-%d %H:%M} UTC, which is yet to "
            "come.",
            "Find out which of the two clocks is wrong, here or there.",
            unchanged="Nothing was taken in.",
        )
    known = {(key.algorithm, key.id) for key in registry.keys}
    taken = tuple(_accepted(proof) for proof in attestation.proofs)
    registered = [p for p in taken if (p.key.algorithm, p.key.id) in known]
    new = tuple(p for p in registered if p.challenge_sha256 not in ledger.challenges)
    if not new:
        why = "is known here already" if registered else "is of a key in this registry"
        what = "Every proof in the attestation" if registered else "No proof in the attestation"
        raise PolicyRefused(
            "CUS-3/nothing-new",
            f"{what} {why}.",
            "Bring a newer attestation, or first the current registry.",
            unchanged="Nothing was taken in.",
        )
    return new


def _accepted(proof: AttestedProof) -> AcceptedProof:
    stated = proof.stated
    return AcceptedProof(
        custodian=stated.custodian,
        medium=stated.medium,
        set_number=stated.set_number,
        key=KeyName(algorithm=stated.algorithm, id=stated.key_id),
        salts=proof.salts,
        at=stated.at,
        challenge_sha256=proof.challenge_sha256,
    )


def _malformed(why: str) -> FormatError:
    return FormatError(
        "CUS-3/attestation",
        f"This is not an attestation of proofs of possession: {why}.",
        "Get it again from the workstation that made it.",
    )
