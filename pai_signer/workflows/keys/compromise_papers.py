"""The signed papers of a compromise: the notice, and the list of what stays good (KEY-5).

Each ceremony after which a key is compromised, or a compromised key has a successor, signs
the papers of every compromised key anew, with every key that can sign then. The journal
pins them; they are published beside the registry and checked against it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pai_signer.domain.compromise import (
    NOTICE_PREFIX,
    NOTICE_SUFFIX,
    check_notice,
    left_to_do,
    notice_name,
    render_notice,
)
from pai_signer.domain.endorsement import (
    ENDORSEMENT_PREFIX,
    ENDORSEMENT_SUFFIX,
    check_endorsement,
    endorse,
    endorsement_name,
    parse_endorsement,
)
from pai_signer.domain.records import encode_record
from pai_signer.domain.registry import (
    MINISIG_SUFFIX,
    OPENPGP_SUFFIX,
    REGISTRY_NAME,
    Algorithm,
    KeyState,
    RegisteredKey,
    Registry,
)
from pai_signer.domain.text import safe_text
from pai_signer.errors import BadSignature, CannotTell, PolicyRefused, UntrustedKey
from pai_signer.workflows.keys.sign_with_all import sign_with_all
from pai_signer.workflows.verify.counting import CountingSignatures
from pai_signer.workflows.verify.verified import Unchecked
from pai_signer.workflows.verify.vouching import Endorsed, Endorsements, shown_signer
from pai_signer.workflows.workbench import Verifiers, Workbench

PUBLISHED: Final = "key.published"
#: The fact of a journal entry that pins the papers: their SHA-256 by name.
PAPERS: Final = "papers"
#: The fact that says under which key the ceremony's files are.
CEREMONY: Final = "ceremony"

_DOCUMENTS: Final = (
    (NOTICE_PREFIX, NOTICE_SUFFIX),
    (ENDORSEMENT_PREFIX, ENDORSEMENT_SUFFIX),
)


def is_paper(name: str) -> bool:
    """Whether a file of the keys folder is a notice, a list, or a signature of one."""
    document = name.removesuffix(MINISIG_SUFFIX).removesuffix(OPENPGP_SUFFIX)
    return any(document.startswith(p) and document.endswith(s) for p, s in _DOCUMENTS)


def compromised_keys(registry: Registry) -> tuple[RegisteredKey, ...]:
    """Every key that is compromised, or plays it in a rehearsal, oldest first."""
    return tuple(key for key in registry.keys if key.life is KeyState.COMPROMISED)


# --- making --------------------------------------------------------------------------------


def lists_to_sign(bench: Workbench, registry: Registry, now: datetime) -> dict[str, bytes]:
    """The list of each compromised key of ``registry``, the next state, by file name.

    One that was signed before stays as it is, so that its signatures add up; a new one is
    read from the journal. Raises what ``endorse`` and ``recorded_papers`` raise.
    """
    known = recorded_papers(bench)
    lists = {}
    for key in compromised_keys(registry):
        name = endorsement_name(key.id)
        lists[name] = known.get(name) or encode_record(
            endorse(registry, key.id, bench.journal.entries(), now)
        )
    return lists


def check_lists(bench: Workbench, registry: Registry, lists: Mapping[str, bytes]) -> None:
    """Check that the lists that were read are still what the journal says of ``registry``.

    ``PolicyRefused`` where a release was signed since, or a list is missing.
    """
    for key in compromised_keys(registry):
        read = lists.get(endorsement_name(key.id))
        fresh = endorse(registry, key.id, bench.journal.entries(), bench.clock.now())
        if read is None or parse_endorsement(read).releases != fresh.releases:
            raise PolicyRefused(
                "KEY-5/list-outdated",
                f"The list of releases of {key.id} is not the one that the journal proves now.",
                "Discard this run and begin it again: the list has to be read anew.",
            )


def signed_papers(
    bench: Workbench,
    registry: Registry,
    lists: Mapping[str, bytes],
    held_under: Mapping[Algorithm, str],
) -> dict[str, bytes]:
    """Notices and ``lists`` with a signature by every key that can sign, verified.

    ``registry`` is the state after the change. ``held_under`` names what the session holds
    for the signing key of each system: the unlocked minisign key, the OpenPGP passphrase.
    """
    documents = {
        notice_name(key.id): render_notice(registry, key.id) for key in compromised_keys(registry)
    }
    state = f"registry-{registry.serial}"
    files = sign_with_all(bench, registry, {**documents, **lists}, state, held_under)
    verify_papers(files, registry, bench.verifiers, accept_rehearsal=bench.info.rehearsal)
    return files


def papers_facts(ceremony: str, files: Mapping[str, bytes]) -> dict[str, Any]:
    """The facts of a journal entry by which ``recorded_papers`` finds the files again."""
    digests = {name: _sha256(data) for name, data in files.items()}
    return {CEREMONY: ceremony, PAPERS: digests}


# --- checking ------------------------------------------------------------------------------


def verify_papers(
    files: Mapping[str, bytes],
    registry: Registry,
    verifiers: Verifiers,
    *,
    accept_rehearsal: bool = False,
    unchecked: Unchecked | None = None,
) -> dict[str, Endorsed]:
    """Check every notice and list among ``files``; the lists by the ID of their key.

    A paper counts with at least one signature by a key that is not compromised. Raises
    ``UntrustedKey`` where a paper contradicts the registry or only a compromised key signed
    it, ``BadSignature`` where a text or a signature is wrong, ``CannotTell`` where a paper has
    no signature at all. One that says to be by a compromised key is not even looked at: it
    may have been left over from before, over another text.
    """
    signatures = CountingSignatures(
        files, registry, verifiers, accept_rehearsal=accept_rehearsal, unchecked=unchecked
    )
    known: dict[str, RegisteredKey] = {}
    for key in compromised_keys(registry):
        known |= {notice_name(key.id): key, endorsement_name(key.id): key}
    documents = {n for n in files if not n.endswith((MINISIG_SUFFIX, OPENPGP_SUFFIX))}
    found = {}
    for name in sorted(documents & {n for n in files if is_paper(n)}):
        if name not in known:
            raise UntrustedKey(
                "KEY-5/paper-contradicts",
                f"{safe_text(name, limit=120)} is about no key that the registry calls "
                "compromised.",
                "Get the whole keys folder again, and compare it with another copy.",
            )
        key = known[name]
        signers = signatures.counting(name)
        if name == notice_name(key.id):
            check_notice(files[name], registry, key.id)
        else:
            found[key.id] = _checked_list(key, files[name], signers, registry)
    return found


def _checked_list(
    key: RegisteredKey, data: bytes, signers: tuple[RegisteredKey, ...], registry: Registry
) -> Endorsed:
    endorsement = parse_endorsement(data)
    if endorsement.compromised != key.id:
        raise UntrustedKey(
            "KEY-5/paper-contradicts",
            f"{endorsement_name(key.id)} is the list of another key.",
            "Get the whole keys folder again, and compare it with another copy.",
        )
    for signer in signers:
        check_endorsement(endorsement, registry, signer.id)
    return Endorsed(endorsement, tuple(shown_signer(signer) for signer in signers))


# --- what the vault has ----------------------------------------------------------------------


@dataclass(frozen=True)
class Papers:
    """The papers of every compromised key, and what its list says, verified."""

    files: Mapping[str, bytes]
    endorsements: Endorsements


def recorded_papers(bench: Workbench) -> dict[str, bytes]:
    """The papers that were signed last for the registry as it stands; nothing if none were.

    ``BadSignature`` where a file in the vault is not the one that was signed.
    """
    ceremony, digests = _last_recorded(bench)
    kept = bench.ceremonies.load(ceremony) if ceremony else {}
    for name, digest in digests.items():
        if _sha256(kept.get(name, b"")) != digest:
            raise BadSignature(
                "KEY-5/paper-changed",
                f"{safe_text(name, limit=120)} in the vault is not the file that was signed.",
                "Do not use this workstation before you know why. The journal has the "
                "digests of what was signed.",
            )
    return {name: kept[name] for name in digests}


def _last_recorded(bench: Workbench) -> tuple[str, Mapping[str, str]]:
    """The ceremony that signed the papers of the registry as it stands, and their digests."""
    registry = bench.registry()
    if compromised_keys(registry):
        for entry in reversed(bench.journal.entries()):
            digests = entry.facts.get(PAPERS)
            # Journalled, and then killed before the registry was stored: they tell of nothing.
            if isinstance(digests, dict) and _tell_of(digests, registry):
                return str(entry.facts[CEREMONY]), digests
    return "", {}


def _tell_of(digests: Mapping[str, str], registry: Registry) -> bool:
    """Whether every notice among the papers is the one that ``registry`` asks for."""
    wanted = {
        notice_name(key.id): _sha256(render_notice(registry, key.id))
        for key in compromised_keys(registry)
    }
    documents = {name for name in digests if name.endswith(NOTICE_SUFFIX)}
    return bool(documents) and all(digests[name] == wanted.get(name) for name in documents)


def vault_papers(bench: Workbench, registry: Registry) -> Papers:
    """The papers of every compromised key, verified once more, for whoever publishes them."""
    files = recorded_papers(bench)
    endorsements = verify_papers(
        files, registry, bench.verifiers, accept_rehearsal=bench.info.rehearsal
    )
    for key in compromised_keys(registry):
        if key.id not in endorsements or notice_name(key.id) not in files:
            raise CannotTell(
                "KEY-5/no-papers",
                f"The vault lacks the notice or the list for the compromised key {key.id}.",
                "Go on with the ceremony that was interrupted, or restore the vault's folder "
                "'ceremonies' from a backup.",
            )
    return Papers(files, endorsements)


def duties_left(bench: Workbench, key: RegisteredKey) -> tuple[str, ...]:
    """What remains to be done after the compromise of ``key``, for Home and ``key list``."""
    _, digests = _last_recorded(bench)
    name = endorsement_name(key.id)
    suffixes = {Algorithm.MINISIGN: MINISIG_SUFFIX, Algorithm.OPENPGP: OPENPGP_SUFFIX}
    return left_to_do(
        bench.registry(),
        key,
        list_signed_by=[a for a, suffix in suffixes.items() if name + suffix in digests],
        published=_is_published(bench),
    )


def _is_published(bench: Workbench) -> bool:
    """Whether the registry as it stands was written out for publishing."""
    digest = _sha256(bench.registry_store.load().get(REGISTRY_NAME, b""))
    return any(
        entry.event == PUBLISHED and entry.facts.get("files", {}).get(REGISTRY_NAME) == digest
        for entry in bench.journal.entries()
    )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
