"""The vault's plain files behind their ports: states, releases, registry, ceremonies.

Files that belong together are published as one folder, so that a crash at any
point leaves all of the old ones or all of the new (SIG-6).
"""

import os
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from pai_signer.adapters import device_errors, durable
from pai_signer.domain.text import safe_text
from pai_signer.errors import CannotTell, FormatError, PolicyRefused

#: Largest file that any of these stores reads back.
MAX_FILE_BYTES: Final = 64 << 20

_NAME: Final = re.compile(r"[A-Za-z0-9_+][A-Za-z0-9._+-]{0,199}", re.ASCII)
_STATE_SUFFIX: Final = ".json"
_SERIAL: Final = re.compile(r"\d{4,}", re.ASCII)


class FileStates:
    """``ports.StateStore``: ``unfinished/NAME.json``."""

    def __init__(self, vault: Path) -> None:
        self._folder = vault / "unfinished"

    def load(self, name: str) -> bytes | None:
        """The saved bytes, or None."""
        return read_bounded(self._path(name))

    def save(self, name: str, data: bytes) -> None:
        """Replace durably."""
        durable.make_directory(self._folder)
        durable.replace(self._path(name), data)

    def delete(self, name: str) -> None:
        """Forget; nothing there is fine."""
        path = self._path(name)
        if self._folder.is_dir():
            durable.remove(path)

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(
            name.removesuffix(_STATE_SUFFIX)
            for name in _names_in(self._folder)
            if name.endswith(_STATE_SUFFIX)
        )

    def _path(self, name: str) -> Path:
        return self._folder / (_checked_name(name) + _STATE_SUFFIX)


class FileReleases:
    """``ports.ReleaseStore``: ``releases/VERSION/`` with ``candidate.json`` and ``staging/``."""

    def __init__(self, vault: Path) -> None:
        self._folder = vault / "releases"

    def load_candidate(self, version: str) -> bytes | None:
        """The imported candidate, or None."""
        return read_bounded(self._candidate(version))

    def save_candidate(self, version: str, data: bytes) -> None:
        """Replace durably."""
        durable.make_directory(self._of(version))
        durable.replace(self._candidate(version), data)

    def delete_candidate(self, version: str) -> None:
        """Forget it; nothing there is fine."""
        if self._of(version).is_dir():
            durable.remove(self._candidate(version))

    def versions(self) -> tuple[str, ...]:
        """Every version with a folder, sorted by name."""
        return _names_in(self._folder)

    def stage(self, version: str, files: Mapping[str, bytes]) -> None:
        """Make ``files`` appear beside what is staged already, all at once or not at all.

        ``PolicyRefused`` if a name is staged with other content: what was signed
        and verified is never overwritten.
        """
        staged = self.staged(version)
        for name, data in files.items():
            if staged.get(_checked_name(name), data) != data:
                raise PolicyRefused(
                    "SIG-6/staged-already",
                    f"{name} of {version} is already staged, with other content.",
                    "Look at the release; discard its unfinished signing before a new one.",
                )
        if files:
            self._publish(version, {**staged, **files})

    def staged(self, version: str) -> dict[str, bytes]:
        """All staged files by name; empty where nothing is staged."""
        return _read_folder(self._staging(version))

    def unstage(self, version: str, names: Iterable[str]) -> None:
        """Take back staged files, all at once; names that are not there are fine."""
        staged = self.staged(version)
        unwanted = set(names)
        left = {name: data for name, data in staged.items() if name not in unwanted}
        if left != staged:
            self._publish(version, left)

    def _publish(self, version: str, files: Mapping[str, bytes]) -> None:
        folder = self._of(version)
        durable.make_directory(folder)
        with durable.held_directory(folder) as descriptor:
            durable.sweep(descriptor)
        durable.publish_directory(self._staging(version), files)

    def _of(self, version: str) -> Path:
        return self._folder / _checked_name(version)

    def _candidate(self, version: str) -> Path:
        return self._of(version) / "candidate.json"

    def _staging(self, version: str) -> Path:
        return self._of(version) / "staging"


