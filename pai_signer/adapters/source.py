"""Reads from a folder that nobody vouches for (IMP-2, IMP-3).

The folder is held by descriptor and every name is looked up in it without
following links. Only regular files are opened, and never in a way that could
hang. A file that changes between two looks is refused.
"""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pai_signer.adapters.device_errors import explained
from pai_signer.adapters.hashing import READ_BYTES, hash_descriptor
from pai_signer.domain.artifact import Finding, HashedFile
from pai_signer.domain.iso import inspect_iso
from pai_signer.domain.names import check_name, find_twins, why_unsafe
from pai_signer.domain.progress import Progress
from pai_signer.domain.text import safe_text
from pai_signer.errors import FormatError, MediumError, PolicyRefused
from pai_signer.ports import RefusedEntry, SourceEntry, SourceListing

#: More than a release folder ever holds, few enough to show.
MAX_ENTRIES: Final = 1000

#: Seven times the largest image there is; a sparse giant would be read for days.
MAX_FILE_BYTES: Final = 64 << 30

_KINDS: Final[tuple[tuple[Callable[[int], bool], str], ...]] = (
    (stat.S_ISLNK, "it is a symbolic link, and links are not followed"),
    (stat.S_ISDIR, "it is a folder, and folders are not entered"),
    (stat.S_ISFIFO, "it is a named pipe"),
    (stat.S_ISSOCK, "it is a socket"),
    (stat.S_ISCHR, "it is a device"),
    (stat.S_ISBLK, "it is a device"),
)


class FolderSources:
    """Opens source folders (``ports.Sources``)."""

    @contextmanager
    def open(self, directory: Path) -> Iterator["FolderSource"]:
        """Hold ``directory`` open; ``PolicyRefused`` for a link, ``MediumError`` if missing."""
        shown = safe_text(str(directory))
        descriptor = open_folder(directory, requirement="IMP-2")
        try:
            yield FolderSource(descriptor, shown)
        finally:
            os.close(descriptor)


def open_folder(directory: Path, *, requirement: str) -> int:
    """A descriptor of ``directory`` itself: links and other things are refused."""
    shown = safe_text(str(directory))
    with explained(f"open the folder '{shown}'", requirement=requirement):
        mode = os.lstat(directory).st_mode
        if stat.S_ISLNK(mode):
            raise PolicyRefused(
                f"{requirement}/symlink",
                f"'{shown}' is a symbolic link, and links are not followed.",
                "Give the real path of the folder.",
            )
        if not stat.S_ISDIR(mode):
            raise PolicyRefused(
                f"{requirement}/not-a-folder",
                f"'{shown}' is not a folder.",
                "Give the folder that the files are in.",
            )
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(directory, flags)


@dataclass(frozen=True)
class _Identity:
    """What must not change between two looks at one file."""

    device: int
    inode: int
    size_bytes: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, found: os.stat_result) -> "_Identity":
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


