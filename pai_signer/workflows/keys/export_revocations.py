"""Carry the revocation certificates out, to a medium apart from the backups (KEY-1)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.revocation_card import render_revocation_card
from pai_signer.errors import UsageError
from pai_signer.workflows.engine import Answer, Automatic, Outcome, Question, Step, Workflow
from pai_signer.workflows.keys.birth_revocations import kept_revocations
from pai_signer.workflows.pick_directory import (
    DirectoryState,
    PickMedium,
    TypeFolder,
    given_directory,
)
from pai_signer.workflows.workbench import Workbench

EXPORTED: Final = "revocations.exported"
CARD: Final = "README.txt"
PURPOSE: Final = "Where to write the revocation certificates?"


class ExportRevocationsState(DirectoryState, frozen=True, kw_only=True):
    """Where it stands; ``folders`` are the paths below ``directory`` that were written."""

    folders: tuple[str, ...] = ()


def export_revocations(bench: Workbench, directory: str = "") -> Workflow[ExportRevocationsState]:
    """Build the workflow; one folder for each key, the same whenever it is written.

    ``UsageError`` where no key has its certificates in this vault.
    """
    if not any(True for _ in kept_revocations(bench)):
        raise UsageError(
            "KEY-1/no-revocations",
            "This vault holds no revocation certificates.",
            "They are made with each OpenPGP key: pai-signer key generate, key import.",
            unchanged="Nothing was written.",
        )
    return Workflow(
        name="export-revocations",
        key="",
        title="Revocation certificates",
        start=ExportRevocationsState(directory=given_directory(directory)),
        steps=(_Pick(bench), TypeFolder(PURPOSE), _Write(bench)),
        outcome=_outcome,
    )


class _Pick(PickMedium[ExportRevocationsState]):
    """Says first which medium it should not be."""

    def __init__(self, bench: Workbench) -> None:
        super().__init__(bench.media, PURPOSE)

    def pages(self, state: ExportRevocationsState) -> Sequence[Page]:
        lines = (
            Line("Whoever holds these files can end the key, and nothing else."),
            Line("Not a medium with a backup on it: both would be lost or stolen together."),
            Line("Not a medium that goes to the online machine."),
        )
        return (Page("A medium apart from every backup", lines), *super().pages(state))


class _Write(Step[ExportRevocationsState]):
    """Check each once more, then write and journal them."""

    id = "write"
    title = "Revocation certificates"
    commit_point = True
    unchanged = "The certificates in the vault are as they were; no key was touched."

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def done(self, state: ExportRevocationsState) -> bool:
        return bool(state.folders)

    def question(self, state: ExportRevocationsState) -> Question:
        return Automatic("write")

    def act(
        self, state: ExportRevocationsState, answer: Answer, progress: Progress
    ) -> ExportRevocationsState:
        bench, folders = self._bench, []
        for fingerprint, kept in kept_revocations(bench):
            key = bench.registry().find(fingerprint)
            for block in kept.values():
                made = bench.openpgp_life.check_revocation(fingerprint, block)
            card = render_revocation_card(
                bench.profile.project.name,
                fingerprint,
                key.user_id,
                made.created_at,
                rehearsal=bench.info.rehearsal,
            )
            folder = f"{bench.profile.project.slug}-revocation-{fingerprint[-16:]}"
            files = {**kept, CARD: card.encode("ascii", "backslashreplace")}
            written = bench.destinations.write_release(
                Path(state.directory), folder, files, progress
            )
            bench.journal.append(
                EXPORTED,
                {
                    "key": fingerprint,
                    "folder": folder,
                    "files": {file.name: file.sha256 for file in written},
                    "command": f"key revocations {state.directory}",
                },
            )
            folders.append(folder)
        return msgspec.structs.replace(state, folders=tuple(folders))


def were_exported(bench: Workbench, fingerprint: str) -> bool:
    """Whether the journal says that this key's certificates left the vault once."""
    return any(
        entry.event == EXPORTED and entry.facts.get("key") == fingerprint
        for entry in bench.journal.entries()
    )


def _outcome(state: ExportRevocationsState) -> Outcome:
    written = [f"{state.directory}/{folder}" for folder in state.folders]
    lines = (
        *(Line(folder, label="written", mark=Mark.OK) for folder in written),
        Line(),
        Line(f"Read {CARD} there: what each certificate is for, and what it does."),
        Line("Next: put the medium into an envelope, and keep it apart from every backup."),
    )
    return Outcome((Page("Revocation certificates written", lines),), {"folders": written})
