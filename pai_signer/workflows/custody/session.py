"""Two maintainers verify their backups in one guided session, and attest it (CUS-2, CUS-3).

Each proves from their own medium with their own passphrases while the other looks away. What
comes of it is a signed attestation that a second workstation takes into its own ledger.
"""

import hashlib
from pathlib import Path
from typing import Final

import msgspec

from pai_signer.domain.attestation import (
    ATTESTATION_NAME,
    Attestation,
    CrossCheck,
    attested_proof,
    parse_attestation,
)
from pai_signer.domain.ceremony import Participant, Result, Role, check_participants
from pai_signer.domain.custody import (
    ATTESTATION_MADE,
    BACKUP_PROVED,
    ProvedFacts,
    custodian_name,
)
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.progress import Progress
from pai_signer.errors import PolicyRefused, UsageError
from pai_signer.workflows.carry_out import CarryOut, CarryOutState, carry_out_steps
from pai_signer.workflows.ceremony.closing import close_given_up, closing
from pai_signer.workflows.ceremony.frame import (
    Plan,
    ScriptState,
    TranscriptRecorder,
    journal_head,
    print_script,
)
from pai_signer.workflows.ceremony.opening import opening
from pai_signer.workflows.custody.attestation_files import (
    FILES,
    folder_of,
    signed_attestation,
)
from pai_signer.workflows.custody.custody_now import custody_data, custody_lines
from pai_signer.workflows.custody.making import active_keys
from pai_signer.workflows.custody.proved_pages import proof_data, proved_lines
from pai_signer.workflows.custody.session_cross import AskCrossCheck, TryCrossCheck
from pai_signer.workflows.custody.session_state import (
    NAME,
    TURNS,
    Part,
    SessionState,
    SessionStep,
)
from pai_signer.workflows.custody.session_turns import turn_steps
from pai_signer.workflows.engine import (
    Answer,
    Automatic,
    Outcome,
    Question,
    Step,
    TypedText,
    Workflow,
)
from pai_signer.workflows.inner_step import InnerStep
from pai_signer.workflows.keys.key_dates import NOT_COMPARED, check_clock
from pai_signer.workflows.keys.signer_passphrases import MinisignPassphrase, OpenPgpPassphrase
from pai_signer.workflows.pick_directory import given_directory
from pai_signer.workflows.workbench import Workbench

EXPORT: Final = CarryOut(
    title="Carry the attestation out",
    purpose="Where to write the attestation, for the other workstation?",
    instead="later, with the transcripts (ceremony export)",
    unchanged="The attestation stands in the vault, with its ceremony.",
)


def plan() -> Plan:
    """What the session is for, and what it needs on the table."""
    return Plan(
        name=NAME,
        title="Verify the backups, two maintainers",
        purpose=(
            "Each of two maintainers proves that their own medium, with their own passphrases, "
            "can sign as the project's keys. What was proved is signed, for every workstation "
            "of the project."
        ),
        command="backup session",
        materials=(
            "this script on paper, and a pen",
            "the first maintainer's medium, and their own passphrases on their own paper",
            "the second maintainer's medium, and their own passphrases on their own paper",
            "the second maintainer's own paper card with the OpenPGP fingerprint",
            "the passphrases of this workstation's keys, which sign the attestation",
            "a clock or watch of each maintainer, set right today",
            "a medium to carry the attestation to the other workstation",
        ),
        alone=UsageError(
            "CUS-3/alone",
            "Nobody was named as the second maintainer: a session wants two.",
            "Name them (--second NAME). One alone proves theirs with 'backup verify'.",
        ),
    )


def backup_session(
    bench: Workbench, first: str = "", second: str = "", export: str = ""
) -> Workflow[SessionState]:
    """Build the ceremony; ``first`` and ``second`` are the folders of the two media.

    ``PolicyRefused`` where no key is in use that could be proved.
    """
    check_can_prove(bench)
    what = plan()
    recorder: TranscriptRecorder[SessionState] = TranscriptRecorder(bench.clock)
    return Workflow(
        name=NAME,
        key="",
        title=what.title,
        start=SessionState(
            first=Part(directory=given_directory(first)),
            second=Part(directory=given_directory(second)),
            export=CarryOutState(directory=given_directory(export)),
        ),
        steps=_steps(bench, what),
        outcome=lambda state: _outcome(bench, state),
        discard=lambda state: _discard(bench, what, state),
        recorder=recorder,
    )


