"""Sign a set of documents with every key that can sign (SIG-2, SIG-3, KEY-2).

The registry, the papers of a compromise and the release index are signed by this one piece.
"""

import hashlib
from collections.abc import Mapping
from typing import Final, cast

from pai_signer.domain.minisig import trusted_comment
from pai_signer.domain.registry import (
    MINISIG_SUFFIX,
    OPENPGP_SUFFIX,
    Algorithm,
    RegisteredKey,
    Registry,
)
from pai_signer.domain.secret import Secret
from pai_signer.ports import UnlockedMinisignKey
from pai_signer.workflows.workbench import Workbench

#: Where the session holds the secret of each system's signing key, unless told otherwise.
HELD_UNDER: Final[Mapping[Algorithm, str]] = {
    Algorithm.MINISIGN: "minisign",
    Algorithm.OPENPGP: "gpg",
}


def sign_with_all(
    bench: Workbench,
    registry: Registry,
    documents: Mapping[str, bytes],
    state: str,
    held_under: Mapping[Algorithm, str] = HELD_UNDER,
) -> dict[str, bytes]:
    """``documents`` by name with a detached signature beside each, by each signing key.

    ``state`` stands in the trusted comments where a release has its version, such as
    ``registry-7``. ``held_under`` names what the session holds for each system: the unlocked
    minisign key or its passphrase, the OpenPGP passphrase; whoever holds it wipes it.
    """
    files = dict(documents)
    minisign = registry.signing_key(Algorithm.MINISIGN)
    if minisign is not None:
        key, is_ours = _unlocked(bench, minisign, held_under[Algorithm.MINISIGN])
        try:
            for name, data in documents.items():
                comment = trusted_comment(bench.comment_project, state, name)
                digest = hashlib.blake2b(data).digest()
                files[name + MINISIG_SUFFIX] = key.sign_prehashed(digest, comment)
        finally:
            if is_ours:
                key.wipe()
    openpgp = registry.signing_key(Algorithm.OPENPGP)
    if openpgp is not None:
        passphrase = cast("Secret", bench.session.take(held_under[Algorithm.OPENPGP]))
        for name, data in documents.items():
            files[name + OPENPGP_SUFFIX] = bench.openpgp.sign_detached(data, openpgp.id, passphrase)
    return files


def _unlocked(
    bench: Workbench, key: RegisteredKey, held_under: str
) -> tuple[UnlockedMinisignKey, bool]:
    """The key, and whether it was unlocked here."""
    held = bench.session.take(held_under)
    if isinstance(held, Secret):
        return bench.minisign.unlock(key.public_key, held), True
    return cast("UnlockedMinisignKey", held), False
