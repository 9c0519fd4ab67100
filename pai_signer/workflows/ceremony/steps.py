"""The steps that every ceremony begins and ends with (KEY-1).

What the machine can find out is probed; what only people in a room can do is asked, and
where nobody does it, the transcript says that it was not done.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final, Generic

import msgspec

from pai_signer.domain.ceremony import (
    WITNESS_STATEMENT,
    How,
    Material,
    Participant,
    Precondition,
    Role,
    Verdict,
    check_participants,
    compare_typed,
    noted_exception,
)
from pai_signer.domain.minisig import STOCK_LIMITS
from pai_signer.domain.page import Line, Mark, Page, digest_lines
from pai_signer.domain.policy import air_gap_problems
from pai_signer.domain.progress import Progress
from pai_signer.domain.text import safe_text
from pai_signer.domain.words import to_words
from pai_signer.errors import PolicyRefused, UsageError
from pai_signer.workflows.ceremony.frame import (
    CLOCK_STEPS,
    C,
    CeremonyState,
    Plan,
    close_ceremony,
    journal_head,
)
from pai_signer.workflows.engine import (
    YES,
    Actor,
    Answer,
    Automatic,
    Choice,
    Confirm,
    Option,
    Proceed,
    Question,
    Step,
    TypedText,
)
from pai_signer.workflows.keys.key_dates import NOT_COMPARED as CLOCK_NOT_COMPARED
from pai_signer.workflows.keys.key_dates import check_clock, latest_known
from pai_signer.workflows.workbench import Workbench

#: scrypt's own gibibyte, and what program and system want beside it.
NEEDED_MEMORY_BYTES: Final = STOCK_LIMITS.memory_bytes + (64 << 20)
#: Far more than keys, certificates, journal and transcript take.
NEEDED_SPACE_BYTES: Final = 64 << 20
#: A watch is read, spoken and typed: that takes a while.
WATCH_TOLERANCE: Final = timedelta(minutes=5)
MAX_NAME_LENGTH: Final = 80
NOT_COMPARED: Final = "not compared"
CLOCK: Final = "clock"
_TIME_FORMAT: Final = "%Y-%m-%d %H:%M"

ACCEPTS: Final = "accept"
DISAGREES: Final = "disagree"
NOBODY: Final = "nobody"


class CeremonyStep(Step[C], Generic[C]):
    """A shared step: done once its ID is among those behind."""

    unchanged = "No key was made and the registry was not changed."

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def done(self, state: C) -> bool:
        return self.id in state.behind

    def _behind(self, state: C) -> C:
        return msgspec.structs.replace(state, behind=(*state.behind, self.id))


def opening(bench: Workbench, plan: Plan) -> tuple[Step[C], ...]:
    """The shared steps before a ceremony's own."""
    return (
        _Begin(bench, plan),
        _SecondMaintainer(bench),
        _Witness(bench),
        _Materials(bench, plan),
        _Preconditions(bench),
        _FirstClock(bench),
        _SecondClock(bench),
    )


def closing(bench: Workbench, plan: Plan) -> tuple[Step[C], ...]:
    """The shared steps after a ceremony's own; the point of no return is behind them."""
    return (_Verdict(bench), _Reason(bench), _Close(bench, plan))


class _Begin(CeremonyStep[C]):
    """Who does what, before anything is done."""

    id = "begin"
    title = "Begin the ceremony"
    in_script = ("Read the purpose aloud. Everybody names the role they take.",)

    def __init__(self, bench: Workbench, plan: Plan) -> None:
        super().__init__(bench)
        self._plan = plan

    def pages(self, state: C) -> Sequence[Page]:
        lines = (
            Line(self._plan.purpose),
            Line(),
            Line("three people at best: you, a second maintainer, a witness", label="roles"),
            Line("at any step, note what goes differently (:x on the command line)"),
            Line("everything but secrets goes into a transcript"),
        )
        return (Page(self._plan.title, lines),)

    def question(self, state: C) -> Question:
        return Proceed("begin", "Begin the ceremony?")

    def act(self, state: C, answer: Answer, progress: Progress) -> C:
        bench = self._bench
        now = bench.clock.now()
        begun = state
        if not state.ceremony:  # walked back to: it stays the same ceremony
            begun = msgspec.structs.replace(
                state,
                ceremony=f"{now:%Y%m%dT%H%M%SZ}-{self._plan.name}",
                began_at=now,
                journal_at_begin=journal_head(bench),
            )
        you = Participant(role=Role.MAINTAINER, name=bench.info.maintainer_name)
        return self._behind(msgspec.structs.replace(begun, participants=(you,)))


