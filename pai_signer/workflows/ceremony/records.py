"""The transcripts of ceremonies that were held: listed, read, carried out (KEY-1).

Whatever is shown or leaves is first compared with what the journal says of it.
"""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from pai_signer.domain.ceremony import TRANSCRIPT_NAME
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.text import safe_text
from pai_signer.errors import CannotTell, DigestMismatch, SignerError, UsageError
from pai_signer.workflows.ceremony.frame import ENDED, TRANSCRIPT_TEXT
from pai_signer.workflows.engine import (
    Answer,
    Automatic,
    Option,
    Outcome,
    Question,
    Step,
    Workflow,
)
from pai_signer.workflows.pick_directory import (
    DirectoryState,
    PickMedium,
    TypeFolder,
    given_directory,
)
from pai_signer.workflows.show import Choose, ShowState, showing
from pai_signer.workflows.workbench import Workbench

EXPORTED: Final = "ceremonies.exported"
PURPOSE: Final = "Where to write the transcripts?"


def _ended(bench: Workbench) -> dict[str, Mapping[str, Any]]:
    """What the journal says of each ceremony that ended, by its ID.

    A crash right after such an entry writes transcript and entry anew: the last one counts.
    """
    entries = (entry for entry in bench.journal.entries() if entry.event == ENDED)
    return {str(entry.facts["ceremony"]): entry.facts for entry in entries}


def held_ceremonies(bench: Workbench) -> tuple[str, ...]:
    """The IDs of all ceremonies that ended, in their order."""
    return tuple(_ended(bench))


def ceremony_files(bench: Workbench, ceremony: str) -> dict[str, bytes]:
    """All files of a ceremony that ended, its transcript being the one that was journalled.

    ``UsageError`` if there was none of this name, ``CannotTell`` if its transcript is gone,
    ``DigestMismatch`` if it, or its form for reading, is another one.
    """
    said = _ended(bench).get(ceremony)
    if said is None:
        raise UsageError(
            "KEY-1/no-transcript",
            f"No ceremony {safe_text(ceremony, limit=80)!r} has ended in this vault.",
            "Name one as 'ceremony list' shows it.",
            unchanged="Nothing was changed.",
        )
    files = bench.ceremonies.load(ceremony)
    data = files.get(TRANSCRIPT_NAME)
    if data is None:
        raise CannotTell(
            "KEY-1/transcript-missing",
            f"The journal says that the ceremony {ceremony} ended, but its transcript is gone.",
            "Restore the vault's folder 'ceremonies' from where it was backed up or exported to.",
            unchanged="Nothing was changed.",
        )
    stored = (data, files.get(TRANSCRIPT_TEXT, b""))
    journalled = (said.get("transcript_sha256"), said.get("text_sha256"))
    if tuple(hashlib.sha256(part).hexdigest() for part in stored) != journalled:
        raise DigestMismatch(
            "KEY-1/transcript-changed",
            f"The transcript of the ceremony {ceremony} is not the one that was journalled.",
            "Somebody changed it. Compare it with an earlier export or the signed paper.",
            unchanged="Nothing was changed.",
        )
    return files


# --- looking -----------------------------------------------------------------------------------


def list_ceremonies(bench: Workbench) -> Workflow[ShowState]:
    """Every ceremony that ended, and whether its transcript is the one that was journalled."""
    return showing("list-ceremonies", "Ceremonies", lambda _chosen: _list(bench))


def ceremonies_page(bench: Workbench) -> Page:
    """The same, as a page."""
    return _list(bench).pages[0]


def _list(bench: Workbench) -> Outcome:
    lines: list[Line] = []
    rows: list[dict[str, Any]] = []
    first: SignerError | None = None
    for ceremony, said in _ended(bench).items():
        error = _why_not_whole(bench, ceremony)
        first = first or error
        noted = f", exceptions: {said['exceptions']}" if said.get("exceptions") else ""
        text = f"{said.get('title')}, witness: {said.get('witness')}{noted}"
        lines.append(Line(text, mark=Mark.FAIL if error else Mark.OK))
        lines.append(Line(error.summary if error else ceremony))
        rows.append(
            {
                "ceremony": ceremony,
                "title": said.get("title"),
                "witness": said.get("witness"),
                "exceptions": said.get("exceptions"),
                "problem": error.code if error else None,
            }
        )
    page = Page("Ceremonies", tuple(lines) or (Line("none was held yet"),))
    return Outcome((page,), {"ceremonies": rows}, refusal=first)


