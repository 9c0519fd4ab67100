"""The turn of one maintainer in a session: medium, look, passphrases, proof (CUS-2)."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import msgspec

from pai_signer.domain.ceremony import Role
from pai_signer.domain.page import Line, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm, RegisteredKey
from pai_signer.domain.secret import Secret
from pai_signer.errors import CustodyError
from pai_signer.workflows.custody.custodian_passphrases import CUSTODIAN, CustodianPassphrase
from pai_signer.workflows.custody.judge_medium import judge_medium, record_seen
from pai_signer.workflows.custody.making import active_keys, medium_lines
from pai_signer.workflows.custody.paper_card import card_question, compare_with_card
from pai_signer.workflows.custody.prove_medium import prove_medium
from pai_signer.workflows.custody.seen import refusal_of, seen_lines
from pai_signer.workflows.custody.session_state import (
    SECOND_TURN,
    Part,
    SessionState,
    SessionStep,
    Turn,
    TurnStep,
    is_cross_check_open,
    looking_away,
    proved_here,
    shared_passphrase,
)
from pai_signer.workflows.engine import Actor, Answer, Automatic, Proceed, Question, Step
from pai_signer.workflows.inner_step import InnerStep
from pai_signer.workflows.keys.key_dates import NOT_COMPARED, check_clock
from pai_signer.workflows.pick_directory import PickMedium, TypeFolder
from pai_signer.workflows.workbench import Workbench

_PURPOSES = {
    Role.MAINTAINER: "The first maintainer's medium",
    Role.SECOND_MAINTAINER: "The second maintainer's own medium",
}


def turn_steps(bench: Workbench, turn: Turn) -> tuple[Step[SessionState], ...]:
    """All steps of one turn; the second maintainer's begins with their paper card."""
    actor = Actor(turn.role.value)
    purpose = _PURPOSES[turn.role]

    def inner(step: Step[Part], suffix: str) -> Step[SessionState]:
        return _Inner(step, turn, suffix, actor)

    card: tuple[Step[SessionState], ...] = (_Card(bench),) if turn is SECOND_TURN else ()
    return (
        inner(PickMedium(bench.media, purpose, read_only=True), turn.suffix),
        inner(TypeFolder(purpose), turn.suffix),
        _Look(bench, turn, actor),
        *card,
        _Alone(bench, turn, actor),
        *(_passphrase(bench, turn, algorithm, actor) for algorithm in Algorithm),
        _Prove(bench, turn, actor),
    )


class _Inner(InnerStep[SessionState, Part]):
    """A step over one person's part; whoever's turn it is acts."""

    def __init__(self, step: Step[Part], turn: Turn, suffix: str, actor: Actor) -> None:
        super().__init__(step, turn.get, turn.put, lambda state: not turn.get(state).proved, suffix)
        self.actor = actor


class _Look(TurnStep):
    """All three copies, compared without any secret; every key in use has to be there."""

    title = "Read the medium"
    in_script = ("The program reads all three copies and compares them.",)

    def __init__(self, bench: Workbench, turn: Turn, actor: Actor) -> None:
        super().__init__(bench, turn, "look")
        self.actor = actor

    def done(self, state: SessionState) -> bool:
        return self.part(state).seen is not None

    def question(self, state: SessionState) -> Question:
        return Automatic(self.id)

    def act(self, state: SessionState, answer: Answer, progress: Progress) -> SessionState:
        bench, held, part = self._bench, self.held(state), self.part(state)
        check_clock(bench, NOT_COMPARED)
        other = state.first.medium if self._turn is SECOND_TURN else None
        if other is not None and other.is_known and held.medium.same_as(other):
            raise CustodyError(
                "CUS-3/one-medium",
                f"This is the medium that was proved already: {held.medium.shown}.",
                "Two proofs from one medium count once. Plug in the second maintainer's own.",
            )
        seen = judge_medium(bench, held, Path(part.directory), active_keys(bench), progress).seen
        record_seen(bench, held, seen)
        for line in seen_lines(seen):
            progress.say(line)
        refusal = refusal_of(seen)
        if refusal is not None:
            raise refusal
        if seen.missing:
            raise CustodyError(
                "CUS-2/key-missing",
                f"The key {seen.missing[0].id} is not on this medium.",
                "Write a backup of both keys (backup create), then hold the session.",
            )
        part = msgspec.structs.replace(
            part, custodian=held.custodian, medium=held.medium, seen=seen
        )
        return self._turn.put(state, part)


