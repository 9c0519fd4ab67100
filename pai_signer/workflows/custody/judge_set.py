"""The sets on a backup medium: compared, held against their signed manifests (CUS-2).

A manifest counts where a registered key has signed it that is not compromised. What no
such manifest vouches for is only a claim: it may say whose a damaged set was, no more.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pai_signer.domain.backup import (
    BACKUP_MANIFEST_NAME,
    FACTS_NAME,
    SIGNATURE_NAMES,
    BackupFacts,
    parse_facts,
    parse_manifest,
)
from pai_signer.domain.compare_copies import CopyRead, SetCondition, compare_copies
from pai_signer.domain.journal import JournalEntry
from pai_signer.domain.minisig import claims_in_comment
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import MINISIG_SUFFIX, KeyState, RegisteredKey
from pai_signer.errors import BadSignature, FormatError, JournalTampered, UntrustedKey
from pai_signer.ports import FoundCopy, FoundSet
from pai_signer.workflows.verify.verification import ReleaseVerifier
from pai_signer.workflows.workbench import Workbench


@dataclass(frozen=True)
class JudgedSet:
    """One set as it lies there, and what is wrong with it."""

    found: FoundSet
    condition: SetCondition
    #: What the set says of itself; it grants nothing. Never against a manifest that is signed.
    claimed: BackupFacts | None

    @property
    def number(self) -> int:
        """As in the folders' names."""
        return self.found.number

    @property
    def facts(self) -> BackupFacts | None:
        """What a signed manifest vouches for."""
        return self.condition.facts

    @property
    def files(self) -> Mapping[str, bytes]:
        """Those of an intact copy; ``FormatError`` where none is."""
        if self.condition.outcome is not None or not self.condition.intact:
            raise FormatError(
                "CUS-2/damaged",
                f"The set {self.number} is not intact: {'; '.join(self.condition.texts)}.",
                "Repair it from a whole copy, or write a new backup.",
            )
        return self.found.copies[self.condition.intact[0]].files


def judged_sets(bench: Workbench, directory: Path, progress: Progress) -> tuple[JudgedSet, ...]:
    """Every set of this project on the medium, newest first.

    ``MediumError`` for a medium that is gone or cannot be listed, ``JournalTampered``
    where a set shows that this workstation's journal was rolled back or is another one.
    """
    found = bench.backup_reader.read(directory, bench.profile.project.slug, progress)
    judged = tuple(judge_set(bench, one) for one in found)
    check_journal(bench.journal.entries(), [s.facts for s in judged if s.facts is not None])
    return judged


def judge_set(bench: Workbench, found: FoundSet) -> JudgedSet:
    """Compare the copies of one set."""
    signed = _Signed(bench)
    copies = {copy: _copy_read(signed, held) for copy, held in found.copies.items()}
    condition = compare_copies(found.number, copies)
    return JudgedSet(found, condition, condition.facts or _claimed(copies.values()))


def _claimed(copies: Collection[CopyRead]) -> BackupFacts | None:
    """What a set says of itself that is not intact.

    Where a registered key signed a manifest and the facts are not as it says, they are
    damaged: they no longer tell of another key, nor of another custodian.
    """
    signed = [copy for copy in copies if copy.manifest is not None]
    if signed:
        return next((copy.facts for copy in signed if copy.facts is not None), None)
    for copy in copies:
        try:
            return parse_facts(copy.files.get(FACTS_NAME, b""))
        except FormatError:
            continue
    return None


class _Signed:
    """Looks at manifests and their signatures; the same bytes in another copy only once."""

    def __init__(self, bench: Workbench) -> None:
        self._rehearsal = bench.info.rehearsal
        self._project = bench.profile.project.name
        self._comment_project = f"{bench.comment_project} backup"
        self._known: dict[tuple[str, bytes, bytes], RegisteredKey | None] = {}
        self._verifier = ReleaseVerifier(
            bench.verifiers,
            bench.registry(),
            manifest_name=BACKUP_MANIFEST_NAME,
            accept_rehearsal=self._rehearsal,
        )

    def signers(self, files: Mapping[str, bytes]) -> dict[str, RegisteredKey]:
        """By the name of each signature over the manifest that is right, who made it."""
        manifest = files.get(BACKUP_MANIFEST_NAME, b"")
        found = {
            name: self._signer(name, manifest, files[name])
            for name in SIGNATURE_NAMES
            if name in files
        }
        return {name: key for name, key in found.items() if key is not None}

    def manifest(
        self, files: Mapping[str, bytes], signers: Iterable[RegisteredKey]
    ) -> Mapping[str, str] | None:
        """The digests, where a key that is not compromised vouches for a backup's manifest."""
        if all(key.life is KeyState.COMPROMISED for key in signers):
            return None
        try:
            return parse_manifest(
                files[BACKUP_MANIFEST_NAME], self._project, rehearsal=self._rehearsal
            )
        except FormatError:
            return None

    def _signer(self, name: str, manifest: bytes, signature: bytes) -> RegisteredKey | None:
        known = (name, manifest, signature)
        if known not in self._known:
            try:
                self._known[known] = self._verified(name, manifest, signature)
            except (BadSignature, FormatError, UntrustedKey):
                self._known[known] = None
        return self._known[known]

    def _verified(self, name: str, manifest: bytes, signature: bytes) -> RegisteredKey | None:
        if not name.endswith(MINISIG_SUFFIX):
            return self._verifier.openpgp(manifest, signature)[0]
        digest = hashlib.blake2b(manifest).digest()
        key, comment = self._verifier.minisig(BACKUP_MANIFEST_NAME, signature, digest)
        # Made for something else, it would say nothing about a backup.
        return key if claims_in_comment(comment)[0] == self._comment_project else None


def _copy_read(signed: _Signed, held: FoundCopy) -> CopyRead:
    signers = signed.signers(held.files)
    return CopyRead(
        files=held.files,
        problems={name: problem.why for name, problem in held.problems.items()},
        unreadable=frozenset(n for n, p in held.problems.items() if p.is_unreadable),
        good_signatures=frozenset(signers),
        manifest=signed.manifest(held.files, signers.values()),
    )


def check_journal(entries: Sequence[JournalEntry], found: Sequence[BackupFacts]) -> None:
    """Each set pins the journal of its day: entry n has that hash, or the journal is another.

    ``JournalTampered`` (JRN-1): an older state of the vault was put back, or entries differ.
    """
    for facts in found:
        head = facts.journal_head
        if head.n > len(entries):
            raise _journal_differs(
                f"The backup {facts.number} was made at journal entry {head.n}, and the journal "
                f"here ends at {len(entries)}: it was rolled back."
            )
        if entries[head.n - 1].hash != head.hash:
            raise _journal_differs(
                f"The backup {facts.number} knows another journal entry {head.n} than the one "
                "here: the journal was rewritten, or is another workstation's."
            )


def _journal_differs(summary: str) -> JournalTampered:
    return JournalTampered(
        "JRN-1/backup-head",
        summary,
        "Do not sign with this workstation before you know why. Compare the journal's head with "
        "what is on paper and on the receipts of published releases.",
    )
