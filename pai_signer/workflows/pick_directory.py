"""The steps that ask for a medium, a folder or a file, shared by all who need one (IMP-1)."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Generic, TypeVar

import msgspec

from pai_signer.domain.artifact import Record
from pai_signer.domain.page import Line, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.text import is_safe, safe_text
from pai_signer.errors import MediumError, UsageError
from pai_signer.ports import Media, Medium
from pai_signer.workflows.engine import Answer, Choice, Option, Question, Step, TypedText

#: The menu value that leads to typing a path; no device is called so.
FOLDER: Final = "folder"
NOTHING_READ: Final = "Nothing was read and nothing was written."


class DirectoryState(Record, frozen=True, kw_only=True):
    """The part of a state that these steps fill in."""

    directory: str = ""
    wants_to_type: bool = False


S = TypeVar("S", bound=msgspec.Struct)
D = TypeVar("D", bound=DirectoryState)


def checked_directory(path: str) -> str:
    """An absolute path, as the state keeps it; refuses what cannot be kept or shown."""
    if not path or not is_safe(path):
        raise UsageError(
            "IMP-1/path",
            f"{safe_text(path, limit=200)!r} is not a path that can be used here.",
            "Give the path of a folder, in printable characters.",
        )
    return str(Path(path).absolute())


def given_directory(path: str) -> str:
    """The same of an argument; an empty one was not given and is asked for."""
    return checked_directory(path) if path else ""


class PickMedium(Step[D], Generic[D]):
    """Choose among the removable media, or say that a folder will be typed."""

    id = "medium"
    title = "Medium"
    unchanged = NOTHING_READ

    def __init__(self, media: Media, purpose: str, *, read_only: bool = False) -> None:
        """``read_only``: mount it so, where it is this program that mounts it (CUS-2)."""
        self._media = media
        self._purpose = purpose
        self._read_only = read_only

    def done(self, state: D) -> bool:
        return bool(state.directory) or state.wants_to_type

    def pages(self, state: D) -> Sequence[Page]:
        if self._media.list():
            return ()  # the menu says it all
        empty = (
            Line("No removable medium is plugged in."),
            Line("Plug one in and rescan, or give a folder."),
        )
        return (Page(self._purpose, empty),)

    def question(self, state: D) -> Question:
        return Choice("medium", self._purpose, options=tuple(self._options()))

    def act(self, state: D, answer: Answer, progress: Progress) -> D:
        if answer == FOLDER:
            return msgspec.structs.replace(state, wants_to_type=True)
        medium = next((m for m in self._media.list() if m.device == answer), None)
        if medium is None:
            raise MediumError(
                "IMP-1/gone",
                f"The medium {safe_text(str(answer), limit=80)} is no longer there.",
                "Plug it in again and rescan.",
            )
        mounted = self._media.mount(medium, read_only=self._read_only)
        return msgspec.structs.replace(state, directory=checked_directory(str(mounted.mounted_at)))

    def _options(self) -> Iterator[Option]:
        for medium in self._media.list():
            yield Option(medium.device, f"{medium.device}  {_facts(medium)}")
        yield Option(FOLDER, "a folder (type its path)")


class TypePath(Step[S], Generic[S]):
    """Type the path of a folder or a file, which the state keeps as ``field``."""

    def __init__(
        self, field: str, prompt: str, *, title: str, unchanged: str = NOTHING_READ
    ) -> None:
        self.id = self._field = field
        self.title = title
        self.unchanged = unchanged
        self._prompt = prompt

    def done(self, state: S) -> bool:
        return bool(getattr(state, self._field))

    def question(self, state: S) -> Question:
        return TypedText(self._field, self._prompt)

    def act(self, state: S, answer: Answer, progress: Progress) -> S:
        return msgspec.structs.replace(state, **{self._field: checked_directory(str(answer))})


class TypeFolder(TypePath[D], Generic[D]):
    """Type the path of a folder, where none of the media was chosen."""

    def __init__(self, purpose: str) -> None:
        super().__init__("directory", f"{purpose}: path of the folder", title="Folder")
        self.id = "folder"


def _facts(medium: Medium) -> str:
    facts = [
        medium.label or "no label",
        medium.filesystem or "no filesystem",
        f"{medium.size_bytes:,} bytes",
        medium.serial and f"serial {medium.serial}",
        "read-only" if medium.read_only else "",
        str(medium.mounted_at) if medium.mounted_at else "not mounted",
    ]
    return ", ".join(fact for fact in facts if fact)
