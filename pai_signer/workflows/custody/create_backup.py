"""Make a backup for one custodian on one medium, and prove at once that it works (CUS-1, CUS-2)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

import msgspec

from pai_signer.domain.custody import BACKUP_CREATED, MediumIdentity, custodian_id
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm, RegisteredKey
from pai_signer.domain.secret import Secret
from pai_signer.errors import CustodyError, PolicyRefused
from pai_signer.ports import UnlockedMinisignKey
from pai_signer.workflows.custody.backup_files import KeyToCopy
from pai_signer.workflows.custody.custodian import (
    ChooseCustodian,
    CustodianState,
    TypeCustodian,
    checked_custodian,
)
from pai_signer.workflows.custody.custodian_passphrases import (
    CUSTODIAN,
    CustodianPassphrase,
    NewCustodianPassphrase,
)
from pai_signer.workflows.custody.own_passphrases import (
    UNLOCKED,
    OwnMinisignPassphrase,
    OwnOpenPgpPassphrase,
)
from pai_signer.workflows.custody.prove_medium import prove_medium
from pai_signer.workflows.custody.prove_set import Held, ProvedKey
from pai_signer.workflows.custody.proved_pages import (
    medium_data,
    not_proved_lines,
    proof_data,
    proved_lines,
)
from pai_signer.workflows.custody.write_set import write_set
from pai_signer.workflows.engine import (
    Answer,
    Automatic,
    Outcome,
    Proceed,
    Question,
    Step,
    Workflow,
)
from pai_signer.workflows.keys.key_dates import NOT_COMPARED, check_clock
from pai_signer.workflows.keys.sign_registry import GPG, HELD_UNDER
from pai_signer.workflows.pick_directory import PickMedium, TypeFolder, checked_directory
from pai_signer.workflows.unmount import Unmount, unmounted_line
from pai_signer.workflows.verify.verify_registry import verify_registry
from pai_signer.workflows.workbench import Workbench

WHOSE: Final = "Whose backup?"
PURPOSE: Final = "On which medium will the backup lie?"


class CreateState(CustodianState, frozen=True, kw_only=True):
    """Where it stands. ``began_after`` is the journal's newest entry when the medium was shown."""

    medium: MediumIdentity | None = None
    began_after: int = 0
    number: int = 0
    proved: tuple[ProvedKey, ...] = ()