class _Person(CeremonyStep[C]):
    """A person who may be missing."""

    _role: ClassVar[Role]

    def question(self, state: C) -> Question:
        return TypedText(
            self.id,
            f"Name of the {self._role.value} (empty: nobody)",
            default="",
            may_be_empty=True,
        )

    def act(self, state: C, answer: Answer, progress: Progress) -> C:
        name = " ".join(safe_text(str(answer), limit=MAX_NAME_LENGTH).split())
        if not name:
            return self._behind(state)
        people = (*state.participants, Participant(role=self._role, name=name))
        check_participants(people)
        return self._behind(msgspec.structs.replace(state, participants=people))


class _SecondMaintainer(_Person[C]):
    id = "second"
    title = "Name the second maintainer"
    _role = Role.SECOND_MAINTAINER


class _Witness(_Person[C]):
    id = "witness"
    title = "Name the witness"
    _role = Role.WITNESS


class _Materials(CeremonyStep[C]):
    """What has to lie on the table: nothing can probe that."""

    id = "materials"
    title = "Materials"
    in_script = ("Point at each thing on the list above.",)

    def __init__(self, bench: Workbench, plan: Plan) -> None:
        super().__init__(bench)
        self._plan = plan

    def pages(self, state: C) -> Sequence[Page]:
        return (Page("On the table", tuple(Line(f"- {m}") for m in self._plan.materials)),)

    def question(self, state: C) -> Question:
        return Confirm("materials", "Is all of it on the table?", default=YES)

    def act(self, state: C, answer: Answer, progress: Progress) -> C:
        found = tuple(Material(name=m, present=answer == YES) for m in self._plan.materials)
        return self._behind(msgspec.structs.replace(state, materials=found))


class _Preconditions(CeremonyStep[C]):
    """What the machine can find out about itself."""

    id = "preconditions"
    title = "Preconditions"
    in_script = ("The program looks; what it finds wrong is mended, or decided and written down.",)

    def pages(self, state: C) -> Sequence[Page]:
        rows = (
            Line(p.text, label=p.name, mark=Mark.OK if p.met else Mark.FAIL)
            for p in probed(self._bench)
        )
        return (Page("Before the first step", tuple(rows)),)

    def question(self, state: C) -> Question:
        if self._unmet():
            return TypedText(
                "despite",
                "Not all is as it should be. Why go on all the same?",
                refusal=_unmet_refusal(self._unmet()),
            )
        return Proceed("preconditions", "Go on?")

    def _unmet(self) -> tuple[Precondition, ...]:
        return tuple(p for p in probed(self._bench) if not p.met)

    def act(self, state: C, answer: Answer, progress: Progress) -> C:
        found = probed(self._bench)
        unmet = tuple(p for p in found if not p.met)
        reason = str(answer).strip()
        # Signatures and dates made under a wrong clock cannot be mended by any reason.
        if any(p.name == CLOCK for p in unmet) or (unmet and not reason):
            raise _unmet_refusal(unmet)
        noted = tuple(
            noted_exception(
                self.id, self._bench.clock.now(), expected=p.name, happened=p.text, decided=reason
            )
            for p in unmet
        )
        return self._behind(
            msgspec.structs.replace(
                state,
                preconditions=(*state.preconditions, *found),
                exceptions=(*state.exceptions, *noted),
            )
        )


def _unmet_refusal(unmet: Sequence[Precondition]) -> PolicyRefused:
    what = "; ".join(f"{p.name}: {p.text}" for p in unmet)
    return PolicyRefused(
        "KEY-1/preconditions",
        f"A ceremony cannot begin like this: {what}.",
        "Mend it, or give the reason to go on (--despite). A wrong clock can only be mended.",
    )


def probed(bench: Workbench) -> tuple[Precondition, ...]:
    """What the machine says of itself; what could not be read is not met."""
    facts, now = bench.host.facts(), bench.clock.now()
    problems = air_gap_problems(facts)
    memory, space = facts.memory_available_bytes, facts.vault_free_bytes
    earliest, _ = latest_known(bench)
    told = f"{now:{_TIME_FORMAT}} UTC"
    found = {
        "air gap": (not problems, "; ".join(problems) or "no interface up, no route, no radio"),
        "memory": (
            memory is not None and memory >= NEEDED_MEMORY_BYTES,
            "could not be read"
            if memory is None
            else f"{memory >> 20} MiB free, {NEEDED_MEMORY_BYTES >> 20} MiB needed",
        ),
        "free space": (
            space is not None and space >= NEEDED_SPACE_BYTES,
            "could not be read"
            if space is None
            else f"{space >> 20} MiB free in the vault, {NEEDED_SPACE_BYTES >> 20} MiB needed",
        ),
        "entropy": (
            facts.entropy_ready is True,
            "the random generator is ready" if facts.entropy_ready else "not known to be ready",
        ),
        CLOCK: (
            now >= earliest,
            f"{told}, not before the last entry"
            if now >= earliest
            else f"{told} is before {earliest:{_TIME_FORMAT}} UTC, which is past",
        ),
    }
    return tuple(
        Precondition(name=name, how=How.PROBED, met=met, text=text)
        for name, (met, text) in found.items()
    )


