"""Reads a folder by its path: for verifying on systems that cannot hold one open (VER-1).

Windows has neither openat(2) nor O_NOFOLLOW. Links are refused all the same, and a file that
changes between two looks; what is lost is that nobody can swap the folder itself meanwhile.
A workstation never reads so.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pai_signer.adapters.device_errors import explained
from pai_signer.adapters.source import FolderSource
from pai_signer.domain.text import safe_text
from pai_signer.errors import PolicyRefused

#: There, text mode would change bytes; each is 0 where a system does not know it.
_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOINHERIT", 0)


class PathSources:
    """Opens source folders by path (``ports.Sources``)."""

    @contextmanager
    def open(self, directory: Path) -> Iterator["PathSource"]:
        """``PolicyRefused`` for a link or a file, ``MediumError`` if it is missing."""
        shown = safe_text(str(directory))
        with explained(f"open the folder '{shown}'", requirement="IMP-2"):
            mode = os.lstat(directory).st_mode
        if not stat.S_ISDIR(mode):
            raise PolicyRefused(
                "IMP-2/not-a-folder",
                f"'{shown}' is not a folder.",
                "Give the real path of the folder that the files are in.",
            )
        yield PathSource(directory, shown)


class PathSource(FolderSource):
    """One source folder by its path (``ports.Source``)."""

    def __init__(self, directory: Path, shown_path: str) -> None:
        super().__init__(-1, shown_path)
        self._directory = directory

    def _place(self) -> int | Path:
        return self._directory

    def _check_is_there(self) -> None:
        """A medium that was pulled out fails by itself where it is reached by its path."""

    def _lstat_existing(self, name: str) -> os.stat_result:
        return os.lstat(self._directory / name)

    def _open(self, name: str) -> int:
        return os.open(self._directory / name, _FLAGS)
