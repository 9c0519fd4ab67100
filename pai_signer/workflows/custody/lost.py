"""A medium, a passphrase or a maintainer is lost: what that means, and what follows (CUS-4).

Each wizard asks what happened, takes out of the ledger what cannot be counted on any more, and
leads on: to a new backup, or to the rotation of a compromised key. Nothing here touches a key.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from pai_signer.domain.artifact import Record
from pai_signer.domain.custody import (
    BACKUP_WITHDRAWN,
    MediumIdentity,
    WithdrawnFacts,
    custodian_id,
)
from pai_signer.domain.ledger import Row
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm, KeyState, RegisteredKey
from pai_signer.domain.text import safe_text
from pai_signer.errors import PolicyRefused, UsageError
from pai_signer.workflows.custody.custody_now import custody_data, custody_lines
from pai_signer.workflows.custody.lost_cases import CASES, Case, What
from pai_signer.workflows.engine import (
    NO,
    YES,
    Answer,
    Choice,
    Option,
    Outcome,
    Proceed,
    Question,
    Step,
    TypedText,
    Workflow,
)
from pai_signer.workflows.workbench import Workbench

MAX_WHY_LENGTH: Final = 300


class LostState(Record, frozen=True, kw_only=True):
    """Where it stands. ``place`` names the medium by its UUID, or by the set on it."""

    what: What
    custodian: str = ""
    place: str = ""
    happened: str = ""
    #: Whether somebody else may have both the medium and what opens it.
    others: str = ""
    why: str = ""
    withdrawn: bool = False


def lost(bench: Workbench, what: What) -> Workflow[LostState]:
    """Build the wizard; ``PolicyRefused`` where no backup is known that could be lost."""
    if not bench.ledger().custodians():
        raise PolicyRefused(
            "CUS-4/none-known",
            "This workstation knows of no backup that is counted on.",
            "There is nothing to withdraw. Make one: pai-signer backup create",
            unchanged="Nothing was changed.",
        )
    return Workflow(
        name=f"lost-{what}",
        key="",
        title=CASES[what].title,
        start=LostState(what=what),
        steps=(
            _Whose(bench),
            _Which(bench),
            _Happened(bench),
            _Others(bench),
            _Why(bench),
            _Withdraw(bench),
        ),
        outcome=lambda state: _outcome(bench, state),
    )


def _rows_of(bench: Workbench, custodian: str) -> tuple[Row, ...]:
    """All of this custodian: one row for each medium and key."""
    wanted = custodian_id(custodian)
    return tuple(r for r in bench.ledger().rows if custodian_id(r.custodian) == wanted)


def _place_of(row: Row) -> str:
    """What tells one medium of a custodian from another; one without a UUID by its set."""
    return row.medium.uuid or f"set-{row.set_number}"


class _LostStep(Step[LostState]):
    """What the steps of these wizards share."""

    unchanged = "Nothing was withdrawn: the ledger is as it was."

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    @staticmethod
    def case(state: LostState) -> Case:
        """What this wizard is about."""
        return CASES[state.what]


class _Whose(_LostStep):
    """Whose it was."""

    id = "whose"
    title = "Whose is it?"

    def done(self, state: LostState) -> bool:
        return bool(state.custodian)

    def pages(self, state: LostState) -> Sequence[Page]:
        lines = (*(Line(text) for text in self.case(state).explains), Line())
        return (Page(self.case(state).title, (*lines, *custody_lines(self._bench))),)

    def question(self, state: LostState) -> Question:
        options = tuple(Option(name, name) for name in self._bench.ledger().custodians())
        return Choice("whose", self.case(state).whose, options=options)

    def act(self, state: LostState, answer: Answer, progress: Progress) -> LostState:
        return msgspec.structs.replace(state, custodian=str(answer))


class _Which(_LostStep):
    """Which of their media; of a lost maintainer all of them."""

    id = "which"
    title = "Which medium?"

    def done(self, state: LostState) -> bool:
        return bool(state.place) or state.what == "maintainer"

    def question(self, state: LostState) -> Question:
        options = {
            _place_of(row): Option(_place_of(row), f"{row.medium.shown}, set {row.set_number}")
            for row in _rows_of(self._bench, state.custodian)
            if row.is_live
        }
        default = next(iter(options)) if len(options) == 1 else None
        return Choice(
            "which", self.case(state).which, default=default, options=tuple(options.values())
        )

    def act(self, state: LostState, answer: Answer, progress: Progress) -> LostState:
        return msgspec.structs.replace(state, place=str(answer))


class _Happened(_LostStep):
    """What became of it."""

    id = "happened"
    title = "What happened?"

    def done(self, state: LostState) -> bool:
        return bool(state.happened)

    def question(self, state: LostState) -> Question:
        options = tuple(Option(name, text) for name, text in self.case(state).happened.items())
        return Choice("happened", "What happened?", options=options)

    def act(self, state: LostState, answer: Answer, progress: Progress) -> LostState:
        others = NO if answer in self.case(state).harmless else ""
        return msgspec.structs.replace(state, happened=str(answer), others=others)


class _Others(_LostStep):
    """The one question that decides: may a copy and what opens it be in other hands."""

    id = "others"
    title = "May somebody else use it?"

    def done(self, state: LostState) -> bool:
        return bool(state.others)

    def pages(self, state: LostState) -> Sequence[Page]:
        return (
            Page(
                "This decides whether the keys have to be rotated",
                tuple(Line(text) for text in self.case(state).decides),
            ),
        )

    def question(self, state: LostState) -> Question:
        options = (
            Option(NO, "no: nobody else can have both"),
            Option(YES, "yes, or it cannot be ruled out"),
        )
        return Choice("others", self.case(state).asks, options=options)

    def act(self, state: LostState, answer: Answer, progress: Progress) -> LostState:
        return msgspec.structs.replace(state, others=str(answer))


class _Why(_LostStep):
    """One line for the journal."""

    id = "why"
    title = "For the journal"

    def done(self, state: LostState) -> bool:
        return bool(state.why)

    def question(self, state: LostState) -> Question:
        return TypedText("why", "What happened, in one line (it is journalled; name no place)")

    def act(self, state: LostState, answer: Answer, progress: Progress) -> LostState:
        why = safe_text(" ".join(str(answer).split()), limit=MAX_WHY_LENGTH)
        if not why:
            raise UsageError("CUS-4/why", "Nothing was said.", "Say in one line what happened.")
        return msgspec.structs.replace(state, why=why)


class _Withdraw(_LostStep):
    """Out of the ledger; nothing on any medium is changed."""

    id = "withdraw"
    title = "Withdraw it"
    commit_point = True

    def done(self, state: LostState) -> bool:
        return state.withdrawn

    def pages(self, state: LostState) -> Sequence[Page]:
        lines = [
            Line(state.custodian, label="custodian"),
            *(Line(text, label="counts no more") for text in self._concerned(state)),
            Line(),
            *_following(self._bench, state),
        ]
        return (Page("What follows", tuple(lines)), _destroying(state))

    def _concerned(self, state: LostState) -> Iterator[str]:
        facts = _facts(self._bench, state)
        for row in self._bench.ledger().rows:
            if row.is_live and _concerns(facts, row):
                key = f"{row.algorithm.shown} {row.key_id[-16:]}"
                yield f"{row.custodian}, {key} on {row.medium.shown}"

    def question(self, state: LostState) -> Question:
        return Proceed("withdraw", "Take it out of the ledger?")

    def act(self, state: LostState, answer: Answer, progress: Progress) -> LostState:
        bench = self._bench
        if any(self._concerned(state)):  # else a crash came right after the entry
            facts = _facts(bench, state)
            bench.journal.append(BACKUP_WITHDRAWN, msgspec.to_builtins(facts))
        progress.say(Line("withdrawn: it counts no more", mark=Mark.OK))
        return msgspec.structs.replace(state, withdrawn=True)


def _facts(bench: Workbench, state: LostState) -> WithdrawnFacts:
    """What is withdrawn: a medium with all that is on it, one person's set, or all of theirs."""
    case = CASES[state.what]
    rows = _rows_of(bench, state.custodian)
    row = next((r for r in rows if _place_of(r) == state.place), None)
    medium = row.medium if row is not None else MediumIdentity()
    is_whole_medium = state.what == "medium" and medium.is_known
    return WithdrawnFacts(
        cause=case.causes.get(state.happened, case.cause),
        why=state.why,
        custodian="" if is_whole_medium else state.custodian,
        medium=medium,
        set_number=row.set_number if row is not None and not medium.is_known else None,
        command=f"backup lost {state.what}",
    )


