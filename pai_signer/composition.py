"""The only place where real adapters are wired to workflows."""

import functools
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from importlib import resources
from pathlib import Path
from typing import Final

import platformdirs

from pai_signer.adapters import hardening, practice
from pai_signer.adapters.backup_keys import VaultBackupKeys
from pai_signer.adapters.backup_reader import MediumBackupReader
from pai_signer.adapters.clock import SystemClock
from pai_signer.adapters.console_font import console_has
from pai_signer.adapters.destination import MediumDestinations
from pai_signer.adapters.git import GitMirror
from pai_signer.adapters.gpg_backup import OpenPgpBackups
from pai_signer.adapters.gpg_keys import GpgKeys
from pai_signer.adapters.gpg_life import GpgLife
from pai_signer.adapters.gpg_verify import GpgVerifier
from pai_signer.adapters.host import LinuxHost
from pai_signer.adapters.installation import OwnInstallation
from pai_signer.adapters.journal_file import FileJournal
from pai_signer.adapters.media import SystemMedia
from pai_signer.adapters.minisign import MinisignKeyDirectory
from pai_signer.adapters.minisign_backup import MinisignBackups
from pai_signer.adapters.minisign_secret import KeyFiles
from pai_signer.adapters.minisign_verify import CryptographyMinisignVerifier
from pai_signer.adapters.nonces import KernelNonces
from pai_signer.adapters.paper_printer import PdfPrinter
from pai_signer.adapters.passphrases import WordListPassphrases
from pai_signer.adapters.publisher import FolderPublisher
from pai_signer.adapters.qr import ScreenCodes
from pai_signer.adapters.source import FolderSources
from pai_signer.adapters.vault import Vault
from pai_signer.adapters.vault_files import (
    FileCeremonies,
    FileIndex,
    FileRegistry,
    FileReleases,
    FileRevocations,
    FileStates,
)
from pai_signer.domain.minisig import STOCK_LIMITS, ScryptLimits
from pai_signer.domain.profile import parse_profile
from pai_signer.domain.text import safe_text
from pai_signer.domain.vault_info import VaultInfo
from pai_signer.errors import UsageError
from pai_signer.ports import Clock, Destinations, Host, Media, Passphrases, Program, Sources
from pai_signer.workflows.check_journal import settle_journal
from pai_signer.workflows.rehearse import RehearsalPlan
from pai_signer.workflows.release.settle import settle_unfinished
from pai_signer.workflows.vault_birth import record_birth, settle_birth
from pai_signer.workflows.workbench import Verifiers, Workbench

BUILT_IN_PROFILE: Final = "pai.toml"
REHEARSAL_VAULT: Final = "vault"
#: What QR codes are drawn with where there is room for them.
HALF_BLOCKS: Final = "▀▄█"


def default_vault() -> Path:
    """Where the vault is if nobody says otherwise."""
    return Path(platformdirs.user_data_dir("pai-signer"))


def built_in_profile() -> bytes:
    """The TOML of the PAI profile."""
    return resources.files("pai_signer.profiles").joinpath(BUILT_IN_PROFILE).read_bytes()


def make_vault(
    path: Path, profile_toml: bytes, name: str, email: str, *, rehearsal: bool = False
) -> None:
    """Make a new vault and journal its birth; refuses one that exists."""
    time = clock()
    profile = parse_profile(profile_toml)
    info = VaultInfo(
        project=profile.project.name,
        maintainer_name=name,
        maintainer_email=email,
        created_at=time.now(),
        rehearsal=rehearsal,
    )
    vault = Vault.create(path, profile_toml, info)
    with vault.lock():
        record_birth(FileJournal(vault.path, time), info)


