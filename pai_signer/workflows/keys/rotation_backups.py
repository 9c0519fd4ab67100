"""A new key is held by its custodians before it is in use (KEY-3, CUS-1).

Once custody exists, the new key is written for as many custodians as the profile asks for,
each onto a medium of their own, and proved from there: a key that signs a release and lies
in one place only is lost with that place. Somebody may decide otherwise, with a reason that
stands in the transcript; signing then asks for the backups all the same (POL-7).
"""

from collections.abc import Sequence
from typing import Final, cast

import msgspec

from pai_signer.domain.ceremony import Result, noted_exception
from pai_signer.domain.custody import MediumIdentity, custodian_id
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.policy import check_reason
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm, RegisteredKey
from pai_signer.domain.secret import Secret
from pai_signer.errors import CustodyError, UsageError
from pai_signer.ports import UnlockedMinisignKey
from pai_signer.workflows.ceremony.frame import Plan
from pai_signer.workflows.custody.backup_files import Signers
from pai_signer.workflows.custody.making import MakeState, Making, making_steps
from pai_signer.workflows.engine import (
    Answer,
    Automatic,
    Choice,
    Option,
    Question,
    Step,
    TypedText,
)
from pai_signer.workflows.inner_step import InnerStep
from pai_signer.workflows.keys.rotation_steps import RotateStep, wants_backups
from pai_signer.workflows.keys.rotation_system import (
    NEW_PHRASE,
    NewKeyBackup,
    RotatedSystem,
    RotateState,
)
from pai_signer.workflows.keys.sign_registry import GPG, MINISIGN

MAKE: Final = "make"
SKIP: Final = "skip"


def backup_steps(system: RotatedSystem, plan: Plan) -> tuple[Step[RotateState], ...]:
    """For each custodian that the profile asks for: decide, write, prove."""
    steps: list[Step[RotateState]] = []
    for number in range(1, system.bench.profile.custody.custodians + 1):
        steps += _round(system, plan, number)
    return tuple(steps)


def backup_script(system: RotatedSystem, plan: Plan) -> tuple[Step[RotateState], ...]:
    """What the printed script says of them: one step, whoever and however many they are."""
    return (_Decide(_NewKey(system, plan, 1)),)


def _round(system: RotatedSystem, plan: Plan, number: int) -> Sequence[Step[RotateState]]:
    making = _NewKey(system, plan, number)

    def get(state: RotateState) -> MakeState:
        making.state = state
        return state.backup

    def put(state: RotateState, backup: MakeState) -> RotateState:
        return msgspec.structs.replace(state, backup=backup)

    inner = (
        InnerStep(step, get, put, making.is_wanted, f"-{number}") for step in making_steps(making)
    )
    return (_Decide(making), _WhyNot(making), *inner, _Keep(making))


class _NewKey(Making):
    """The new key alone, opened by its own passphrase; the keys in use sign for the set."""

    def __init__(self, system: RotatedSystem, plan: Plan, number: int) -> None:
        super().__init__(system.bench)
        self.system = system
        self.number = number
        #: The rotation as it stands, set before any of the steps looks.
        self.state = RotateState()
        self._plan = plan
        # Not "second": that is the name of the second maintainer of the ceremony.
        mark = "" if number == 1 else f"-{number}"
        self.passphrases = {
            Algorithm.MINISIGN: f"custodian{mark}",
            Algorithm.OPENPGP: f"custodian{mark}-gpg",
        }
        self.apart_from = (MINISIGN, GPG, NEW_PHRASE)

    def is_wanted(self, state: RotateState) -> bool:
        """Whether this round is the one in hand, and was decided for."""
        return self.is_next(state) and state.backup_decision == MAKE

    def is_next(self, state: RotateState) -> bool:
        """Whether this round is the one in hand."""
        is_over = state.rotated or any(
            state.new is not None and key.id == state.new.id for key in self.bench.registry().keys
        )
        return (
            not is_over
            and len(state.backups) == self.number - 1
            and wants_backups(self.bench, state)
        )

    @property
    def algorithms(self) -> Sequence[Algorithm]:
        """The one that is rotated."""
        return (self.system.algorithm,)

    def keys_to_copy(self) -> tuple[RegisteredKey, ...]:
        """The new key; it stands in no registry yet."""
        return (self.state.made,)

    def opened(self, key: RegisteredKey) -> Secret:
        """As it was typed for the new key."""
        return cast("Secret", self.bench.session.take(NEW_PHRASE))

    def signers(self) -> Signers:
        """The keys in use, but for one that is compromised: it was not asked for."""
        session = self.bench.session
        return Signers(
            minisign=cast("UnlockedMinisignKey", session.take(MINISIGN))
            if MINISIGN in session
            else None,
            openpgp=cast("Secret", session.take(GPG)) if GPG in session else None,
        )

    def command(self, state: MakeState) -> str:
        """The rotation's own."""
        return self._plan.command

    def check_place(self, state: MakeState, medium: MediumIdentity) -> None:
        """Another custodian and another medium than in the rounds before (POL-7)."""
        for before in self.state.backups:
            if custodian_id(before.custodian) == custodian_id(state.custodian):
                raise _twice(f"{before.custodian} holds the new key already.")
            if before.medium.same_as(medium):
                raise _twice(f"The new key lies on this medium already, for {before.custodian}.")

    def forget(self) -> None:
        """The custodian's passphrase; the others are still needed."""
        for name in self.passphrases.values():
            self.bench.session.drop(name)


