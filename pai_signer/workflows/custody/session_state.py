"""Where a session of two maintainers stands, and what its steps share (CUS-2, CUS-3)."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from pai_signer.domain.attestation import CrossCheck
from pai_signer.domain.ceremony import Role
from pai_signer.domain.custody import MediumIdentity, Outcome
from pai_signer.domain.page import Line, Page
from pai_signer.domain.registry import Algorithm
from pai_signer.errors import CustodyError
from pai_signer.workflows.carry_out import CarryOutState
from pai_signer.workflows.ceremony.frame import CeremonyState
from pai_signer.workflows.custody.custodian import CustodianState, checked_custodian
from pai_signer.workflows.custody.custodian_passphrases import CUSTODIAN, SECOND
from pai_signer.workflows.custody.prove_set import Held, ProvedKey, record_failure
from pai_signer.workflows.custody.seen import Seen
from pai_signer.workflows.engine import YES, Step
from pai_signer.workflows.workbench import Workbench

NAME: Final = "backup-session"


class Part(CustodianState, frozen=True, kw_only=True):
    """One person's part: their medium, what is on it, what was proved from it."""

    medium: MediumIdentity | None = None
    seen: Seen | None = None
    #: The person sits at the keyboard, and everybody else looks away.
    alone: bool = False
    proved: tuple[ProvedKey, ...] = ()


class SessionState(CeremonyState, frozen=True, kw_only=True):
    """Where it stands; the proofs themselves are in the journal."""

    first: Part = Part()
    second: Part = Part()
    #: The second maintainer typed the key from their own paper card.
    compared: bool = False
    cross_wanted: str = ""
    cross_check: CrossCheck | None = None
    attestation: str = ""
    #: Where the attestation goes; ``exported`` is the folder there.
    export: CarryOutState = CarryOutState()
    exported: str = ""


class Turn(msgspec.Struct, frozen=True):
    """Whose turn a step belongs to, and by which names this person's answers are called."""

    role: Role
    names: dict[Algorithm, str]
    suffix: str
    get: Callable[[SessionState], Part]
    put: Callable[[SessionState, Part], SessionState]


FIRST_TURN: Final = Turn(
    role=Role.MAINTAINER,
    names=CUSTODIAN,
    suffix="",
    get=lambda state: state.first,
    put=lambda state, part: msgspec.structs.replace(state, first=part),
)
SECOND_TURN: Final = Turn(
    role=Role.SECOND_MAINTAINER,
    names=SECOND,
    suffix="-second",
    get=lambda state: state.second,
    put=lambda state, part: msgspec.structs.replace(state, second=part),
)
TURNS: Final = (FIRST_TURN, SECOND_TURN)


class SessionStep(Step[SessionState]):
    """What the steps of the session share."""

    unchanged = "What was proved before this step stands in the journal; nothing else was changed."

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench


class TurnStep(SessionStep):
    """A step that each of the two takes, in their turn."""

    def __init__(self, bench: Workbench, turn: Turn, name: str) -> None:
        super().__init__(bench)
        self._turn = turn
        self.id = f"{name}{turn.suffix}"

    def part(self, state: SessionState) -> Part:
        """The part of the person whose turn it is."""
        return self._turn.get(state)

    def who(self, state: SessionState) -> str:
        """The person's name."""
        return checked_custodian(self._bench, state.name_of(self._turn.role))

    def held(self, state: SessionState) -> Held:
        """Whose and where; refuses another medium than the one that was looked at."""
        part = self.part(state)
        medium = self._bench.media.identify(Path(part.directory))
        if part.medium is not None and medium != part.medium:
            raise CustodyError(
                "CUS-2/other-medium",
                f"The medium at {part.directory} is another one now: {medium.shown}.",
                f"Plug in that of {self.who(state)}, or discard and begin again.",
            )
        return Held(self.who(state), medium, "backup session")

    def record_shared(self, state: SessionState) -> None:
        """What was proved from this person's medium ends here: it is no other custodian's."""
        other = FIRST_TURN if self._turn is SECOND_TURN else SECOND_TURN
        record_failure(
            self._bench,
            self.held(state),
            Outcome.OTHER_CUSTODIAN,
            f"The passphrase of {state.name_of(other.role)} opens it.",
        )


def is_cross_check_open(state: SessionState) -> bool:
    """Whether both passphrases are still needed, to be tried on the other's copies."""
    return state.cross_check is None and state.cross_wanted == YES


def proved_here(turn: Turn) -> str:
    """The session's note that what is held for this turn opened its own copies."""
    return f"proved in this sitting{turn.suffix}"


def shared_passphrase(state: SessionState, algorithm: Algorithm) -> CustodyError:
    """The loud error: there is one custodian in truth."""
    first, second = state.name_of(Role.MAINTAINER), state.name_of(Role.SECOND_MAINTAINER)
    return CustodyError(
        "CUS-3/shared-passphrase",
        f"{first} and {second} SHARE A PASSPHRASE: what opens the {algorithm.shown} copy of one "
        "opens the other's. There is only one custodian in truth.",
        f"Make a new backup for {second}, with passphrases that only {second} knows (backup "
        "create), and hold the session again.",
        unchanged="The medium of the second does not count until then; that is journalled.",
    )


def looking_away(who: str) -> Page:
    """Said before anybody types what nobody else may know."""
    lines = (
        Line(f"{who} sits down at the keyboard, with their own medium and their own paper."),
        Line("EVERYBODY ELSE LOOKS AWAY: away from keyboard, screen and paper."),
        Line(),
        Line("What is typed is not shown. Nobody says anything aloud."),
    )
    return Page(f"{who} alone", lines)