class FolderSource:
    """One opened source folder (``ports.Source``)."""

    def __init__(self, descriptor: int, shown_path: str) -> None:
        """``descriptor`` stays the caller's; it must outlive this object."""
        self._folder = descriptor
        self._shown_path = shown_path
        self._hashed: dict[str, _Identity] = {}

    @property
    def shown_path(self) -> str:
        """Where it is, sanitised."""
        return self._shown_path

    @property
    def identity(self) -> tuple[int, int]:
        """Device and inode (stat(2)): a folder has many spellings, and mounts add more."""
        found = os.fstat(self._folder)
        return found.st_dev, found.st_ino

    def listing(self) -> SourceListing:
        """Scan the top of the folder: bounded, nothing opened, nothing followed.

        Raises ``PolicyRefused`` if it holds more than ``MAX_ENTRIES``, ``MediumError``
        if the medium is gone: the kernel lists a pulled stick as empty, without an error.
        """
        files: list[SourceEntry] = []
        refused: list[RefusedEntry] = []
        with explained(f"list '{self._shown_path}'", requirement="IMP-1"):
            for name in self._names():
                found = self._lstat(name)
                why = _why_refused(name, found)
                if found is None or why is not None:
                    is_folder = found is not None and stat.S_ISDIR(found.st_mode)
                    shown = safe_text(name, limit=300)
                    refused.append(RefusedEntry(shown, why or "it vanished", is_folder))
                else:
                    files.append(SourceEntry(name, found.st_size, found.st_mtime))
            self._check_is_there()
        twins = {name for group in find_twins(file.name for file in files) for name in group}
        refused += [
            RefusedEntry(name, "another name here differs only in upper and lower case")
            for name in twins
        ]
        return SourceListing(
            tuple(sorted((f for f in files if f.name not in twins), key=lambda f: f.name)),
            tuple(sorted(refused, key=lambda entry: entry.shown_name)),
        )

    def read_small(self, name: str, limit_bytes: int) -> bytes:
        """The whole of a small file; ``FormatError`` if it is larger than ``limit_bytes``."""
        chunks = bytearray()
        with self._opened(name) as descriptor:
            for chunk in _chunks(descriptor, name, limit_bytes):
                chunks += chunk
        return bytes(chunks)

    def read_uncached(self, name: str, limit_bytes: int) -> bytes:
        """The whole of a small file from the medium itself; ``FormatError`` over the limit."""
        from pai_signer.adapters.uncached import read_uncached  # noqa: PLC0415 - Linux alone

        with self._opened(name) as descriptor:
            data = read_uncached(self._folder, name, limit_bytes=limit_bytes, requirement="IMP-2")
            if len(data) != os.fstat(descriptor).st_size:
                raise _changed(name)
        return data

    def read_once(self, name: str, progress: Progress) -> HashedFile:
        """Both digests in one pass (IMP-3), on a progress bar of its own.

        Raises ``PolicyRefused`` (``IMP-3/changed-while-reading``) if the file was not the
        same before and after, ``Cancelled``, ``MediumError``.
        """
        with self._opened(name) as descriptor:
            before = os.fstat(descriptor)
            progress.begin(name, before.st_size)
            digests = hash_descriptor(descriptor, progress)
            if digests.size_bytes != before.st_size:
                raise _changed(name)
        self._hashed[name] = _Identity.of(before)
        return HashedFile(
            name=name,
            size_bytes=digests.size_bytes,
            modified_at_s=before.st_mtime,
            sha256=digests.sha256,
            blake2b_512=digests.blake2b_512,
        )

    def inspect_image(self, name: str, architecture: str) -> tuple[Finding, ...]:
        """What an ISO image is, from a bounded number of small reads (IMP-5)."""
        with self._opened(name) as descriptor:
            # Read-ahead would read what nobody asked for; bytes from the medium are counted.
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)

            def read(offset: int, length: int) -> bytes:
                return os.pread(descriptor, length, offset)

            return inspect_iso(read, os.fstat(descriptor).st_size, architecture)

    def copy_small_to(self, name: str, destination: Path, limit_bytes: int) -> None:
        """Copy one file (a bundle) to a new private file; ``FormatError`` over the limit.

        It is a working copy: it need not survive a power cut, and is removed on failure.
        """
        doing = f"copy '{safe_text(name)}' to the workstation's disk"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with explained(doing, requirement="IMP-6"):
            target = os.fdopen(os.open(destination, flags, 0o600), "wb")
        try:
            with target, self._opened(name) as descriptor:
                for chunk in _chunks(descriptor, name, limit_bytes):
                    with explained(doing, requirement="IMP-6"):
                        target.write(chunk)
                with explained(doing, requirement="IMP-6"):
                    target.flush()
        except BaseException:
            destination.unlink(missing_ok=True)
            raise

    # --- details ------------------------------------------------------------------------

    def _names(self) -> list[str]:
        names = []
        with os.scandir(self._place()) as entries:
            for entry in entries:
                names.append(entry.name)
                if len(names) > MAX_ENTRIES:
                    raise PolicyRefused(
                        "IMP-2/too-many",
                        f"'{self._shown_path}' holds more than {MAX_ENTRIES} entries.",
                        "Put the release's files into a folder of their own and give that.",
                    )
        return names

    def _lstat(self, name: str) -> os.stat_result | None:
        try:
            return self._lstat_existing(name)
        except FileNotFoundError:
            return None

    # --- how the folder is reached: another system may have other ways ------------------

    def _place(self) -> int | Path:
        return self._folder

    def _check_is_there(self) -> None:
        check_medium_is_there(self._folder, self._shown_path)

    def _lstat_existing(self, name: str) -> os.stat_result:
        return os.lstat(name, dir_fd=self._folder)

    def _open(self, name: str) -> int:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
        return os.open(name, flags, dir_fd=self._folder)

    @contextmanager
    def _opened(self, name: str) -> Iterator[int]:
        """A descriptor of the regular file ``name``, unchanged from start to end."""
        check_name(name)
        with explained(f"read '{name}'", requirement="IMP-2"):
            # Asked before opening, since opening a device can already do something.
            try:
                found = self._lstat_existing(name)
            except FileNotFoundError:
                # The kernel finds no file on a stick that was pulled out.
                self._check_is_there()
                raise
            self._check_regular(name, found)
            descriptor = self._open(name)
            try:
                opened = os.fstat(descriptor)
                self._check_regular(name, opened)
                before = _Identity.of(opened)
                if self._hashed.get(name, before) != before:
                    raise _changed(name)
                yield descriptor
                by_descriptor = _Identity.of(os.fstat(descriptor))
                by_name = self._lstat(name)
                if by_descriptor != before or by_name is None or _Identity.of(by_name) != before:
                    raise _changed(name)
            finally:
                os.close(descriptor)

    def _check_regular(self, name: str, found: os.stat_result) -> None:
        why = _why_refused(name, found)
        if why is not None:
            kind = "symlink" if stat.S_ISLNK(found.st_mode) else "not-a-file"
            raise PolicyRefused(
                f"IMP-2/{kind}",
                f"'{name}' is not opened: {why}.",
                "Copy the file itself to the medium, and find out who put this there.",
            )


