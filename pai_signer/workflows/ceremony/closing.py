"""The steps that every ceremony ends with: verdict and transcript (KEY-1)."""

from collections.abc import Sequence
from typing import Final

import msgspec

from pai_signer.domain.ceremony import (
    WITNESS_STATEMENT,
    Role,
    Verdict,
    noted_exception,
)
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.text import safe_text
from pai_signer.errors import UsageError
from pai_signer.workflows.ceremony.frame import (
    C,
    Plan,
    close_ceremony,
)
from pai_signer.workflows.ceremony.step import CeremonyStep
from pai_signer.workflows.engine import (
    Actor,
    Answer,
    Automatic,
    Choice,
    Option,
    Question,
    Step,
    TypedText,
)
from pai_signer.workflows.workbench import Workbench

ACCEPTS: Final = "accept"
DISAGREES: Final = "disagree"
NOBODY: Final = "nobody"


def closing(bench: Workbench, plan: Plan) -> tuple[Step[C], ...]:
    """The shared steps after a ceremony's own; the point of no return is behind them."""
    return (_Verdict(bench), _Reason(bench), _Close(bench, plan))


def close_given_up(bench: Workbench, plan: Plan, state: C) -> None:
    """Keep the transcript of a ceremony that was discarded behind its point of no return."""
    if state.closed:
        return
    noted = noted_exception(
        "",
        bench.clock.now(),
        expected="the ceremony goes on to its end",
        happened="it was given up behind its point of no return",
        decided="what was done stands, and the transcript ends here",
    )
    close_ceremony(
        bench, plan, msgspec.structs.replace(state, exceptions=(*state.exceptions, noted))
    )


class _ClosingStep(CeremonyStep[C]):
    unchanged = "The ceremony's work is done and stands; only its transcript is not finished."


class _Verdict(_ClosingStep[C]):
    """The witness accepts, or does not."""

    id = "verdict"
    title = "Verdict of the witness"
    actor = Actor.WITNESS
    in_script = ("Read the statement below. Accept it, or disagree and say why.",)

    def done(self, state: C) -> bool:
        return super().done(state) or not state.name_of(Role.WITNESS)

    def pages(self, state: C) -> Sequence[Page]:
        return (Page("Statement of the witness", (Line(WITNESS_STATEMENT),)),)

    def question(self, state: C) -> Question:
        options = (
            Option(ACCEPTS, "I accept this statement"),
            Option(DISAGREES, "I disagree, and say why"),
            Option(NOBODY, "the witness is not here any more"),
        )
        prompt = f"{state.name_of(Role.WITNESS)}, is this so?"
        return Choice("verdict", prompt, options=options, default=NOBODY)

    def act(self, state: C, answer: Answer, progress: Progress) -> C:
        said = msgspec.structs.replace(state, witness_said=str(answer))
        if answer == ACCEPTS:
            said = msgspec.structs.replace(said, verdict=self._verdict(state, accepts=True))
        return self._behind(said)

    def _verdict(self, state: C, *, accepts: bool, reason: str = "") -> Verdict:
        return Verdict(
            witness=state.name_of(Role.WITNESS),
            at=self._bench.clock.now(),
            statement=WITNESS_STATEMENT,
            accepts=accepts,
            reason=reason,
        )


class _Reason(_Verdict[C]):
    """Why the witness disagrees."""

    id = "verdict-reason"
    title = "Why the witness disagrees"
    in_script = ("Only if the witness disagrees.",)

    def done(self, state: C) -> bool:
        return self.id in state.behind or state.witness_said != DISAGREES

    def pages(self, state: C) -> Sequence[Page]:
        return ()

    def question(self, state: C) -> Question:
        return TypedText("verdict-reason", "What was not as the statement says")

    def act(self, state: C, answer: Answer, progress: Progress) -> C:
        reason = safe_text(str(answer).strip(), limit=1000)
        if not reason:
            raise UsageError(
                "KEY-1/verdict", "A witness who disagrees says why.", "Type the reason."
            )
        verdict = self._verdict(state, accepts=False, reason=reason)
        return self._behind(msgspec.structs.replace(state, verdict=verdict))


class _Close(_ClosingStep[C]):
    """Store and journal the transcript."""

    id = "transcript"
    title = "Transcript"
    in_script = (
        "The program stores it and enters its digest into the journal. Carry it out (ceremony "
        "export DEST), print it, and sign it by hand.",
    )

    def __init__(self, bench: Workbench, plan: Plan) -> None:
        super().__init__(bench)
        self._plan = plan

    def done(self, state: C) -> bool:
        return state.closed

    def question(self, state: C) -> Question:
        return Automatic("transcript")

    def act(self, state: C, answer: Answer, progress: Progress) -> C:
        digest = close_ceremony(self._bench, self._plan, state)
        progress.say(Line(f"transcript, SHA-256 {digest}", mark=Mark.OK))
        return msgspec.structs.replace(state, closed=True)
