"""Sign a new state of the registry with every key that can sign, and store it (KEY-2).

The one way in which the registry of a vault changes, whatever it was that changed.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final, Literal, cast

from pai_signer.domain.minisig import trusted_comment
from pai_signer.domain.records import encode_record
from pai_signer.domain.registry import (
    MINISIG_SUFFIX,
    OPENPGP_SUFFIX,
    REGISTRY_NAME,
    Algorithm,
    RegisteredKey,
    Registry,
)
from pai_signer.domain.registry_rules import check_successor, note_releases
from pai_signer.domain.secret import Secret
from pai_signer.ports import UnlockedMinisignKey
from pai_signer.workflows.verify.verify_registry import verify_registry
from pai_signer.workflows.workbench import Workbench

SystemName = Literal["minisign", "gpg"]

#: The two systems as options and questions call them, and what the session holds for each:
#: the passphrase of the key that signs, or the unlocked minisign key.
MINISIGN: Final = "minisign"
GPG: Final = "gpg"

ALGORITHMS: Final[Mapping[SystemName, Algorithm]] = {
    MINISIGN: Algorithm.MINISIGN,
    GPG: Algorithm.OPENPGP,
}
#: Where the session holds the secret of each system's signing key, unless told otherwise.
HELD_UNDER: Final[Mapping[Algorithm, str]] = {
    Algorithm.MINISIGN: MINISIGN,
    Algorithm.OPENPGP: GPG,
}


def sign_and_store(
    bench: Workbench,
    registry: Registry,
    event: str,
    facts: Mapping[str, Any],
    *,
    held_under: Mapping[Algorithm, str] = HELD_UNDER,
) -> None:
    """Sign ``registry``, verify it, journal ``event`` and store it; wipes the session.

    Which releases each key signed is filled in from the journal (KEY-2).
    ``held_under`` names what the session holds for the signing key of each system in the
    *new* state. The entry holds ``facts`` and which state of the registry was signed.
    Raises ``PolicyRefused`` for a wrong passphrase and for a state that may not follow the
    stored one; the stored registry is then as it was.
    """
    try:
        registry = note_releases(registry, bench.history().first_and_last())
        check_successor(bench.registry(), registry)
        files = _signed(bench, registry, held_under)
    finally:
        bench.session.wipe()
    verify_registry(files, bench.verifiers, accept_rehearsal=bench.info.rehearsal)
    # Evidence first: a crash in between asks again, and never leaves a change without an entry.
    bench.journal.append(
        event,
        {
            **facts,
            "registry_serial": registry.serial,
            "registry_sha256": hashlib.sha256(files[REGISTRY_NAME]).hexdigest(),
        },
    )
    bench.registry_store.save(files)


def _signed(
    bench: Workbench, registry: Registry, held_under: Mapping[Algorithm, str]
) -> dict[str, bytes]:
    data = encode_record(registry)
    files = {REGISTRY_NAME: data}
    minisign = registry.signing_key(Algorithm.MINISIGN)
    if minisign is not None:
        key = _unlocked(bench, minisign, held_under[Algorithm.MINISIGN])
        comment = trusted_comment(
            bench.comment_project, f"registry-{registry.serial}", REGISTRY_NAME
        )
        try:
            digest = hashlib.blake2b(data).digest()
            files[REGISTRY_NAME + MINISIG_SUFFIX] = key.sign_prehashed(digest, comment)
        finally:
            key.wipe()
    openpgp = registry.signing_key(Algorithm.OPENPGP)
    if openpgp is not None:
        passphrase = cast("Secret", bench.session.take(held_under[Algorithm.OPENPGP]))
        signature = bench.openpgp.sign_detached(data, openpgp.id, passphrase)
        files[REGISTRY_NAME + OPENPGP_SUFFIX] = signature
    return files


def _unlocked(bench: Workbench, key: RegisteredKey, held_under: str) -> UnlockedMinisignKey:
    held = bench.session.take(held_under)
    if isinstance(held, Secret):
        return bench.minisign.unlock(key.public_key, held)
    return cast("UnlockedMinisignKey", held)