def check_medium_is_there(folder: int, shown_path: str) -> None:
    """Raise ``MediumError`` if the medium of an opened folder was pulled out."""
    with explained(f"read '{shown_path}'", requirement="IMP-1"):
        os.fstatvfs(folder)
        found = os.fstat(folder)
    if not device_is_there(found.st_dev):
        raise MediumError(
            "IMP-1/gone",
            f"The medium of '{shown_path}' was pulled out.",
            "Plug it in again and rescan; what is listed now means nothing.",
        )


def device_is_there(device: int) -> bool:
    """Whether the block device behind a filesystem still exists and has a size.

    A pulled stick vanishes from sysfs (sysfs(5)); an emptied card reader has size 0.
    Filesystems without a block device of their own (tmpfs, FUSE) count as there.
    """
    if os.major(device) == 0:
        return True
    size = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/size")
    if not size.parent.parent.is_dir():
        return True  # no sysfs to ask
    try:
        return int(size.read_text("ascii")) > 0
    except (OSError, ValueError):
        return False


def _why_refused(name: str, found: os.stat_result | None) -> str | None:
    why = why_unsafe(name)
    if found is None or why is not None:
        return why
    for is_kind, kind in _KINDS:
        if is_kind(found.st_mode):
            return kind
    if not stat.S_ISREG(found.st_mode):
        return "it is not a regular file"
    if found.st_size > MAX_FILE_BYTES:
        return f"it is larger than {MAX_FILE_BYTES} bytes"
    return None


def _chunks(descriptor: int, name: str, limit_bytes: int) -> Iterator[bytes]:
    left = limit_bytes
    while chunk := os.read(descriptor, min(READ_BYTES, left + 1)):
        left -= len(chunk)
        if left < 0:
            raise FormatError(
                "IMP-2/too-large",
                f"'{name}' is larger than {limit_bytes} bytes, the most that is read of it.",
                "Look at the file: it is not what its name says.",
            )
        yield chunk


def _changed(name: str) -> PolicyRefused:
    return PolicyRefused(
        "IMP-3/changed-while-reading",
        f"'{name}' changed while it was being read, or since it was hashed.",
        "Find out what writes to this medium, then import it again from the start.",
    )