class _Watch(CeremonyStep[C]):
    """Somebody types what their own clock says."""

    _role: ClassVar[Role]

    def question(self, state: C) -> Question:
        who = state.name_of(self._role) or f"the {self._role.value}"
        return TypedText(
            self.id,
            f"{who}: date and time by your own clock, in UTC "
            "(YYYY-MM-DD HH:MM; empty: not compared)",
            default="",
            may_be_empty=True,
        )

    def act(self, state: C, answer: Answer, progress: Progress) -> C:
        typed = " ".join(str(answer).split())
        text = NOT_COMPARED
        if typed:
            text = self._compared(typed)
        found = Precondition(
            name=f"clock of the {self._role.value}", how=How.ASKED, met=bool(typed), text=text
        )
        known = (*state.preconditions, found)
        return self._behind(msgspec.structs.replace(state, preconditions=known))

    def _compared(self, typed: str) -> str:
        now = self._bench.clock.now()
        try:
            said = datetime.strptime(typed, _TIME_FORMAT).replace(tzinfo=UTC)
        except ValueError as error:
            raise UsageError(
                "KEY-1/time-typed",
                f"{safe_text(typed, limit=40)!r} is no date and time.",
                "Type it as 2026-12-31 23:59, in UTC.",
            ) from error
        if abs(now - said) > WATCH_TOLERANCE:
            raise PolicyRefused(
                "KEY-1/clocks-differ",
                f"The workstation's clock says {now:{_TIME_FORMAT}} UTC, not {typed}.",
                "Find out which clock is wrong. Was it typed in UTC? Set the clock, begin again.",
            )
        return f"{typed} UTC typed, {now:{_TIME_FORMAT}} UTC on the workstation"


def was_clock_compared(state: CeremonyState) -> bool:
    """Whether somebody's own clock agreed with the workstation's."""
    return any(p.how is How.ASKED and p.met for p in state.preconditions)


class _FirstClock(_Watch[C]):
    id = f"{CLOCK_STEPS}first"
    title = "Compare the clock"
    in_script = ("Type date and time by a clock of your own, in UTC.",)
    _role = Role.MAINTAINER


class _SecondClock(_Watch[C]):
    id = f"{CLOCK_STEPS}second"
    title = "Compare the clock"
    actor = Actor.SECOND_MAINTAINER
    in_script = ("Type date and time by another clock, in UTC.",)
    _role = Role.SECOND_MAINTAINER

    def act(self, state: C, answer: Answer, progress: Progress) -> C:
        following = super().act(state, answer, progress)
        check_clock(self._bench, YES if was_clock_compared(following) else CLOCK_NOT_COMPARED)
        return following


class CompareKey(CeremonyStep[C]):
    """A new key is read aloud and typed back in full: not by Enter (KEY-1)."""

    id = "compare"
    title = "Compare the new key"
    actor = Actor.SECOND_MAINTAINER
    in_script = (
        "The maintainer reads the groups or the words aloud; the second maintainer types what "
        "was heard, without seeing the screen.",
    )
    blanks = ("First group", "Last group")

    def __init__(self, bench: Workbench, what: str, digest_hex: Callable[[C], str]) -> None:
        super().__init__(bench)
        self._what = what
        self._digest_hex = digest_hex

    def pages(self, state: C) -> Sequence[Page]:
        digest = self._digest_hex(state)
        words = to_words(bytes.fromhex(digest))
        rows = (" ".join(words[i : i + 4]) for i in range(0, len(words), 4))
        lines = (*digest_lines("groups", digest), Line(), *(Line(row) for row in rows))
        return (Page(f"Read aloud: {self._what}", lines),)

    def question(self, state: C) -> Question:
        return TypedText(
            self.id,
            f"{self._what}, as heard: all groups or all words (empty: not compared)",
            default="",
            may_be_empty=True,
        )

    def act(self, state: C, answer: Answer, progress: Progress) -> C:
        typed, now = str(answer).strip(), self._bench.clock.now()
        you = state.name_of(Role.MAINTAINER)
        if not typed:
            skipped = noted_exception(
                self.id,
                now,
                expected=f"{self._what} is compared",
                happened=NOT_COMPARED,
                decided="go on without",
            )
            return self._behind(
                msgspec.structs.replace(state, exceptions=(*state.exceptions, skipped))
            )
        compared = compare_typed(
            self._what,
            self._digest_hex(state),
            typed,
            step=self.id,
            at=now,
            read_by=you,
            typed_by=state.name_of(Role.SECOND_MAINTAINER) or state.name_of(Role.WITNESS) or you,
        )
        return self._behind(
            msgspec.structs.replace(state, comparisons=(*state.comparisons, compared))
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
