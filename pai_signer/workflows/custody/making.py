"""The steps that make one custodian's backup: for all keys in use, or for a new one (CUS-1).

``create_backup`` plays them as a workflow of their own; a rotation plays them for the new key
before it is in use. What differs is in ``Making``.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, cast

import msgspec

from pai_signer.domain.custody import BACKUP_CREATED, MediumIdentity, custodian_id
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm, RegisteredKey
from pai_signer.domain.secret import Secret
from pai_signer.errors import CustodyError, PolicyRefused
from pai_signer.workflows.custody.backup_files import KeyToCopy, Signers
from pai_signer.workflows.custody.custodian import ChooseCustodian, CustodianState, TypeCustodian
from pai_signer.workflows.custody.custodian_passphrases import (
    CUSTODIAN,
    CustodianPassphrase,
    NewCustodianPassphrase,
)
from pai_signer.workflows.custody.prove_medium import prove_medium
from pai_signer.workflows.custody.prove_set import Held, ProvedKey
from pai_signer.workflows.custody.write_set import write_set
from pai_signer.workflows.engine import Answer, Automatic, Proceed, Question, Step
from pai_signer.workflows.keys.key_dates import NOT_COMPARED, check_clock
from pai_signer.workflows.keys.sign_registry import GPG, MINISIGN
from pai_signer.workflows.pick_directory import PickMedium, TypeFolder
from pai_signer.workflows.unmount import Unmount
from pai_signer.workflows.verify.verify_registry import verify_registry
from pai_signer.workflows.workbench import Workbench

WHOSE: Final = "Whose backup?"
PURPOSE: Final = "On which medium will the backup lie?"


class MakeState(CustodianState, frozen=True, kw_only=True):
    """Where it stands. ``began_after`` is the journal's newest entry when the medium was shown."""

    medium: MediumIdentity | None = None
    began_after: int = 0
    number: int = 0
    proved: tuple[ProvedKey, ...] = ()


class Making(ABC):
    """Which keys are backed up, what opens them, and who signs for the set."""

    #: What the questions and the session call the custodian's passphrases.
    passphrases: Mapping[Algorithm, str] = CUSTODIAN
    #: What else the session may hold that they must not be the same as.
    apart_from: Sequence[str] = (MINISIGN, GPG, *CUSTODIAN.values())

    def __init__(self, bench: Workbench) -> None:
        self.bench = bench

    @property
    @abstractmethod
    def algorithms(self) -> Sequence[Algorithm]:
        """The systems of which there is a key to back up."""

    @abstractmethod
    def keys_to_copy(self) -> tuple[RegisteredKey, ...]:
        """The keys; raises where there is something wrong with them."""

    @abstractmethod
    def opened(self, key: RegisteredKey) -> Secret:
        """The passphrase that opens a key in the vault."""

    @abstractmethod
    def signers(self) -> Signers:
        """What signs the manifest of the set."""

    @abstractmethod
    def command(self, state: MakeState) -> str:
        """The command that does the same."""

    @abstractmethod
    def forget(self) -> None:
        """Wipe what is not needed any more once the set was tried."""

    @abstractmethod
    def check_place(self, state: MakeState, medium: MediumIdentity) -> None:
        """Refuse a custodian or a medium that will not do."""


def making_steps(
    making: Making, own: Iterable[Step[MakeState]] = ()
) -> tuple[Step[MakeState], ...]:
    """All steps; ``own`` are those that ask for the vault's own passphrases."""
    bench = making.bench

    def is_written(state: MakeState) -> bool:
        return written_set(bench, state) > 0

    new = (
        NewCustodianPassphrase[MakeState](
            bench,
            algorithm,
            lambda state: not is_written(state),
            name=making.passphrases[algorithm],
            apart_from=making.apart_from,
        )
        for algorithm in making.algorithms
    )
    typed_again = (
        CustodianPassphrase[MakeState](
            bench,
            algorithm,
            lambda state: is_written(state) and not state.proved,
            name=making.passphrases[algorithm],
        )
        for algorithm in making.algorithms
    )
    return (
        ChooseCustodian(bench, WHOSE),
        TypeCustodian(bench, WHOSE),
        PickMedium(bench.media, PURPOSE),
        TypeFolder(PURPOSE),
        _Look(making),
        *own,
        *new,
        _Write(making),
        *typed_again,
        _Prove(making),
        Unmount(bench.media, lambda state: bool(state.proved)),
    )


def check_can_back_up(bench: Workbench) -> tuple[RegisteredKey, ...]:
    """The active keys; the registry that goes onto the medium must verify (KEY-2)."""
    files = bench.registry_store.load()
    keys = active_keys(bench) if files else ()
    if not keys:
        raise PolicyRefused(
            "CUS-1/no-key",
            "There is no active key that could be backed up.",
            "Generate or import the keys first: pai-signer key generate",
            unchanged="Nothing was written.",
        )
    verify_registry(files, bench.verifiers, accept_rehearsal=bench.info.rehearsal)
    return keys


def active_keys(bench: Workbench) -> tuple[RegisteredKey, ...]:
    """The key that signs, of each system that has one."""
    registry = bench.registry()
    return tuple(key for a in Algorithm if (key := registry.signing_key(a)) is not None)


def written_set(bench: Workbench, state: MakeState) -> int:
    """The number of the set that this run wrote, 0 before; the journal knows after a crash."""
    if state.number or state.medium is None:
        return state.number
    for entry in reversed(bench.journal.entries()):
        if entry.n <= state.began_after:
            break
        if entry.event == BACKUP_CREATED and (
            custodian_id(str(entry.facts["custodian"])) == custodian_id(state.custodian)
            and entry.facts["medium"] == msgspec.to_builtins(state.medium)
        ):
            return int(entry.facts["set_number"])
    return 0