def _concerns(facts: WithdrawnFacts, row: Row) -> bool:
    return (
        (not facts.custodian or custodian_id(facts.custodian) == custodian_id(row.custodian))
        and (not facts.medium.is_known or facts.medium.same_as(row.medium))
        and facts.set_number in (None, row.set_number)
    )


# --- what follows --------------------------------------------------------------------------------


def _keys_concerned(bench: Workbench, state: LostState) -> tuple[RegisteredKey, ...]:
    """The keys in use of which a copy was there."""
    facts, registry = _facts(bench, state), bench.registry()
    ids = {row.key_id for row in bench.ledger().rows if _concerns(facts, row)}
    signing = (registry.signing_key(algorithm) for algorithm in Algorithm)
    return tuple(key for key in signing if key is not None and key.id in ids)


def commands_after(bench: Workbench, state: LostState) -> tuple[str, ...]:
    """The next commands, in their order."""
    rotations: tuple[str, ...] = ()
    if state.others == YES:
        rotations = tuple(
            f"key rotate {_SYSTEMS[key.algorithm]} --reason compromised"
            for key in _keys_concerned(bench, state)
            if key.life is not KeyState.COMPROMISED
        )
    name = "NEXT" if state.what == "maintainer" else repr(state.custodian)
    return (*rotations, f"backup create --custodian {name} DEST", "backup session")