def session_script(bench: Workbench) -> Workflow[ScriptState]:
    """Build the workflow that only shows the session's script (``--script``)."""
    return print_script(bench, plan(), _steps(bench, plan()))


def check_can_prove(bench: Workbench) -> None:
    """There is a key whose backups two people could prove."""
    if not active_keys(bench):
        raise PolicyRefused(
            "CUS-2/no-key",
            "There is no active key that a backup could be proved of.",
            "Generate or import the keys first: pai-signer key generate",
            unchanged="Nothing was read.",
        )


def _steps(bench: Workbench, what: Plan) -> tuple[Step[SessionState], ...]:
    before: tuple[Step[SessionState], ...] = opening(bench, what)
    after: tuple[Step[SessionState], ...] = closing(bench, what)

    def nobody_ends(_state: SessionState) -> str:
        return ""

    def is_attested(state: SessionState) -> bool:
        return bool(_made(bench, state))

    minisign: Step[SessionState] = MinisignPassphrase(bench, nobody_ends, is_attested)
    openpgp: Step[SessionState] = OpenPgpPassphrase(bench, nobody_ends, is_attested)
    carry_out: tuple[Step[CarryOutState], ...] = carry_out_steps(bench.media, EXPORT)
    return (
        *before,
        _FirstMaintainer(bench),
        *(step for turn in TURNS for step in turn_steps(bench, turn)),
        AskCrossCheck(bench),
        TryCrossCheck(bench),
        minisign,
        openpgp,
        _Attest(bench),
        *after,
        *(_of_export(step) for step in carry_out),
        _Export(bench),
    )


class _FirstMaintainer(SessionStep):
    """Whose medium comes first."""

    id = "first-maintainer"
    title = "Name the first maintainer"
    in_script = ("The first maintainer is named as their backup names them.",)
    unchanged = "Nothing was read and nothing was proved."

    def done(self, state: SessionState) -> bool:
        return self.id in state.behind

    def question(self, state: SessionState) -> Question:
        prompt = "Name of the first maintainer, as on their backup (empty: you)"
        return TypedText(self.id, prompt, default="", may_be_empty=True)

    def act(self, state: SessionState, answer: Answer, progress: Progress) -> SessionState:
        people = tuple(
            Participant(role=p.role, name=custodian_name(str(answer) or p.name))
            if p.role is Role.MAINTAINER
            else p
            for p in state.participants
        )
        check_participants(people)
        return msgspec.structs.replace(state, participants=people, behind=(*state.behind, self.id))


# --- the attestation -----------------------------------------------------------------------------


def _made(bench: Workbench, state: SessionState) -> str:
    """The attestation of this session, as the journal has it; empty before."""
    if state.attestation or not state.ceremony:
        return state.attestation
    for entry in bench.journal.entries():
        if entry.event == ATTESTATION_MADE and entry.facts.get("ceremony") == state.ceremony:
            return str(entry.facts["attestation"])
    return ""


class _Attest(SessionStep):
    """The workstation's keys sign what was proved here."""

    id = "attest"
    title = "Attest"
    commit_point = True
    in_script = ("The workstation's keys sign what was proved, for every other workstation.",)

    def done(self, state: SessionState) -> bool:
        return bool(state.attestation)

    def question(self, state: SessionState) -> Question:
        return Automatic(self.id)

    def act(self, state: SessionState, answer: Answer, progress: Progress) -> SessionState:
        bench = self._bench
        digest = _made(bench, state)
        if not digest:
            digest = self._carry_out(state)
        progress.say(Line(f"signed, SHA-256 {digest}", label="attestation", mark=Mark.OK))
        results = tuple(
            Result(
                what=f"proved by {turn.get(state).custodian}",
                text=f"{key.algorithm.value} {key.id}",
            )
            for turn in TURNS
            for key in turn.get(state).proved
        )
        results = (*results, Result(what="attestation, SHA-256", text=digest))
        return msgspec.structs.replace(state, attestation=digest, results=results)

    def _carry_out(self, state: SessionState) -> str:
        bench = self._bench
        check_clock(bench, NOT_COMPARED, looked_at=state.clock_looked_at)
        try:
            files = signed_attestation(bench, _attestation(bench, state))
        finally:  # signed or not: what opened the keys is not needed any more
            bench.session.wipe()
        digest = hashlib.sha256(files[ATTESTATION_NAME]).hexdigest()
        # Files first: what is journalled is there, whatever crashes.
        bench.ceremonies.save(state.ceremony, files)
        bench.journal.append(
            ATTESTATION_MADE,
            {
                "attestation": digest,
                "ceremony": state.ceremony,
                "custodians": [turn.get(state).custodian for turn in TURNS],
                "cross_check": (state.cross_check or CrossCheck.NOT_DONE).value,
                "command": "backup session",
            },
        )
        return digest


