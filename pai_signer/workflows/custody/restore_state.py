"""Where the restoring of a workstation stands, and what its steps share (CUS-4)."""

from typing import Final

from pai_signer.domain.artifact import Record
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm, RegisteredKey
from pai_signer.errors import DigestMismatch, PolicyRefused, SignerError
from pai_signer.workflows.custody.restorable import Restorable, read_sets, restorable
from pai_signer.workflows.engine import Step
from pai_signer.workflows.pick_directory import DirectoryState
from pai_signer.workflows.workbench import Workbench

NAME: Final = "restore-backup"


class FoundChoice(Record, frozen=True, kw_only=True):
    """One set on the medium; ``why_not`` says why it cannot be restored from, or is empty.

    ``of_rotation``: it holds the new key of a rotation alone, from before that was registered.
    """

    number: int
    shown: str
    why_not: str = ""
    of_rotation: bool = False


class RestoreState(DirectoryState, frozen=True, kw_only=True):
    """Where it stands. What is read from media is not kept, only which sets those were."""

    #: Hash of the only entry that the vault's own journal had.
    born_as: str = ""
    found: tuple[FoundChoice, ...] = ()
    number: int = 0
    manifest_sha256: str = ""
    #: Systems whose key was typed from a paper card, and agreed.
    confirmed: tuple[Algorithm, ...] = ()
    #: The folder of a second medium; empty for none, None until asked.
    second: str | None = None
    second_sha256: str = ""
    #: The newest head that anybody noted; empty for none, None until asked.
    head: str | None = None
    missing: int = 0
    imported: tuple[str, ...] = ()

    @property
    def rotated_since(self) -> tuple[int, ...]:
        """Newer sets on the medium, each with a new key that the chosen one does not know."""
        return tuple(f.number for f in self.found if f.of_rotation and f.number > self.number)

    #: What became of the revocation certificates.
    revocations: str = ""
    restored: bool = False


class MediaRead:
    """What was read from the media in this sitting: it is read once, and that is restored."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._read: dict[tuple[str, str], Restorable] = {}

    def keep(self, directory: str, read: Restorable) -> None:
        """Remember one set of the medium at ``directory``."""
        self._read[directory, read.manifest_sha256] = read

    def first(self, state: RestoreState) -> Restorable:
        """The set to restore from: the very one that was chosen, also after a crash."""
        return self._same(state.directory, state.manifest_sha256)

    def newest(self, state: RestoreState) -> Restorable:
        """That set, or the second medium's where its journal goes on further."""
        first = self.first(state)
        if not state.second or not state.second_sha256:
            return first
        second = self._same(state.second, state.second_sha256)
        return second if len(second.entries) > len(first.entries) else first

    def _same(self, directory: str, manifest_sha256: str) -> Restorable:
        read = self._read.get((directory, manifest_sha256))
        if read is not None:
            return read
        for found in read_sets(self._bench, directory, Progress()):
            try:
                read = restorable(self._bench, found)
            except SignerError:  # another set; the one that was chosen is missed below
                continue
            self.keep(directory, read)
        if (directory, manifest_sha256) not in self._read:
            raise DigestMismatch(
                "CUS-4/other-medium",
                f"The set that was chosen is no longer on the medium at {directory}.",
                "Plug in the same medium as before, or discard this and begin again.",
            )
        return self._read[directory, manifest_sha256]


class RestoreStep(Step[RestoreState]):
    """What the steps of this workflow share."""

    unchanged = "The vault is as new, and the media were only read."

    def __init__(self, bench: Workbench, media: MediaRead) -> None:
        self._bench = bench
        self._media = media


def key_of(read: Restorable, algorithm: Algorithm) -> RegisteredKey | None:
    """The key of one system that a set holds, as its registry has it."""
    held = read.facts.key(algorithm)
    return read.registry.find(held.id) if held else None


def not_new() -> PolicyRefused:
    """The error for a vault that has a life of its own."""
    return PolicyRefused(
        "CUS-4/not-new",
        "This vault has keys or a journal of its own; nothing is restored over them.",
        "Restore into a new vault: pai-signer --vault DIR init",
        unchanged="Nothing was changed.",
    )
