"""Checks the registry of keys against its own signatures (KEY-2)."""

import hashlib
from collections.abc import Mapping

from pai_signer.domain.registry import (
    MINISIG_SUFFIX,
    OPENPGP_SUFFIX,
    REGISTRY_NAME,
    Algorithm,
    Registry,
    parse_registry,
)
from pai_signer.errors import CannotTell, ToolMissing, UntrustedKey
from pai_signer.workflows.verify.verification import ReleaseVerifier
from pai_signer.workflows.verify.verified import Unchecked, note_unchecked
from pai_signer.workflows.workbench import Verifiers


def verify_registry(
    files: Mapping[str, bytes],
    verifiers: Verifiers,
    *,
    accept_rehearsal: bool = False,
    unchecked: Unchecked | None = None,
) -> Registry:
    """Parse ``registry.json`` and check the signatures by its own signing keys (KEY-2).

    That the folder is the right one is for whoever chose it to know; this finds
    a registry that was changed after its keys signed it.
    """
    if REGISTRY_NAME not in files:
        raise CannotTell(
            "KEY-2/no-registry",
            f"There is no {REGISTRY_NAME} in the keys folder.",
            "Give the folder of published keys, such as keys/public of the project's repository.",
        )
    registry = parse_registry(files[REGISTRY_NAME])
    verify_signed_by_all(
        files,
        REGISTRY_NAME,
        registry,
        verifiers,
        accept_rehearsal=accept_rehearsal,
        unchecked=unchecked,
    )
    return registry


def verify_signed_by_all(
    files: Mapping[str, bytes],
    name: str,
    registry: Registry,
    verifiers: Verifiers,
    *,
    accept_rehearsal: bool = False,
    unchecked: Unchecked | None = None,
) -> None:
    """Check that every key which signs in ``registry`` signed the file ``name``, one at least.

    With ``unchecked``, what only ``gpg`` could tell may stay open, if it is not there.
    """
    data = files[name]
    verifier = ReleaseVerifier(
        verifiers, registry, manifest_name=name, accept_rehearsal=accept_rehearsal
    )
    signing = [key for a in Algorithm if (key := registry.signing_key(a)) is not None]
    if not signing:
        raise CannotTell(
            "KEY-2/no-signer",
            f"No key in {REGISTRY_NAME} can sign, so nothing vouches for {name}.",
            "Get the whole folder again.",
        )
    checked = 0
    for key in signing:
        is_minisign = key.algorithm is Algorithm.MINISIGN
        beside = name + (MINISIG_SUFFIX if is_minisign else OPENPGP_SUFFIX)
        signature = files.get(beside)
        if signature is None:
            raise CannotTell(
                "KEY-2/unsigned-registry",
                f"{beside} is missing: {name} is not signed by {key.id}.",
                "Get the whole folder again.",
            )
        if is_minisign:
            digest = hashlib.blake2b(data).digest()
            signer, _ = verifier.minisig(name, signature, digest)
        else:
            try:
                signer, _ = verifier.openpgp(data, signature)
            except ToolMissing as missing:
                note_unchecked(unchecked, missing)
                continue
        checked += 1
        if signer.id != key.id:
            raise UntrustedKey(
                "KEY-2/registry-signer",
                f"{name} is signed by {signer.id}, not by the key {key.id} that has to.",
                "Get the whole folder again.",
            )
    if not checked and unchecked:
        raise unchecked[-1]
