"""Proof of possession: a key that lies on a medium signs a fresh challenge (CUS-2).

What is proved is that this medium, with this passphrase, can sign as the registered key
today. Who held it is nothing that a signature could show.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import msgspec

from pai_signer.domain.artifact import Record
from pai_signer.domain.backup import (
    MINISIGN_KEY_NAME,
    OPENPGP_PUBLIC_NAME,
    OPENPGP_SECRET_NAME,
    BackupFacts,
)
from pai_signer.domain.challenge import (
    CHALLENGE_NAME,
    Challenge,
    proved_facts,
    render_challenge,
)
from pai_signer.domain.custody import (
    BACKUP_FAILED,
    BACKUP_PROVED,
    FailedFacts,
    KeyName,
    MediumIdentity,
    Outcome,
)
from pai_signer.domain.minisig import secret_key_salt, trusted_comment
from pai_signer.domain.openpgp_secret import parse_secret_key
from pai_signer.domain.page import Line, Mark
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm, RegisteredKey
from pai_signer.domain.secret import Secret
from pai_signer.errors import (
    BadSignature,
    CustodyError,
    FormatError,
    MediumError,
    PolicyRefused,
    SignerError,
    UntrustedKey,
)
from pai_signer.workflows.ceremony.frame import journal_head
from pai_signer.workflows.script import TYPED_WRONG
from pai_signer.workflows.workbench import Workbench

#: The code of a backup's passphrase that is wrong: it can be typed again.
WRONG_PASSPHRASE: Final = TYPED_WRONG


@dataclass(frozen=True)
class Held:
    """Whose backup on which medium; ``command`` does the same and stands in the journal."""

    custodian: str
    medium: MediumIdentity
    command: str


class ProvedKey(Record, frozen=True, kw_only=True):
    """What a state keeps of a proof: enough to say what was proved."""

    algorithm: Algorithm
    id: str
    set_number: int
    challenge_sha256: str


def prove_key(
    bench: Workbench,
    held: Held,
    key: RegisteredKey,
    facts: BackupFacts,
    files: Mapping[str, bytes],
    passphrase: Secret,
    progress: Progress,
) -> ProvedKey:
    """Let ``key`` sign from the ``files`` of one copy, verify it, and journal the proof.

    Verified against the registered public key, never the medium's own. An attempt that
    proves nothing is journalled too, with its outcome, and raised: ``PolicyRefused`` (wrong
    passphrase), ``CustodyError`` (weak hashing), ``UntrustedKey`` (another key),
    ``FormatError`` and ``BadSignature`` (damaged); ``CannotTell`` where this machine could
    not try, which says nothing about the medium and is not journalled.
    """
    name = KeyName(algorithm=key.algorithm, id=key.id)
    challenge = new_challenge(bench, held, name, facts.number)
    with journalled_failure(bench, held, set_number=facts.number, key=name):
        signatures = sign_challenge(bench, key, files, passphrase, render_challenge(challenge))
        salts = salts_of(key.algorithm, files)
    proved = proved_facts(challenge, salts, signatures, held.command)
    bench.journal.append(BACKUP_PROVED, msgspec.to_builtins(proved))
    progress.say(Line(key.id, label="proved", mark=Mark.OK))
    return ProvedKey(
        algorithm=key.algorithm,
        id=key.id,
        set_number=facts.number,
        challenge_sha256=proved.challenge_sha256,
    )


def new_challenge(bench: Workbench, held: Held, key: KeyName, set_number: int) -> Challenge:
    """What was never signed before, for this key, medium and custodian alone."""
    return Challenge(
        project=bench.profile.project.name,
        rehearsal=bench.info.rehearsal,
        custodian=held.custodian,
        medium=held.medium,
        set_number=set_number,
        algorithm=key.algorithm,
        key_id=key.id,
        journal=journal_head(bench),
        at=bench.clock.now(),
        nonce=bench.nonces.nonce().hex(),
    )


def salts_of(algorithm: Algorithm, files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Those of the passphrase hashing of one key, from its file itself (CUS-3)."""
    if algorithm is Algorithm.MINISIGN:
        return (secret_key_salt(files[MINISIGN_KEY_NAME]),)
    return parse_secret_key(files[OPENPGP_SECRET_NAME]).salts


def sign_challenge(
    bench: Workbench,
    key: RegisteredKey,
    files: Mapping[str, bytes],
    passphrase: Secret,
    challenge: bytes,
) -> tuple[bytes, ...]:
    """Made from the medium's file, then verified once more by code that cannot sign (SIG-5)."""
    verifiers = bench.verifiers
    if key.algorithm is Algorithm.MINISIGN:
        comment = trusted_comment(f"{bench.comment_project} proof", key.id, CHALLENGE_NAME)
        minisig = bench.backup_keys.prove_minisign(
            files[MINISIGN_KEY_NAME], passphrase, key.public_key, challenge, comment
        )
        verifiers.minisign.verify(minisig, hashlib.blake2b(challenge).digest(), key.public_key)
        return (minisig,)
    made = bench.backup_keys.prove_openpgp(
        files[OPENPGP_SECRET_NAME],
        key.public_key,
        key.id,
        passphrase,
        challenge,
        beside=files[OPENPGP_PUBLIC_NAME].decode("ascii", "replace"),
    )
    for signature in made:
        verifiers.openpgp.verify_detached(challenge, signature, [key.public_key], [key.id])
    return made


# --- attempts that prove nothing ---------------------------------------------------------------


def outcome_of(error: SignerError) -> Outcome | None:
    """Which outcome an error of a proof stands for; None where it says nothing of the medium."""
    match error:
        case PolicyRefused() if error.code == WRONG_PASSPHRASE:
            return Outcome.WRONG_PASSPHRASE
        case UntrustedKey():
            return Outcome.WRONG_KEY
        case FormatError() | BadSignature():
            return Outcome.DAMAGED
        case MediumError():
            return Outcome.UNREADABLE
        case PolicyRefused() if error.code.partition("/")[0] in ("CUS-2", "KEY-1"):
            # Expired where it lies, open, or weakly protected: right, but not as it has to be.
            return Outcome.STALE
        case _:
            return None


@contextmanager
def journalled_failure(
    bench: Workbench,
    held: Held,
    *,
    set_number: int | None = None,
    key: KeyName | None = None,
) -> Iterator[None]:
    """Journal an attempt that ends in an error which says something of the medium."""
    try:
        yield
    except SignerError as error:
        outcome = outcome_of(error)
        if outcome is not None:
            record_failure(bench, held, outcome, error.summary, set_number=set_number, key=key)
        if outcome is Outcome.STALE and not isinstance(error, CustodyError):
            raise CustodyError(
                error.code, error.summary, error.hint, unchanged=error.unchanged
            ) from error
        raise


def record_failure(
    bench: Workbench,
    held: Held,
    outcome: Outcome,
    detail: str,
    *,
    set_number: int | None = None,
    key: KeyName | None = None,
) -> None:
    """Journal that nothing was proved, and how it ended."""
    failed = FailedFacts(
        custodian=held.custodian,
        medium=held.medium,
        outcome=outcome,
        detail=detail,
        set_number=set_number,
        key=key,
        command=held.command,
    )
    bench.journal.append(BACKUP_FAILED, msgspec.to_builtins(failed))
