"""Reads the backup sets of a medium as they really are on it (CUS-2).

Nobody vouches for a medium that lay in a drawer: it is held by descriptor, no link is
followed, everything is bounded, and every byte comes from the medium itself, not from
the page cache. A file that cannot be read is told apart from one that will not be.
"""

import os
from collections import defaultdict
from pathlib import Path
from typing import Final

from pai_signer.adapters import device_errors
from pai_signer.adapters.source import FolderSource, check_medium_is_there, open_folder
from pai_signer.domain.backup import COPIES, parse_folder_name
from pai_signer.domain.progress import Progress
from pai_signer.domain.text import safe_text
from pai_signer.errors import FormatError, MediumError, PolicyRefused
from pai_signer.ports import FoundCopy, FoundProblem, FoundSet

#: Names at the top of a medium that are looked at; a stick may hold other things.
MAX_TOP_ENTRIES: Final = 10_000
#: A medium that is renewed twice a year for twenty years.
MAX_SETS: Final = 40
#: Three times what a set holds.
MAX_FILES: Final = 48
#: A journal of a decade of releases is a few megabytes.
MAX_FILE_BYTES: Final = 64 << 20
#: All files of all sets: what is held in memory at once.
MAX_TOTAL_BYTES: Final = 512 << 20

_REQUIREMENT: Final = "CUS-2"


class MediumBackupReader:
    """The ``BackupReader`` port."""

    def read(self, directory: Path, slug: str, progress: Progress) -> tuple[FoundSet, ...]:
        """Every backup set of the project ``slug`` at the top of ``directory``, newest first.

        An empty answer means that the medium is there and holds none. Raises
        ``MediumError`` if it is gone (a pulled stick lists as empty, without an error) or
        its top cannot be listed, ``PolicyRefused`` for a link instead of a folder and for
        more than any medium of ours holds, ``Cancelled``.
        """
        top = open_folder(directory, requirement=_REQUIREMENT)
        try:
            reading = _Reading(top, slug, safe_text(str(directory)), progress)
            found = reading.sets()
            check_medium_is_there(top, reading.shown_path)
            return found
        finally:
            os.close(top)


class _Reading:
    """One call's work on the folder that descriptor ``top`` holds."""

    def __init__(self, top: int, slug: str, shown_path: str, progress: Progress) -> None:
        self.shown_path = shown_path
        self._top = top
        self._slug = slug
        self._progress = progress
        self._left_bytes = MAX_TOTAL_BYTES

    def sets(self) -> tuple[FoundSet, ...]:
        names = self._folders()
        if len(names) > MAX_SETS:
            raise self._too_much(f"{len(names)} backup sets")
        return tuple(
            FoundSet(number, {copy: self._copy(names[number][copy]) for copy in names[number]})
            for number in sorted(names, reverse=True)
        )

    def _folders(self) -> dict[int, dict[str, str]]:
        """Names of the top that a folder of a set would have, by set and copy."""
        found: defaultdict[int, dict[str, str]] = defaultdict(dict)
        with (
            device_errors.explained(f"list '{self.shown_path}'", requirement=_REQUIREMENT),
            os.scandir(self._top) as entries,
        ):
            for count, entry in enumerate(entries, 1):
                if count > MAX_TOP_ENTRIES:
                    raise self._too_much(f"more than {MAX_TOP_ENTRIES} entries")
                place = parse_folder_name(self._slug, entry.name)
                if place is not None:
                    number, copy = place
                    found[number][copy] = entry.name
        return {n: {c: found[n][c] for c in COPIES if c in found[n]} for n in found}

    def _copy(self, name: str) -> FoundCopy:
        self._progress.check()
        try:
            folder = self._open(name)
        except (PolicyRefused, MediumError) as error:
            return FoundCopy(name, {}, {"": _problem(error)})
        try:
            return self._files(FolderSource(folder, name), name)
        finally:
            os.close(folder)

    def _open(self, name: str) -> int:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        with device_errors.explained(f"open the folder '{name}'", requirement=_REQUIREMENT):
            try:
                return os.open(name, flags, dir_fd=self._top)
            except OSError as error:
                if device_errors.is_no_folder(error):
                    raise PolicyRefused(
                        "CUS-2/not-a-folder",
                        f"'{name}' on the medium is a link or a file, not a folder.",
                        "Find out who put it there; it is no copy of a backup.",
                    ) from error
                raise

    def _files(self, source: FolderSource, name: str) -> FoundCopy:
        try:
            listing = source.listing()
        except (PolicyRefused, MediumError) as error:
            return FoundCopy(name, {}, {"": _problem(error)})
        if len(listing.files) + len(listing.refused) > MAX_FILES:
            raise self._too_much(f"more than {MAX_FILES} files in '{name}'")
        files: dict[str, bytes] = {}
        problems = {e.shown_name: FoundProblem(e.why, is_unreadable=False) for e in listing.refused}
        self._progress.begin(name, sum(file.size_bytes for file in listing.files))
        for file in listing.files:
            self._progress.check()
            if file.size_bytes > self._left_bytes:
                raise self._too_much(f"more than {MAX_TOTAL_BYTES >> 20} MiB of backups")
            try:
                data = source.read_uncached(file.name, min(MAX_FILE_BYTES, self._left_bytes))
            except (PolicyRefused, FormatError, MediumError) as error:
                problems[file.name] = _problem(error)
                continue
            files[file.name] = data
            self._left_bytes -= len(data)
            self._progress.add(len(data))
        return FoundCopy(name, files, problems)

    def _too_much(self, what: str) -> PolicyRefused:
        return PolicyRefused(
            "CUS-2/too-much",
            f"'{self.shown_path}' holds {what}, more than any backup medium of ours.",
            "Look at the medium with other tools; something was put on it, or it is damaged.",
        )


def _problem(error: PolicyRefused | FormatError | MediumError) -> FoundProblem:
    return FoundProblem(error.summary, is_unreadable=isinstance(error, MediumError))
