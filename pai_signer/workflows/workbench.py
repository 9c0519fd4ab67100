"""Everything that workflows work with, in one place: the ports, the profile, the session."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pai_signer.domain.artifact import Candidate
from pai_signer.domain.history import ReleaseHistory, read_history
from pai_signer.domain.ledger import Ledger
from pai_signer.domain.ledger_reading import read_ledger
from pai_signer.domain.profile import Profile
from pai_signer.domain.records import decode_record
from pai_signer.domain.registry import REGISTRY_NAME, Registry, parse_registry
from pai_signer.domain.text import safe_text
from pai_signer.domain.vault_info import VaultInfo
from pai_signer.errors import UsageError
from pai_signer.ports import (
    BackupKeys,
    BackupReader,
    CeremonyStore,
    Clock,
    Destinations,
    Host,
    IndexStore,
    Journal,
    Media,
    MinisignKeys,
    MinisignVerifier,
    Nonces,
    OpenPgpKeys,
    OpenPgpLife,
    OpenPgpVerifier,
    PaperPrinter,
    Passphrases,
    Program,
    Publisher,
    RegistryStore,
    ReleaseStore,
    RevocationStore,
    Sources,
    StateStore,
    TagStore,
)
from pai_signer.workflows.engine import Session


@dataclass(frozen=True)
class Verifiers:
    """What checking signatures needs, with or without a vault (VER-1)."""

    minisign: MinisignVerifier
    openpgp: OpenPgpVerifier


@dataclass(frozen=True)
class Workbench:
    """One open vault and the machine around it."""

    profile: Profile
    info: VaultInfo
    clock: Clock
    host: Host
    program: Program
    media: Media
    sources: Sources
    destinations: Destinations
    publisher: Publisher
    minisign: MinisignKeys
    openpgp: OpenPgpKeys
    openpgp_life: OpenPgpLife
    passphrases: Passphrases
    backup_keys: BackupKeys
    backup_reader: BackupReader
    nonces: Nonces
    paper: PaperPrinter
    verifiers: Verifiers
    tags: TagStore
    journal: Journal
    states: StateStore
    releases: ReleaseStore
    registry_store: RegistryStore
    index_store: IndexStore
    ceremonies: CeremonyStore
    revocations: RevocationStore
    #: A private folder that is gone afterwards.
    scratch: Callable[[], AbstractContextManager[Path]]
    session: Session = field(default_factory=Session)

    def registry(self) -> Registry:
        """The registry as it stands; an empty one in a new vault."""
        files = self.registry_store.load()
        if not files:
            return Registry(
                project=self.profile.project.name, serial=0, changed_at=self.info.created_at
            )
        return parse_registry(files[REGISTRY_NAME])

    def history(self) -> ReleaseHistory:
        """What was signed so far, from the checked journal."""
        return read_history(self.journal.entries())

    def ledger(self) -> Ledger:
        """Who proved which backup from which medium, from the checked journal (CUS-3)."""
        return read_ledger(self.journal.entries())

    def last_entry_at(self) -> datetime | None:
        """When the newest journal entry was written."""
        entries = self.journal.entries()
        return entries[-1].time if entries else None

    @property
    def comment_project(self) -> str:
        """The project as trusted comments name it; a rehearsal says so there too (FACE-5)."""
        name = self.profile.project.name
        return f"REHEARSAL {name}" if self.info.rehearsal else name

    def release_name(self, text: str) -> str:
        """The tag name that ``text`` (``v1.2.3`` or ``1.2.3``) means; ``UsageError`` if none."""
        return self.profile.tag_of(self.profile.version_of(text))

    def candidate_bytes(self, version: str) -> bytes:
        """The stored candidate; ``UsageError`` if nothing was imported."""
        data = self.releases.load_candidate(version)
        if data is None:
            raise UsageError(
                "IMP/no-candidate",
                f"Nothing was imported for {safe_text(version, limit=80)}.",
                "Import its files or its bundle first: pai-signer release import SRC",
                unchanged="Nothing was changed.",
            )
        return data

    def candidate(self, version: str) -> Candidate:
        """The stored candidate, parsed strictly."""
        return decode_record(self.candidate_bytes(version), Candidate, "candidate.json")
