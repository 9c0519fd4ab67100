"""The only code that writes files that must last.

The proven order: write a temporary name, fsync, rename, fsync the *same
descriptor again* (FAT32 loses the file otherwise), fsync the directory. After
a failure the temporary name is gone, and nothing half-written ever stands
under a final name.

Every ``OSError`` leaves as a ``MediumError`` that says what the medium did.
"""

import ctypes
import errno
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from pai_signer.adapters.device_errors import explained
from pai_signer.domain.text import safe_text
from pai_signer.errors import PolicyRefused

#: How temporary names look, so that ``sweep`` can find what a power cut left behind.
TEMPORARY_PREFIX: Final = ".pai-signer-"
TEMPORARY_SUFFIX: Final = ".tmp"

PRIVATE_FILE: Final = 0o600
PRIVATE_DIRECTORY: Final = 0o700

# Flags of renameat2(2), from linux/fs.h; Python has no wrapper for it, nor for syncfs(2).
_RENAME_NOREPLACE: Final = 1
_RENAME_EXCHANGE: Final = 2
_libc: Final = ctypes.CDLL(None, use_errno=True)

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


# --- whole files ------------------------------------------------------------------------


def replace(path: Path, data: bytes, *, mode: int = PRIVATE_FILE) -> None:
    """Make ``data`` the content of ``path``, old or new; readers see one or the other."""
    with held_directory(path.parent) as folder:
        write_at(folder, path.name, data, mode=mode, may_replace=True)


def create(path: Path, data: bytes, *, mode: int = PRIVATE_FILE) -> None:
    """Write a new file; ``PolicyRefused`` if the name is taken, whatever it holds."""
    with held_directory(path.parent) as folder:
        write_at(folder, path.name, data, mode=mode, may_replace=False)


def write_at(folder: int, name: str, data: bytes, *, mode: int, may_replace: bool) -> None:
    """Write the file ``name`` within the directory that descriptor ``folder`` holds.

    A new file that could not be made durable is removed again. Where an old one was
    replaced, the new content stays: it is whole, and the old is gone.
    """
    temporary = _temporary_name()
    shown = safe_text(name)
    with explained(f"write '{shown}'"):
        if not may_replace and _exists(folder, name):
            raise _taken(shown)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, mode, dir_fd=folder)
        standing = temporary
        try:
            # The process has a private umask; FAT knows no modes and may refuse.
            with suppress(OSError):
                os.fchmod(descriptor, mode)
            _write_all(descriptor, data)
            os.fsync(descriptor)
            if may_replace:
                os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            else:
                _rename_to_new(folder, temporary, name)
            standing = name
            os.fsync(descriptor)
            os.fsync(folder)
        except BaseException:
            if not (may_replace and standing == name):
                with suppress(OSError):
                    os.unlink(standing, dir_fd=folder)
                    os.fsync(folder)
            raise
        finally:
            os.close(descriptor)


def append(path: Path, data: bytes, *, mode: int = PRIVATE_FILE) -> None:
    """Add ``data`` at the end of ``path``, made if missing; all of it, or nothing."""
    with held_directory(path.parent) as folder, explained(f"write '{safe_text(path.name)}'"):
        is_new = not _exists(folder, path.name)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path.name, flags, mode, dir_fd=folder)
        try:
            size_before = os.fstat(descriptor).st_size
            try:
                _write_all(descriptor, data)
                os.fsync(descriptor)
                if is_new:
                    os.fsync(folder)
            except BaseException:
                with suppress(OSError):
                    os.ftruncate(descriptor, size_before)
                    os.fsync(descriptor)
                raise
        finally:
            os.close(descriptor)


def remove(path: Path) -> None:
    """Delete a file so that it stays deleted; one that is not there is fine."""
    with held_directory(path.parent) as folder, explained(f"remove '{safe_text(path.name)}'"):
        with suppress(FileNotFoundError):
            os.unlink(path.name, dir_fd=folder)
        os.fsync(folder)


# --- whole directories ------------------------------------------------------------------


def make_directory(path: Path, *, mode: int = PRIVATE_DIRECTORY) -> None:
    """Make ``path`` and the levels above it that are missing; there already is fine."""
    if path.is_dir() and not path.is_symlink():
        return
    if path.parent != path:
        make_directory(path.parent, mode=mode)
    with held_directory(path.parent) as folder:
        make_directory_at(folder, path.name, mode=mode)


