"""The vault on disk: one private folder of plain files that a person can read.

See DESIGN.md, "State on the workstation". Everything in it belongs to one user
and nobody else may look; one process at a time works in it.
"""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from pai_signer.adapters import durable
from pai_signer.adapters.journal_file import begin_journal, empty_journal
from pai_signer.adapters.vault_files import read_bounded
from pai_signer.domain.profile import MAX_PROFILE_BYTES
from pai_signer.domain.text import safe_text
from pai_signer.domain.vault_info import (
    MAX_VAULT_INFO_BYTES,
    VAULT_INFO_NAME,
    VaultInfo,
    encode_vault_info,
    parse_vault_info,
)
from pai_signer.errors import CannotTell, PolicyRefused, UsageError

PROFILE_NAME: Final = "profile.toml"
LOCK_NAME: Final = "vault.lock"
#: The folder that git keeps: what stands in it is git's, whatever its name.
_MIRROR: Final = "repo.git"


@dataclass(frozen=True)
class Vault:
    """An existing vault whose permissions and identity were checked."""

    path: Path
    info: VaultInfo
    profile_toml: bytes

    @classmethod
    def create(cls, path: Path, profile_toml: bytes, info: VaultInfo) -> Self:
        """Make a new vault at ``path``, which must be missing or an empty private folder.

        ``vault.json`` is written last: without it a folder is not a vault, and
        what an interrupted attempt left is completed by the next.
        """
        encoded = encode_vault_info(info)
        path = path.absolute()
        with durable.explained("make the vault", requirement="SEC-2"):
            durable.make_directory(path)
            _check_private(path)
        # Of two at once, the one would take the other's files for those of an interrupted attempt.
        with durable.held_directory(path) as folder, _locked(folder):
            durable.sweep(folder)
            cls._check_empty(path, profile_toml)
            if not (path / PROFILE_NAME).exists():
                durable.create(path / PROFILE_NAME, profile_toml)
            begin_journal(path)
            durable.create(path / VAULT_INFO_NAME, encoded)
        return cls.open(path)

    @staticmethod
    def _check_empty(path: Path, profile_toml: bytes) -> None:
        """Only what an interrupted attempt leaves, as it leaves it: all else is somebody's own.

        A journal with an entry in it is evidence, whatever else is missing.
        """
        left = {PROFILE_NAME: profile_toml, **empty_journal()}
        with durable.explained("make the vault", requirement="SEC-2"):
            present = {entry.name for entry in path.iterdir()} - {LOCK_NAME}
        if VAULT_INFO_NAME in present:
            raise UsageError(
                "SEC-2/vault-exists",
                f"There is already a vault at {safe_text(str(path))}.",
                "Use it, or give another --vault folder.",
            )
        if present - set(left) or any(read_bounded(path / n) != left[n] for n in present):
            raise UsageError(
                "SEC-2/vault-not-empty",
                f"{safe_text(str(path))} holds other files and is not a vault.",
                "Give an empty or new folder with --vault.",
            )

    @classmethod
    def open(cls, path: Path) -> Self:
        """Check that ``path`` is a vault of ours that nobody else can read, and read it.

        Raises ``UsageError`` where there is none, ``PolicyRefused`` where it is not
        private, ``FormatError`` where its files are not what we would write.
        """
        path = path.absolute()
        missing = UsageError(
            "SEC-2/no-vault",
            f"There is no vault at {safe_text(str(path))}.",
            "Make one with 'pai-signer init', or give the right --vault folder.",
        )
        with durable.explained("open the vault", requirement="SEC-2"):
            try:
                _check_private(path)
            except FileNotFoundError as error:
                raise missing from error
        info = read_bounded(path / VAULT_INFO_NAME, MAX_VAULT_INFO_BYTES)
        if info is None:
            raise missing
        profile = read_bounded(path / PROFILE_NAME, MAX_PROFILE_BYTES)
        if profile is None:
            raise CannotTell(
                "SEC-2/vault-damaged",
                f"The vault at {safe_text(str(path))} has no {PROFILE_NAME}.",
                "Restore the file from where the vault was backed up.",
            )
        return cls(path, parse_vault_info(info), profile)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep every other process out; ``CannotTell`` names the one that is in.

        The kernel frees the lock when its holder dies, so none is ever stale. What such a
        death left under temporary names is removed, for nobody else writes here.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with durable.explained("lock the vault", requirement="JRN-1"):
            descriptor = os.open(self.path / LOCK_NAME, flags, durable.PRIVATE_FILE)
        try:
            if not _is_locked_now(descriptor):
                holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
                raise _in_use(safe_text(holder) or "unknown")
            with durable.explained("lock the vault", requirement="JRN-1"):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            self._sweep()
            yield
        finally:
            # Nothing in it has to last: what close(2) may report would hide the work's own end.
            with suppress(OSError):
                try:
                    # A child between fork and exec has it open too: closing alone frees nothing.
                    fcntl.flock(descriptor, fcntl.LOCK_UN)
                finally:
                    os.close(descriptor)

    def _sweep(self) -> None:
        with durable.explained("clear the vault's temporary files", requirement="SEC-2"):
            for folder, inner, _ in os.walk(self.path):
                inner[:] = [name for name in inner if name != _MIRROR]
                with durable.held_directory(Path(folder)) as held:
                    durable.sweep(held)
            # A git that died holding a lock would refuse that tag for ever; no ref's name can
            # end in .lock (git-check-ref-format(1)).
            mirror = self.path / _MIRROR
            for lock in (*mirror.glob("*.lock"), *(mirror / "refs").rglob("*.lock")):
                lock.unlink(missing_ok=True)


@contextmanager
def _locked(folder: int) -> Iterator[None]:
    """Keep other makers out of a folder that is no vault yet: nothing is written for that."""
    if not _is_locked_now(folder):
        raise _in_use("unknown")
    try:
        yield
    finally:
        fcntl.flock(folder, fcntl.LOCK_UN)


def _is_locked_now(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _in_use(holder: str) -> CannotTell:
    return CannotTell(
        "JRN-1/vault-in-use",
        f"Another pai-signer (process {holder}) is using this vault.",
        "Finish or close it, then try again.",
    )


def _check_private(path: Path) -> None:
    status = path.lstat()
    shown = safe_text(str(path))
    if not stat.S_ISDIR(status.st_mode):
        raise PolicyRefused(
            "SEC-2/vault-link",
            f"{shown} is not a folder itself (a link or a file).",
            "Give the folder's real path with --vault.",
        )
    if status.st_uid != os.geteuid():
        raise PolicyRefused(
            "SEC-2/vault-owner",
            f"The folder {shown} belongs to another user.",
            "Run the program as the user who owns the vault.",
        )
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise PolicyRefused(
            "SEC-2/vault-open",
            f"Other users can look into the folder {shown}.",
            f"If nobody did, close it: chmod 700 {shown}",
        )
