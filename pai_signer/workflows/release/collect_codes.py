"""Scanned QR codes become files again, on the online side: no vault, no gpg (EXP-4)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from pai_signer.domain.page import Line, Mark, Page, digest_lines
from pai_signer.domain.progress import Progress
from pai_signer.domain.qr_parts import MAX_SCANNED_BYTES, JoinedFile, join_scanned
from pai_signer.ports import Destinations, Sources
from pai_signer.workflows.engine import Answer, Automatic, Outcome, Question, Step, Workflow
from pai_signer.workflows.pick_directory import (
    DirectoryState,
    TypeFolder,
    TypePath,
    given_directory,
)

SCANS: Final = "Path of the text file with one scanned code on each line"
PURPOSE: Final = "Where to write the joined files?"


class CollectState(DirectoryState, frozen=True, kw_only=True):
    """Where a collection stands; ``scans`` is the text file with a payload on each line."""

    scans: str = ""
    #: What was written: name to SHA-256, the digest that the screen offline shows too.
    written: dict[str, str] = msgspec.field(default_factory=dict)


def collect_codes(
    sources: Sources, destinations: Destinations, scans: str = "", directory: str = ""
) -> Workflow[CollectState]:
    """Build the workflow: which scans, where to, then all or nothing."""
    return Workflow(
        name="collect-codes",
        key="",
        title="Join scanned QR codes",
        start=CollectState(
            scans=given_directory(scans),
            directory=given_directory(directory),
        ),
        steps=(
            TypePath("scans", SCANS, title="Scanned codes"),
            TypeFolder(PURPOSE),
            _Join(sources, destinations),
        ),
        outcome=_outcome,
    )


class _Join(Step[CollectState]):
    """Read, check, join, check, write."""

    id = "join"
    title = "Join"
    unchanged = "Nothing was written, and no file was changed."

    def __init__(self, sources: Sources, destinations: Destinations) -> None:
        self._sources = sources
        self._destinations = destinations

    def done(self, state: CollectState) -> bool:
        return bool(state.written)

    def question(self, state: CollectState) -> Question:
        return Automatic("join")

    def act(self, state: CollectState, answer: Answer, progress: Progress) -> CollectState:
        path = Path(state.scans)
        with self._sources.open(path.parent) as folder:
            data = folder.read_small(path.name, MAX_SCANNED_BYTES)
        # Some scanners put a byte order mark before the first line.
        joined = join_scanned(data.decode("utf-8-sig", "replace"))
        self._write(Path(state.directory), joined, progress)
        return msgspec.structs.replace(state, written={f.name: f.sha256 for f in joined})

    def _write(self, to: Path, joined: Sequence[JoinedFile], progress: Progress) -> None:
        files = {file.name: file.data for file in joined}
        self._destinations.write_release(to.parent, to.name, files, progress)


def _outcome(state: CollectState) -> Outcome:
    lines: list[Line] = [Line(state.directory, label="folder")]
    for name, digest in state.written.items():
        lines.append(Line("joined, and its SHA-256 is", label=name, mark=Mark.OK))
        lines += digest_lines("", digest)
    lines += [
        Line("Compare these with what the offline screen shows at its end."),
        Line("Parts can be anybody's: what vouches for the files is their signatures."),
        Line(f"Next: pai-signer verify {state.directory} --keys DIR"),
    ]
    data = {"folder": state.directory, "files": state.written}
    return Outcome((Page("Joined", tuple(lines)),), data)