@contextmanager
def open_workbench(
    path: Path,
    *,
    at: Clock | None = None,
    limits: ScryptLimits = STOCK_LIMITS,
    media: Media | None = None,
    passphrases: Passphrases | None = None,
) -> Iterator[tuple[Workbench, tuple[str, ...]]]:
    """Open and lock a vault; yields it with notes on what a crash had left (SIG-6).

    ``at`` is another clock, ``limits`` another strength of passphrase hashing and
    ``passphrases`` another judge of new ones: for tests only.
    """
    with ExitStack() as stack:
        vault = Vault.open(path)
        stack.enter_context(vault.lock())
        time = at or clock()
        minisign = MinisignKeyDirectory(
            vault.path / "keys" / "minisign", limits=limits, rehearsal=vault.info.rehearsal
        )
        gnupg = vault.path / "keys" / "gnupg"
        bench = Workbench(
            profile=parse_profile(vault.profile_toml),
            info=vault.info,
            clock=time,
            host=LinuxHost(vault=vault.path),
            program=program(),
            media=media or SystemMedia(vault=vault.path),
            sources=FolderSources(),
            destinations=MediumDestinations(),
            publisher=FolderPublisher(),
            minisign=minisign,
            openpgp=GpgKeys(gnupg, time),
            openpgp_life=GpgLife(gnupg, time),
            passphrases=passphrases or WordListPassphrases(),
            backup_keys=VaultBackupKeys(
                MinisignBackups(minisign, KeyFiles(limits, rehearsal=vault.info.rehearsal)),
                OpenPgpBackups(gnupg, time),
            ),
            backup_reader=MediumBackupReader(),
            nonces=KernelNonces(),
            paper=PdfPrinter(),
            codes=ScreenCodes(),
            verifiers=verifiers(time),
            tags=GitMirror(vault.path),
            journal=FileJournal(vault.path, time),
            states=FileStates(vault.path),
            releases=FileReleases(vault.path),
            registry_store=FileRegistry(vault.path),
            index_store=FileIndex(vault.path),
            ceremonies=FileCeremonies(vault.path),
            revocations=FileRevocations(vault.path),
            scratch=scratch,
        )
        stack.callback(bench.session.wipe)
        yield (
            bench,
            (
                *settle_journal(bench),
                *settle_birth(bench),
                *settle_unfinished(bench),
            ),
        )


# --- rehearsals (FACE-5) ----------------------------------------------------------------


def prepare_rehearsal(folder: Path) -> bool:
    """Make a rehearsal's vault and practice media below ``folder``; False if they are there."""
    if (folder / REHEARSAL_VAULT).exists():
        return False
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    toml = built_in_profile()
    practice.build_practice_media(folder, parse_profile(toml))
    make_vault(
        folder / REHEARSAL_VAULT,
        toml,
        "Rehearsal Maintainer",
        "rehearsal@example.org",
        rehearsal=True,
    )
    return True


def open_rehearsal(
    folder: Path, *, limits: ScryptLimits = STOCK_LIMITS, passphrases: Passphrases | None = None
) -> AbstractContextManager[tuple[Workbench, tuple[str, ...]]]:
    """Open a rehearsal's vault, with its practice folders as the removable media.

    ``UsageError`` for a real vault in its place: nobody rehearses with keys that count.
    """
    if not Vault.open(folder / REHEARSAL_VAULT).info.rehearsal:
        raise UsageError(
            "FACE-5/real-vault",
            f"The vault in {safe_text(str(folder))} is a real one, and not of a rehearsal.",
            "Give another --dir, or none for a new folder.",
            unchanged="Nothing was changed.",
        )
    return open_workbench(
        folder / REHEARSAL_VAULT,
        limits=limits,
        media=practice.PracticeMedia(folder),
        passphrases=passphrases,
    )


def rehearsal_plan(bench: Workbench, folder: Path) -> RehearsalPlan:
    """What the headless rehearsal plays."""
    return RehearsalPlan(
        version=bench.release_name(practice.VERSION),
        downloads=practice.DOWNLOADS,
        uploads=practice.UPLOADS,
        custodians=practice.CUSTODIANS,
        publish=lambda exported: practice.publish(folder, exported),
    )


def verifiers(at: Clock | None = None) -> Verifiers:
    """What verifying needs, without any vault (VER-1)."""
    return Verifiers(CryptographyMinisignVerifier(), GpgVerifier(at or clock()))


def sources() -> Sources:
    """How folders are read, without any vault."""
    return FolderSources()


def destinations() -> Destinations:
    """How files that stay are written, without any vault."""
    return MediumDestinations()


def clock() -> Clock:
    """The machine's clock."""
    return SystemClock()


def host() -> Host:
    """The laptop."""
    return LinuxHost()


@functools.cache
def program() -> Program:
    """What runs here; the same for the whole process, for its files are hashed once."""
    return OwnInstallation()


@contextmanager
def scratch() -> Iterator[Path]:
    """A private temporary folder."""
    with tempfile.TemporaryDirectory(prefix="pai-signer-") as folder:
        yield Path(folder)


def font_has_half_blocks(descriptor: int) -> bool:
    """Whether this is a Linux console with half blocks in its font (EXP-4)."""
    return console_has(descriptor, HALF_BLOCKS)


def harden_process() -> None:
    """Close the process to debuggers and core dumps (SEC-2); done once at the start."""
    hardening.harden()
