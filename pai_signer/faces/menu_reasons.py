"""Why an entry of the menu cannot be chosen now, in a few words (FACE-1)."""

from collections.abc import Mapping
from typing import Final

from pai_signer.domain.registry import Algorithm, Registry
from pai_signer.errors import PolicyRefused, SignerError
from pai_signer.workflows.ceremony.records import held_ceremonies
from pai_signer.workflows.custody.lost_cases import CASES
from pai_signer.workflows.keys.birth_revocations import kept_revocations
from pai_signer.workflows.keys.key_dates import has_expired
from pai_signer.workflows.keys.rotation_compromise import awaited_key, check_can_follow, old_key
from pai_signer.workflows.release.confirm_release import confirmable
from pai_signer.workflows.release.deprecate_release import endable
from pai_signer.workflows.release.index_files import index_now
from pai_signer.workflows.workbench import Workbench

NO_BACKUP: Final = "no backup is known"
NO_KEY: Final = "there is no key in use"
NOT_SIGNED: Final = "nothing is signed yet"
EXPIRED: Final = "the OpenPGP key has expired: extend it first"
#: The system that each rotation is about: it is offered twice, by its two reasons.
ROTATED: Final = {
    "key.rotate.minisign": Algorithm.MINISIGN,
    "key.rotate.gpg": Algorithm.OPENPGP,
}


def why_not(bench: Workbench) -> Mapping[str, str]:
    """For each entry that may be out of place the reason why it is, empty where it is not.

    Everything is read once: a menu of forty entries is no reason to read the journal forty times.
    """
    return {**_keys(bench, bench.registry()), **_releases(bench), **_custody(bench)}


def _keys(bench: Workbench, registry: Registry) -> dict[str, str]:
    minisign = registry.signing_key(Algorithm.MINISIGN)
    openpgp = registry.signing_key(Algorithm.OPENPGP)
    no_minisign = "" if minisign else "there is no minisign key yet"
    no_openpgp = "" if openpgp else "there is no OpenPGP key yet"
    no_key = "" if registry.keys else "there is no key yet"
    awaited = ""
    if any(awaited_key(registry, algorithm) for algorithm in Algorithm):
        awaited = "a compromised key awaits its successor: rotate it"
    expired = EXPIRED if openpgp and has_expired(openpgp, bench.clock.now()) else ""
    none_made = (
        "" if any(True for _ in kept_revocations(bench)) else "no certificates were made yet"
    )
    none_held = "" if held_ceremonies(bench) else "none was held yet"
    return {
        "key.generate": "there are keys already" if minisign and openpgp else awaited,
        "key.import.minisign": "there is a minisign key already" if minisign else awaited,
        "key.import.gpg": "there is an OpenPGP key already" if openpgp else awaited,
        "key.publish": no_key,
        "key.show": no_key,
        "key.revoke": no_key,
        "key.revocations": none_made,
        "key.rotate.minisign": no_minisign or expired,
        "key.rotate.gpg": no_openpgp or expired,
        "key.extend": no_openpgp,
        "key.drill": no_key_in_use(registry),
        "ceremony.show": none_held,
        "ceremony.export": none_held,
    }


def _releases(bench: Workbench) -> dict[str, str]:
    no_key = no_key_in_use(bench.registry())
    not_signed = "" if bench.history().releases else NOT_SIGNED
    try:
        nothing_else = "" if endable(bench) else "there is no other release to see instead"
        not_listed = "" if index_now(bench).entries else NOT_SIGNED
    except SignerError as error:  # a bad index takes no other entry away
        nothing_else = not_listed = error.summary
    return {
        "release.unsigned": no_key,
        "release.deprecate": no_key or nothing_else,
        "release.index": no_key or not_listed,
        "release.show": not_signed,
        "release.qr": not_signed,
        "release.confirm": "" if confirmable(bench) else "nothing was exported yet",
    }


def _custody(bench: Workbench) -> dict[str, str]:
    registry = bench.registry()
    no_backup = "" if bench.ledger().custodians() else NO_BACKUP
    made = ("create", "verify", "session", "accept")
    return {
        "backup.paper": ("" if registry.keys else "there is no key yet") or no_backup,
        **{f"backup.{name}": no_key_in_use(registry) for name in made},
        **{f"backup.lost.{what}": no_backup for what in CASES},
    }


def no_key_in_use(registry: Registry) -> str:
    """The reason of whatever signs."""
    return "" if any(registry.signing_key(algorithm) for algorithm in Algorithm) else NO_KEY


def why_not_away(bench: Workbench, entry_id: str, otherwise: str) -> str:
    """Why a key cannot be rotated away from as compromised; the old key need not be whole.

    ``otherwise`` is the reason of the same ceremony where no key was compromised.
    """
    registry, now = bench.registry(), bench.clock.now()
    old = old_key(registry, ROTATED[entry_id], "compromised")
    if old is None:
        return otherwise
    openpgp = registry.signing_key(Algorithm.OPENPGP)
    if openpgp and openpgp != old and has_expired(openpgp, now):
        return EXPIRED
    try:
        check_can_follow(registry, old)
    except PolicyRefused as refusal:
        return refusal.summary
    return ""