class _States:
    """Folders ``NNNN/`` with one state of the same files each; the highest number stands."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self) -> dict[str, bytes]:
        """The files as they stand, by name; empty in a new vault."""
        serials = self._serials()
        return _read_folder(self._folder / serials[-1]) if serials else {}

    def save(self, files: Mapping[str, bytes]) -> None:
        """Write the next state, all its files at once."""
        for name in files:
            _checked_name(name)
        durable.make_directory(self._folder)
        with durable.held_directory(self._folder) as descriptor:
            durable.sweep(descriptor)
        serials = self._serials()
        following = int(serials[-1]) + 1 if serials else 1
        durable.publish_directory(self._folder / f"{following:04}", files)

    def _serials(self) -> list[str]:
        return sorted((n for n in _names_in(self._folder) if _SERIAL.fullmatch(n)), key=int)


class FileRegistry(_States):
    """``ports.RegistryStore``: ``keys/registry/NNNN/``.

    Earlier states stay beside it, for they say what was trusted when (KEY-2).
    """

    def __init__(self, vault: Path) -> None:
        super().__init__(vault / "keys" / "registry")


class FileIndex(_States):
    """``ports.IndexStore``: ``releases-index/NNNN/``; earlier states stay (VER-2)."""

    def __init__(self, vault: Path) -> None:
        super().__init__(vault / "releases-index")


class _Folders:
    """A folder of folders, each of which is published as a whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> tuple[str, ...]:
        """Every folder with a file in it, sorted by name."""
        return tuple(name for name in _names_in(self._folder) if self.load(name))

    def load(self, name: str) -> dict[str, bytes]:
        """All files of a folder by name; empty where there are none."""
        return _read_folder(self._folder / _checked_name(name))

    def save(self, folder: str, files: Mapping[str, bytes]) -> None:
        """Put ``files`` beside or in the place of those there, all at once or not at all."""
        for name in files:
            _checked_name(name)
        together = {**self.load(folder), **files}
        durable.make_directory(self._folder)
        with durable.held_directory(self._folder) as descriptor:
            durable.sweep(descriptor)
        durable.publish_directory(self._folder / folder, together)

    def delete(self, name: str) -> None:
        """Forget all files of a folder, at once; nothing there is fine."""
        folder = self._folder / _checked_name(name)
        if folder.is_dir():
            durable.publish_directory(folder, {})


class FileCeremonies(_Folders):
    """``ports.CeremonyStore``: ``ceremonies/ID/`` with the transcript and the statements."""

    def __init__(self, vault: Path) -> None:
        super().__init__(vault / "ceremonies")


class FileRevocations(_Folders):
    """``ports.RevocationStore``: ``revocations/FINGERPRINT/`` with two certificates."""

    def __init__(self, vault: Path) -> None:
        super().__init__(vault / "revocations")


def read_bounded(path: Path, limit_bytes: int = MAX_FILE_BYTES) -> bytes | None:
    """The content of a regular file of ours, or None if it is not there.

    No link is followed. Raises ``FormatError`` beyond ``limit_bytes``.
    """
    shown = safe_text(path.name)
    with device_errors.explained(f"read '{shown}'", requirement="SEC-2"):
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(path, flags)
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise CannotTell(
                    "SEC-2/vault-damaged",
                    f"'{shown}' in the vault is not a regular file.",
                    "Find out who put it there before you go on.",
                )
            data = file.read(limit_bytes + 1)
    if len(data) > limit_bytes:
        raise FormatError(
            "SEC-2/vault-file-size",
            f"'{shown}' in the vault is larger than {limit_bytes} bytes.",
            "The program did not write it; restore the vault's files from a backup.",
        )
    return data


def _read_folder(folder: Path) -> dict[str, bytes]:
    contents = ((name, read_bounded(folder / name)) for name in _names_in(folder))
    return {name: data for name, data in contents if data is not None}


def _names_in(folder: Path) -> tuple[str, ...]:
    """Sorted names; what a crash left under a temporary name is passed over."""
    with device_errors.explained(
        f"read the folder '{safe_text(folder.name)}'", requirement="SEC-2"
    ):
        try:
            names = sorted(entry.name for entry in folder.iterdir())
        except FileNotFoundError:
            return ()
    return tuple(name for name in names if _NAME.fullmatch(name))


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise FormatError(
            "SEC-2/vault-name",
            f"{safe_text(name, limit=120)!r} cannot be a file name in the vault.",
            "Use letters, digits, dots, dashes, underscores and plus signs.",
        )
    return name
