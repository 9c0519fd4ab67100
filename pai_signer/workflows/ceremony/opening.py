"""The steps that every ceremony begins with (KEY-1).

What the machine can find out is probed; what only people in a room can do is asked, and
where nobody does it, the transcript says that it was not done.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final

import msgspec

from pai_signer.domain.ceremony import (
    How,
    Material,
    Participant,
    Precondition,
    Role,
    check_participants,
    noted_exception,
)
from pai_signer.domain.minisig import STOCK_LIMITS
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.policy import air_gap_problems
from pai_signer.domain.progress import Progress
from pai_signer.domain.text import safe_text
from pai_signer.errors import PolicyRefused, UsageError
from pai_signer.workflows.ceremony.frame import (
    CLOCK_STEPS,
    C,
    CeremonyState,
    Plan,
    journal_head,
)
from pai_signer.workflows.ceremony.step import NOT_COMPARED, CeremonyStep
from pai_signer.workflows.engine import (
    YES,
    Actor,
    Answer,
    Confirm,
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
CLOCK: Final = "clock"
_TIME_FORMAT: Final = "%Y-%m-%d %H:%M"


def opening(bench: Workbench, plan: Plan) -> tuple[Step[C], ...]:
    """The shared steps before a ceremony's own."""
    return (
        _Begin(bench, plan),
        _SecondMaintainer(bench, plan),
        _Witness(bench),
        _Materials(bench, plan),
        _Preconditions(bench),
        _FirstClock(bench),
        _SecondClock(bench),
    )


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
            Line("at any step, note what goes differently (F3; at a prompt :x)"),
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
                ceremony=_new_id(bench, f"{now:%Y%m%dT%H%M%SZ}-{self._plan.name}"),
                began_at=now,
                journal_at_begin=journal_head(bench),
            )
        you = Participant(role=Role.MAINTAINER, name=bench.info.maintainer_name)
        return self._behind(msgspec.structs.replace(begun, participants=(you,)))


def _new_id(bench: Workbench, wanted: str) -> str:
    """An ID that no ceremony has: of two in one second, the second overwrites no transcript."""
    held, number, free = bench.ceremonies.names(), 2, wanted
    while free in held:
        free, number = f"{wanted}-{number}", number + 1
    return free


class _Person(CeremonyStep[C]):
    """A person beside the one who sits there."""

    _role: ClassVar[Role]
    #: The refusal where nobody is named; None where the person may be missing.
    _alone: UsageError | None = None

    def question(self, state: C) -> Question:
        prompt = f"Name of the {self._role.value}"
        if self._alone:
            return TypedText(self.id, prompt, refusal=self._alone, may_be_empty=True)
        return TypedText(self.id, f"{prompt} (empty: nobody)", default="", may_be_empty=True)

    def act(self, state: C, answer: Answer, progress: Progress) -> C:
        name = " ".join(safe_text(str(answer), limit=MAX_NAME_LENGTH).split())
        if not name:
            if self._alone:
                raise self._alone
            return self._behind(state)
        people = (*state.participants, Participant(role=self._role, name=name))
        check_participants(people)
        return self._behind(msgspec.structs.replace(state, participants=people))


class _SecondMaintainer(_Person[C]):
    id = "second"
    title = "Name the second maintainer"
    _role = Role.SECOND_MAINTAINER

    def __init__(self, bench: Workbench, plan: Plan) -> None:
        super().__init__(bench)
        self._alone = plan.alone


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
        who = state.name_of(self._role) or f"The {self._role.value}"
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