class _Look(Step[MakeState]):
    """Which medium it is, what else should lie there, and what will be written."""

    id = "look"
    title = "Medium"
    unchanged = "Nothing was written."

    def __init__(self, making: Making) -> None:
        self._making = making
        self._bench = making.bench

    def done(self, state: MakeState) -> bool:
        return state.medium is not None

    def pages(self, state: MakeState) -> Sequence[Page]:
        bench = self._bench
        medium = bench.media.identify(Path(state.directory))
        keys = self._making.keys_to_copy()
        lines = [
            Line(state.custodian, label="custodian"),
            *medium_lines(medium),
            *(Line(f"{k.algorithm.value} {k.id}", label="key") for k in keys),
            Line(),
            Line("Three identical folders are written, read back, and proved at once."),
            Line("Each key is encrypted anew under a passphrase that only its custodian knows."),
        ]
        warnings = tuple(medium_warnings(bench, state.custodian, medium))
        first = (Page("Not a good medium for this backup", warnings),) if warnings else ()
        return (*first, Page("What will be written", tuple(lines)))

    def question(self, state: MakeState) -> Question:
        return Proceed("look", "Go on?")

    def act(self, state: MakeState, answer: Answer, progress: Progress) -> MakeState:
        bench = self._bench
        self._making.keys_to_copy()
        medium = bench.media.identify(Path(state.directory))
        self._making.check_place(state, medium)
        entries = bench.journal.entries()
        return msgspec.structs.replace(
            state,
            medium=medium,
            began_after=entries[-1].n if entries else 0,
        )


def medium_lines(medium: MediumIdentity) -> tuple[Line, ...]:
    """Which medium it is."""
    if not medium.is_known:
        return (Line("no removable medium that could be told from another", "medium", Mark.WARN),)
    serial = f", serial {medium.serial}" if medium.serial else ""
    return (Line(f"{medium.shown}{serial}", label="medium"),)


def medium_warnings(bench: Workbench, custodian: str, medium: MediumIdentity) -> list[Line]:
    """What speaks against this medium; it can be used all the same."""
    lines: list[Line] = []
    if not medium.is_known:
        lines += [
            Line("This is no removable medium with an identity of its own.", mark=Mark.FAIL),
            Line("A proof from here will NOT COUNT: signing will still be refused (POL-7)."),
        ]
    others = {
        row.custodian
        for row in bench.ledger().expected_on(medium)
        if custodian_id(row.custodian) != custodian_id(custodian)
    }
    for other in sorted(others):
        lines += [
            Line(f"The backup of {other} lies on this medium too.", mark=Mark.FAIL),
            Line("Two proofs from one medium COUNT ONCE, and both are lost together."),
        ]
    return lines


class _Write(Step[MakeState]):
    """The point at which copies of the secret keys leave the vault."""

    id = "write"
    title = "Write"
    commit_point = True
    unchanged = "The keys in the vault are as they were, and no backup was made."

    def __init__(self, making: Making) -> None:
        self._making = making
        self._bench = making.bench

    def done(self, state: MakeState) -> bool:
        return state.number > 0

    def question(self, state: MakeState) -> Question:
        return Automatic("write")

    def act(self, state: MakeState, answer: Answer, progress: Progress) -> MakeState:
        number = written_set(self._bench, state)
        if not number:
            number = self._written(state, progress)
        return msgspec.structs.replace(state, number=number)

    def _written(self, state: MakeState, progress: Progress) -> int:
        making, session = self._making, self._bench.session
        held = held_of(making, state)
        check_clock(self._bench, NOT_COMPARED)
        to_copy = [
            KeyToCopy(
                key,
                making.opened(key),
                cast("Secret", session.take(making.passphrases[key.algorithm])),
            )
            for key in making.keys_to_copy()
        ]
        directory = Path(state.directory)
        return write_set(self._bench, held, directory, to_copy, making.signers(), progress)


def held_of(making: Making, state: MakeState) -> Held:
    """Whose and where; refuses another medium than the one that was looked at."""
    medium = making.bench.media.identify(Path(state.directory))
    if medium != state.medium:
        raise CustodyError(
            "CUS-1/other-medium",
            f"The medium at {state.directory} is another one now: {medium.shown}.",
            "Plug in the one that was looked at, or discard and begin again.",
        )
    return Held(state.custodian, medium, making.command(state))


class _Prove(Step[MakeState]):
    """Read the set back from the medium, and let each key on it sign."""

    id = "prove"
    title = "Prove"
    unchanged = "The backup is written; it counts for nothing until it is proved (backup verify)."

    def __init__(self, making: Making) -> None:
        self._making = making
        self._bench = making.bench

    def done(self, state: MakeState) -> bool:
        return bool(state.proved)

    def question(self, state: MakeState) -> Question:
        return Automatic("prove")

    def act(self, state: MakeState, answer: Answer, progress: Progress) -> MakeState:
        making = self._making
        try:
            proved = prove_medium(
                self._bench,
                held_of(making, state),
                Path(state.directory),
                making.keys_to_copy(),
                progress,
                passphrases=making.passphrases,
                written=state.number,
            )
        finally:  # proved or not: what was typed is not needed any more
            making.forget()
        return msgspec.structs.replace(state, proved=proved)