def _attestation(bench: Workbench, state: SessionState) -> Attestation:
    """The statement, from the proofs as the journal has them."""
    wanted = [key.challenge_sha256 for turn in TURNS for key in turn.get(state).proved]
    facts = {
        proved.challenge_sha256: proved
        for entry in bench.journal.entries()
        if entry.event == BACKUP_PROVED
        and (proved := msgspec.convert(entry.facts, ProvedFacts)).challenge_sha256 in wanted
    }
    return Attestation(
        project=bench.profile.project.name,
        rehearsal=bench.info.rehearsal,
        made_at=bench.clock.now(),
        journal=journal_head(bench),
        registry_serial=bench.registry().serial,
        participants=state.participants,
        proofs=tuple(attested_proof(facts[digest]) for digest in wanted),
        cross_check=state.cross_check or CrossCheck.NOT_DONE,
    )


# --- carrying it out -----------------------------------------------------------------------------


def _of_export(step: Step[CarryOutState]) -> Step[SessionState]:
    return InnerStep(
        step,
        lambda state: state.export,
        lambda state, export: msgspec.structs.replace(state, export=export),
        lambda state: not state.exported,
        "-export",
    )


class _Export(SessionStep):
    """Written durably, read back, unmounted (EXP-2)."""

    id = "export"
    title = EXPORT.title
    unchanged = EXPORT.unchanged

    def done(self, state: SessionState) -> bool:
        return state.export.stays or bool(state.exported)

    def question(self, state: SessionState) -> Question:
        return Automatic(self.id)

    def act(self, state: SessionState, answer: Answer, progress: Progress) -> SessionState:
        bench, directory = self._bench, Path(state.export.directory)
        kept = bench.ceremonies.load(state.ceremony)
        files = {name: kept[name] for name in FILES if name in kept}
        folder = folder_of(bench, parse_attestation(files[ATTESTATION_NAME]))
        bench.destinations.write_release(directory, folder, files, progress)
        progress.say(Line(folder, label="written", mark=Mark.OK))
        if bench.media.unmount(directory):
            progress.say(Line("unmounted: safe to remove", mark=Mark.OK))
        return msgspec.structs.replace(state, exported=str(directory / folder))


# --- the end -------------------------------------------------------------------------------------


def _discard(bench: Workbench, what: Plan, state: SessionState) -> None:
    """What was proved stands in the journal, and then so does the transcript."""
    if _made(bench, state) or any(turn.get(state).proved for turn in TURNS):
        close_given_up(bench, what, state)


def _outcome(bench: Workbench, state: SessionState) -> Outcome:
    cross = state.cross_check or CrossCheck.NOT_DONE
    lines = []
    for turn in TURNS:
        part = turn.get(state)
        medium = part.medium.shown if part.medium else ""
        lines += [Line(f"{part.custodian}, on {medium}", label="custodian")]
        lines += proved_lines(part.proved)
    is_done = cross is CrossCheck.EACH_FAILED
    lines += [
        Line(cross.value, label="cross-check", mark=Mark.OK if is_done else Mark.WARN),
        Line(state.attestation, label="attestation"),
        Line(state.exported or "not carried out yet (ceremony export)", label="written"),
        Line(state.ceremony, label="ceremony"),
        Line(),
        *custody_lines(bench),
        Line("The other workstation takes it in: backup accept SRC"),
        Line(),
        Line("NOT proved: that nobody else has a copy, or knows a passphrase."),
    ]
    data = {
        "ceremony": state.ceremony,
        "attestation": state.attestation,
        "exported": state.exported or None,
        "cross_check": cross.value,
        "custodians": [
            {"custodian": turn.get(state).custodian, **proof_data(turn.get(state).proved)}
            for turn in TURNS
        ],
        "custody": custody_data(bench),
    }
    return Outcome((Page("Two backups proved", tuple(lines)),), data)
