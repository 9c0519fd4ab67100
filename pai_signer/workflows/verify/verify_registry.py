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
from pai_signer.errors import CannotTell, UntrustedKey
from pai_signer.workflows.verify.verification import ReleaseVerifier
from pai_signer.workflows.workbench import Verifiers


def verify_registry(
    files: Mapping[str, bytes], verifiers: Verifiers, *, accept_rehearsal: bool = False
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
    data = files[REGISTRY_NAME]
    registry = parse_registry(data)
    verifier = ReleaseVerifier(
        verifiers, registry, manifest_name=REGISTRY_NAME, accept_rehearsal=accept_rehearsal
    )
    signing = [key for a in Algorithm if (key := registry.signing_key(a)) is not None]
    if not signing:
        raise CannotTell(
            "KEY-2/no-signer",
            f"No key in {REGISTRY_NAME} can sign, so nothing vouches for it.",
            "Get the whole keys folder again.",
        )
    for key in signing:
        is_minisign = key.algorithm is Algorithm.MINISIGN
        name = REGISTRY_NAME + (MINISIG_SUFFIX if is_minisign else OPENPGP_SUFFIX)
        signature = files.get(name)
        if signature is None:
            raise CannotTell(
                "KEY-2/unsigned-registry",
                f"{name} is missing: the registry is not signed by {key.id}.",
                "Get the whole keys folder again.",
            )
        if is_minisign:
            digest = hashlib.blake2b(data).digest()
            signer, _ = verifier.minisig(REGISTRY_NAME, signature, digest)
        else:
            signer, _ = verifier.openpgp(data, signature)
        if signer.id != key.id:
            raise UntrustedKey(
                "KEY-2/registry-signer",
                f"The registry is signed by {signer.id}, not by its own key {key.id}.",
                "Get the whole keys folder again.",
            )
    return registry
