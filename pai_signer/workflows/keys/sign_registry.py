"""Sign a new state of the registry with every key that can sign, and store it (KEY-2).

The one way in which the registry of a vault changes, whatever it was that changed.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final, Literal

from pai_signer.domain.records import encode_record
from pai_signer.domain.registry import REGISTRY_NAME, Algorithm, Registry
from pai_signer.domain.registry_rules import check_successor, note_releases
from pai_signer.workflows.keys.sign_with_all import HELD_UNDER, sign_with_all
from pai_signer.workflows.verify.verify_registry import verify_registry
from pai_signer.workflows.workbench import Workbench

SystemName = Literal["minisign", "gpg"]

#: The two systems as options and questions call them.
MINISIGN: Final = "minisign"
GPG: Final = "gpg"

ALGORITHMS: Final[Mapping[SystemName, Algorithm]] = {
    MINISIGN: Algorithm.MINISIGN,
    GPG: Algorithm.OPENPGP,
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
        documents = {REGISTRY_NAME: encode_record(registry)}
        files = sign_with_all(bench, registry, documents, f"registry-{registry.serial}", held_under)
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
