"""Carry a copy of the journal out on a medium (JRN-1)."""

from pathlib import Path

import msgspec

from pai_signer.domain.journal import encode_entry
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.receipt import head_words
from pai_signer.errors import UsageError
from pai_signer.workflows.engine import Answer, Automatic, Outcome, Question, Step, Workflow
from pai_signer.workflows.pick_directory import (
    DirectoryState,
    PickMedium,
    TypeFolder,
    given_directory,
)
from pai_signer.workflows.workbench import Workbench

PURPOSE = "Where to write the journal?"


class ExportJournalState(DirectoryState, frozen=True, kw_only=True):
    """Where it stands; ``file`` is the path below ``directory`` once it is written."""

    file: str = ""
    head: str = ""


def export_journal(bench: Workbench, directory: str = "") -> Workflow[ExportJournalState]:
    """Build the workflow; each export has a name of its own, by its last entry's number."""
    return Workflow(
        name="export-journal",
        key="",
        title="Export the journal",
        start=ExportJournalState(directory=given_directory(directory)),
        steps=(PickMedium(bench.media, PURPOSE), TypeFolder(PURPOSE), _Write(bench)),
        outcome=_outcome,
    )


class _Write(Step[ExportJournalState]):
    """Check the whole chain, then write it as it stands."""

    id = "write"
    title = "Journal"
    commit_point = True
    unchanged = "The journal in the vault is as it was."

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def done(self, state: ExportJournalState) -> bool:
        return bool(state.file)

    def question(self, state: ExportJournalState) -> Question:
        return Automatic("write")

    def act(
        self, state: ExportJournalState, answer: Answer, progress: Progress
    ) -> ExportJournalState:
        bench = self._bench
        entries = bench.journal.entries()
        if not entries:
            raise UsageError(
                "JRN-1/empty", "The journal has no entry yet.", "There is nothing to export."
            )
        head = entries[-1]
        folder = f"{bench.profile.project.slug}-journal"
        name = f"journal-{head.n:06}.jsonl"
        data = b"".join(encode_entry(entry) for entry in entries)
        bench.destinations.write_release(Path(state.directory), folder, {name: data}, progress)
        return msgspec.structs.replace(state, file=f"{folder}/{name}", head=head.hash)


def _outcome(state: ExportJournalState) -> Outcome:
    lines = (
        Line(f"{state.directory}/{state.file}", label="written", mark=Mark.OK),
        Line(head_words(state.head), label="head in words"),
        Line("Write the words on paper: they tell later whether anything was changed."),
    )
    data = {"file": f"{state.directory}/{state.file}", "head": state.head}
    return Outcome((Page("Journal exported", lines),), data)