class _Card(SessionStep):
    """The second maintainer trusts their own paper, not the first one's screen."""

    id = "card"
    title = "The key, from the second maintainer's paper card"
    actor = Actor.SECOND_MAINTAINER
    in_script = (
        "The second maintainer types the fingerprint from their own paper card, all of it.",
    )
    blanks = ("First group", "Last group")

    def done(self, state: SessionState) -> bool:
        return state.compared

    def pages(self, state: SessionState) -> Sequence[Page]:
        lines = (
            Line("Is this workstation's key the one that your paper card names?"),
            Line("It is not shown here: type it from your card, in full."),
        )
        return (Page("What the second maintainer trusts", lines),)

    def question(self, state: SessionState) -> Question:
        return card_question(self._key().algorithm, state.name_of(Role.SECOND_MAINTAINER))

    def act(self, state: SessionState, answer: Answer, progress: Progress) -> SessionState:
        second = state.name_of(Role.SECOND_MAINTAINER)
        comparison = compare_with_card(
            self._key(),
            str(answer),
            step=self.id,
            at=self._bench.clock.now(),
            read_by=second,
            typed_by=second,
        )
        return msgspec.structs.replace(
            state, compared=True, comparisons=(*state.comparisons, comparison)
        )

    def _key(self) -> RegisteredKey:
        """The OpenPGP key, whose fingerprint is its whole name; else the minisign key."""
        return active_keys(self._bench)[-1]


class _Alone(TurnStep):
    """Nobody else may see what is typed now."""

    title = "Everybody else looks away"
    in_script = ("One sits down alone. Everybody else turns round, and says so.",)

    def __init__(self, bench: Workbench, turn: Turn, actor: Actor) -> None:
        super().__init__(bench, turn, "alone")
        self.actor = actor

    def done(self, state: SessionState) -> bool:
        return self.part(state).alone

    def pages(self, state: SessionState) -> Sequence[Page]:
        part = self.part(state)
        medium = part.medium
        lines = medium_lines(medium) if medium is not None else ()
        return (Page("The medium", (*lines, Line(part.directory))), looking_away(self.who(state)))

    def question(self, state: SessionState) -> Question:
        return Proceed(self.id, "Does everybody else look away?")

    def act(self, state: SessionState, answer: Answer, progress: Progress) -> SessionState:
        return self._turn.put(state, msgspec.structs.replace(self.part(state), alone=True))


def _passphrase(
    bench: Workbench, turn: Turn, algorithm: Algorithm, actor: Actor
) -> Step[SessionState]:
    """Held until the cross-check is done, or it is said that there will be none."""

    def is_wanted(part: Part) -> bool:
        return part.seen is not None and part.seen.is_ready(algorithm)

    step: CustodianPassphrase[Part] = CustodianPassphrase(
        bench, algorithm, is_wanted, name=turn.names[algorithm]
    )
    return _AskedTwice(step, turn, "", actor)


class _AskedTwice(_Inner):
    """Asked for the proof; and once more for the cross-check, if a crash came in between."""

    def done(self, state: SessionState) -> bool:
        part = self._get(state)
        if part.proved and not is_cross_check_open(state):
            return True
        return self._inner.done(part)


class _Prove(TurnStep):
    """Each key on the medium signs a challenge of its own; each attempt is journalled."""

    title = "Prove"
    in_script = ("The program lets each key on the medium sign a challenge, and verifies it.",)

    def __init__(self, bench: Workbench, turn: Turn, actor: Actor) -> None:
        super().__init__(bench, turn, "prove")
        self.actor = actor

    def done(self, state: SessionState) -> bool:
        return bool(self.part(state).proved)

    def question(self, state: SessionState) -> Question:
        return Automatic(self.id)

    def act(self, state: SessionState, answer: Answer, progress: Progress) -> SessionState:
        bench, part = self._bench, self.part(state)
        names = self._turn.names
        progress.say(Line("this takes some seconds for each key, and 1 GiB of memory"))
        try:
            self._check_own_passphrases(state)
            proved = prove_medium(
                bench,
                self.held(state),
                Path(part.directory),
                active_keys(bench),
                progress,
                passphrases=names,
                expected=part.seen,
            )
        except BaseException:
            for name in names.values():  # asked again
                bench.session.drop(name)
            raise
        bench.session.note(proved_here(self._turn))
        return self._turn.put(state, msgspec.structs.replace(part, proved=proved))

    def _check_own_passphrases(self, state: SessionState) -> None:
        """One passphrase on two media is one custodian, whoever's name stands on them."""
        bench = self._bench
        if self._turn is not SECOND_TURN:
            return
        for algorithm, name in self._turn.names.items():
            if CUSTODIAN[algorithm] not in bench.session or name not in bench.session:
                continue
            first = cast("Secret", bench.session.take(CUSTODIAN[algorithm]))
            if first.same_as(cast("Secret", bench.session.take(name))):
                self.record_shared(state)
                raise shared_passphrase(state, algorithm)