def make_directory_at(folder: int, name: str, *, mode: int) -> bool:
    """Make one directory durably; True if it is new, False if it was there."""
    with explained(f"make the folder '{safe_text(name)}'"):
        try:
            os.mkdir(name, mode, dir_fd=folder)
        except FileExistsError:
            os.close(os.open(name, _DIRECTORY, dir_fd=folder))  # a file or a link raises here
            return False
        with suppress(OSError):
            os.chmod(name, mode, dir_fd=folder)
        try:
            os.fsync(folder)
        except BaseException:
            with suppress(OSError):
                os.rmdir(name, dir_fd=folder)
            raise
        return True


def publish_directory(path: Path, files: Mapping[str, bytes]) -> None:
    """Make the directory ``path`` hold exactly ``files``, all at once or not at all (SIG-6).

    An existing directory is exchanged in one step. ``path`` is in the vault, on a
    filesystem of Linux's own: FAT knows no such exchange.
    """
    doing = f"write the folder '{safe_text(path.name)}'"
    temporary = _temporary_name()
    with held_directory(path.parent) as parent, explained(doing):
        os.mkdir(temporary, PRIVATE_DIRECTORY, dir_fd=parent)
        try:
            folder = os.open(temporary, _DIRECTORY, dir_fd=parent)
            try:
                for name, data in files.items():
                    write_at(folder, name, data, mode=PRIVATE_FILE, may_replace=False)
                os.fsync(folder)
            finally:
                os.close(folder)
            if _exists(parent, path.name):
                _renameat2(parent, temporary, path.name, _RENAME_EXCHANGE)
            else:
                os.rename(temporary, path.name, src_dir_fd=parent, dst_dir_fd=parent)
            os.fsync(parent)
        finally:
            # After success this is the old directory, if there was one.
            _remove_tree(parent, temporary)


def sweep(folder: int) -> None:
    """Remove temporary names that a crash left in the directory ``folder``."""
    with explained("clear temporary files"):
        with os.scandir(folder) as entries:
            leftover = [entry.name for entry in entries if _is_temporary(entry.name)]
        for name in leftover:
            _remove_tree(folder, name)
        if leftover:
            os.fsync(folder)


@contextmanager
def held_directory(path: Path) -> Iterator[int]:
    """A descriptor of the directory ``path``, so that it cannot be swapped meanwhile."""
    with explained(f"open the folder '{safe_text(str(path))}'"):
        descriptor = os.open(path, _DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def sync_filesystem(descriptor: int) -> None:
    """Flush the whole filesystem and hear of its write errors, which ``umount`` keeps quiet."""
    with explained("flush the medium"):
        if _libc.syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


# --- details ----------------------------------------------------------------------------


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _temporary_name() -> str:
    return f"{TEMPORARY_PREFIX}{secrets.token_hex(6)}{TEMPORARY_SUFFIX}"


def _is_temporary(name: str) -> bool:
    return name.startswith(TEMPORARY_PREFIX) and name.endswith(TEMPORARY_SUFFIX)


def _exists(folder: int, name: str) -> bool:
    try:
        os.lstat(name, dir_fd=folder)
    except FileNotFoundError:
        return False
    return True


def _taken(shown: str) -> PolicyRefused:
    return PolicyRefused(
        "EXP-2/exists",
        f"There is already a file '{shown}', and it is never overwritten.",
        "Look at what is there; move it away if it is not needed.",
    )


def _rename_to_new(folder: int, temporary: str, name: str) -> None:
    try:
        _renameat2(folder, temporary, name, _RENAME_NOREPLACE)
    except FileExistsError:
        raise _taken(safe_text(name)) from None
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS):
            raise
        # FUSE filesystems know no such flag: look, then rename.
        if _exists(folder, name):
            raise _taken(safe_text(name)) from None
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)


def _renameat2(folder: int, old: str, new: str, flags: int) -> None:
    call: Callable[..., int] = _libc.renameat2
    if call(folder, os.fsencode(old), folder, os.fsencode(new), ctypes.c_uint(flags)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _remove_tree(parent: int, name: str) -> None:
    """Remove a file or a flat directory of our own, as far as the medium allows."""
    with suppress(OSError):
        os.unlink(name, dir_fd=parent)
        return
    with suppress(OSError):
        folder = os.open(name, _DIRECTORY, dir_fd=parent)
        try:
            with os.scandir(folder) as entries:
                inside = [entry.name for entry in entries]
            for inner in inside:
                os.unlink(inner, dir_fd=folder)
        finally:
            os.close(folder)
        os.rmdir(name, dir_fd=parent)
