"""A backup set of which nothing is missing, changed or unsigned, as what others are made from.

Whatever is carried on from a medium (onto paper, say) has to be what this workstation wrote:
all three copies alike, each as its manifest says, the manifest signed by a registered key.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pai_signer.domain.backup import (
    BACKUP_MANIFEST_NAME,
    COPIES,
    FACTS_NAME,
    SIGNATURE_NAMES,
    BackupFacts,
    parse_facts,
    parse_manifest,
    required_names,
)
from pai_signer.domain.minisig import check_file_in_comment, parse_signature, shown_key_id
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm, KeyState
from pai_signer.errors import FormatError, MediumError, UntrustedKey
from pai_signer.ports import FoundCopy, FoundSet
from pai_signer.workflows.workbench import Workbench

HINT: Final = "Verify the medium, which repairs what can be repaired: pai-signer backup verify"


@dataclass(frozen=True)
class WholeSet:
    """What stands in each of the three folders."""

    facts: BackupFacts
    files: Mapping[str, bytes]


def read_sets(bench: Workbench, directory: str, progress: Progress) -> tuple[FoundSet, ...]:
    """Every set on a medium, newest first; ``MediumError`` where there is none."""
    sets = bench.backup_reader.read(Path(directory), bench.profile.project.slug, progress)
    if not sets:
        raise MediumError(
            "CUS-1/no-backup",
            f"There is no backup of {bench.profile.project.name} in '{directory}'.",
            "Give the top of the medium, above the folders with -a, -b and -c in their names.",
        )
    return sets


def chosen_set(bench: Workbench, sets: Sequence[FoundSet], number: int) -> WholeSet:
    """The set of this number, whole; ``MediumError`` if it is not there."""
    for found in sets:
        if found.number == number:
            return check_whole(bench, found)
    there = ", ".join(f"{found.number:06}" for found in sets)
    raise MediumError(
        "CUS-1/no-such-set",
        f"Backup set {number:06} is not on this medium; there is {there}.",
        "Give the number of one that is there, or plug in the medium that has it.",
    )


def check_whole(bench: Workbench, found: FoundSet) -> WholeSet:
    """The one content of all three copies.

    Raises ``MediumError`` for what could not be read, ``FormatError`` for what is missing,
    changed or of another set, ``BadSignature`` and ``UntrustedKey`` for a manifest that no
    registered key signed.
    """
    copies = [_read(found, letter) for letter in COPIES]
    files = copies[0].files
    for letter, copy in zip(COPIES, copies, strict=True):
        if copy.files != files:
            raise _damaged(found, f"copies a and {letter} differ")
    project, rehearsal = bench.profile.project.name, bench.info.rehearsal
    manifest = files.get(BACKUP_MANIFEST_NAME, b"")
    listed = parse_manifest(manifest, project, rehearsal=rehearsal)
    there = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    for name in (BACKUP_MANIFEST_NAME, *SIGNATURE_NAMES):
        there.pop(name, None)
    wrong = sorted(name for name in {*listed, *there} if listed.get(name) != there.get(name))
    if wrong:
        raise _damaged(found, f"{wrong[0]} is not as the manifest says")
    facts = parse_facts(files.get(FACTS_NAME, b""))
    if (facts.project, facts.rehearsal, facts.number) != (project, rehearsal, found.number):
        raise _damaged(found, f"{FACTS_NAME} is of another set")
    if not required_names(facts) <= set(files):
        raise _damaged(found, "a file of its keys is missing")
    _check_signatures(bench, files)
    return WholeSet(facts, files)


def _read(found: FoundSet, letter: str) -> FoundCopy:
    copy = found.copies.get(letter)
    if copy is None:
        raise _damaged(found, f"copy {letter} is missing")
    for name, problem in copy.problems.items():
        what = f"{copy.folder}/{name}".removesuffix("/")
        if problem.is_unreadable:
            raise MediumError("CUS-2/unreadable", f"{what}: {problem.why}", HINT)
        raise _damaged(found, f"{what}: {problem.why}")
    return copy


def _check_signatures(bench: Workbench, files: Mapping[str, bytes]) -> None:
    """Every signature of the manifest is good, and there is one at least."""
    manifest, registry = files[BACKUP_MANIFEST_NAME], bench.registry()
    minisig, armored = (files.get(name) for name in SIGNATURE_NAMES)
    if minisig is None and armored is None:
        raise UntrustedKey(
            "CUS-1/unsigned",
            "The manifest of this backup carries no signature: anybody could have written it.",
            "Make a new backup: pai-signer backup create",
        )
    if minisig is not None:
        key = registry.find(shown_key_id(parse_signature(minisig).key_id))
        _check_not_compromised(key.life, key.id)
        digest = hashlib.blake2b(manifest).digest()
        comment = bench.verifiers.minisign.verify(minisig, digest, key.public_key)
        check_file_in_comment(comment, BACKUP_MANIFEST_NAME)
    if armored is not None:
        keys = [k for k in registry.of(Algorithm.OPENPGP) if k.life is not KeyState.COMPROMISED]
        bench.verifiers.openpgp.verify_detached(
            manifest, armored, [key.public_key for key in keys], [key.id for key in keys]
        )


def _check_not_compromised(life: KeyState, key_id: str) -> None:
    if life is KeyState.COMPROMISED:
        raise UntrustedKey(
            "CUS-1/compromised",
            f"The manifest of this backup is signed by {key_id}, which is compromised.",
            "Make a new backup of the keys in use: pai-signer backup create",
        )


def _damaged(found: FoundSet, why: str) -> FormatError:
    return FormatError("CUS-2/damaged", f"Backup set {found.number:06} is damaged: {why}.", HINT)
