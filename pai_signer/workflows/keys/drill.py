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
from pai_signer.workflows.carry_out import CarryOut, CarryOutState, carry_out_steps
from pai_signer.workflows.engine import (
    Answer,
    Automatic,
    Outcome,
    Question,
    Step,
    Workflow,
)
from pai_signer.workflows.pick_directory import given_directory
from pai_signer.workflows.workbench import Workbench

DRILLED: Final = "key.drill"
FILE_SUFFIX: Final = ".txt"
CARRY_OUT: Final = CarryOut(
    title="Prepare for a compromise",
    purpose="Where to write the pack, to be printed?",
    instead="nowhere: show it on the screen only",
    unchanged="Nothing was written, and no key was touched.",
)


class DrillState(CarryOutState, frozen=True, kw_only=True):
    """Where it stands; the pack is shown, wherever it is written."""

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
        title=CARRY_OUT.title,
        start=DrillState(directory=given_directory(directory)),
        steps=(*carry_out_steps(bench.media, CARRY_OUT), _Write(bench)),
        outcome=lambda state: _outcome(bench, state),
    )


class _Write(Step[DrillState]):
    """Write it where it shall go, and journal that it was prepared."""

    id = "write"
    title = CARRY_OUT.title
    commit_point = True
    unchanged = CARRY_OUT.unchanged

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
