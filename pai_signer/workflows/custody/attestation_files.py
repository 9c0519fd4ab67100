"""An attestation as files: signed, found on a medium, verified whole (CUS-3)."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, cast

from pai_signer.domain.attestation import (
    ATTESTATION_NAME,
    MAX_ATTESTATION_BYTES,
    Attestation,
    AttestedProof,
    parse_attestation,
)
from pai_signer.domain.challenge import CHALLENGE_NAME
from pai_signer.domain.minisig import (
    check_file_in_comment,
    claims_in_comment,
    parse_signature,
    trusted_comment,
)
from pai_signer.domain.records import encode_record
from pai_signer.domain.registry import (
    MINISIG_SUFFIX,
    OPENPGP_SUFFIX,
    Algorithm,
    KeyState,
    RegisteredKey,
)
from pai_signer.domain.secret import Secret
from pai_signer.errors import BadSignature, MediumError, UntrustedKey
from pai_signer.ports import UnlockedMinisignKey
from pai_signer.workflows.keys.sign_with_all import HELD_UNDER
from pai_signer.workflows.verify.verify_registry import verify_signed_by_all
from pai_signer.workflows.workbench import Workbench

FILES: Final = (
    ATTESTATION_NAME,
    ATTESTATION_NAME + MINISIG_SUFFIX,
    ATTESTATION_NAME + OPENPGP_SUFFIX,
)
_MAX_SIGNATURE_BYTES: Final = 64 << 10


def folder_of(bench: Workbench, attestation: Attestation) -> str:
    """The folder on a medium: named after the journal's entry at which it was made."""
    return f"{bench.profile.project.slug}-attestation-{attestation.journal.n:06}"


# --- making --------------------------------------------------------------------------------------


def signed_attestation(bench: Workbench, attestation: Attestation) -> dict[str, bytes]:
    """The statement with a signature by every key that can sign, verified (SIG-5).

    The session holds what opens them, as for the registry. ``BadSignature`` and the like if
    what was made would not be accepted elsewhere.
    """
    data = encode_record(attestation)
    files = {ATTESTATION_NAME: data}
    registry = bench.registry()
    minisign = registry.signing_key(Algorithm.MINISIGN)
    if minisign is not None:
        key = cast("UnlockedMinisignKey", bench.session.take(HELD_UNDER[Algorithm.MINISIGN]))
        comment = trusted_comment(
            _comment_project(bench), str(attestation.journal.n), ATTESTATION_NAME
        )
        signature = key.sign_prehashed(hashlib.blake2b(data).digest(), comment)
        files[ATTESTATION_NAME + MINISIG_SUFFIX] = signature
    openpgp = registry.signing_key(Algorithm.OPENPGP)
    if openpgp is not None:
        passphrase = cast("Secret", bench.session.take(HELD_UNDER[Algorithm.OPENPGP]))
        armored = bench.openpgp.sign_detached(data, openpgp.id, passphrase)
        files[ATTESTATION_NAME + OPENPGP_SUFFIX] = armored
    verified_attestation(bench, files)
    return files


def _comment_project(bench: Workbench) -> str:
    """So that no signature of anything else can stand for one of an attestation."""
    return f"{bench.comment_project} attestation"


# --- finding -------------------------------------------------------------------------------------


def found_attestation(bench: Workbench, directory: str) -> dict[str, bytes]:
    """The files in this folder, or in the newest folder of an attestation on this medium.

    ``MediumError`` where there is neither.
    """
    path = Path(directory)
    with bench.sources.open(path) as folder:
        listing = folder.listing()
        if any(file.name == ATTESTATION_NAME for file in listing.files):
            return _read(bench, path)
        pattern = re.compile(
            rf"{re.escape(bench.profile.project.slug)}-attestation-([0-9]{{6,12}})", re.ASCII
        )
        # A folder is nothing to open for a source; its name is all that is wanted here.
        names = {
            int(match[1]): entry.shown_name
            for entry in listing.refused
            if (match := pattern.fullmatch(entry.shown_name))
        }
    if not names:
        raise MediumError(
            "CUS-3/no-attestation",
            "There is no attestation here.",
            "Give the medium that it was carried out on, or the folder with attestation.json.",
        )
    return _read(bench, path / names[max(names)])


def _read(bench: Workbench, path: Path) -> dict[str, bytes]:
    with bench.sources.open(path) as folder:
        there = {file.name for file in folder.listing().files}
        limits = dict.fromkeys(FILES, _MAX_SIGNATURE_BYTES)
        limits[ATTESTATION_NAME] = MAX_ATTESTATION_BYTES
        return {
            name: folder.read_small(name, limit) for name, limit in limits.items() if name in there
        }


# --- verifying -----------------------------------------------------------------------------------


def verified_attestation(bench: Workbench, files: Mapping[str, bytes]) -> Attestation:
    """The statement, signed by every active key here, with each of its proofs verified.

    Each proof is checked against the registry's key and not only the statement's signature:
    who signs the statement could not make up what a key on a medium has signed. A proof of a
    key that is not in the registry is left to whoever takes it in. Raises what is wrong.
    """
    registry, rehearsal = bench.registry(), bench.info.rehearsal
    verify_signed_by_all(
        files, ATTESTATION_NAME, registry, bench.verifiers, accept_rehearsal=rehearsal
    )
    minisig = files.get(ATTESTATION_NAME + MINISIG_SUFFIX)
    if minisig is not None:
        claimed, _ = claims_in_comment(parse_signature(minisig).trusted_comment)
        if claimed != _comment_project(bench):
            raise BadSignature(
                "CUS-3/other-purpose",
                "The signature was made for something else than an attestation.",
                "Get it again from the workstation that made it.",
            )
    attestation = parse_attestation(files[ATTESTATION_NAME])
    keys = {(key.algorithm, key.id): key for key in registry.keys}
    for proof in attestation.proofs:
        key = keys.get((proof.stated.algorithm, proof.stated.key_id))
        if key is not None:
            _verify_proof(bench, key, proof)
    return attestation


def _verify_proof(bench: Workbench, key: RegisteredKey, proof: AttestedProof) -> None:
    if key.life is KeyState.COMPROMISED:
        raise UntrustedKey(
            "CUS-3/compromised",
            f"The attestation counts on {key.id}, which is compromised.",
            "Hold a new session with the keys in use.",
        )
    data, signatures = proof.challenge.encode("ascii"), proof.signature_files
    if key.algorithm is Algorithm.OPENPGP:
        for signature in signatures:
            bench.verifiers.openpgp.verify_detached(data, signature, [key.public_key], [key.id])
        return
    for signature in signatures:
        comment = bench.verifiers.minisign.verify(
            signature, hashlib.blake2b(data).digest(), key.public_key
        )
        check_file_in_comment(comment, CHALLENGE_NAME)
