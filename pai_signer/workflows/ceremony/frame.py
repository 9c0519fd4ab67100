"""A ceremony: a workflow that keeps a transcript of itself (KEY-1).

A ceremony is an ordinary workflow whose state begins with ``CeremonyState``, whose
``recorder`` is a ``TranscriptRecorder``, and whose own steps stand between the shared
ones of ``opening`` and ``closing``. The script printed beforehand is made from the same steps.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

import msgspec

from pai_signer import __version__
from pai_signer.domain.artifact import Record
from pai_signer.domain.ceremony import (
    TRANSCRIPT_NAME,
    Comparison,
    Material,
    NotedException,
    Participant,
    Precondition,
    Result,
    Role,
    TakenStep,
    Transcript,
    Verdict,
    noted_exception,
    parse_transcript,
    taken_step,
)
from pai_signer.domain.ceremony_text import Script, ScriptStep, render_script, render_transcript
from pai_signer.domain.journal import GENESIS
from pai_signer.domain.page import Line, Page
from pai_signer.domain.receipt import JournalHead
from pai_signer.domain.records import encode_record
from pai_signer.errors import SignerError, UsageError
from pai_signer.ports import Clock
from pai_signer.workflows.engine import Answer, Automatic, Outcome, Question, Step, Workflow
from pai_signer.workflows.workbench import Workbench

ENDED: Final = "ceremony.ended"
#: How the IDs of the steps begin in which people compare the machine's clock with theirs.
CLOCK_STEPS: Final = "clock-"
TRANSCRIPT_TEXT: Final = "transcript.txt"
#: What is decided of an attempt that failed; whoever goes on takes the step again.
NOT_TAKEN: Final = "this attempt does not count"

#: What each role is there for, as the printed script says it.
DUTIES: Final = (
    (Role.MAINTAINER, "Sits at the workstation and types; reads aloud what is to be compared."),
    (Role.SECOND_MAINTAINER, "Types back what was read aloud; brings a clock of their own."),
    (Role.WITNESS, "Touches nothing; watches every step and signs the transcript, or does not."),
)
#: What the program probes before the first step, for the printed script.
PRECONDITIONS: Final = (
    "No network: cable out, radios off. The program looks for itself.",
    "1 GiB of free memory for hashing a passphrase, room in the vault, and a ready random "
    "generator.",
    "The clock is not before the journal's last entry; two people compare it with their own.",
)


class CeremonyState(Record, frozen=True, kw_only=True):
    """The part of a state that the frame fills in; the transcript is made from it."""

    #: The ceremony's ID: names its folder in the vault.
    ceremony: str = ""
    began_at: datetime | None = None
    journal_at_begin: JournalHead | None = None
    participants: tuple[Participant, ...] = ()
    materials: tuple[Material, ...] = ()
    preconditions: tuple[Precondition, ...] = ()
    taken: tuple[TakenStep, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    exceptions: tuple[NotedException, ...] = ()
    results: tuple[Result, ...] = ()
    #: Shared steps that are done, by their ID.
    behind: tuple[str, ...] = ()
    witness_said: str = ""
    verdict: Verdict | None = None
    closed: bool = False

    def name_of(self, role: Role) -> str:
        """Who has this role; empty if nobody does."""
        return next((p.name for p in self.participants if p.role is role), "")

    @property
    def clock_looked_at(self) -> datetime | None:
        """When the machine's clock was last compared, or asked to be."""
        return max((s.at for s in self.taken if s.id.startswith(CLOCK_STEPS)), default=None)


C = TypeVar("C", bound=CeremonyState)


@dataclass(frozen=True)
class Plan:
    """What one kind of ceremony is for, and what it needs on the table.

    ``alone`` is the refusal where nobody is named as the second maintainer; None where one person
    may hold it.
    """

    name: str
    title: str
    purpose: str
    command: str
    materials: Sequence[str]
    alone: UsageError | None = None


