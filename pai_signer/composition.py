"""The only place where real adapters are wired to workflows."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import resources
from pathlib import Path

import platformdirs

from pai_signer.adapters import hardening
from pai_signer.adapters.clock import SystemClock
from pai_signer.adapters.destination import MediumDestinations
from pai_signer.adapters.git import GitMirror
from pai_signer.adapters.gpg_keys import GpgKeys
from pai_signer.adapters.gpg_verify import GpgVerifier
from pai_signer.adapters.host import LinuxHost
from pai_signer.adapters.journal_file import FileJournal
from pai_signer.adapters.media import SystemMedia
from pai_signer.adapters.minisign import MinisignKeyDirectory
from pai_signer.adapters.minisign_verify import CryptographyMinisignVerifier
from pai_signer.adapters.publisher import FolderPublisher
from pai_signer.adapters.source import FolderSources
from pai_signer.adapters.vault import Vault
from pai_signer.adapters.vault_files import FileRegistry, FileReleases, FileStates
from pai_signer.domain.minisig import STOCK_LIMITS, ScryptLimits
from pai_signer.domain.profile import parse_profile
from pai_signer.domain.vault_info import VaultInfo
from pai_signer.ports import Clock, Host, Sources
from pai_signer.workflows.settle import settle_unfinished
from pai_signer.workflows.workbench import Verifiers, Workbench

BUILT_IN_PROFILE = "pai.toml"


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
    clock = SystemClock()
    profile = parse_profile(profile_toml)
    info = VaultInfo(
        project=profile.project.name,
        maintainer_name=name,
        maintainer_email=email,
        created_at=clock.now(),
        rehearsal=rehearsal,
    )
    vault = Vault.create(path, profile_toml, info)
    with vault.lock():
        FileJournal(vault.path, clock).append(
            "vault.created",
            {
                "project": info.project,
                "maintainer": f"{name} <{email}>",
                "rehearsal": rehearsal,
                "command": f"init --maintainer {name!r} --email {email}",
            },
        )


@contextmanager
def open_workbench(
    path: Path,
    *,
    clock: Clock | None = None,
    limits: ScryptLimits = STOCK_LIMITS,
    include_loop_media: bool = False,
) -> Iterator[tuple[Workbench, tuple[str, ...]]]:
    """Open and lock a vault; yields it with notes on what a crash had left (SIG-6).

    ``limits`` below stock strength are for tests: the program never passes them.
    """
    with ExitStack() as stack:
        vault = Vault.open(path)
        stack.enter_context(vault.lock())
        clock = clock or SystemClock()
        bench = Workbench(
            profile=parse_profile(vault.profile_toml),
            info=vault.info,
            clock=clock,
            host=LinuxHost(),
            media=SystemMedia(vault=vault.path, include_loop=include_loop_media),
            sources=FolderSources(),
            destinations=MediumDestinations(),
            publisher=FolderPublisher(),
            minisign=MinisignKeyDirectory(vault.path / "keys" / "minisign", limits=limits),
            openpgp=GpgKeys(vault.path / "keys" / "gnupg", clock),
            verifiers=verifiers(clock),
            tags=GitMirror(vault.path),
            journal=FileJournal(vault.path, clock),
            states=FileStates(vault.path),
            releases=FileReleases(vault.path),
            registry_store=FileRegistry(vault.path),
            scratch=scratch,
        )
        stack.callback(bench.session.wipe)
        yield bench, settle_unfinished(bench)


def verifiers(clock: Clock | None = None) -> Verifiers:
    """What verifying needs, without any vault (VER-1)."""
    return Verifiers(CryptographyMinisignVerifier(), GpgVerifier(clock or SystemClock()))


def sources() -> Sources:
    """How folders are read, without any vault."""
    return FolderSources()


def host() -> Host:
    """The laptop."""
    return LinuxHost()


@contextmanager
def scratch() -> Iterator[Path]:
    """A private temporary folder."""
    with tempfile.TemporaryDirectory(prefix="pai-signer-") as folder:
        yield Path(folder)


def harden_process() -> None:
    """Close the process to debuggers and core dumps (SEC-2); done once at the start."""
    hardening.harden()
