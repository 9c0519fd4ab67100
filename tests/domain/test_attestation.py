"""Attestations: the whole evidence or nothing, and each proof once (CUS-3)."""

import base64
from datetime import timedelta
from typing import Any, Final

import msgspec
import pytest

from pai_signer.domain.attestation import (
    Attestation,
    AttestedProof,
    CrossCheck,
    acceptable_proofs,
    attested_proof,
    parse_attestation,
)
from pai_signer.domain.ceremony import Participant, Role
from pai_signer.domain.challenge import Challenge, proved_facts, render_challenge
from pai_signer.domain.custody import (
    ATTESTATION_ACCEPTED,
    BACKUP_PROVED,
    AcceptedFacts,
    AcceptedProof,
    KeyName,
    MediumIdentity,
)
from pai_signer.domain.ledger import Ledger
from pai_signer.domain.profile import CustodyRules
from pai_signer.domain.receipt import JournalHead
from pai_signer.domain.records import encode_record
from pai_signer.domain.registry import Registry
from pai_signer.errors import FormatError, PolicyRefused, UntrustedKey
from tests.custody import CustodyJournal
from tests.domain.test_challenge import CHALLENGE
from tests.registries import BORN, openpgp_key, registry

REGISTRY: Final = registry()
KEYS: Final = tuple(KeyName(algorithm=k.algorithm, id=k.id) for k in REGISTRY.keys)
AT: Final = BORN + timedelta(days=10)
NOW: Final = AT + timedelta(days=1)


def challenge(custodian: str, key: KeyName, **changes: Any) -> Challenge:
    plain = msgspec.structs.replace(
        CHALLENGE,
        custodian=custodian,
        medium=MediumIdentity(uuid=f"{custodian}-stick"),
        algorithm=key.algorithm,
        key_id=key.id,
        at=AT,
        project=REGISTRY.project,
        nonce=(custodian + key.id).encode().hex().ljust(64, "0")[:64],
    )
    return msgspec.structs.replace(plain, **changes)


def proof(custodian: str, key: KeyName, **changes: Any) -> AttestedProof:
    stated = challenge(custodian, key, **changes)
    salt = (custodian + key.id).encode().hex()[:64].ljust(64, "0")
    return attested_proof(proved_facts(stated, (salt,), (b"a signature\n",)))


PROOFS: Final = tuple(proof(who, key) for who in ("Anna", "Bob") for key in KEYS)
ATTESTATION: Final = Attestation(
    project=REGISTRY.project,
    rehearsal=False,
    made_at=AT + timedelta(minutes=5),
    journal=JournalHead(n=30, hash="ef" * 32),
    registry_serial=REGISTRY.serial,
    participants=(
        Participant(role=Role.MAINTAINER, name="Anna"),
        Participant(role=Role.SECOND_MAINTAINER, name="Bob"),
    ),
    proofs=PROOFS,
    cross_check=CrossCheck.EACH_FAILED,
)


def attestation(**changes: Any) -> Attestation:
    return msgspec.structs.replace(ATTESTATION, **changes)


def accept(
    a: Attestation = ATTESTATION,
    known: Registry = REGISTRY,
    ledger: Ledger | None = None,
    **changes: Any,
) -> tuple[AcceptedProof, ...]:
    given = {"now": NOW, "rehearsal": False, **changes}
    return acceptable_proofs(a, known, ledger or Ledger(), **given)


def test_it_reads_back_with_all_its_evidence() -> None:
    data = encode_record(ATTESTATION)
    assert parse_attestation(data) == ATTESTATION
    (first, *_) = ATTESTATION.proofs
    assert first.stated == challenge("Anna", KEYS[0])
    assert first.challenge.encode() == render_challenge(first.stated)
    assert first.signature_files == (b"a signature\n",)


def with_proof(**changes: Any) -> dict[str, Any]:
    return {"proofs": (*PROOFS[:3], msgspec.structs.replace(PROOFS[3], **changes))}