def _why_not_whole(bench: Workbench, ceremony: str) -> SignerError | None:
    try:
        ceremony_files(bench, ceremony)
    except SignerError as error:
        return error
    return None


def show_ceremony(bench: Workbench, ceremony: str = "") -> Workflow[ShowState]:
    """One transcript, as it was signed or will be; asks which if it is not given."""

    def options() -> Iterator[Option]:
        for held in reversed(held_ceremonies(bench)):
            yield Option(held, held)

    if not held_ceremonies(bench):
        raise _none_held()
    choose = Choose("Whose transcript?", options)
    return showing(
        "show-ceremony", "Transcript", lambda c: _show(bench, c), choose, chosen=ceremony
    )


def _show(bench: Workbench, ceremony: str) -> Outcome:
    files = ceremony_files(bench, ceremony)
    text = files[TRANSCRIPT_TEXT].decode()
    page = Page(ceremony, tuple(Line(line) for line in text.splitlines()))
    data = {"ceremony": ceremony, "transcript": text, "files": sorted(files)}
    return Outcome((page,), data)


def _none_held() -> UsageError:
    return UsageError(
        "KEY-1/no-ceremony-held",
        "No ceremony was held with this vault yet.",
        "There is nothing to show.",
        unchanged="Nothing was changed.",
    )


# --- carrying out ------------------------------------------------------------------------------


class ExportCeremoniesState(DirectoryState, frozen=True, kw_only=True):
    """Where it stands; ``written`` are the ceremonies whose files are on the medium."""

    written: tuple[str, ...] = ()


def export_ceremonies(bench: Workbench, directory: str = "") -> Workflow[ExportCeremoniesState]:
    """Build the workflow that writes every transcript and what was made with it.

    What an earlier export wrote is kept as it is; ``UsageError`` where none was held.
    """
    if not held_ceremonies(bench):
        raise _none_held()
    return Workflow(
        name="export-ceremonies",
        key="",
        title="Export the transcripts",
        start=ExportCeremoniesState(directory=given_directory(directory)),
        steps=(PickMedium(bench.media, PURPOSE), TypeFolder(PURPOSE), _Write(bench)),
        outcome=lambda state: _exported(bench, state),
    )


class _Write(Step[ExportCeremoniesState]):
    """Compare each with the journal, then write and journal all of them."""

    id = "write"
    title = "Transcripts"
    commit_point = True
    unchanged = "The transcripts in the vault are as they were."

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def done(self, state: ExportCeremoniesState) -> bool:
        return bool(state.written)

    def question(self, state: ExportCeremoniesState) -> Question:
        return Automatic("write")

    def act(
        self, state: ExportCeremoniesState, answer: Answer, progress: Progress
    ) -> ExportCeremoniesState:
        bench, held = self._bench, held_ceremonies(self._bench)
        files = {
            f"{ceremony}/{name}": data
            for ceremony in held
            for name, data in ceremony_files(bench, ceremony).items()
        }
        folder = _folder(bench)
        bench.destinations.write_release(Path(state.directory), folder, files, progress)
        facts = {
            "ceremonies": {
                ceremony: hashlib.sha256(files[f"{ceremony}/{TRANSCRIPT_NAME}"]).hexdigest()
                for ceremony in held
            },
            "folder": folder,
            "command": f"ceremony export {state.directory}",
        }
        bench.journal.append(EXPORTED, facts)
        return msgspec.structs.replace(state, written=held)


def _folder(bench: Workbench) -> str:
    return f"{bench.profile.project.slug}-ceremonies"


def _exported(bench: Workbench, state: ExportCeremoniesState) -> Outcome:
    folder = f"{state.directory}/{_folder(bench)}"
    lines = (
        Line(folder, label="written", mark=Mark.OK),
        *(Line(ceremony) for ceremony in state.written),
        Line(),
        Line(f"Next: print each {TRANSCRIPT_TEXT}, and let everybody who was there sign it."),
    )
    data = {"folder": folder, "ceremonies": list(state.written)}
    return Outcome((Page("Transcripts exported", lines),), data)
