"""The first steps of a revocation: which key, for which reason, and what follows (KEY-5)."""

from collections.abc import Sequence
from typing import Final, cast

import msgspec

from pai_signer.domain.endorsement import endorsement_name
from pai_signer.domain.openpgp import grouped_fingerprint
from pai_signer.domain.page import Line, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm, RegisteredKey
from pai_signer.domain.revocation import (
    RevokeReason,
    check_certificate_wanted,
    check_revocable,
    stock_tools,
)
from pai_signer.errors import PolicyRefused
from pai_signer.workflows.engine import (
    Answer,
    Choice,
    Option,
    Proceed,
    Question,
    Step,
)
from pai_signer.workflows.keys.ending_key import EndingState
from pai_signer.workflows.workbench import Workbench

_MEANINGS: Final[dict[RevokeReason, str]] = {
    "compromised": "somebody else has it, or may have it",
    "superseded": "another key took its place (OpenPGP)",
    "retired": "it is no longer used, and no key follows",
}


class RevokeState(EndingState, frozen=True, kw_only=True):
    """Where a revocation stands; the registry says so once it is ``revoked``."""

    key: str = ""
    reason: RevokeReason | None = None
    explained: bool = False
    revoked: bool = False

    @property
    def ends(self) -> str:
        """The key that is revoked."""
        return self.key

    @property
    def ends_as(self) -> RevokeReason | None:
        """The reason that goes into registry and certificate."""
        return self.reason


def set_reason(state: RevokeState) -> RevokeReason:
    """The reason, once it was chosen."""
    if state.reason is None:
        raise RuntimeError("no reason was chosen")
    return state.reason


class _PreparingStep(Step[RevokeState]):
    unchanged = "The registry was not changed, and no key was revoked."

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench


class ChooseKey(_PreparingStep):
    """Which key, where none was named."""

    id = "choose-key"
    title = "Choose the key"
    in_script = ("Compare the ID with the published one before you choose.",)
    blanks = ("ID of the key",)

    def done(self, state: RevokeState) -> bool:
        return bool(state.key)

    def question(self, state: RevokeState) -> Question:
        options = tuple(
            Option(
                key.id,
                f"{key.algorithm.value} {key.id} {key.life.value}",
                unavailable_because=_why_not(self._bench, key),
            )
            for key in self._bench.registry().keys
        )
        return Choice("key", "Which key is to be revoked?", options=options)

    def act(self, state: RevokeState, answer: Answer, progress: Progress) -> RevokeState:
        return msgspec.structs.replace(state, key=str(answer))


def _why_not(bench: Workbench, key: RegisteredKey) -> str:
    try:
        check_revocable(bench.registry(), key.id, "compromised")
    except PolicyRefused as refusal:
        return refusal.summary
    return ""


class ChooseReason(_PreparingStep):
    """Why, where it was not said: it decides what becomes of old signatures."""

    id = "choose-reason"
    title = "Choose the reason"
    in_script = ("When in doubt whether somebody else has the key: compromised.",)

    def done(self, state: RevokeState) -> bool:
        return state.reason is not None

    def question(self, state: RevokeState) -> Question:
        options = tuple(
            Option(reason, f"{reason}: {meaning}", self._not_now(state, reason))
            for reason, meaning in _MEANINGS.items()
        )
        return Choice("reason", "Why is it revoked?", options=options)

    def _not_now(self, state: RevokeState, reason: RevokeReason) -> str:
        try:
            check_revocable(self._bench.registry(), state.key, reason)
        except PolicyRefused as refusal:
            return refusal.summary
        return ""

    def act(self, state: RevokeState, answer: Answer, progress: Progress) -> RevokeState:
        return msgspec.structs.replace(state, reason=cast("RevokeReason", answer))


class Explain(_PreparingStep):
    """What will happen, and what stock tools will say afterwards."""

    id = "explain"
    title = "Read what will be done"
    in_script = (
        "Read aloud what is shown, above all what stock tools will say of old signatures.",
    )

    def done(self, state: RevokeState) -> bool:
        return state.explained

    def pages(self, state: RevokeState) -> Sequence[Page]:
        key, reason = self._bench.registry().find(state.key), set_reason(state)
        shown = grouped_fingerprint(key.id) if key.algorithm is Algorithm.OPENPGP else key.id
        lines = [
            Line(shown, label=f"{key.algorithm.value} key"),
            Line(key.life.value, label="state now"),
            Line(f"{reason}: {_MEANINGS[reason]}", label="reason"),
            Line(),
        ]
        if reason == "compromised":
            lines += [
                Line("Every signature by it counts for nothing from now on, whatever its date."),
                Line(f"What stays good is on the list {endorsement_name(key.id)}."),
                Line("A notice tells everybody. All is signed by the keys that stay in use."),
            ]
        elif key.can_sign:
            lines.append(Line("It signs nothing any more, and no key takes its place."))
            lines.append(Line("What it signed until now stays good."))
        else:
            lines.append(Line("What it signed while it was in use stays good."))
        said = tuple(Line(text) for text in stock_tools(key.algorithm, reason))
        return (
            Page("Revoke a key", tuple(lines)),
            Page("What stock tools will say of its signatures", said),
        )

    def question(self, state: RevokeState) -> Question:
        return Proceed("explain", "Go on?")

    def act(self, state: RevokeState, answer: Answer, progress: Progress) -> RevokeState:
        key = check_revocable(self._bench.registry(), state.key, set_reason(state))
        if state.certificate:
            check_certificate_wanted(key, set_reason(state))
        return msgspec.structs.replace(state, explained=True)
