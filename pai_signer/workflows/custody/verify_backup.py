"""Prove that a custodian's backup works, from the medium itself (CUS-2)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from pai_signer.domain.custody import MediumIdentity
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm
from pai_signer.errors import CustodyError, PolicyRefused
from pai_signer.workflows.custody.custodian import (
    ChooseCustodian,
    CustodianState,
    TypeCustodian,
    checked_custodian,
)
from pai_signer.workflows.custody.custodian_passphrases import CustodianPassphrase
from pai_signer.workflows.custody.judge_medium import judge_medium, record_seen
from pai_signer.workflows.custody.making import WHOSE, active_keys, medium_lines
from pai_signer.workflows.custody.prove_medium import prove_medium
from pai_signer.workflows.custody.prove_set import Held, ProvedKey
from pai_signer.workflows.custody.proved_pages import (
    medium_data,
    not_proved_lines,
    proof_data,
    proved_lines,
)
from pai_signer.workflows.custody.repair_set import mounted_anew, repair_sets
from pai_signer.workflows.custody.seen import Seen, refusal_of, seen_lines, seen_page
from pai_signer.workflows.engine import (
    NO,
    YES,
    Answer,
    Automatic,
    Choice,
    Option,
    Outcome,
    Question,
    Step,
    Workflow,
)
from pai_signer.workflows.keys.key_dates import NOT_COMPARED, check_clock
from pai_signer.workflows.pick_directory import (
    PickMedium,
    TypeFolder,
    checked_directory,
    given_directory,
)
from pai_signer.workflows.unmount import Unmount, unmounted_line
from pai_signer.workflows.workbench import Workbench

PURPOSE: Final = "On which medium is the backup?"


class VerifyState(CustodianState, frozen=True, kw_only=True):
    """Where it stands; ``seen`` is what the medium holds, without any secret."""

    medium: MediumIdentity | None = None
    seen: Seen | None = None
    repair: str = ""
    was_repaired: bool = False
    proved: tuple[ProvedKey, ...] = ()

    @property
    def is_over(self) -> bool:
        """Nothing is left to prove: all is proved, or nothing there can be."""
        return bool(self.proved) or (self.seen is not None and not self.seen.ready)


def verify_backup(
    bench: Workbench, custodian: str = "", directory: str = ""
) -> Workflow[VerifyState]:
    """Build the workflow; ``PolicyRefused`` where no key is in use that could be proved."""
    if not active_keys(bench):
        raise PolicyRefused(
            "CUS-2/no-key",
            "There is no active key that a backup could be proved of.",
            "Generate or import the keys first: pai-signer key generate",
            unchanged="Nothing was read.",
        )
    return Workflow(
        name="verify-backup",
        key="",
        title="Verify a backup",
        start=VerifyState(
            custodian=checked_custodian(bench, custodian) if custodian else "",
            directory=given_directory(directory),
        ),
        steps=(
            ChooseCustodian(bench, WHOSE),
            TypeCustodian(bench, WHOSE),
            PickMedium(bench.media, PURPOSE, read_only=True),
            TypeFolder(PURPOSE),
            _Look(bench),
            _Repair(bench),
            *(_ReadPassphrase(bench, algorithm) for algorithm in Algorithm),
            _Prove(bench),
            Unmount(bench.media, lambda state: state.seen is not None),
        ),
        outcome=_outcome,
    )


class _VerifyStep(Step[VerifyState]):
    """What the steps of a verification share."""

    unchanged = "The medium and the keys are as they were."

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def _held(self, state: VerifyState) -> Held:
        """Whose and where; refuses another medium than the one that was looked at."""
        medium = self._bench.media.identify(Path(state.directory))
        if state.medium is not None and medium != state.medium:
            raise CustodyError(
                "CUS-2/other-medium",
                f"The medium at {state.directory} is another one now: {medium.shown}.",
                "Plug in the one that was looked at, or discard and begin again.",
            )
        repair = " --repair" if state.repair == YES else ""
        command = f"backup verify --custodian {state.custodian!r} {state.directory}{repair}"
        return Held(state.custodian, medium, command)

    def _seen(self, state: VerifyState, progress: Progress) -> VerifyState:
        """Look, and journal what stands already."""
        bench, held = self._bench, self._held(state)
        check_clock(bench, NOT_COMPARED)
        judgement = judge_medium(bench, held, Path(state.directory), active_keys(bench), progress)
        record_seen(bench, held, judgement.seen)
        return msgspec.structs.replace(state, medium=held.medium, seen=judgement.seen)


class _Look(_VerifyStep):
    """Read all three copies past the page cache and compare them, without any secret."""

    id = "look"
    title = "Read the medium"

    def done(self, state: VerifyState) -> bool:
        return state.seen is not None

    def question(self, state: VerifyState) -> Question:
        return Automatic("look")

    def act(self, state: VerifyState, answer: Answer, progress: Progress) -> VerifyState:
        return self._seen(state, progress)


class _Repair(_VerifyStep):
    """Damaged, with a whole copy left: it can be made whole from the medium itself."""

    id = "repair"
    title = "Repair"
    unchanged = "What was whole on the medium is as it was."

    def done(self, state: VerifyState) -> bool:
        return bool(state.repair) or state.seen is None or not state.seen.repairable

    def pages(self, state: VerifyState) -> Sequence[Page]:
        if state.seen is None:
            return ()
        lines = (
            *seen_lines(state.seen),
            Line(),
            Line("Every damaged file is whole in another copy, as the signed manifest says."),
            Line("To write it again, the medium has to be writable for a moment."),
            Line("A medium that loses bytes will lose more: plan for another one."),
        )
        return (Page("Damaged, and it can be repaired", lines),)

    def question(self, state: VerifyState) -> Question:
        options = (
            Option(YES, "write the damaged copies again, then prove"),
            Option(NO, "leave everything as it is, and end here"),
        )
        return Choice("repair", "Repair it?", options=options, default=NO)

    def act(self, state: VerifyState, answer: Answer, progress: Progress) -> VerifyState:
        state = msgspec.structs.replace(state, repair=str(answer))
        if answer != YES or state.seen is None:
            return state
        bench, held = self._bench, self._held(state)
        there = mounted_anew(bench, Path(state.directory), read_only=False)
        try:
            repair_sets(bench, held, there, state.seen.repairable, progress)
        finally:
            there = mounted_anew(bench, there, read_only=True)
        state = msgspec.structs.replace(state, directory=checked_directory(str(there)))
        return msgspec.structs.replace(self._seen(state, progress), was_repaired=True)


class _ReadPassphrase(CustodianPassphrase[VerifyState]):
    """Asked only for what lies there and can be proved; says first what was found."""

    def __init__(self, bench: Workbench, algorithm: Algorithm) -> None:
        super().__init__(
            bench,
            algorithm,
            lambda state: (
                not state.is_over and state.seen is not None and state.seen.is_ready(algorithm)
            ),
        )

    def pages(self, state: VerifyState) -> Sequence[Page]:
        return (seen_page(state.seen),) if state.seen is not None else ()


class _Prove(_VerifyStep):
    """A wrong passphrase fails first; then each key signs a challenge of its own."""

    id = "prove"
    title = "Prove"

    def done(self, state: VerifyState) -> bool:
        return state.is_over

    def question(self, state: VerifyState) -> Question:
        return Automatic("prove")

    def act(self, state: VerifyState, answer: Answer, progress: Progress) -> VerifyState:
        bench = self._bench
        progress.say(Line("this takes some seconds for each key, and 1 GiB of memory"))
        try:
            proved = prove_medium(
                bench,
                self._held(state),
                Path(state.directory),
                active_keys(bench),
                progress,
                expected=state.seen,
            )
        finally:  # proved or not: what was typed is not needed any more
            bench.session.wipe()
        return msgspec.structs.replace(state, proved=proved)


def _outcome(state: VerifyState) -> Outcome:
    seen, medium = state.seen or Seen(), state.medium or MediumIdentity()
    refusal = refusal_of(seen)
    lines = [
        Line(state.custodian, label="custodian"),
        *medium_lines(medium),
        *(line for line in seen_lines(seen) if line.mark is not Mark.OK),
        *proved_lines(state.proved),
    ]
    if state.was_repaired:
        lines.append(Line("damaged copies were written again, and read back", "repaired", Mark.OK))
    if state.proved:
        lines += [Line(), *not_proved_lines(state.custodian)]
        if not medium.is_known:
            text = "It does NOT COUNT for signing: this is no removable medium (POL-7)."
            lines.append(Line(text, mark=Mark.FAIL))
    else:
        lines.append(Line("Nothing was proved.", mark=Mark.FAIL))
    lines += [Line(), unmounted_line(state)]
    data = {
        "outcome": "fresh" if refusal is None else refusal.code.partition("/")[2],
        "custodian": state.custodian,
        "directory": state.directory,
        "medium": medium_data(medium),
        "missing": [{"algorithm": k.algorithm.value, "key": k.id} for k in seen.missing],
        "notes": list(seen.notes),
        "repaired": state.was_repaired,
        **proof_data(state.proved),
        "unmounted": bool(state.unmounted),
    }
    title = "Proved" if refusal is None else "Proved in part" if state.proved else "Not proved"
    return Outcome((Page(title, tuple(lines)),), data, refusal=refusal)
