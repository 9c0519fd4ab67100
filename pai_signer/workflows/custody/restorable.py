"""What a backup medium offers to a workstation that has nothing yet (CUS-4).

The medium cannot vouch for itself. What is checked here is that one of its copies is whole,
and that the keys in its own registry signed it. That these are the right keys is for the
custodian to say, from a paper card.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pai_signer.domain.backup import (
    BACKUP_MANIFEST_NAME,
    CEREMONIES_NAME,
    COPIES,
    FACTS_NAME,
    JOURNAL_NAME,
    SIGNATURE_NAMES,
    BackupFacts,
    parse_facts,
    parse_manifest,
    required_names,
    unpack_ceremonies,
)
from pai_signer.domain.journal import JournalEntry, parse_journal
from pai_signer.domain.progress import Progress
from pai_signer.domain.receipt import JournalHead
from pai_signer.domain.registry import (
    MINISIG_SUFFIX,
    OPENPGP_SUFFIX,
    REGISTRY_NAME,
    Algorithm,
    RegisteredKey,
    Registry,
)
from pai_signer.errors import FormatError, MediumError, PolicyRefused, SignerError
from pai_signer.ports import FoundCopy, FoundSet
from pai_signer.workflows.verify.verify_registry import verify_registry, verify_signed_by_all
from pai_signer.workflows.workbench import Workbench

#: The code for a set that a rotation wrote before its new key was registered.
OF_ROTATION: Final = "CUS-4/of-rotation"
#: The registry's own files, as the vault stores them together.
REGISTRY_FILES: Final = (
    REGISTRY_NAME,
    REGISTRY_NAME + MINISIG_SUFFIX,
    REGISTRY_NAME + OPENPGP_SUFFIX,
)


@dataclass(frozen=True)
class Restorable:
    """A set of which at least one copy is whole; ``damaged`` says what is wrong with others."""

    facts: BackupFacts
    files: Mapping[str, bytes]
    registry: Registry
    entries: tuple[JournalEntry, ...]
    damaged: tuple[str, ...] = ()

    @property
    def manifest_sha256(self) -> str:
        """Tells this very set from any other one."""
        return hashlib.sha256(self.files[BACKUP_MANIFEST_NAME]).hexdigest()

    @property
    def ceremonies(self) -> dict[str, dict[str, bytes]]:
        """Transcripts and statements by ceremony; ``FormatError`` if they are not as packed."""
        packed = self.files.get(CEREMONIES_NAME)
        return unpack_ceremonies(packed) if packed is not None else {}

    @property
    def registry_files(self) -> dict[str, bytes]:
        """The registry with its signatures."""
        return {name: self.files[name] for name in REGISTRY_FILES if name in self.files}

    def key(self, algorithm: Algorithm) -> RegisteredKey | None:
        """The key of one system that this set holds, as its registry has it."""
        held = self.facts.key(algorithm)
        return self.registry.find(held.id) if held else None


def read_sets(bench: Workbench, directory: str, progress: Progress) -> tuple[FoundSet, ...]:
    """Every set on a medium, newest first; ``MediumError`` where there is none."""
    sets = bench.backup_reader.read(Path(directory), bench.profile.project.slug, progress)
    if not sets:
        raise MediumError(
            "CUS-4/no-backup",
            f"There is no backup of {bench.profile.project.name} on this medium.",
            "Give the top of the medium, above the folders with -a, -b and -c in their names.",
        )
    return sets


def restorable(bench: Workbench, found: FoundSet) -> Restorable:
    """The first whole copy of a set; what is wrong with the others is told with it.

    Where none is whole, raises what is wrong with the first: ``MediumError`` for what
    could not be read, ``FormatError`` for what is missing or changed, ``BadSignature``,
    ``UntrustedKey`` or ``CannotTell`` for a manifest that the set's own keys did not sign.
    """
    errors: list[tuple[str, SignerError]] = []
    whole: Restorable | None = None
    for letter in COPIES:
        try:
            copy = _checked(bench, found, letter)
        except SignerError as error:
            errors.append((letter, error))
            continue
        if whole is not None and copy.files != whole.files:
            raise _damaged(found, f"two of its copies are whole, and copy {letter} is another one")
        whole = whole or copy
    if whole is None:
        raise errors[0][1]
    damaged = tuple(f"copy {letter}: {error.summary}" for letter, error in errors)
    return Restorable(whole.facts, whole.files, whole.registry, whole.entries, damaged)


def _checked(bench: Workbench, found: FoundSet, letter: str) -> Restorable:
    files = _read(found, letter).files
    project, rehearsal = bench.profile.project.name, bench.info.rehearsal
    manifest = files.get(BACKUP_MANIFEST_NAME, b"")
    listed = parse_manifest(manifest, project, rehearsal=rehearsal)
    beside = {BACKUP_MANIFEST_NAME, *SIGNATURE_NAMES}
    there = {
        name: hashlib.sha256(data).hexdigest() for name, data in files.items() if name not in beside
    }
    for name in sorted({*listed, *there}):
        if listed.get(name) != there.get(name):
            raise _damaged(found, f"{name} is not as the manifest says")
    facts = parse_facts(files.get(FACTS_NAME, b""))
    if not required_names(facts) <= set(files):
        raise _damaged(found, "a file of its keys is missing")
    registry = verify_registry(files, bench.verifiers, accept_rehearsal=rehearsal)
    _check_is_registered(found, facts, registry)
    verify_signed_by_all(
        files, BACKUP_MANIFEST_NAME, registry, bench.verifiers, accept_rehearsal=rehearsal
    )
    entries = parse_journal(files[JOURNAL_NAME])
    _check_agrees(found, project, facts, registry, files, entries)
    return Restorable(facts, files, registry, entries)


def _read(found: FoundSet, letter: str) -> FoundCopy:
    copy = found.copies.get(letter)
    if copy is None:
        raise _damaged(found, f"copy {letter} is missing")
    for name, problem in copy.problems.items():
        if problem.is_unreadable:
            where = f"{copy.folder}/{name}".removesuffix("/")
            raise MediumError(
                "CUS-4/unreadable",
                f"{where} cannot be read: {problem.why}.",
                "Plug the medium in again; if it fails again, use the backup on another one.",
            )
        raise _damaged(found, f"{name or 'its folder'}: {problem.why}")
    return copy


def _check_agrees(
    found: FoundSet,
    project: str,
    facts: BackupFacts,
    registry: Registry,
    files: Mapping[str, bytes],
    entries: tuple[JournalEntry, ...],
) -> None:
    """Facts, registry and journal of one copy tell of the same moment."""
    digest = hashlib.sha256(files[REGISTRY_NAME]).hexdigest()
    stored = [e.facts["registry_sha256"] for e in entries if "registry_sha256" in e.facts]
    head = JournalHead(n=entries[-1].n, hash=entries[-1].hash) if entries else None
    rules = {
        f"{FACTS_NAME} is of another set": facts.number == found.number,
        f"{FACTS_NAME} is of another project": facts.project == registry.project == project,
        "its journal does not end with the entry that it names": facts.journal_head == head,
        # Not the last one that it announces: a change may have been given up after a crash.
        "its journal does not know its registry": digest in stored
        and facts.registry_serial == registry.serial,
    }
    for why, holds in rules.items():
        if not holds:
            raise _damaged(found, why)


def _check_is_registered(found: FoundSet, facts: BackupFacts, registry: Registry) -> None:
    known = {(key.algorithm, key.id) for key in registry.keys}
    for key in facts.keys:
        if (key.algorithm, key.id) not in known:
            raise PolicyRefused(
                OF_ROTATION,
                f"Backup set {found.number:06} was written in a rotation: its registry does not "
                f"know the new key {key.id} yet.",
                "Restore from a set that was made after the rotation.",
            )


def _damaged(found: FoundSet, why: str) -> FormatError:
    return FormatError(
        "CUS-4/damaged",
        f"Backup set {found.number:06} cannot be restored from: {why}.",
        "Use another set, or the backup on another medium.",
    )
