"""The cross-check of a session: one's passphrase must fail on the other's copies (CUS-3).

Two media with one passphrase are one custodian with two names. Only with both media plugged in
can that be tried.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import msgspec

from pai_signer.domain.attestation import CrossCheck
from pai_signer.domain.challenge import render_challenge
from pai_signer.domain.custody import KeyName
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import RegisteredKey
from pai_signer.domain.secret import Secret
from pai_signer.errors import MediumError, PolicyRefused
from pai_signer.workflows.custody.judge_medium import judge_medium
from pai_signer.workflows.custody.making import active_keys
from pai_signer.workflows.custody.prove_set import (
    WRONG_PASSPHRASE,
    new_challenge,
    sign_challenge,
)
from pai_signer.workflows.custody.session_state import (
    FIRST_TURN,
    SECOND_TURN,
    TURNS,
    SessionState,
    SessionStep,
    Turn,
    TurnStep,
    proved_here,
    shared_passphrase,
)
from pai_signer.workflows.engine import NO, YES, Answer, Automatic, Choice, Option, Question
from pai_signer.workflows.workbench import Workbench


class AskCrossCheck(SessionStep):
    """Both media plugged in, or one after the other: then it cannot be tried."""

    id = "cross-check"
    title = "Cross-check"
    in_script = (
        "With both media plugged in, each passphrase is tried on the other's copies: it has to "
        "fail. With one port only, write down that it was not done.",
    )

    def done(self, state: SessionState) -> bool:
        return bool(state.cross_wanted) or state.cross_check is not None

    def pages(self, state: SessionState) -> list[Page]:
        lines = (
            Line("Each passphrase is tried on the other's copies, and has to FAIL there."),
            Line("If one opens both, the two are one custodian with two names."),
        )
        return [Page("Do the two share a passphrase?", lines)]

    def question(self, state: SessionState) -> Question:
        gone = [turn.get(state).directory for turn in TURNS if not self._is_there(state, turn)]
        because = f"the medium of {gone[0]} is not plugged in any more" if gone else ""
        options = (
            Option(YES, "both media are plugged in: try it", because),
            Option(NO, "only one can be plugged in: not done, and recorded so"),
        )
        default = NO if gone else YES
        return Choice("cross-check", "Try it?", options=options, default=default)

    def _is_there(self, state: SessionState, turn: Turn) -> bool:
        part = turn.get(state)
        if any(t is not turn and t.get(state).directory == part.directory for t in TURNS):
            return False  # one port: the second medium took the first one's place
        return self._bench.media.identify(Path(part.directory)) == part.medium

    def act(self, state: SessionState, answer: Answer, progress: Progress) -> SessionState:
        if answer == YES:
            return msgspec.structs.replace(state, cross_wanted=YES)
        _forget(self._bench)
        return msgspec.structs.replace(state, cross_wanted=NO, cross_check=CrossCheck.NOT_DONE)


class TryCrossCheck(SessionStep):
    """Four tries, each of which has to fail."""

    id = "cross-check-tried"
    title = "Try each passphrase on the other's copies"
    in_script = ("The program tries it; all of them have to fail.",)

    def done(self, state: SessionState) -> bool:
        return state.cross_check is not None

    def question(self, state: SessionState) -> Question:
        return Automatic(self.id)

    def act(self, state: SessionState, answer: Answer, progress: Progress) -> SessionState:
        try:
            for turn in TURNS:
                _OnCopies(self._bench, turn).check(state, progress)
        finally:  # whatever came of it: what was typed is not needed any more
            _forget(self._bench)
        return msgspec.structs.replace(state, cross_check=CrossCheck.EACH_FAILED)


class _OnCopies(TurnStep):
    """The tries on one person's copies, with the other's passphrases."""

    title = TryCrossCheck.title

    def __init__(self, bench: Workbench, turn: Turn) -> None:
        super().__init__(bench, turn, "cross")
        self._other = SECOND_TURN if turn is FIRST_TURN else FIRST_TURN

    def done(self, state: SessionState) -> bool:
        return state.cross_check is not None

    def question(self, state: SessionState) -> Question:
        return Automatic(self.id)

    def act(self, state: SessionState, answer: Answer, progress: Progress) -> SessionState:
        self.check(state, progress)
        return state

    def check(self, state: SessionState, progress: Progress) -> None:
        """``CustodyError``, journalled, where one of the other's passphrases opens a copy here."""
        bench, held = self._bench, self.held(state)
        keys = active_keys(bench)
        judgement = judge_medium(bench, held, Path(self.part(state).directory), keys, progress)
        ready = {seen.id: judgement.sets[seen.set_number] for seen in judgement.seen.ready}
        for key in keys:
            one = ready.get(key.id)
            if one is None:
                raise MediumError(
                    "CUS-3/cross-check",
                    f"The copy of {key.id} on the medium of {held.custodian} cannot be read now.",
                    "Plug both media in, or go on without the cross-check.",
                )
            name = KeyName(algorithm=key.algorithm, id=key.id)
            challenge = render_challenge(new_challenge(bench, held, name, one.number))
            if proved_here(self._turn) not in bench.session:
                # Typed anew after a crash: does it open its own copy at all?
                self._opens(key, one.files, self._turn, challenge)
            try:
                self._opens(key, one.files, self._other, challenge)
            except PolicyRefused as error:
                if error.code != WRONG_PASSPHRASE:
                    raise
                text = f"{key.algorithm.shown} copy of {held.custodian}: the other's fails"
                progress.say(Line(text, mark=Mark.OK))
                continue
            self.record_shared(state)
            raise shared_passphrase(state, key.algorithm)

    def _opens(
        self, key: RegisteredKey, files: Mapping[str, bytes], turn: Turn, challenge: bytes
    ) -> None:
        """Sign as a proof does; ``PolicyRefused`` for a wrong passphrase."""
        passphrase = cast("Secret", self._bench.session.take(turn.names[key.algorithm]))
        sign_challenge(self._bench, key, files, passphrase, challenge)


def _forget(bench: Workbench) -> None:
    """Both people's passphrases, and that they were right."""
    for turn in TURNS:
        bench.session.forget(proved_here(turn))
        for name in turn.names.values():
            bench.session.drop(name)
