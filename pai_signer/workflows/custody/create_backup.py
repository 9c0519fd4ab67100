"""Make a backup for one custodian on one medium, and prove at once that it works (CUS-1, CUS-2)."""

from collections.abc import Sequence
from typing import cast

from pai_signer.domain.custody import MediumIdentity
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.registry import Algorithm, RegisteredKey
from pai_signer.domain.secret import Secret
from pai_signer.ports import UnlockedMinisignKey
from pai_signer.workflows.custody.backup_files import Signers
from pai_signer.workflows.custody.custodian import checked_custodian
from pai_signer.workflows.custody.making import (
    MakeState,
    Making,
    active_keys,
    check_can_back_up,
    making_steps,
    medium_lines,
    medium_warnings,
    written_set,
)
from pai_signer.workflows.custody.own_passphrases import (
    UNLOCKED,
    OwnMinisignPassphrase,
    OwnOpenPgpPassphrase,
)
from pai_signer.workflows.custody.proved_pages import (
    medium_data,
    not_proved_lines,
    proof_data,
    proved_lines,
)
from pai_signer.workflows.engine import Outcome, Workflow
from pai_signer.workflows.keys.sign_registry import GPG
from pai_signer.workflows.keys.sign_with_all import HELD_UNDER
from pai_signer.workflows.pick_directory import given_directory
from pai_signer.workflows.unmount import unmounted_line
from pai_signer.workflows.workbench import Workbench


def create_backup(
    bench: Workbench, custodian: str = "", directory: str = ""
) -> Workflow[MakeState]:
    """Build the workflow; ``PolicyRefused`` where there is no key, or no whole registry."""
    check_can_back_up(bench)

    def is_written(state: MakeState) -> bool:
        return written_set(bench, state) > 0

    own = (OwnMinisignPassphrase(bench, is_written), OwnOpenPgpPassphrase(bench, is_written))
    return Workflow(
        name="create-backup",
        key="",
        title="Make a backup",
        start=MakeState(
            custodian=checked_custodian(bench, custodian) if custodian else "",
            directory=given_directory(directory),
        ),
        steps=making_steps(_AllKeys(bench), own),
        outcome=lambda state: _outcome(bench, state),
    )


class _AllKeys(Making):
    """The keys in use, opened by the workstation's own passphrases."""

    @property
    def algorithms(self) -> Sequence[Algorithm]:
        """Of each system that has a key in use."""
        return tuple(key.algorithm for key in active_keys(self.bench))

    def keys_to_copy(self) -> tuple[RegisteredKey, ...]:
        """All of them."""
        return check_can_back_up(self.bench)

    def opened(self, key: RegisteredKey) -> Secret:
        """As it was typed."""
        return cast("Secret", self.bench.session.take(HELD_UNDER[key.algorithm]))

    def signers(self) -> Signers:
        """The same keys."""
        session = self.bench.session
        return Signers(
            minisign=cast("UnlockedMinisignKey", session.take(UNLOCKED))
            if UNLOCKED in session
            else None,
            openpgp=cast("Secret", session.take(GPG)) if GPG in session else None,
        )

    def command(self, state: MakeState) -> str:
        """With both of its arguments."""
        return f"backup create --custodian {state.custodian!r} {state.directory}"

    def check_place(self, state: MakeState, medium: MediumIdentity) -> None:
        """Any will do; a page warns of what will not count."""

    def forget(self) -> None:
        """Everything."""
        self.bench.session.wipe()


def _missing_lines(bench: Workbench) -> list[Line]:
    there = {key.algorithm for key in active_keys(bench)}
    return [
        Line(f"there is no active {a.shown} key: none is in this backup", mark=Mark.WARN)
        for a in Algorithm
        if a not in there
    ]


def _outcome(bench: Workbench, state: MakeState) -> Outcome:
    medium = state.medium or MediumIdentity()
    lines = (
        Line(f"set {state.number} of {state.custodian}", label="written", mark=Mark.OK),
        *medium_lines(medium),
        *proved_lines(state.proved),
        unmounted_line(state),
        *medium_warnings(bench, state.custodian, medium),
        *_missing_lines(bench),
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
    statuses = ledger.custody(bench.registry(), rules, now)
    missing = tuple(
        Line(f"{key.algorithm.shown} key: {status.text}", label="custody", mark=Mark.WARN)
        for key, status in statuses
        if not status.is_enough
    )
    if missing:
        text = "Next: another custodian makes theirs, on another medium (backup create)."
        return (*missing, Line(text))
    return (Line("Next: keep the media apart. Each wants to be proved again (backup verify)."),)