BAD: Final[dict[str, dict[str, Any]]] = {
    "no proof": {"proofs": ()},
    "too many": {"proofs": PROOFS * 9},
    "the same twice": {"proofs": (*PROOFS, PROOFS[0])},
    "one custodian alone": {"proofs": PROOFS[:2]},
    "one custodian in two spellings": {"proofs": (PROOFS[0], proof("ANNA", KEYS[0]))},
    "somebody who took no part": {"participants": ATTESTATION.participants[:1]},
    "another project": {"project": "OTHER"},
    "a rehearsal": {"rehearsal": True},
    "a proof made afterwards": {"made_at": AT - timedelta(seconds=1)},
    "no time zone": {"made_at": ATTESTATION.made_at.replace(tzinfo=None)},
    "a head before the proofs": {"journal": JournalHead(n=16, hash="ef" * 32)},
    "a malformed head": {"journal": JournalHead(n=30, hash="EF" * 32)},
    "a name that scripts a terminal": {
        "participants": (*ATTESTATION.participants, Participant(role=Role.WITNESS, name="\x1b"))
    },
    "a serial below zero": {"registry_serial": -1},
    "no salt": with_proof(salts=()),
    "a malformed salt": with_proof(salts=("AB" * 32,)),
    "no signature": with_proof(signatures=()),
    "an empty signature": with_proof(signatures=("",)),
    "a signature that is no base64": with_proof(signatures=("a signature",)),
    "another spelling of base64": with_proof(signatures=("YR==",)),
    "a challenge that is none": with_proof(challenge="hello\n"),
    "a challenge without its end": with_proof(challenge=PROOFS[3].challenge[:-1]),
    "one nonce for two": {
        "proofs": (*PROOFS[:3], proof("Bob", KEYS[1], nonce=PROOFS[0].stated.nonce))
    },
}


@pytest.mark.parametrize("case", BAD)
def test_what_it_would_not_attest_is_refused(case: str) -> None:
    with pytest.raises(FormatError):
        parse_attestation(encode_record(attestation(**BAD[case])))


def test_a_challenge_in_another_encoding_is_refused_and_breaks_nothing() -> None:
    data = encode_record(ATTESTATION).replace(b"# PROOF", b"\\ud800 PROOF")
    with pytest.raises(FormatError):
        parse_attestation(data)


# --- taking one in ------------------------------------------------------------------------------


def test_its_proofs_count_in_a_second_workstations_ledger() -> None:
    proofs = accept()
    assert len(proofs) == 4
    assert {(p.custodian, p.key, p.at) for p in proofs} == {
        (who, key, AT) for who in ("Anna", "Bob") for key in KEYS
    }
    journal = CustodyJournal()
    facts = AcceptedFacts(attestation="a" * 64, proofs=proofs)
    journal.append((NOW - AT).days, ATTESTATION_ACCEPTED, facts)
    rules = CustodyRules(custodians=2, media=2, proof_days=180)
    ledger = journal.ledger()
    assert all(status.is_enough for _, status in ledger.custody(REGISTRY, rules, NOW))
    with pytest.raises(PolicyRefused, match="known here already"):
        accept(ledger=ledger)


def test_what_was_proved_here_is_not_taken_in_again() -> None:
    journal = CustodyJournal()
    made_here = proved_facts(challenge("Anna", KEYS[0]), PROOFS[0].salts, (b"a signature\n",))
    journal.append(0, BACKUP_PROVED, made_here)
    proofs = accept(ledger=journal.ledger())
    assert len(proofs) == 3
    assert ("Anna", KEYS[0]) not in {(p.custodian, p.key) for p in proofs}


def test_proofs_of_keys_that_are_not_registered_are_left_out() -> None:
    other = KeyName(algorithm=KEYS[1].algorithm, id="A" * 40)
    mixed = attestation(proofs=(*PROOFS[::2], proof("Anna", other)))
    assert {p.key for p in accept(mixed)} == {KEYS[0]}
    unknown = attestation(proofs=(proof("Anna", other), proof("Bob", other)))
    with pytest.raises(PolicyRefused, match="is of a key in this registry"):
        accept(unknown)
    assert accept(known=registry(openpgp_key(1)))


@pytest.mark.parametrize("changes", [{"rehearsal": True}, {"known": "another"}])
def test_another_projects_or_a_rehearsals_is_not_trusted(changes: dict[str, Any]) -> None:
    if "known" in changes:
        changes = {"known": msgspec.structs.replace(REGISTRY, project="OTHER")}
    with pytest.raises(UntrustedKey) as error:
        accept(**changes)
    assert error.value.exit_code == 4


def test_one_from_the_future_is_refused_but_for_a_clock_a_little_ahead() -> None:
    assert accept(now=ATTESTATION.made_at - timedelta(minutes=9))
    with pytest.raises(PolicyRefused) as error:
        accept(now=ATTESTATION.made_at - timedelta(minutes=11))
    assert error.value.code == "POL-8/attestation"


def test_signatures_stand_in_it_to_the_byte() -> None:
    signature = b"untrusted comment: x\nRWQ\ntrusted comment: project:PAI\tfile:challenge.txt\n"
    made = attested_proof(proved_facts(CHALLENGE, ("ab" * 16,), (signature,)))
    assert made.signature_files == (signature,)
    assert made.signatures == (base64.b64encode(signature).decode(),)
