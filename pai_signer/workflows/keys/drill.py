"""Prepare for the day of a compromise: the pack, printed before any incident (KEY-5)."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from pai_signer.domain.compromise import render_drill_pack
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm
from pai_signer.errors import PolicyRefused
from pai_signer.workflows.engine import (
    Answer,
    Automatic,
    Choice,
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
    checked_directory,
)
from pai_signer.workflows.workbench import Workbench

DRILLED: Final = "key.drill"
PURPOSE: Final = "Where to write the pack?"
FILE_SUFFIX: Final = ".txt"

SCREEN: Final = "screen"
MEDIUM: Final = "medium"


class DrillState(DirectoryState, frozen=True, kw_only=True):
    """Where it stands; ``to`` is the screen or a medium."""

    to: str = ""
    file: str = ""
    journalled: bool = False


def prepare_drill(bench: Workbench, directory: str = "") -> Workflow[DrillState]:
    """Build the workflow; ``PolicyRefused`` where there is no key that could be compromised."""
    if not any(bench.registry().signing_key(algorithm) for algorithm in Algorithm):
        raise PolicyRefused(
            "KEY-5/no-keys",
            "There is no key in use, so there is nothing to prepare for.",
            "Generate the keys first: pai-signer key generate",
        )
    return Workflow(
        name="drill",
        key="",
        title="Prepare for a compromise",
        start=DrillState(
            to=MEDIUM if directory else "",
            directory=checked_directory(directory) if directory else "",
        ),
        steps=(_Where(), _Medium(bench), _Folder(), _Write(bench)),
        outcome=lambda state: _outcome(bench, state),
    )


class _Where(Step[DrillState]):
    """On the screen only, or onto a medium that goes to a printer."""

    id = "where"
    title = "Prepare for a compromise"
    unchanged = "Nothing was written."

    def done(self, state: DrillState) -> bool:
        return bool(state.to)

    def question(self, state: DrillState) -> Question:
        options = (
            Option(SCREEN, "show it on the screen"),
            Option(MEDIUM, "show it and write it to a medium, to be printed"),
        )
        return Choice("to", "Where is the pack to go?", default=SCREEN, options=options)

    def act(self, state: DrillState, answer: Answer, progress: Progress) -> DrillState:
        return msgspec.structs.replace(state, to=str(answer))


class _Medium(PickMedium[DrillState]):
    def __init__(self, bench: Workbench) -> None:
        super().__init__(bench.media, PURPOSE)

    def done(self, state: DrillState) -> bool:
        return state.to == SCREEN or super().done(state)


class _Folder(TypeFolder[DrillState]):
    def __init__(self) -> None:
        super().__init__(PURPOSE)

    def done(self, state: DrillState) -> bool:
        return state.to == SCREEN or super().done(state)


class _Write(Step[DrillState]):
    """Write it where it shall go, and journal that it was prepared."""

    id = "write"
    title = "Prepare for a compromise"
    commit_point = True
    unchanged = "Nothing was written, and no key was touched."

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def done(self, state: DrillState) -> bool:
        return state.journalled

    def question(self, state: DrillState) -> Question:
        return Automatic("write")

    def act(self, state: DrillState, answer: Answer, progress: Progress) -> DrillState:
        bench = self._bench
        data, file = render_drill_pack(bench.registry()).encode(), ""
        digest = hashlib.sha256(data).hexdigest()
        if state.directory:
            folder = f"{bench.profile.project.slug}-compromise-pack"
            # Named by its content: a later pack with other keys never collides with this one.
            name = f"if-compromised-{digest[:8]}{FILE_SUFFIX}"
            bench.destinations.write_release(Path(state.directory), folder, {name: data}, progress)
            file = f"{folder}/{name}"
        facts = {"sha256": digest, "file": file, "command": f"key drill {state.directory}".strip()}
        bench.journal.append(DRILLED, facts)
        return msgspec.structs.replace(state, file=file, journalled=True)


def _outcome(bench: Workbench, state: DrillState) -> Outcome:
    text = render_drill_pack(bench.registry())
    pages: Sequence[Page] = (Page("The pack", tuple(Line(row) for row in text.splitlines())),)
    if state.file:
        written = Line(f"{state.directory}/{state.file}", label="written", mark=Mark.OK)
        hint = Line("Print it, fill in its first part, keep it with the materials.")
        pages = (*pages, Page("Prepared", (written, hint)))
    file = f"{state.directory}/{state.file}" if state.file else None
    return Outcome(tuple(pages), {"pack": text, "file": file})