_SYSTEMS: Final = {Algorithm.MINISIGN: "minisign", Algorithm.OPENPGP: "gpg"}


def _following(bench: Workbench, state: LostState) -> Iterator[Line]:
    if state.others == YES:
        text = "THE KEYS COUNT AS COMPROMISED: somebody else may sign with them."
        yield Line(text, mark=Mark.FAIL)
        yield Line("Rotate them at once, before anything else is signed:")
    else:
        for text in CASES[state.what].follows[state.happened]:
            yield Line(text)
    for command in commands_after(bench, state):
        yield Line(f"pai-signer {command}", label="next")


def _destroying(state: LostState) -> Page:
    """How an old set is done away with; no program can wipe flash."""
    lines = (
        Line("Wait until the new backup is proved. Then destroy the old one, if you have it:"),
        Line(
            "- Deleting or overwriting does not wipe flash: a stick keeps old blocks that no "
            "program can reach. Nothing here claims to have wiped one."
        ),
        Line("- Break the memory chip itself, into pieces; cutting the plug off is not enough."),
        Line("- Burn the paper with the passphrases, and printed pages of the backup."),
        Line("- Let somebody watch, and note date and names."),
        *(Line(text) for text in CASES[state.what].destroys),
    )
    return Page("Destroying the old backup", lines)


def _outcome(bench: Workbench, state: LostState) -> Outcome:
    lines = (
        Line(f"{CASES[state.what].title}: {state.custodian}", label="withdrawn", mark=Mark.OK),
        *custody_lines(bench),
        Line(),
        *_following(bench, state),
    )
    data = {
        "what": state.what,
        "custodian": state.custodian,
        "happened": state.happened,
        "compromised": state.others == YES,
        "next": list(commands_after(bench, state)),
        "custody": custody_data(bench),
    }
    return Outcome((Page("Withdrawn", lines), _destroying(state)), data)
