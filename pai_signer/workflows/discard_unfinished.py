"""Give up unfinished work from Home, even where its saved state cannot be read (FACE-3).

Work that can be resumed is discarded in the same way as from within. Where that
fails, because its saved state is damaged or what it worked on is gone, there is
nothing left to undo: the saved state alone is removed.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from pai_signer.domain.artifact import Record
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.progress import Progress
from pai_signer.errors import SignerError, UsageError
from pai_signer.workflows.engine import (
    NO,
    YES,
    Answer,
    Choice,
    Confirm,
    Conversation,
    Option,
    Origin,
    Outcome,
    Question,
    Step,
    Unfinished,
    Workflow,
    unfinished_work,
)
from pai_signer.workflows.workbench import Workbench

DISCARDED_UNFINISHED: Final = "unfinished.discarded"
#: Begins a run again from its origin, as Home does to resume it.
Resume = Callable[[Origin], Conversation[Any]]


class DiscardState(Record, frozen=True, kw_only=True):
    """Which saved run, by the name that it is saved as, and what became of it."""

    name: str = ""
    sure: str = ""
    undone: bool = False


def discard_unfinished(bench: Workbench, resume: Resume) -> Workflow[DiscardState]:
    """Build the workflow; ``UsageError`` where nothing is unfinished."""
    if not unfinished_work(bench.states):
        raise UsageError(
            "FACE-3/nothing-unfinished", "No work is unfinished.", "There is nothing to discard."
        )
    return Workflow(
        name="discard-unfinished",
        key="",
        title="Unfinished work",
        start=DiscardState(),
        steps=(_Pick(bench), _Discard(bench, resume)),
        outcome=_outcome,
    )


def shown_title(work: Unfinished) -> str:
    """What the work is, and of which release where its title does not say so."""
    return work.title if not work.key or work.key in work.title else f"{work.title} {work.key}"


def _saved_as(work: Unfinished) -> str:
    return f"{work.workflow}.{work.key}" if work.key else work.workflow


class _Pick(Step[DiscardState]):
    """Choose the run."""

    id = "pick"
    title = "Discard"
    unchanged = "Every saved state is as it was."

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def done(self, state: DiscardState) -> bool:
        return bool(state.name)

    def question(self, state: DiscardState) -> Question:
        options = tuple(
            Option(_saved_as(work), f"{shown_title(work)} (at {work.step or 'the end'})")
            for work in unfinished_work(self._bench.states)
        )
        return Choice("work", "Which unfinished work is to be discarded?", options=options)

    def act(self, state: DiscardState, answer: Answer, progress: Progress) -> DiscardState:
        return msgspec.structs.replace(state, name=str(answer))


class _Discard(Step[DiscardState]):
    """Undo what it prepared, if that can be told, and forget it; journalled."""

    id = "discard"
    title = "Discard"
    unchanged = "The saved state is as it was."
    commit_point = True

    def __init__(self, bench: Workbench, resume: Resume) -> None:
        self._bench = bench
        self._resume = resume

    def done(self, state: DiscardState) -> bool:
        return bool(state.sure)

    def pages(self, state: DiscardState) -> Sequence[Page]:
        lines = (
            Line(state.name, label="saved as"),
            Line(),
            Line(
                "What this work prepared is undone. If it cannot be read, only its saved state "
                "is removed: a key that it had made stays in the vault, unregistered."
            ),
        )
        return (Page("Discard this work?", lines),)

    def question(self, state: DiscardState) -> Question:
        return Confirm("sure", "Discard it?")

    def act(self, state: DiscardState, answer: Answer, progress: Progress) -> DiscardState:
        if answer == NO:
            return msgspec.structs.replace(state, sure=NO)
        found = (w for w in unfinished_work(self._bench.states) if _saved_as(w) == state.name)
        work = next(found, None)
        undone = work is not None and self._undo(work)
        self._bench.states.delete(state.name)
        self._bench.journal.append(DISCARDED_UNFINISHED, {"work": state.name, "undone": undone})
        return msgspec.structs.replace(state, sure=YES, undone=undone)

    def _undo(self, work: Unfinished) -> bool:
        if not work.origin.entry:
            return False
        try:
            run = self._resume(work.origin)
            if run.resumed:  # else it would be another run, which began with other content
                run.discard()
        except SignerError:  # it cannot be read, or what it worked on is gone
            return False
        return run.resumed


def _outcome(state: DiscardState) -> Outcome:
    if state.sure == NO:
        line = Line(state.name, label="kept", mark=Mark.OK)
    elif state.undone:
        line = Line(f"{state.name}, with what it prepared", label="discarded", mark=Mark.OK)
    else:
        line = Line(f"{state.name}, its saved state alone", label="discarded", mark=Mark.WARN)
    data = {"work": state.name, "discarded": state.sure == YES, "undone": state.undone}
    return Outcome((Page("Unfinished work", (line,)),), data)