def _twice(summary: str) -> CustodyError:
    return CustodyError(
        "CUS-3/counts-once",
        summary,
        "Go back and take another custodian on another medium: both would count once.",
    )


class _BackupStep(RotateStep):
    """What the steps around a custodian's backup share."""

    def __init__(self, making: _NewKey) -> None:
        super().__init__(making.system)
        self._making = making
        self.id = f"{type(self).name}-{making.number}"

    name = ""


class _Decide(_BackupStep):
    """Make a backup of the new key now, or say why not."""

    name = "backup-new-key"
    title = "Backups of the new key"
    in_script = (
        "Where custodians hold backups already: each takes the new key onto a medium of their "
        "own, under a passphrase of their own, and it is proved from there.",
    )
    blanks = ("Custodian", "Medium")

    def done(self, state: RotateState) -> bool:
        return not self._making.is_next(state) or bool(state.backup_decision)

    def pages(self, state: RotateState) -> Sequence[Page]:
        wanted = self._bench.profile.custody.custodians
        lines = (
            Line(state.made.id, label="new key"),
            *(
                Line(f"{b.custodian} on {b.medium.shown}", "held by", Mark.OK)
                for b in state.backups
            ),
            Line(f"{len(state.backups)} of {wanted}", label="custodians"),
            Line(),
            Line("Until it is held elsewhere, the new key lies on this machine alone."),
        )
        return (Page("The new key wants its custodians before it is in use", lines),)

    def question(self, state: RotateState) -> Question:
        options = (
            Option(MAKE, "make the next backup of it now"),
            Option(SKIP, "go on without, and say why"),
        )
        return Choice(
            self.id,
            "Back up the new key?",
            options=options,
            refusal=UsageError(
                "KEY-3/no-backup",
                "The new key has no backup yet, and nobody said why it should have none.",
                "Give --backup NAME=DEST for each custodian, or --no-backup REASON.",
            ),
        )

    def act(self, state: RotateState, answer: Answer, progress: Progress) -> RotateState:
        return msgspec.structs.replace(state, backup_decision=str(answer))


class _WhyNot(_BackupStep):
    """Why the new key comes into use before its custodians hold it."""

    name = "no-backup"
    title = "Why there is no backup"

    def done(self, state: RotateState) -> bool:
        return not self._making.is_next(state) or state.backup_decision != SKIP

    def question(self, state: RotateState) -> Question:
        return TypedText("no-backup", "Why does the new key come into use without its backups?")

    def act(self, state: RotateState, answer: Answer, progress: Progress) -> RotateState:
        reason = str(answer).strip()
        check_reason("KEY-3", reason)
        wanted = self._bench.profile.custody.custodians
        noted = noted_exception(
            self.id,
            self._bench.clock.now(),
            expected=f"{wanted} custodians hold the new key before it is in use",
            happened=f"{len(state.backups)} of them do",
            decided=reason,
        )
        return msgspec.structs.replace(
            state, backups_skipped=True, exceptions=(*state.exceptions, noted)
        )


class _Keep(_BackupStep):
    """Note in the ceremony whose backup was proved; then comes the next custodian."""

    name = "backup-proved"
    title = "Backup of the new key"

    def done(self, state: RotateState) -> bool:
        return not self._making.is_wanted(state)

    def question(self, state: RotateState) -> Question:
        return Automatic(self.id)

    def act(self, state: RotateState, answer: Answer, progress: Progress) -> RotateState:
        made = state.backup
        backup = NewKeyBackup(
            custodian=made.custodian,
            medium=made.medium or MediumIdentity(),
            set_number=made.number,
        )
        progress.say(Line(f"{backup.custodian} holds the new key", "proved", Mark.OK))
        return msgspec.structs.replace(
            state, backups=(*state.backups, backup), backup=MakeState(), backup_decision=""
        )


def held_lines(state: RotateState) -> tuple[Line, ...]:
    """Who holds the new key already."""
    return tuple(
        Line(f"{b.custodian} on {b.medium.shown}", "held by", Mark.OK) for b in state.backups
    )


def backup_results(state: RotateState) -> tuple[Result, ...]:
    """What the transcript says of them."""
    return tuple(
        Result(
            what="new key held by",
            text=f"{b.custodian}, on {b.medium.shown} (set {b.set_number}, proved)",
        )
        for b in state.backups
    )
