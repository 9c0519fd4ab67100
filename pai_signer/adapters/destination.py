"""Writes a release to a medium, and proves that it got there (EXP-2).

Everything that could go wrong without writing is asked first: links, names,
other content under our names, read-only, space. Then each file is written in
the proven order of ``durable``, the filesystem is flushed, and every file is read
back past the page cache and compared. After any failure or cancel, what this
call created is removed again, as far as the medium still obeys.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pai_signer.adapters import device_errors, durable
from pai_signer.adapters.source import device_is_there, open_folder
from pai_signer.adapters.uncached import read_uncached
from pai_signer.domain.names import check_name, find_twins
from pai_signer.domain.page import Line, Mark
from pai_signer.domain.progress import Progress
from pai_signer.domain.text import safe_text
from pai_signer.errors import MediumError, PolicyRefused
from pai_signer.ports import WrittenFile

#: What is written is public; FAT has no modes and takes the mount's.
PUBLIC_FILE: Final = 0o644
PUBLIC_DIRECTORY: Final = 0o755

#: Directory blocks, tables and journal that the files themselves do not count.
_SPARE_BYTES: Final = 64 << 10

_NOTHING_WRITTEN: Final = "Nothing was written to the medium."


class MediumDestinations:
    """Writes to media (``ports.Destinations``)."""

    def write_release(
        self, directory: Path, folder: str, files: Mapping[str, bytes], progress: Progress
    ) -> tuple[WrittenFile, ...]:
        """Write ``files`` into ``directory/folder`` durably and read them back uncached.

        Raises ``PolicyRefused`` for a link, an unsafe name or other content under one of
        our names (``EXP-2/other-content``), ``MediumError`` for what the medium does,
        ``Cancelled``. Nothing that this call created stays behind then.
        """
        _check_names(folder, files)
        with ExitStack() as stack:
            top = open_folder(directory, requirement="EXP-2")
            stack.callback(os.close, top)
            release = _Release(top, folder, dict(files), stack)
            try:
                release.survey()
                release.check_room()
            except (PolicyRefused, MediumError) as error:
                error.unchanged = _NOTHING_WRITTEN
                raise
            try:
                return release.write(progress)
            except BaseException as error:
                release.take_back()
                if _turned_read_only(error):
                    raise device_errors.medium_error(
                        OSError(errno.EIO, ""), "go on writing"
                    ) from error
                raise


@dataclass
class _Release:
    """One call's work: the folders it holds, what is there, what it made."""

    top: int
    folder: str
    files: dict[str, bytes]
    stack: ExitStack
    #: Held folders by path below ``top``; a missing one is not there yet.
    held: dict[str, int] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)
    made_files: list[str] = field(default_factory=list)
    made_folders: list[str] = field(default_factory=list)

    # --- before anything is written -------------------------------------------------------

    def survey(self) -> None:
        """Find what is there already; refuse what differs."""
        self.held[""] = self.top
        for path in self._folder_paths():
            self._survey_folder(path)
        for name, data in self.files.items():
            parent, _, leaf = self._place(name).rpartition("/")
            if parent in self.held and self._is_there(parent, leaf, name):
                if self._content(parent, leaf, len(data)) != data:
                    raise PolicyRefused(
                        "EXP-2/other-content",
                        f"'{self.folder}/{name}' is on the medium already, with other content.",
                        "It is never overwritten. Compare the two; export to another medium, "
                        "or move the old folder away.",
                    )
                self.kept.add(name)

    def check_room(self) -> None:
        """Ask the filesystem whether it can take what is missing."""
        with device_errors.explained("ask the medium for its free space"):
            facts = os.fstatvfs(self.top)
            device = os.fstat(self.top).st_dev
        if not device_is_there(device):
            raise device_errors.medium_error(OSError(errno.ENODEV, ""), "write to the medium")
        to_write = [data for name, data in self.files.items() if name not in self.kept]
        if not to_write:
            return
        if facts.f_flag & os.ST_RDONLY:
            raise device_errors.medium_error(OSError(errno.EROFS, ""), "write to the medium")
        block = facts.f_frsize or 512
        needed = sum(-(-len(data) // block) * block for data in to_write) + _SPARE_BYTES
        free = facts.f_bavail * block
        if needed > free:
            raise MediumError(
                "EXP-2/full",
                f"The medium has {free} bytes free, and {needed} are needed.",
                "Use an emptier medium, or make room and try again.",
            )

    def _folder_paths(self) -> list[str]:
        inner = {name.rpartition("/")[0] for name in self.files} - {""}
        return [self.folder, *sorted(f"{self.folder}/{path}" for path in inner)]

    def _survey_folder(self, path: str) -> None:
        parent, _, leaf = path.rpartition("/")
        if parent not in self.held or not self._is_there(parent, leaf, path):
            return
        self._hold(parent, leaf)

    def _is_there(self, parent: str, leaf: str, shown: str) -> bool:
        """Whether ``leaf`` exists; one that differs only in case is refused."""
        with device_errors.explained("list the medium"), os.scandir(self.held[parent]) as entries:
            names = {entry.name for entry in entries}
        twins = {n for n in names if n.casefold() == leaf.casefold()} - {leaf}
        if twins:
            raise PolicyRefused(
                "EXP-2/twin",
                f"'{safe_text(min(twins))}' on the medium differs from '{shown}' only in case.",
                "Many media cannot hold both. Move the old one away, or use another medium.",
            )
        return leaf in names

    def _content(self, parent: str, leaf: str, size_bytes: int) -> bytes | None:
        """The file's bytes; None where it has another size or is no regular file."""
        with device_errors.explained(f"read '{leaf}' on the medium"):
            found = os.lstat(leaf, dir_fd=self.held[parent])
        if not stat.S_ISREG(found.st_mode) or found.st_size != size_bytes:
            return None
        return read_uncached(self.held[parent], leaf)

    # --- writing --------------------------------------------------------------------------

    def write(self, progress: Progress) -> tuple[WrittenFile, ...]:
        """Write, flush, read back, compare; one line each on ``progress``."""
        missing = [name for name in sorted(self.files) if name not in self.kept]
        progress.begin("write", sum(len(self.files[name]) for name in missing))
        for path in self._folder_paths():
            progress.check()
            self._make_folder(path)
        for name in missing:
            progress.check()
            self._write_file(name)
            progress.add(len(self.files[name]))
        progress.say(Line(f"{len(missing)} written, {len(self.kept)} kept", "write", Mark.OK))
        durable.sync_filesystem(self.top)
        progress.say(Line("every file, folder and the filesystem", "sync", Mark.OK))
        back = self._read_back(progress)
        progress.say(Line("from the medium, past the page cache", "read back", Mark.OK))
        for name, data in back.items():
            if data != self.files[name]:
                raise MediumError(
                    "EXP-2/read-back",
                    f"'{name}' reads back differently from what was written.",
                    "The medium is failing or lies about what it stores. Use another one.",
                )
        progress.say(Line(f"{len(back)} files are what they should be", "compare", Mark.OK))
        return tuple(
            WrittenFile(name, len(data), hashlib.sha256(data).hexdigest(), name in self.kept)
            for name, data in back.items()
        )

    def take_back(self) -> None:
        """Remove what this call made; what the medium refuses cannot be helped."""
        for name in self.made_files:
            parent, _, leaf = self._place(name).rpartition("/")
            with suppress(OSError):
                os.unlink(leaf, dir_fd=self.held[parent])
        for path in reversed(self.made_folders):
            parent, _, leaf = path.rpartition("/")
            with suppress(OSError):
                os.rmdir(leaf, dir_fd=self.held[parent])
        for descriptor in self.held.values():
            with suppress(OSError):
                os.fsync(descriptor)

    def _make_folder(self, path: str) -> None:
        parent, _, leaf = path.rpartition("/")
        if path in self.held:
            durable.sweep(self.held[path])  # what an export that lost its power left behind
            return
        if durable.make_directory_at(self.held[parent], leaf, mode=PUBLIC_DIRECTORY):
            self.made_folders.append(path)
        self._hold(parent, leaf)

    def _write_file(self, name: str) -> None:
        parent, _, leaf = self._place(name).rpartition("/")
        durable.write_at(
            self.held[parent], leaf, self.files[name], mode=PUBLIC_FILE, may_replace=False
        )
        self.made_files.append(name)

    def _read_back(self, progress: Progress) -> dict[str, bytes]:
        progress.begin("read back", sum(map(len, self.files.values())))
        back = {}
        for name in sorted(self.files):
            progress.check()
            parent, _, leaf = self._place(name).rpartition("/")
            back[name] = read_uncached(self.held[parent], leaf)
            progress.add(len(back[name]))
        return back

    def _place(self, name: str) -> str:
        return f"{self.folder}/{name}"

    def _hold(self, parent: str, leaf: str) -> None:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        path = f"{parent}/{leaf}" if parent else leaf
        try:
            descriptor = os.open(leaf, flags, dir_fd=self.held[parent])
        except OSError as error:
            if device_errors.is_no_folder(error):
                raise PolicyRefused(
                    "EXP-2/not-a-folder",
                    f"'{path}' on the medium is a link or a file, not a folder.",
                    "Look at what it is, and move it away.",
                ) from error
            raise device_errors.medium_error(error, f"open the folder '{path}'") from error
        self.stack.callback(os.close, descriptor)
        self.held[path] = descriptor


def _turned_read_only(error: BaseException) -> bool:
    """Whether a medium that could be written at first refuses now: ext4 and FAT do that.

    They answer the first failing write by closing the filesystem to more (ext4(5),
    mount(8): errors=remount-ro), so the medium failed; nobody moved a switch.
    """
    cause = error.__cause__
    return (
        isinstance(error, MediumError) and isinstance(cause, OSError) and cause.errno == errno.EROFS
    )


def _check_names(folder: str, files: Mapping[str, bytes]) -> None:
    check_name(folder)
    for name in files:
        outer, slash, leaf = name.partition("/")
        check_name(outer)
        if slash:
            check_name(leaf)
    if twins := find_twins(files):
        raise PolicyRefused(
            "EXP-2/twin",
            f"{' and '.join(twins[0])} differ only in case.",
            "Many media cannot hold both; rename one at its source.",
        )