def create_backup(
    bench: Workbench, custodian: str = "", directory: str = ""
) -> Workflow[CreateState]:
    """Build the workflow; ``PolicyRefused`` where there is no key, or no whole registry."""
    check_can_back_up(bench)
    return Workflow(
        name="create-backup",
        key="",
        title="Make a backup",
        start=CreateState(
            custodian=checked_custodian(bench, custodian) if custodian else "",
            directory=checked_directory(directory) if directory else "",
        ),
        steps=_steps(bench),
        outcome=lambda state: _outcome(bench, state),
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


def command_of(state: CustodianState, verb: str) -> str:
    """The command that does the same."""
    return f"backup {verb} --custodian {state.custodian!r} {state.directory}"


def _steps(bench: Workbench) -> tuple[Step[CreateState], ...]:
    def is_written(state: CreateState) -> bool:
        return written_set(bench, state) > 0

    algorithms = [key.algorithm for key in active_keys(bench)]
    new = (
        NewCustodianPassphrase[CreateState](bench, a, lambda s: not is_written(s))
        for a in algorithms
    )
    typed_again = (
        CustodianPassphrase[CreateState](bench, a, lambda s: is_written(s) and not s.proved)
        for a in algorithms
    )
    return (
        ChooseCustodian(bench, WHOSE),
        TypeCustodian(bench, WHOSE),
        PickMedium(bench.media, PURPOSE),
        TypeFolder(PURPOSE),
        _Look(bench),
        OwnMinisignPassphrase(bench, is_written),
        OwnOpenPgpPassphrase(bench, is_written),
        *new,
        _Write(bench),
        *typed_again,
        _Prove(bench),
        Unmount(bench.media, lambda state: bool(state.proved)),
    )


def written_set(bench: Workbench, state: CreateState) -> int:
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


class _Look(Step[CreateState]):
    """Which medium it is, what else should lie there, and what will be written."""

    id = "look"
    title = "Medium"
    unchanged = "Nothing was written."

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def done(self, state: CreateState) -> bool:
        return state.medium is not None

    def pages(self, state: CreateState) -> Sequence[Page]:
        bench = self._bench
        medium = bench.media.identify(Path(state.directory))
        keys = active_keys(bench)
        lines = [
            Line(state.custodian, label="custodian"),
            *medium_lines(medium),
            *(Line(f"{k.algorithm.value} {k.id}", label="key") for k in keys),
            *_missing_lines(keys),
            Line(),
            Line("Three identical folders are written, read back, and proved at once."),
            Line("Each key is encrypted anew under a passphrase that only its custodian knows."),
        ]
        warnings = tuple(medium_warnings(bench, state.custodian, medium))
        first = (Page("Not a good medium for this backup", warnings),) if warnings else ()
        return (*first, Page("What will be written", tuple(lines)))

    def question(self, state: CreateState) -> Question:
        return Proceed("look", "Go on?")

    def act(self, state: CreateState, answer: Answer, progress: Progress) -> CreateState:
        bench = self._bench
        check_can_back_up(bench)
        entries = bench.journal.entries()
        return msgspec.structs.replace(
            state,
            medium=bench.media.identify(Path(state.directory)),
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


def _missing_lines(keys: Sequence[RegisteredKey]) -> list[Line]:
    there = {key.algorithm for key in keys}
    return [
        Line(f"there is no active {a.value} key: it will not be in this backup", mark=Mark.WARN)
        for a in Algorithm
        if a not in there
    ]


class _Write(Step[CreateState]):
    """The point at which copies of the secret keys leave the vault."""

    id = "write"
    title = "Write"
    commit_point = True
    unchanged = "The keys in the vault are as they were, and no backup was made."

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def done(self, state: CreateState) -> bool:
        return state.number > 0

    def question(self, state: CreateState) -> Question:
        return Automatic("write")

    def act(self, state: CreateState, answer: Answer, progress: Progress) -> CreateState:
        number = written_set(self._bench, state)
        if not number:
            number = self._written(state, progress)
        return msgspec.structs.replace(state, number=number)

    def _written(self, state: CreateState, progress: Progress) -> int:
        bench, session = self._bench, self._bench.session
        held = held_of(bench, state, "create")
        check_clock(bench, NOT_COMPARED)
        keys = check_can_back_up(bench)
        to_copy = [
            KeyToCopy(
                key,
                cast("Secret", session.take(HELD_UNDER[key.algorithm])),
                cast("Secret", session.take(CUSTODIAN[key.algorithm])),
            )
            for key in keys
        ]
        minisign = session.take(UNLOCKED) if UNLOCKED in session else None
        openpgp = session.take(GPG) if GPG in session else None
        return write_set(
            bench,
            held,
            Path(state.directory),
            to_copy,
            minisign=cast("UnlockedMinisignKey | None", minisign),
            openpgp=cast("Secret | None", openpgp),
            progress=progress,
        )


def held_of(bench: Workbench, state: CreateState, verb: str) -> Held:
    """Whose and where; refuses another medium than the one that was looked at."""
    medium = bench.media.identify(Path(state.directory))
    if medium != state.medium:
        raise CustodyError(
            "CUS-1/other-medium",
            f"The medium at {state.directory} is another one now: {medium.shown}.",
            "Plug in the one that was looked at, or discard and begin again.",
        )
    return Held(state.custodian, medium, command_of(state, verb))


class _Prove(Step[CreateState]):
    """Read the set back from the medium, and let each key on it sign."""

    id = "prove"
    title = "Prove"
    unchanged = "The backup is written; it counts for nothing until it is proved (backup verify)."

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def done(self, state: CreateState) -> bool:
        return bool(state.proved)

    def question(self, state: CreateState) -> Question:
        return Automatic("prove")

    def act(self, state: CreateState, answer: Answer, progress: Progress) -> CreateState:
        bench = self._bench
        try:
            proved = prove_medium(
                bench,
                held_of(bench, state, "create"),
                Path(state.directory),
                check_can_back_up(bench),
                progress,
                written=state.number,
            )
        finally:  # proved or not: what was typed is not needed any more
            bench.session.wipe()
        return msgspec.structs.replace(state, proved=proved)


def _outcome(bench: Workbench, state: CreateState) -> Outcome:
    medium = state.medium or MediumIdentity()
    lines = (
        Line(f"set {state.number} of {state.custodian}", label="written", mark=Mark.OK),
        *medium_lines(medium),
        *proved_lines(state.proved),
        unmounted_line(state),
        *medium_warnings(bench, state.custodian, medium),
        Line(),
        *not_proved_lines(state.custodian),
        Line(),
        *_next_lines(bench),
    )
    data = {
        "custodian": state.custodian,
        "set": state.number,
        "directory": state.directory,
        "medium": medium_data(medium),
        **proof_data(state.proved),
        "unmounted": bool(state.unmounted),
    }
    return Outcome((Page("The backup is written and proved", lines),), data)


def _next_lines(bench: Workbench) -> tuple[Line, ...]:
    """What is still missing for signing, or that nothing is (POL-7)."""
    ledger, rules, now = bench.ledger(), bench.profile.custody, bench.clock.now()
    statuses = [(key, ledger.custody_of(key.id, rules, now)) for key in active_keys(bench)]
    missing = tuple(
        Line(f"{key.algorithm.shown} key: {status.text}", label="custody", mark=Mark.WARN)
        for key, status in statuses
        if not status.is_enough
    )
    if missing:
        text = "Next: another custodian makes theirs, on another medium (backup create)."
        return (*missing, Line(text))
    return (Line("Next: keep the media apart. Each wants to be proved again (backup verify)."),)