class TranscriptRecorder(Generic[C]):
    """The ``Recorder`` of ceremonies: everything goes into the state itself."""

    def __init__(self, clock: Clock, keeps: Sequence[str] = ()) -> None:
        """``keeps`` are further fields that walking back does not undo, as a key that was made."""
        self._clock = clock
        self._keeps = keeps

    def taken(self, state: C, step: Step[C], question: Question, answer: Answer) -> C:
        """Record a step as it was taken; of a secret only that there was one."""
        record = taken_step(
            step=step.id,
            title=step.title,
            actor=Role(step.actor.value),
            at=self._now(state),
            question="" if isinstance(question, Automatic) else question.prompt,
            answer=answer,
            point_of_no_return=step.commit_point,
        )
        return msgspec.structs.replace(state, taken=(*state.taken, record))

    def noted(
        self, state: C, step: Step[C] | None, *, expected: str, happened: str, decided: str
    ) -> C:
        """Record what went differently; ``UsageError`` if one of the texts is empty."""
        noted = noted_exception(
            step.id if step else "",
            self._now(state),
            expected=expected,
            happened=happened,
            decided=decided,
        )
        return msgspec.structs.replace(state, exceptions=(*state.exceptions, noted))

    def failed(self, state: C, step: Step[C], error: SignerError) -> C:
        """Record an attempt that came to nothing: a wrong passphrase, a comparison that differs."""
        return self.noted(
            state,
            step,
            expected=step.title,
            happened=f"{error.code}: {error.summary}",
            decided=NOT_TAKEN,
        )

    def returned(self, earlier: C, current: C) -> C:
        """A step that is walked back over did happen: its record stays."""
        kept: dict[str, Any] = {name: getattr(current, name) for name in self._keeps}
        return msgspec.structs.replace(
            earlier,
            **kept,
            ceremony=current.ceremony,
            began_at=current.began_at,
            journal_at_begin=current.journal_at_begin,
            taken=current.taken,
            comparisons=current.comparisons,
            exceptions=current.exceptions,
        )

    def _now(self, state: C) -> datetime:
        """A transcript runs forward even where the machine's clock was set back."""
        return max([self._clock.now(), *(step.at for step in state.taken[-1:])])


def journal_head(bench: Workbench) -> JournalHead:
    """The journal's newest entry."""
    entries = bench.journal.entries()
    if not entries:
        return JournalHead(n=0, hash=GENESIS)
    return JournalHead(n=entries[-1].n, hash=entries[-1].hash)


def close_ceremony(bench: Workbench, plan: Plan, state: CeremonyState) -> str:
    """Store the transcript in both forms, then journal its digest; returns the digest."""
    if state.began_at is None or state.journal_at_begin is None:
        raise RuntimeError("a ceremony that never began cannot end")
    now = max([bench.clock.now(), *(step.at for step in state.taken[-1:])])
    verdict = state.verdict
    transcript = Transcript(
        project=bench.profile.project.name,
        ceremony=state.ceremony,
        title=plan.title,
        rehearsal=bench.info.rehearsal,
        program=f"pai-signer {__version__}",
        began_at=state.began_at,
        journal_at_begin=state.journal_at_begin,
        participants=state.participants,
        materials=state.materials,
        preconditions=state.preconditions,
        steps=state.taken,
        comparisons=state.comparisons,
        exceptions=state.exceptions,
        results=state.results,
        verdict=verdict,
        ended_at=now,
        journal_at_end=journal_head(bench),
    )
    data = encode_record(transcript)
    parse_transcript(data)  # what could not be read back is not stored
    text = render_transcript(transcript).encode()
    # A crash in between writes both anew: the stored transcript is always the last one journalled.
    bench.ceremonies.save(state.ceremony, {TRANSCRIPT_NAME: data, TRANSCRIPT_TEXT: text})
    digest = hashlib.sha256(data).hexdigest()
    bench.journal.append(
        ENDED,
        {
            "ceremony": state.ceremony,
            "title": plan.title,
            "participants": [f"{p.role.value}: {p.name}" for p in state.participants],
            "witness": "none" if verdict is None else "accepts" if verdict.accepts else "disagrees",
            "exceptions": len(state.exceptions),
            "transcript_sha256": digest,
            "text_sha256": hashlib.sha256(text).hexdigest(),
            "command": plan.command,
        },
    )
    return digest


# --- the script to print beforehand --------------------------------------------------------


def script_text(bench: Workbench, plan: Plan, steps: Sequence[Step[Any]]) -> str:
    """The ceremony on paper, from the very steps that will be walked."""
    return render_script(
        Script(
            project=bench.profile.project.name,
            title=plan.title,
            purpose=plan.purpose,
            roles=DUTIES,
            materials=plan.materials,
            preconditions=PRECONDITIONS,
            steps=[
                ScriptStep(
                    id=step.id,
                    title=step.title,
                    actor=Role(step.actor.value),
                    lines=step.in_script,
                    blanks=step.blanks,
                    point_of_no_return=step.commit_point,
                )
                for step in steps
            ],
            rehearsal=bench.info.rehearsal,
        )
    )


class ScriptState(Record, frozen=True, kw_only=True):
    """Printing has no steps."""


def print_script(bench: Workbench, plan: Plan, steps: Sequence[Step[Any]]) -> Workflow[ScriptState]:
    """Build the workflow that only shows the script (``--script``)."""
    text = script_text(bench, plan, steps)
    page = Page(f"Script: {plan.title}", tuple(Line(line) for line in text.splitlines()))
    return Workflow(
        name=f"script-{plan.name}",
        key="",
        title=f"Script: {plan.title}",
        start=ScriptState(),
        steps=(),
        outcome=lambda _: Outcome((page,), {"script": text}),
    )
